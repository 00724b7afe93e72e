"""gdb's own `bt`, `up` and `finish` through thunk frames.

The proof knows at every instruction of a block where SP at entry, the return address
and the callee-saved registers are; that is all an unwinder needs. It declines every pc
that is not in a block, remembers which pages are none, and forgets everything when the
process goes on. gdb turns it off: `disable unwinder`, `disable frame-filter`.
"""

from __future__ import annotations

import gdb
from gdb.unwinder import Unwinder

TYPE_CHECKING = False
"""As type checkers know it; the module of that name costs 3 ms at every start."""
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

NAME = "thunk-inspect"
PC_NAMES = {"aarch64": "pc", "i386:x86-64": "rip"}


class Place:
    """A pc in a block: the proof's facts, and the state there."""

    def __init__(self, facts: Any, state: Any) -> None:
        self.facts = facts
        self.state = state


class Blocks:
    """Which pages of which process are blocks. Empty again when one goes on."""

    def __init__(self) -> None:
        self._pages: dict[tuple[int, int, int], Any] = {}
        """By inferior, process and address: another process has others there."""
        for event in (gdb.events.cont, gdb.events.exited, gdb.events.new_objfile):
            event.connect(self._forget)

    def _forget(self, event: Any) -> None:
        self._pages.clear()

    def place(self, pc: int) -> Place | None:
        """Where in a block a pc is; None, at the cost of a look-up, for any other."""
        from ..target import PAGE

        inferior = gdb.selected_inferior()
        page = (inferior.num, inferior.pid, pc & ~(PAGE - 1))
        if page not in self._pages:
            self._pages[page] = self._facts(pc)
        facts = self._pages[page]
        if facts is None:
            return None
        state = facts.state_anywhere(pc - facts.thunk.address)
        return Place(facts, state) if state and state.sp is not None else None

    def _facts(self, pc: int) -> Any:
        """Nothing here may ask gdb for a frame: one is being unwound."""
        try:
            from ..arch import ARCHES
            from ..chakra import blocks
            from ..dependencies import ready
            from ..target import Memory
            from .target import GdbTarget

            ready()
            memory = Memory(GdbTarget())
            thunk = blocks.Blocks(memory, ARCHES[memory.arch]).block_running(pc)
            if thunk is None:
                # The rest would be loaded at the first stop of any program.
                return None
            from ..checklist.assess import fitting

            return fitting(memory.os, thunk)
        except Exception:
            # gdb can crash on what an unwinder raises.
            return None


_resting: list[bool] = []


class resting:
    """Within this, no frame is unwound: a trace needs the innermost one only, and gdb
    would have it unwound at every stop."""

    def __enter__(self) -> None:
        _resting.append(True)

    def __exit__(self, *error: object) -> None:
        _resting.pop()
        gdb.invalidate_cached_frames()


class ThunkUnwinder(Unwinder):  # type: ignore[misc]  # untyped
    def __init__(self, blocks: Blocks) -> None:
        super().__init__(NAME)
        self._blocks = blocks

    def __call__(self, frame: Any) -> Any:
        if _resting:
            return None
        pc_name = PC_NAMES.get(frame.architecture().name())
        if pc_name is None:
            return None
        place = self._blocks.place(_number(frame.read_register(pc_name)))
        return _unwound(frame, place, pc_name) if place else None


class _Frame:
    """What FrameId needs of a frame, in the names that gdb looks for."""

    def __init__(self, sp: Any, pc: Any) -> None:
        self.sp = sp
        self.pc = pc


def _unwound(frame: Any, place: Place, pc_name: str) -> Any:
    from ..proof.values import Entry, Slot

    facts, state = place.facts, place.state
    arch = facts.thunk.arch
    entry_sp = _number(frame.read_register(arch.sp)) - state.sp
    home = Entry(arch.lr) if arch.lr else Slot(0)
    wanted: dict[str, Any] = {
        name: Entry(name) for name in facts.convention.callee_saved
    }
    wanted[pc_name] = home
    values = {}
    for name, value in wanted.items():
        number = _find(frame, state, value, entry_sp)
        if number is not None:
            values[name] = number
    if pc_name not in values or arch.fp not in values:
        # gdb takes a register that is not given for lost, and can then not even tell
        # the frames of callers that are found by it.
        return None
    values[arch.sp] = entry_sp + arch.return_slot
    kind = frame.read_register(pc_name).type
    identity = _Frame(
        gdb.Value(values[arch.sp]).cast(kind), gdb.Value(facts.thunk.address).cast(kind)
    )
    info = frame.create_unwind_info(identity)
    for name, number in values.items():
        info.add_saved_register(
            name, gdb.Value(number).cast(frame.read_register(name).type)
        )
    return info


def _find(frame: Any, state: Any, wanted: Any, entry_sp: int) -> int | None:
    home = state.home(wanted)
    if isinstance(home, str):
        return _number(frame.read_register(home))
    return None if home is None else _word(entry_sp + home)


def _word(address: int) -> int | None:
    try:
        data = gdb.selected_inferior().read_memory(address, 8)
    except (gdb.error, OverflowError):
        return None
    return int.from_bytes(bytes(data), "little")


def _number(value: Any) -> int:
    return int(value) & 0xFFFFFFFFFFFFFFFF


class ThunkFilter:
    """Shows thunk frames as the script functions that they call."""

    name, priority, enabled = NAME, 100, True

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        gdb.frame_filters[self.name] = self

    def filter(self, frames: Iterator[Any]) -> Iterator[Any]:
        return map(self._decorated, frames)

    def _decorated(self, decorator: Any) -> Any:
        place = self._blocks.place(decorator.inferior_frame().pc())
        if place is None:
            return decorator
        from .frames import script_frame

        return script_frame(decorator, place) or decorator


def register() -> None:
    """Add the unwinder and the filter to gdb, in place of older ones of ours."""
    from gdb.unwinder import register_unwinder

    blocks = Blocks()
    register_unwinder(None, ThunkUnwinder(blocks), replace=True)
    ThunkFilter(blocks)
