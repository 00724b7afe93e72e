"""Traces of programs that are done with a block, a function, or themselves, and use
what they were in again."""

import json
from pathlib import Path

import pytest

from conftest import Console
from following import STEPS
from programs import ends
from reports import Document, validated
from runs import BOTH


def traced(console: Console, folder: Path, debugger: str, *words: str) -> Document:
    """The trace of a run of chakra_ends, with `status` and what the program said."""
    path = folder / "report.json"
    done = console("run", "--debugger", debugger, "--json", path, ends(), *words)
    assert path.exists(), done.stderr
    trace: Document = validated(json.loads(path.read_text()))["trace"]
    return {**trace, "status": done.returncode, "said": done.stdout}


@BOTH
@pytest.mark.parametrize(("fault", "wrong"), [("none", 0), ("callee-saved", 2)])
def test_another_block_in_the_place_of_one(
    console: Console, tmp_path: Path, debugger: str, fault: str, wrong: int
) -> None:
    """Traps go with the memory that they were in; also where the code is the same."""
    trace = traced(console, tmp_path, debugger, "block", "sysv", fault)
    assert trace["ended"] == f"exited with {1 if wrong else 0}"
    assert (trace["calls"], trace["failures"]) == (3, wrong)
    assert {kind: trace["counts"][kind] for kind in STEPS} == dict.fromkeys(STEPS, 3)
    assert trace["counts"]["encoded"] == (2 if wrong else 1)
    assert trace["status"] == (1 if wrong else 0)


@BOTH
@pytest.mark.parametrize(("how", "calls"), [("data", 3), ("closed", 4)])
def test_data_in_the_place_of_a_block(
    console: Console, tmp_path: Path, debugger: str, how: str, calls: int
) -> None:
    """No trap is put into it, and none taken out. Other blocks stay under watch."""
    trace = traced(console, tmp_path, debugger, how)
    assert "0 bytes are wrong" in trace["said"]
    assert trace["ended"] == "exited with 0"
    assert (trace["failures"], trace["status"]) == (0, 0)
    assert {kind: trace["counts"][kind] for kind in STEPS} == dict.fromkeys(
        STEPS, calls
    )
