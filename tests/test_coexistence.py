"""Beside gef, in one gdb. Collected where GEF names its file: `make test-matrix`."""

import os

import pytest

from debuggers import Gdb
from programs import fixture
from sessions import Session

GEF = f"source {os.environ.get('GEF', '')}"


def stopped(gdb: Session, *loads: str) -> None:
    """A sound call, in the interpreter, with these loaded in this order."""
    gdb.open(plugin=False)
    for load in loads:
        assert "Error" not in gdb.run(load).error
    gdb.run("gef config context.enable False")
    gdb.run(gdb.debugger.open(fixture("x86_64")))
    gdb.run(gdb.debugger.once("depth_5"))
    gdb.run(gdb.debugger.launch(["sysv", "none", "3", "--calls", "3"], gdb.output))


@pytest.mark.parametrize("first", ["gef", "ours"])
def test_both_work(gdb: Session, first: str) -> None:
    loads = [GEF, Gdb.load]
    stopped(gdb, *(loads if first == "gef" else loads[::-1]))
    # gef's prompt stands before every answer.
    assert '"verdict": "sound"' in gdb.run("thunk-inspect --json").output
    assert "add(12, 1.5, 3)" in gdb.run("thunk-bt").output
    # gef has numbers shown in hexadecimal.
    assert "add (a1=0xc, a2=1.5, a3=0x3)" in gdb.run("bt").output
    trace = gdb.run("thunk-trace").output
    assert "all consistent" in trace
    gdb.run("gef config context.enable True")
    gdb.run("start")
    # It stops at main or, where gef finds none, at the entry point.
    shown = gdb.run("context").output
    assert "chakra_like" in shown and "stopped" in shown
