"""What is typed at a shell, and what it is answered; nothing is run or inspected."""

import pytest

from blocks import RECIPES, emit
from fakes import FakeTarget
from following import BASE, INTERPRETER_AT, OFFSETS, SP
from thunk_inspect.cli import _parser
from thunk_inspect.inspection import inspect
from thunk_inspect.report.page import Style
from thunk_inspect.session.run import finish
from thunk_inspect.session.seam import EXITED, Outcome


def answered(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What `run` prints of a program that was inspected, with these words."""
    code = emit(RECIPES["arm64-unix"], BASE, INTERPRETER_AT, OFFSETS)
    report = inspect(FakeTarget({BASE: code}, {"pc": BASE, "sp": SP}))
    options = _parser().parse_args(["run", *words, "program"])
    finish(Outcome(EXITED, "exited with 0", report), options, Style())
    return capsys.readouterr().out


def test_what_a_hint_names_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    hint = "(thunk-inspect run --all shows the evidence of every check)"
    short, whole = answered(capsys), answered(capsys, "--all")
    assert hint in short and hint not in whole
    assert len(whole) > 2 * len(short)
