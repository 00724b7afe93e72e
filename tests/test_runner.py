"""gdb's side of a trace where something fails at a hit, with a gdb made of plain
values; and what the emulator is looked up in."""

import importlib
import os
import socket
import sys
import time
import types
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest

from thunk_inspect import sockets
from thunk_inspect.trace.points import AT_POINT, TIME_UP, Point

POINT = Point("entered", 0x1000, ())


class Event:
    """A registry of gdb's."""

    def __init__(self) -> None:
        self.heard: List[Callable[[Any], None]] = []

    def connect(self, listener: Callable[[Any], None]) -> None:
        self.heard.append(listener)

    def disconnect(self, listener: Callable[[Any], None]) -> None:
        self.heard.remove(listener)


class Breakpoint:
    made: "List[Breakpoint]" = []

    def __init__(self, where: str, internal: bool) -> None:
        self.number = -12
        self.made.append(self)

    def stop(self) -> bool:
        raise NotImplementedError

    def delete(self) -> None:
        self.made.remove(self)


class BreakpointEvent:
    def __init__(self, breakpoint: Breakpoint) -> None:
        self.breakpoint, self.breakpoints = breakpoint, [breakpoint]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """`thunk_inspect.gdb.runner`, in a gdb whose process hits every break point."""
    gdb: Any = types.ModuleType("gdb")
    gdb.error = RuntimeError
    gdb.Breakpoint, gdb.BreakpointEvent = Breakpoint, BreakpointEvent
    gdb.SignalEvent = type("SignalEvent", (), {})
    names = ("stop", "exited", "cont", "new_objfile", "clear_objfiles")
    gdb.events = types.SimpleNamespace(**{name: Event() for name in names})
    gdb.unwinder = types.SimpleNamespace(Unwinder=object)
    gdb.invalidate_cached_frames = lambda: None
    connection = types.SimpleNamespace(type="remote", details="localhost:1")
    gdb.selected_inferior = lambda: types.SimpleNamespace(
        connection=connection, pid=1, threads=list
    )
    gdb.selected_thread = lambda: types.SimpleNamespace(num=1)
    gdb.breakpoints = tuple

    def execute(command: str, to_string: bool = False) -> str:
        """As gdb does: what `stop` raises is printed, and the process stays stopped."""
        if to_string:
            return ""
        assert command == "continue"
        for one in list(Breakpoint.made):
            try:
                stays = one.stop()
            except Exception:
                stays = True
            if stays:
                for listener in list(gdb.events.stop.heard):
                    listener(BreakpointEvent(one))
                break
        return ""

    gdb.execute = execute
    before = set(sys.modules)
    monkeypatch.setitem(sys.modules, "gdb", gdb)
    monkeypatch.setitem(sys.modules, "gdb.unwinder", gdb.unwinder)
    monkeypatch.setattr(Breakpoint, "made", [])
    yield importlib.import_module("thunk_inspect.gdb.runner")
    for name in set(sys.modules) - before:
        if name.startswith("thunk_inspect.gdb"):
            del sys.modules[name]


def raised(*_: object) -> None:
    raise IndexError("list index out of range")


def test_what_a_hit_raises_is_raised_by_the_run(module: Any) -> None:
    runner = module.GdbRunner()
    runner.add(POINT)
    with pytest.raises(IndexError):
        runner.run(raised, None)


def test_what_the_look_for_an_emulator_raises_is(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hit when time is up looks for it."""
    monkeypatch.setattr(module, "emulator_behind", raised)
    monkeypatch.setattr(module, "passed", lambda deadline: True)
    runner = module.GdbRunner()
    runner.add(POINT)
    with pytest.raises(IndexError):
        runner.run(lambda hit: False, time.monotonic() + 60)


def test_a_hit_stays_or_its_time_is_up(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "emulator_behind", lambda *_: None)
    runner = module.GdbRunner()
    runner.add(POINT)
    assert runner.run(lambda hit: True, None).reason == AT_POINT
    monkeypatch.setattr(module, "passed", lambda deadline: True)
    assert runner.run(lambda hit: False, time.monotonic() + 60).reason == TIME_UP
    runner.close()
    assert not Breakpoint.made


@pytest.mark.parametrize("stays", [False, True])
def test_a_hit_does_not_stop_what_a_signal_will(
    module: Any, monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    """Or gdb would have the signal left over, for the user's next `continue`."""
    sent: List[str] = []
    runner, execute = module.GdbRunner(), module.gdb.execute
    runner.add(POINT)

    def execute_more(command: str, to_string: bool = False) -> str:
        if command == "interrupt":
            sent.append(command)
            return ""
        execute(command, to_string)
        if command == "continue":
            event = module.gdb.SignalEvent()
            event.stop_signal = "SIGINT"
            runner._stopped(event)
        return ""

    def on_hit(hit: object) -> bool:
        """gdb looks for what its timers ask for between two hits."""
        runner._interrupt_now()
        runner._late = True
        return stays

    monkeypatch.setattr(module.gdb, "execute", execute_more)
    monkeypatch.setattr(module, "emulator_behind", lambda *_: None)
    monkeypatch.setattr(module, "passed", lambda deadline: True)
    stop = runner.run(on_hit, time.monotonic() + 60)
    assert sent and stop.said == TIME_UP


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", ""),
        ("f in section .text\n", "f in section .text\n"),
        (r'~"f \"\303\244\" in section .text\n"' + "\n", 'f "ä" in section .text\n'),
        ('~"a"\n~"b\\n"\n', "ab\n"),
    ],
)
def test_what_gdb_18_says_where_it_speaks_mi(
    module: Any, monkeypatch: pytest.MonkeyPatch, text: str, meant: str
) -> None:
    asking = importlib.import_module("thunk_inspect.gdb.asking")
    monkeypatch.setattr(module.gdb, "execute", lambda *_, **more: text)
    assert asking.said("info symbol 0") == meant


@pytest.mark.parametrize("threads", [1, 2])
def test_call_instructions_are_not_watched_with_several_threads(
    module: Any, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """gdb 13 would forget hits of the block's first instruction for them."""
    site = Point("call", 0x2000, ("rax",))
    runner = module.GdbRunner()
    for point in (POINT, site):
        runner.add(point)
    for number in range(1, threads + 1):
        thread = types.SimpleNamespace(num=number)
        monkeypatch.setattr(module.gdb, "selected_thread", lambda one=thread: one)
        runner.run(lambda hit: True, None)
    runner.run(lambda hit: True, None)
    runner.add(site._replace(address=0x3000))
    assert len(Breakpoint.made) == (3 if threads == 1 else 1)


@pytest.mark.parametrize(
    "name", ["a\nb", "a\n\nb c d", "a b", "x\x1c\x85\u2028y", "x\ry"]
)
def test_a_socket_of_any_name_is_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel writes a path into its table as it is, line ends and all."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(name)
        assert sockets.emulator_behind(os.getpid(), str(tmp_path)) is None
        listened = sockets.listens(os.getpid())
        one.listen()
        assert listened or sockets.listens(os.getpid())


def test_a_path_with_blanks_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("a b c")
        ends = [row.ends for row in sockets._rows(sockets.UNIX)]
        assert ("a b c", "") in ends
