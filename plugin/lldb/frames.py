"""lldb's own `bt` through thunk frames, where lldb has scripted frame providers.

lldb asks for a provider once per thread and stop, so that nothing is remembered when
the process goes on. A thread without thunks on its stack is declined, and keeps lldb's
own frames untouched. lldb turns it off: `target frame-provider clear`.
"""

from __future__ import annotations

import contextlib

import lldb

TYPE_CHECKING = False
"""As type checkers know it; the module of that name costs 3 ms at every start."""
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BEFORE = ("process launch", "process attach", "process connect")
"""lldb's commands before which new targets are covered: none has a provider from the
start, and to register one for a process that is there already can hang lldb 23.1, which
then shows the thread again from a thread of its own."""

_covered: dict[int, Any] = {}
"""Targets that have had the provider: who takes it away does not get it again."""
_called: dict[int, Any] = {}
"""What each debugger calls before these commands; it does not keep it itself."""


class ThunkFrames:
    """The frame provider. Nothing that costs time is imported before a stop."""

    @staticmethod
    def applies_to_thread(thread: Any) -> bool:
        """Asked at every stop: whether there is a thunk on the thread's stack."""
        try:
            with _unlocked() as free:
                if not free:
                    return False
                from .unwinding import below_a_thunk

                return below_a_thunk(thread)
        except Exception:
            return False

    @staticmethod
    def get_description() -> str:
        return "thunk-inspect: thunk frames as the script calls that they are"

    @staticmethod
    def get_priority() -> int | None:
        return None

    def __init__(self, input_frames: Any, args: Any) -> None:
        self._input = input_frames
        self._frames: Iterator[Any] | None = None
        self._made: list[Any] = []

    def get_frame_at_index(self, index: int) -> Any:
        """An index is a frame of lldb's own; None, that there are no more."""
        try:
            with _unlocked() as free:
                if free:
                    self._go_on(index)
            return self._made[index]
        except Exception:
            # lldb's own frame, or none if there is one, if no other came before it.
            own = self._made == list(range(len(self._made)))
            return index if own and not self._ended else None

    _ended = False

    def _go_on(self, index: int) -> None:
        from .unwinding import frames

        if self._frames is None:
            self._frames = frames(self._input)
        while len(self._made) <= index and not self._ended:
            try:
                self._made.append(next(self._frames))
            except StopIteration:
                self._ended = True


@contextlib.contextmanager
def _unlocked() -> Iterator[bool]:
    """Holds lldb's lock that all its functions take, if it is to be had. To wait for
    it would be to wait for ever: who has it may want the frames that are made here."""
    with contextlib.ExitStack() as held:
        for target in list(_covered.values()):
            mutex = target.GetAPIMutex()
            if not mutex.try_lock():
                yield False
                return
            held.callback(mutex.unlock)
        yield True


def register(debugger: Any, module: str) -> None:
    """Cover every target, those to come as well. `module`: where lldb finds the class
    by name."""
    if not _available():
        return

    def before(*words: str) -> bool:
        with contextlib.suppress(Exception):
            _cover(debugger, module)
        return False  # and lldb runs the command.

    _cover(debugger, module)
    _called[debugger.GetID()] = before
    interpreter = debugger.GetCommandInterpreter()
    for command in BEFORE:
        interpreter.SetCommandOverrideCallback(command, before)


def _available() -> bool:
    return hasattr(lldb.SBTarget, "RegisterScriptedFrameProvider") and hasattr(
        getattr(lldb, "SBMutex", None), "try_lock"
    )


def _cover(debugger: Any, module: str) -> None:
    """Register the provider for targets that have no process and have not had it."""
    for number in [n for n, target in _covered.items() if not target.IsValid()]:
        del _covered[number]
    for index in range(debugger.GetNumTargets()):
        target = debugger.GetTargetAtIndex(index)
        number = target.GetGloballyUniqueID()
        if number not in _covered and not _running(target.GetProcess()):
            _covered[number] = target
            name, no_args = f"{module}.{ThunkFrames.__name__}", lldb.SBStructuredData()
            target.RegisterScriptedFrameProvider(name, no_args, lldb.SBError())


def _running(process: Any) -> bool:
    gone = (lldb.eStateInvalid, lldb.eStateUnloaded, lldb.eStateExited)
    return process.IsValid() and process.GetState() not in (*gone, lldb.eStateDetached)
