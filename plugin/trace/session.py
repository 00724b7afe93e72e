"""A whole trace: set up, run, look where it hangs, take everything away again."""

from dataclasses import dataclass
from typing import Callable

from ..inspection import locator_for
from ..target import Memory
from .follow import Seen
from .hang import look
from .model import INTERPRETER, Trace
from .points import AT_POINT, EXITED, TIME_UP, Runner, Stop
from .tracer import PAUSED, Say, Tracer, Wish

MAX_LOOKS = 8
"""Stops at calls that went wrong, until one of them shows why."""
Look = Callable[[], bool]
"""Looks at the process, which stands at a call that went wrong; whether that is enough.
A process that ends cannot be looked at any more."""


@dataclass(frozen=True)
class Done:
    """A trace that is over."""

    trace: Trace
    stop: Stop
    """What ended it."""

    @property
    def gone(self) -> bool:
        """Whether the process ended as well."""
        return self.stop.reason == EXITED


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
        head(tracer.tally.trace.missing)
        return finish(tracer, runner, _run(tracer, look_at_wrong))
    finally:
        runner.close()


def _run(tracer: Tracer, look_at_wrong: Look) -> Stop:
    looks, wrong = MAX_LOOKS, False

    def pause(seen: Seen) -> bool:
        """Also where the interpreter starts, once something is wrong: what a caller
        did not store is plain to see there."""
        nonlocal wrong
        wrong = wrong or bool(seen.problems)
        return wrong and (bool(seen.problems) or seen.kind == INTERPRETER)

    while True:
        stop = tracer.run(pause if looks else None)
        if stop.said != PAUSED:
            return stop
        looks = 0 if look_at_wrong() else looks - 1
        if tracer.over:
            return Stop(AT_POINT, tracer.over)


def finish(tracer: Tracer, runner: Runner, stop: Stop) -> Done:
    """Why it ended; when it was time, also where the process was."""
    hang = None
    if stop.reason == TIME_UP or (stop.reason == AT_POINT and tracer.round_for_ever):
        hang = look(runner, tracer.tally.trace.calls, tracer.round_for_ever)
    done = tracer.finish(stop.said)
    done.hang = hang
    return Done(done, stop)
