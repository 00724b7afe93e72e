"""A stopped thread's frames for lldb's frame provider: the core's walk over lldb's own.

Nothing here may ask the thread for frames but those that it is given: the thread would
ask the provider.
"""

import contextlib
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Optional, Union

import lldb

from ..arch import ARCHES
from ..chakra.locate import Locator
from ..dependencies import ready
from ..target import MASK64, Frame, Memory, ThunkError
from .registers import register_value
from .target import LldbTarget

if TYPE_CHECKING:
    from ..unwinding import OwnFrame

STACK = 2048
"""Bytes of stack that are read at once, to look for frame records."""


class StoppedThread(LldbTarget):
    """A thread with given frames, an SBThread's or an SBFrameList's."""

    def __init__(self, thread: Any, frames: Any) -> None:
        process = thread.GetProcess()
        super().__init__(process.GetTarget(), process, thread)
        self._given = frames

    def frame(self, index: int) -> Any:
        """None behind the last one."""
        frame = self._given.GetFrameAtIndex(index)
        return frame if frame and frame.IsValid() else None

    def registers(self) -> dict[str, int]:
        """Those that lead from frame to frame: the others cost time at every stop."""
        frame, arch = self.frame(0), ARCHES[self.arch]
        found: dict[str, int] = {}
        for name in filter(None, (arch.pc, arch.sp, arch.fp, arch.lr)):
            value = register_value(frame, name) if frame else None
            if value is not None:
                found[name] = value
        return found

    def frames(self, limit: int) -> list[Frame]:
        """One by one: to count them is to unwind the whole stack."""
        found: list[Frame] = []
        while len(found) < limit:
            frame = self.frame(len(found))
            if frame is None:
                break
            found.append(Frame(frame.GetPC(), frame.GetSP() & MASK64))
        return found


@lru_cache(maxsize=1)
def prepare() -> None:
    """Once only: to look for a package takes longer than to look at a stack."""
    ready()


def below_a_thunk(thread: Any) -> bool:
    prepare()
    target = StoppedThread(thread, thread)
    arch = ARCHES.get(target.arch)
    if arch is None:
        return False
    memory = Memory(target)
    with contextlib.suppress(ThunkError):
        # One read is cheaper than many.
        memory.read(memory.registers().get(arch.sp, 0), STACK)
    return Locator(memory, arch).on_stack() is not None


def frames(own: Any) -> "Iterator[Union[int, ScriptFrame]]":
    """As a frame provider gives them."""
    from ..unwinding import Unwinding

    target = StoppedThread(own.GetThread(), own)
    memory = Memory(target)
    locator = Locator(memory, ARCHES[target.arch])
    walk = Unwinding(memory, locator, lambda index: _seen(target, index)).frames()
    for number, shown in enumerate(walk):
        if shown == number:
            yield number
        elif isinstance(shown, int):
            # With another number, lldb 23.1 would reuse the frame at later stops, with
            # that number and with the registers of now.
            yield ScriptFrame(number, target.frame(shown).GetPC(), "")
        else:
            yield ScriptFrame(number, shown.pc, shown.name)


def _seen(target: StoppedThread, index: int) -> "Optional[OwnFrame]":
    from ..unwinding import OwnFrame

    frame = target.frame(index)
    if frame is None:
        return None
    return OwnFrame(index, frame.GetPC(), lambda name: register_value(frame, name))


class ScriptFrame:
    """A frame that lldb does not have itself, by lldb's names for what it asks."""

    def __init__(self, number: int, pc: int, name: str) -> None:
        self._number = number
        self._pc = pc
        self._name = name

    def get_id(self) -> int:
        return self._number

    def get_pc(self) -> int:
        return self._pc

    def get_function_name(self) -> Optional[str]:
        """None leaves the name to the symbol at pc."""
        return self._name or None

    def get_display_function_name(self) -> Optional[str]:
        return self.get_function_name()

    def get_symbol_context(self) -> Any:
        """None leaves it to lldb, which takes it from pc."""
        return None

    def is_inlined(self) -> bool:
        return False

    def is_artificial(self) -> bool:
        return False

    def is_hidden(self) -> bool:
        return False

    def get_variables(self, *filters: Any) -> Any:
        """No variables; but without a list lldb 23.1 crashes in `expression`, and a
        list that nothing was appended to counts as none."""
        empty = lldb.SBValueList()
        empty.Append(lldb.SBValue())
        return empty

    def get_register_info(self) -> Any:
        return None

    def get_register_context(self) -> Any:
        """None: lldb 23.1 keeps a reference to a description of the registers that it
        has freed by then, and crashes when any of them is read."""
        return None
