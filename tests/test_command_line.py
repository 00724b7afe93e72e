"""What is typed at a shell, and what it is answered; nothing is run or inspected."""

import re

import pytest

from blocks import RECIPES, emit
from fakes import FakeSession, FakeTarget
from following import BASE, INTERPRETER_AT, OFFSETS, SP
from programs import ROOT
from thunk_inspect.chakra.locate import NotFound
from thunk_inspect.cli import _parser, main
from thunk_inspect.commands.base import UsageError
from thunk_inspect.commands.run import run_command
from thunk_inspect.inspection import inspect
from thunk_inspect.report.page import Style
from thunk_inspect.session.run import finish
from thunk_inspect.session.seam import EXITED, Outcome
from thunk_inspect.version import VERSION


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


@pytest.mark.parametrize(
    "command, words",
    [("run", "--foo x"), ("setup", "--wirte"), ("doctor", "-x"), ("replay", "a b c")],
)
def test_wrong_words_are_told_with_the_commands_usage(
    capsys: pytest.CaptureFixture[str], command: str, words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, *words.split()])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"usage: thunk-inspect {command} ")
    assert f"thunk-inspect {command}: error: unrecognized arguments: " in said


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    assert capsys.readouterr().out == f"thunk-inspect {VERSION}\n"
    assert re.search(rf"\b{re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text())


@pytest.mark.parametrize(
    "name, line, said",
    [
        (
            "thunk-settings",
            "color off",
            "'color' is none of colour, arguments, block-size",
        ),
        ("thunk-trace", "--only x", "argument --only: invalid choice: 'x'; see help"),
    ],
)
def test_a_wrong_choice_names_the_right_ones(name: str, line: str, said: str) -> None:
    """Where the line has room for them."""
    with pytest.raises(UsageError, match=re.escape(said)) as error:
        run_command(name, line, FakeSession({}, {}))
    assert len(f"error: {name}: {error.value}") <= 80


def test_where_there_is_no_thunk() -> None:
    """What to do is told, on one line with what lldb puts before it."""
    target = FakeTarget({}, {"pc": 0x1000, "sp": SP})
    for address, said in ((None, "stop ChakraCore in a call"), (0x1234, "thunk-find")):
        with pytest.raises(NotFound, match=said) as error:
            inspect(target, address)
        assert len(f"error: thunk-inspect: {error.value}") <= 80
