"""A whole trace: set up, run, look where it hangs, take everything away again."""

import contextlib
from dataclasses import dataclass
from typing import Callable

from ..inspection import locator_for
from ..target import Memory, Target, ThunkError
from .follow import Seen
from .hang import look
from .model import INTERPRETER, Trace
from .points import AT_POINT, EXITED, SIGNALLED, TIME_UP, Runner, Stop
from .tracer import Say, Tracer, Wish

MAX_LOOKS = 8
"""At calls that went wrong, until one of them shows why."""
Look = Callable[[Target], bool]
"""Looks at the process, whose thread is at a call that went wrong; whether that is
enough. Later it may have ended."""


class Looks:
    """Looks at calls that go wrong, from within their hits, until one shows why;
    also where the interpreter starts, once something is wrong: what a caller did not
    store is plain to see there. The process is not stopped for it: with several threads
    a debugger may lose hits of the others by that."""

    def __init__(self, look: Callable[[], bool]) -> None:
        """`look` says whether that is enough."""
        self._look = look
        self._left = MAX_LOOKS
        self._wrong = False

    def at(self, seen: Seen) -> None:
        self._wrong = self._wrong or bool(seen.problems)
        here = seen.problems or seen.kind == INTERPRETER
        if self._left and self._wrong and here:
            self._left -= 1
            with contextlib.suppress(ThunkError):
                self._left = 0 if self._look() else self._left


@dataclass(frozen=True)
class Done:
    """A trace that is over."""

    trace: Trace
    stop: Stop
    """What ended it."""

    @property
    def too_late(self) -> bool:
        """Whether the process ended as well, or is somewhere else by a signal: what
        went wrong is not to be seen any more."""
        return self.stop.reason in (EXITED, SIGNALLED)


def trace(
    runner: Runner,
    wish: Wish,
    say: Say,
    head: Callable[[list[str]], None],
    look_at_wrong: Look,
) -> Done:
    """Run under watch. `head` gets what cannot be watched, before the process runs."""
    try:
        tracer = Tracer(runner, locator_for(Memory(runner.target())), wish, say)
        head([*runner.notes(), *tracer.tally.trace.missing])
        return finish(tracer, runner, _run(tracer, runner, look_at_wrong))
    finally:
        runner.close()


def _run(tracer: Tracer, runner: Runner, look_at_wrong: Look) -> Stop:
    looks = Looks(lambda: look_at_wrong(runner.target()))

    def look_on(seen: Seen) -> bool:
        looks.at(seen)
        return False

    return tracer.run(look_on)


def finish(tracer: Tracer, runner: Runner, stop: Stop) -> Done:
    """Why it ended; when it was time, also where the process was."""
    hang = None
    if stop.reason == TIME_UP or (stop.reason == AT_POINT and tracer.round_for_ever):
        hang = look(runner, tracer.tally.trace.calls, tracer.round_for_ever)
    done = tracer.finish(stop.said)
    done.hang = hang
    return Done(done, stop)
