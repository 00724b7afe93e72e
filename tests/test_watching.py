"""Which points there are while blocks come, and go, in a process of plain values."""

from typing import List, Optional, Set

import pytest

import following
from blocks import RECIPES, emit
from fakes import FakeTarget
from following import BASE, INTERPRETER_AT, OFFSETS, SOUND
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.locate import Locator
from thunk_inspect.target import Memory, Target, ThunkError
from thunk_inspect.trace import points
from thunk_inspect.trace.points import Hit, OnHit, Point, Runner, Stop
from thunk_inspect.trace.tracer import Tracer, Wish

EVERY = pytest.mark.parametrize("name", SOUND)
IN_BLOCK = {"entered", "dispatch", "returned"}


class Process:
    """Its memory, as it is past a debugger, and what is done to it in each run."""

    def __init__(self, name: str) -> None:
        self.arch = RECIPES[name].machine[0].name
        self.code = emit(RECIPES[name], BASE, INTERPRETER_AT, OFFSETS)
        self.memory = FakeTarget(
            {BASE: self.code}, {ARCHES[self.arch].pc: BASE}, self.arch
        )
        self.points: Set[Point] = set()
        self.renewed: List[Point] = []
        self.stops = [Stop(points.AT_POINT, ""), Stop(points.TIME_UP, "time is up")]
        self.after = self.code
        self.hits: List[List[Hit]] = []
        """Those of each run."""
        self.shown = b""
        """The block as the debugger has it, if that is not what is there."""

    def add(self, point: Point) -> None:
        self.points.add(point)

    def remove(self, point: Point) -> None:
        self.points.discard(point)

    def renew(self, point: Point) -> None:
        self.renewed.append(point)

    def read(self, address: int, size: int) -> bytes:
        return self.shown or self.memory.read(address, size)

    def past_debugger(self, address: int, size: int) -> Optional[bytes]:
        return self.memory.read(address, size)

    def run(self, on_hit: OnHit, deadline: Optional[float]) -> Stop:
        for hit in self.hits.pop(0) if self.hits else ():
            on_hit(hit)
        self.memory.pieces[BASE] = self.after
        return self.stops.pop(0)

    def thread(self) -> int:
        return 1

    def target(self) -> Target:
        return self.memory

    def in_block(self) -> Set[str]:
        return {point.kind for point in self.points} & IN_BLOCK


def traced(process: Process) -> Tracer:
    runner: Runner = process  # type: ignore[assignment]  # what a run needs of it
    locator = Locator(Memory(process.memory), ARCHES[process.arch])
    return Tracer(runner, locator, Wish(), lambda events: None)


def with_traps(process: Process) -> bytes:
    """The block as a debugger leaves it that has its points in it."""
    code, trap = bytearray(process.code), ARCHES[process.arch].trap
    for point in process.points:
        at = point.address - BASE
        if point.kind in IN_BLOCK:
            code[at : at + len(trap)] = trap
    return bytes(code)


@EVERY
def test_traps_are_no_other_code(name: str) -> None:
    process = Process(name)
    tracer = traced(process)
    assert process.in_block() == IN_BLOCK
    process.after = with_traps(process)
    assert tracer.run().reason == points.TIME_UP
    assert process.in_block() == IN_BLOCK
    assert {point.kind for point in process.renewed} == IN_BLOCK


@EVERY
@pytest.mark.parametrize("stops", [1, 2])
def test_what_is_no_block_any_more_has_no_points(name: str, stops: int) -> None:
    """At the end of the time too: a process that hangs goes on to be looked at."""
    process = Process(name)
    tracer = traced(process)
    process.stops = process.stops[-stops:]
    process.after = bytes(len(process.code))
    tracer.run()
    assert not process.in_block()


def other(process: Process, at: int) -> bytes:
    """The block with another byte there."""
    code = bytearray(process.code)
    code[at] ^= 0x10
    return bytes(code)


@EVERY
def test_one_byte_is_enough(name: str) -> None:
    process = Process(name)
    tracer = traced(process)
    process.after = other(process, -1)
    tracer.run()
    assert not process.in_block()


@EVERY
def test_bytes_of_the_block_before_that_a_debugger_shows(name: str) -> None:
    """lldb goes on showing what stood below a trap that went with its memory."""
    process = Process(name)
    tracer = traced(process)
    process.memory.pieces[BASE] = other(process, 2)
    process.shown = process.code
    with pytest.raises(ThunkError, match="another block is at"):
        tracer.watching.block(Memory(process.memory), BASE)
    assert not process.in_block()


@EVERY
@pytest.mark.parametrize(("calls", "lost"), [([[], []], 0), ([[], [1]], 1)])
def test_calls_after_a_signal_that_the_program_lived_by(
    name: str, calls: List[List[int]], lost: int
) -> None:
    """It came to no call; killed is the program in one that began since."""
    process, caller = Process(name), following.Process(name)
    taken: List[Hit] = []
    caller.follower.take = taken.append  # type: ignore[assignment,method-assign]
    caller.entry()
    process.hits = [taken * len(run) for run in calls]
    killed = Stop(points.EXITED, "ended by SIGKILL", normal=False)
    process.stops = [Stop(points.SIGNALLED, "SIGTERM"), killed]
    tracer = traced(process)
    tracer.run()
    tracer.run()
    assert tracer.tally.trace.lost == lost
