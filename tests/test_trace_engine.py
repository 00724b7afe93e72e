"""thunk-trace on the real engine: a thousand calls, every one consistent."""

import json
import subprocess
from pathlib import Path

import pytest

from conftest import Opener
from programs import ENGINE, SCRIPTS, need
from reports import Document
from sessions import Session

COUNTS = [
    ("gdb", 1000),
    ("lldb", 100),
    pytest.param("lldb", 1000, marks=pytest.mark.long),
]


def trace_of(session: Session, options: str, path: Path) -> Document:
    answer = session.run(f"thunk-trace {options} --json {path}", 120)
    assert not answer.error, answer.error
    assert "WRONG" not in answer.output
    document: Document = json.loads(path.read_text())
    return document


@pytest.mark.parametrize(("debugger", "wanted"), COUNTS)
def test_many_calls(
    sessions: Opener, debugger: str, wanted: int, tmp_path: Path
) -> None:
    """With exceptions thrown through several of them."""
    session = sessions(debugger)
    session.load_engine("many.js", "--no-jit", stop="dlopen")
    trace = trace_of(session, f"--count {wanted}", tmp_path / "trace.json")
    assert trace["ended"] == f"{wanted} calls were traced"
    assert trace["calls"] > wanted, "some were left by an exception"
    assert trace["failures"] == 0 and trace["first_failure"] is None
    counts = trace["counts"]
    assert counts["returned"] == wanted
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
    assert trace["failures"] == 0 and trace["calls"] > 1000


def test_from_the_middle(session: Session, tmp_path: Path) -> None:
    """Calls that were in progress before return without a wrong word."""
    session.load_engine("nest.js", "--no-jit", stop="engine_print")
    for _ in range(5):
        session.go_to("engine_print")
    trace = trace_of(session, "", tmp_path / "trace.json")
    assert trace["ended"] == "exited with 0"
    assert trace["failures"] == 0 and trace["calls"]


@pytest.mark.parametrize("option", ["--no-jit", ""])
def test_every_way_to_be_called(sessions: Opener, option: str, tmp_path: Path) -> None:
    """Classes, generators, proxies, spread, bound functions, eval, exceptions through
    natives, thousands of frames that a stack overflow takes away at once."""
    session = sessions("gdb")
    session.load_engine("every.js", *filter(None, [option]), stop="dlopen")
    trace = trace_of(session, "--only generated --count 900", tmp_path / "trace.json")
    assert trace["failures"] == 0 and trace["first_failure"] is None
    assert trace["calls"] >= 900
    names = {one["name"] for one in trace["functions"]}
    assert {"gen", "Derived", "apply", "caught", "nested", "many"} <= names


def test_no_symbols_at_all(sessions: Opener, tmp_path: Path) -> None:
    """An engine without symbols, and asm.js in it, whose layouts have no callInfo."""
    library = tmp_path / "libChakraCore.so"
    whole = str(ENGINE / "libChakraCore.so")
    command = [need("strip"), "-s", "-o", str(library), whole]
    subprocess.run(command, check=True)
    session = sessions("gdb")
    session.open()
    session.run(session.debugger.open(need(ENGINE / "engine_host")))
    session.run(session.debugger.once("engine_print"))
    words = ("--no-jit", str(library), str(SCRIPTS / "asm_twice.js"))
    session.debugger.ignore_signals("SIGSEGV SIGUSR1 SIGUSR2")
    session.run(session.debugger.launch(words, session.output))
    trace = trace_of(session, "", tmp_path / "trace.json")
    assert trace["ended"] == "exited with 0"
    assert trace["failures"] == 0 and trace["calls"]
    kinds = {event["text"].split()[0] for event in trace["events"] if arrives(event)}
    assert "layout" in kinds, "one whose interpreter is not known to be JavaScript's"


def arrives(event: Document) -> bool:
    return bool(event["kind"] == "interpreter" and event["call"])
