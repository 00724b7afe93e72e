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
from sessions import Session
from traces import all_break_points, trace

LONG = pytest.mark.long


def traced(console: Console, folder: Path, debugger: str, *words: str) -> Document:
    """The trace of a run of chakra_ends, with `status` and what the program said."""
    return run(console, folder, debugger, ends(), *words)


def run(console: Console, folder: Path, debugger: str, *words: str) -> Document:
    path = folder / "report.json"
    done = console("run", "--debugger", debugger, "--json", path, *words)
    assert path.exists(), done.stderr
    seen: Document = validated(json.loads(path.read_text()))["trace"]
    return {**seen, "status": done.returncode, "said": done.stdout}


@BOTH
@pytest.mark.parametrize(("fault", "wrong"), [("none", 0), ("callee-saved", 2)])
def test_another_block_in_the_place_of_one(
    console: Console, tmp_path: Path, debugger: str, fault: str, wrong: int
) -> None:
    """Traps go with the memory that they were in; also where the code is the same."""
    seen = traced(console, tmp_path, debugger, "block", "sysv", fault)
    assert seen["ended"] == f"exited with {1 if wrong else 0}"
    assert (seen["calls"], seen["failures"]) == (3, wrong)
    assert {kind: seen["counts"][kind] for kind in STEPS} == dict.fromkeys(STEPS, 3)
    assert seen["counts"]["encoded"] == (2 if wrong else 1)
    assert seen["status"] == (1 if wrong else 0)


@BOTH
@pytest.mark.parametrize(("how", "calls"), [("data", 3), ("closed", 4)])
def test_data_in_the_place_of_a_block(
    console: Console, tmp_path: Path, debugger: str, how: str, calls: int
) -> None:
    """No trap is put into it, and none taken out. Other blocks stay under watch."""
    seen = traced(console, tmp_path, debugger, how)
    assert "0 bytes are wrong" in seen["said"]
    assert seen["ended"] == "exited with 0"
    assert (seen["failures"], seen["status"]) == (0, 0)
    assert {kind: seen["counts"][kind] for kind in STEPS} == dict.fromkeys(STEPS, calls)


@BOTH
def test_another_function_where_one_was(
    console: Console, tmp_path: Path, debugger: str
) -> None:
    """As a collector has it: each call is named, and counted, as what it is of."""
    seen = traced(console, tmp_path, debugger, "function")
    counts = [(one["name"], one["calls"]) for one in seen["functions"]]
    assert counts == [("add", 1), ("other", 3)]
    names = [one["name"] for one in seen["events"] if one["call"]]
    assert names == ["add"] * 5 + ["other"] * 15


# Another program.


ANOTHER = "the process executed another program"


@BOTH
def test_a_program_that_executes_another(
    console: Console, tmp_path: Path, debugger: str
) -> None:
    """What was seen before is told; the same program again is another one."""
    seen = traced(console, tmp_path, debugger, "exec", ends(), "data")
    said = f"{ANOTHER}, and was ended there"
    assert (seen["ended"], seen["status"]) == (said, 4)
    assert {kind: seen["counts"][kind] for kind in STEPS} == dict.fromkeys(STEPS, 1)
    assert [one["name"] for one in seen["functions"]] == ["add"]


@BOTH
def test_a_launcher_is_not_what_is_traced(
    console: Console, tmp_path: Path, debugger: str
) -> None:
    words = ("/bin/sh", "-c", f"exec {ends()} data")
    seen = run(console, tmp_path, debugger, *words)
    assert (seen["ended"], seen["calls"]) == ("exited with 0", 3)


def unnumbered(session: Session) -> "list[list[str]]":
    """All break points; gdb sets its own ones anew for another program."""
    return [line.split()[1:] for line in all_break_points(session)]


@pytest.mark.parametrize("when", [pytest.param("exec", marks=LONG), "exec-first"])
def test_the_other_program_is_left_alone(session: Session, when: str) -> None:
    """It gets no trap, and runs on from its start."""
    session.open()
    session.run(session.debugger.open(ends()))
    session.run(session.debugger.once("main"))
    session.run(session.debugger.launch((when, ends(), "data"), session.output))
    before = unnumbered(session)
    assert trace(session)["ended"] == ANOTHER
    assert unnumbered(session) == before
    session.run("continue")
    last = session.stdout()[-1]
    assert last == "0 bytes are wrong"
