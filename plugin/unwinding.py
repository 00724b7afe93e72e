"""A debugger's own frames, led through thunks: what its plain backtrace should show.

Frames that the debugger unwinds rightly stay its own. A frame in a block becomes the
script call that it is, if the layout confirms it. Where the debugger's next frame is
not the caller that the proof knows, the frame chain leads on, until it meets one of
the debugger's frames again. What cannot be known is not shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Callable, NamedTuple, Optional, Union

from .chakra.locate import Locator
from .chakra.stack import JsFrame, Proved, Walker
from .chakra.thunk import Thunk
from .checklist.assess import fitting, is_asm
from .proof import Facts, Offsets
from .proof.state import State
from .proof.values import Entry, Slot, Value
from .target import MASK64, Memory, ThunkError

Registers = Callable[[str], Optional[int]]
"""The registers of one frame, by name."""


class Seen(NamedTuple):
    """What tells a frame from every other on its stack."""

    pc: int
    fp: Optional[int]


@dataclass(frozen=True)
class OwnFrame:
    """A frame as the debugger unwound it."""

    index: int
    pc: int
    registers: Registers


class Shown(NamedTuple):
    """A frame to show in the place of the debugger's own, or where it has none."""

    pc: int
    name: str
    """A script call's text; empty: the symbol at pc says enough."""


class Place(NamedTuple):
    """A frame in a block: the proof's facts, and the state at its pc."""

    facts: Facts
    state: State


@lru_cache(maxsize=64)
def proved(system: str, thunk: Thunk) -> Facts:
    """Kept over stops, as all it depends on are a block's bytes and place."""
    return fitting(system, thunk)


class Unwinding:
    """The frames of one stopped thread. `own` gives the debugger's, by index."""

    def __init__(
        self, memory: Memory, locator: Locator, own: Callable[[int], Optional[OwnFrame]]
    ) -> None:
        self._memory = memory
        self._locator = locator
        self._own = own

    def frames(self) -> Iterator[Union[int, Shown]]:
        """A frame's index where it is the debugger's own."""
        frame = self._own(0)
        while frame:
            try:
                shown, following = self._step(frame)
            except ThunkError:
                shown, following = [frame.index], frame.index + 1
            yield from shown
            frame = None if following is None else self._own(following)

    def _step(self, frame: OwnFrame) -> "tuple[list[Union[int, Shown]], Optional[int]]":
        """A frame of the debugger's, what it lost behind it, and its next right one."""
        place = self._place(frame)
        if place is None:
            return [frame.index], frame.index + 1
        lost, following = self._behind(frame, place)
        return [self._call(frame, place) or frame.index, *lost], following

    def _place(self, frame: OwnFrame) -> Optional[Place]:
        pc = frame.pc
        if frame.index == 0:
            thunk = self._locator.block_running(pc)
        else:
            thunk = self._locator.returning_to(pc)
        if thunk is None:
            return None
        facts = proved(self._memory.os, thunk)
        state = facts.state_anywhere(pc - thunk.address)
        return Place(facts, state) if state and state.sp is not None else None

    def _call(self, frame: OwnFrame, place: Place) -> Optional[Shown]:
        """The script call, if its function object is confirmed. The innermost frame
        stays the debugger's: it steps, and reads registers, by that one."""
        facts = place.facts
        offset = facts.layout_from_entry
        entry_sp = _entry_sp(frame, place)
        if frame.index == 0 or offset is None or entry_sp is None:
            return None
        if facts.offsets is None:
            return None
        walker = self._walker(facts.offsets)
        layout = walker.layout(entry_sp + offset, walker.proved(facts.thunk).asm)
        return Shown(frame.pc, layout.call_text) if layout.function else None

    def _behind(
        self, frame: OwnFrame, place: Place
    ) -> "tuple[list[Shown], Optional[int]]":
        """What the chain has between a thunk's frame and the debugger's next right
        frame, and that one's index; no index at the stack's end."""
        following = frame.index + 1
        caller = self._caller(frame, place)
        own = self._own(following)
        offsets = place.facts.offsets
        right = own is not None and self._seen(own) == caller
        if caller is None or offsets is None or right:
            return [], following
        walker = self._walker(offsets)
        if walker.places.kind(caller.pc)[0] != "native":
            return [], following
        return self._by_chain(walker, caller, following)

    def _walker(self, offsets: Offsets) -> Walker:
        def prover(thunk: Thunk) -> Proved:
            facts = proved(self._memory.os, thunk)
            return Proved(facts, is_asm(self._memory, facts))

        return Walker(self._memory, self._locator, offsets, prover)

    def _by_chain(
        self, walker: Walker, caller: Seen, following: int
    ) -> "tuple[list[Shown], Optional[int]]":
        known = self._later(following)
        found: list[Shown] = []
        for frame in _with_caller(walker, caller):
            again = known.get(Seen(frame.pc, frame.fp))
            if again is not None:
                return found, again
            if frame.kind != "native":
                text = frame.layout.call_text if frame.layout else ""
                confirmed = frame.layout is not None and frame.layout.function
                found.append(Shown(frame.pc, text if confirmed else ""))
            elif walker.places.kind(frame.pc)[0] == "native":
                found.append(Shown(frame.pc, ""))
            else:
                break
        return found, None

    def _seen(self, frame: OwnFrame) -> Seen:
        return Seen(frame.pc, frame.registers(self._locator.arch.fp))

    def _later(self, start: int) -> "dict[Seen, int]":
        known: dict[Seen, int] = {}
        index = start
        while True:
            frame = self._own(index)
            if frame is None:
                return known
            known.setdefault(self._seen(frame), index)
            index += 1

    def _caller(self, frame: OwnFrame, place: Place) -> Optional[Seen]:
        """Where a thunk's frame returns to, and the frame pointer there."""
        arch = place.facts.thunk.arch
        entry_sp = _entry_sp(frame, place)
        if entry_sp is None:
            return None
        home: Value = Entry(arch.lr) if arch.lr else Slot(0)
        pc = self._find(frame, place, home, entry_sp)
        fp = self._find(frame, place, Entry(arch.fp), entry_sp)
        return None if pc is None or fp is None else Seen(pc, fp)

    def _find(
        self, frame: OwnFrame, place: Place, wanted: Value, entry_sp: int
    ) -> Optional[int]:
        home = place.state.home(wanted)
        if isinstance(home, str):
            return frame.registers(home)
        return None if home is None else self._word(entry_sp + home)

    def _word(self, address: int) -> Optional[int]:
        try:
            return self._memory.word(address & MASK64)
        except ThunkError:
            return None


def _entry_sp(frame: OwnFrame, place: Place) -> Optional[int]:
    sp = frame.registers(place.facts.thunk.arch.sp)
    if sp is None or place.state.sp is None:
        return None
    return (sp - place.state.sp) & MASK64


def _with_caller(walker: Walker, caller: Seen) -> Iterator[JsFrame]:
    yield JsFrame("native", caller.pc, caller.fp)
    if caller.fp:
        yield from walker.frames(caller.fp)
