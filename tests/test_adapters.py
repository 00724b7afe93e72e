"""Parts of the debuggers' adapters, without a debugger: its module is a fake."""

import importlib
import sys
from types import SimpleNamespace
from typing import Any, Iterator
from unittest.mock import MagicMock

import pytest

from thunk_inspect.target import ThunkError
from thunk_inspect.trace.points import INTERRUPTED, TIME_UP

OURS = "thunk_inspect."


class Debugger(MagicMock):
    """The module of a debugger: whatever is asked of it, there is one."""

    error = type("error", (RuntimeError,), {})

    def part(self, name: str) -> Any:
        """A module of ours as this debugger loads it."""
        return importlib.import_module(OURS + name)


class Breakpoint:
    """One of gdb's."""

    def __init__(self, where: str, internal: bool) -> None:
        self.number = -1


@pytest.fixture
def gdb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Debugger]:
    fake = Debugger()
    monkeypatch.setitem(sys.modules, "gdb", fake)
    monkeypatch.setitem(sys.modules, "gdb.unwinder", SimpleNamespace(Unwinder=object))
    yield fake
    for name in [name for name in sys.modules if name.startswith(f"{OURS}gdb.")]:
        del sys.modules[name]


@pytest.fixture
def lldb_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Debugger]:
    fake = Debugger()
    monkeypatch.setitem(sys.modules, "lldb", fake)
    yield fake
    for name in [name for name in sys.modules if name.startswith(f"{OURS}lldb.")]:
        del sys.modules[name]


def test_each_process_has_its_own_blocks(gdb: Debugger) -> None:
    """Without address randomization all of them have one at the same address."""
    blocks = gdb.part("gdb.unwinder").Blocks()
    asked = []

    def facts(pc: int) -> None:
        inferior = gdb.selected_inferior()
        asked.append((inferior.num, inferior.pid))

    blocks._facts = facts
    for num, pid in ((1, 70), (1, 70), (2, 80), (1, 70), (1, 90)):
        gdb.selected_inferior.return_value = SimpleNamespace(num=num, pid=pid)
        assert blocks.place(0x7FFFF7FBE123) is None
    assert asked == [(1, 70), (2, 80), (1, 90)]


def test_a_process_that_was_killed(
    gdb: Debugger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gdb learns of it when it next lets the process go on."""
    session = gdb.part("gdb.session")
    monkeypatch.setattr(session, "is_dead", lambda pid: pid == 70)
    gdb.selected_thread.return_value.is_running.return_value = False
    connection = SimpleNamespace(type="native")
    gdb.selected_inferior.return_value = SimpleNamespace(
        num=1, pid=70, connection=connection
    )
    with pytest.raises(ThunkError, match="was killed"):
        session.GdbSession().target()


@pytest.mark.parametrize(
    ("handled", "can"),
    [
        ("Yes\tYes\tNo", True),
        ("No\tNo\tNo", False),
        ("No\tNo\tYes", False),
        ("Yes\tYes\tYes", False),
    ],
)
def test_gdb_has_to_stop_at_an_interrupt(
    gdb: Debugger, handled: str, can: bool
) -> None:
    """And to keep it from the process, which would end by it."""
    head = "Signal        Stop\tPrint\tPass to program\tDescription\n"
    gdb.execute.return_value = f"{head}SIGINT        {handled}\t\tInterrupt\n"
    runner = gdb.part("gdb.runner")
    if can:
        assert runner.GdbRunner().run(MagicMock(), 0.0).reason == TIME_UP
        return
    with pytest.raises(ThunkError, match="handle SIGINT stop nopass"):
        runner.GdbRunner().run(MagicMock(), 0.0)


def test_an_interrupt_within_a_hit(gdb: Debugger) -> None:
    """gdb stops there, whichever step of ours it falls on."""
    gdb.Breakpoint, gdb.BreakpointEvent = Breakpoint, SimpleNamespace
    runner = gdb.part("gdb.runner")
    gdb.SignalEvent = type(None)

    def hit() -> bool:
        raise KeyboardInterrupt

    ours = runner._Break("*0x1000", hit)
    assert ours.stop() is True
    event = SimpleNamespace(breakpoint=ours, breakpoints=[ours])
    assert runner.GdbRunner()._reason(event).reason == INTERRUPTED


def test_names_that_are_no_text(gdb: Debugger) -> None:
    """gdb makes a text of what it says, in the encoding of the user's terminal."""

    def say(command: str, to_string: bool) -> str:
        return b"mk\xff\xfe + 4 in section .text\n".decode()

    gdb.execute.side_effect = say
    gdb.solib_name.side_effect = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")
    target = gdb.part("gdb.target").GdbTarget()
    assert target.symbol_at(0x1004) == ("mk\ufffd\ufffd", 0x1000)
    assert target._in_module(0x1004)
    assert gdb.part("gdb.target").address_of("mk") is None


def test_memory_of_a_process_that_was_killed(lldb_module: Debugger) -> None:
    """lldb 14 then gives a negative number of bytes, at which Python raises."""
    memory_of = lldb_module.part("lldb.connection").memory_of
    process = MagicMock()
    process.ReadMemory.side_effect = SystemError("Negative size passed")
    assert memory_of(process, 0x1000, 8) is None
    process.ReadMemory.side_effect = [b"12345678", b"1234", None]
    answers = [memory_of(process, 0x1000, 8) for _ in range(3)]
    assert answers == [b"12345678", None, None]
