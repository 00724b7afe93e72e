"""Beside another plugin, in one gdb. Collected where GEF or PWNDBG name their files:
`make test-matrix`."""

import os
from typing import NamedTuple

import pytest

from debuggers import Gdb
from programs import fixture
from sessions import Session


class Other(NamedTuple):
    """Another plugin."""

    file: str
    quiet: str
    """A command after which it shows nothing by itself."""
    aloud: str
    """One after which it does again."""


KNOWN = {
    "gef": Other(
        os.environ.get("GEF", ""),
        "gef config context.enable False",
        "gef config context.enable True",
    ),
    "pwndbg": Other(
        os.environ.get("PWNDBG", ""),
        "set context-sections ''",
        "set context-sections regs disasm code stack backtrace",
    ),
}
HERE = [name for name, other in KNOWN.items() if other.file]


def stopped(gdb: Session, other: Other, *loads: str) -> None:
    """A sound call, in the interpreter, with these loaded in this order."""
    # pwndbg keeps files in the home folder.
    gdb.open(env={"HOME": str(gdb.folder)}, plugin=False)
    for load in loads:
        assert "Error" not in gdb.run(load).error
    gdb.run(other.quiet)
    gdb.run(gdb.debugger.open(fixture("x86_64")))
    gdb.run(gdb.debugger.once("depth_5"))
    gdb.run(gdb.debugger.launch(["sysv", "none", "3", "--calls", "3"], gdb.output))


@pytest.mark.parametrize("ours_first", [False, True])
@pytest.mark.parametrize("name", HERE)
def test_both_work(gdb: Session, name: str, ours_first: bool) -> None:
    other = KNOWN[name]
    loads = [f"source {other.file}", Gdb.load]
    stopped(gdb, other, *(loads[::-1] if ours_first else loads))
    # gef's prompt stands before every answer.
    assert '"verdict": "sound"' in gdb.run("thunk-inspect --json").output
    assert "add(12, 1.5, 3)" in gdb.run("thunk-bt").output
    # gef has numbers shown in hexadecimal.
    numbers = ("0xc", "0x3") if name == "gef" else ("12", "3")
    assert "add (a1={}, a2=1.5, a3={})".format(*numbers) in gdb.run("bt").output
    trace = gdb.run("thunk-trace").output
    assert "all consistent" in trace
    gdb.run(other.aloud)
    gdb.run("start")
    # It stops at main or, where gef finds none, at the entry point.
    shown = gdb.run("context").output
    assert "chakra_like" in shown
