"""thunk-trace on the real engine: a thousand calls, every one consistent."""

import json
from pathlib import Path

import pytest

from conftest import Opener
from reports import Document
from sessions import Session

WANTED = 1000


def trace_of(session: Session, options: str, path: Path) -> Document:
    answer = session.run(f"thunk-trace {options} --json {path}", 120)
    assert not answer.error, answer.error
    assert "WRONG" not in answer.output
    document: Document = json.loads(path.read_text())
    return document


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_a_thousand_calls(sessions: Opener, debugger: str, tmp_path: Path) -> None:
    """With exceptions thrown through several of them."""
    session = sessions(debugger)
    session.load_engine("many.js", "--no-jit", stop="dlopen")
    trace = trace_of(session, f"--count {WANTED}", tmp_path / "trace.json")
    assert trace["ended"] == f"{WANTED} calls were traced"
    assert trace["calls"] > WANTED, "some were left by an exception"
    assert trace["failures"] == 0 and trace["first_failure"] is None
    counts = trace["counts"]
    assert counts["returned"] == WANTED
    assert counts["call"] == counts["entered"] == counts["dispatch"] == trace["calls"]
    names = {one["name"] for one in trace["functions"]}
    assert {"add", "thrower", "catcher", "Point", "sum", "inner", "fib"} <= names
    generated = [one for one in trace["events"] if one["kind"] == "generated"]
    assert generated[0]["name"] == "Global code"
    assert all(
        one["values"]["converted"] == one["values"]["entry_point"] for one in generated
    )
    assert session.json()["verdict"] in ("sound", "undecided")


def test_with_the_jit_at_work(gdb: Session, tmp_path: Path) -> None:
    """What gets hot leaves the interpreter; jitted code calls what has not yet."""
    gdb.load_engine("many.js", stop="dlopen")
    trace = trace_of(gdb, "", tmp_path / "trace.json")
    assert trace["ended"] == "exited with 0"
    assert trace["failures"] == 0 and trace["calls"] > WANTED


def test_from_the_middle(session: Session, tmp_path: Path) -> None:
    """Calls that were in progress before return without a wrong word."""
    session.load_engine("nest.js", "--no-jit", stop="engine_print")
    for _ in range(5):
        session.go_to("engine_print")
    trace = trace_of(session, "", tmp_path / "trace.json")
    assert trace["ended"] == "exited with 0"
    assert trace["failures"] == 0 and trace["calls"]
