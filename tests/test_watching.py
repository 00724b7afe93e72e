"""Which points there are while blocks come, and go, in a process of plain values."""

from typing import List, Optional, Set

import pytest

from blocks import RECIPES, emit
from fakes import FakeTarget
from following import BASE, INTERPRETER_AT, OFFSETS, SOUND
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.locate import Locator
from thunk_inspect.target import Memory, Target, ThunkError
from thunk_inspect.trace import points
from thunk_inspect.trace.points import OnHit, Point, Runner, Stop
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
        self.memory.pieces[BASE] = self.after
        return self.stops.pop(0)

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


@EVERY
def test_one_byte_is_enough(name: str) -> None:
    process = Process(name)
    tracer = traced(process)
    code = bytearray(process.code)
    code[-1] ^= 0x55
    process.after = bytes(code)
    tracer.run()
    assert not process.in_block()


@EVERY
def test_bytes_of_the_block_before_that_a_debugger_shows(name: str) -> None:
    """lldb goes on showing what stood below a trap that went with its memory."""
    process = Process(name)
    tracer = traced(process)
    other = bytearray(process.code)
    other[2] ^= 0x10
    process.memory.pieces[BASE] = bytes(other)
    process.shown = process.code
    with pytest.raises(ThunkError, match="another block is at"):
        tracer.watching.block(Memory(process.memory), BASE)
    assert not process.in_block()
