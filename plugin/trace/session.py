"""A whole trace: set up, run, look where it hangs, take everything away again."""

from dataclasses import dataclass
from typing import Callable

from ..inspection import locator_for
from ..target import Memory
from .hang import look
from .model import Trace
from .points import AT_POINT, TIME_UP, Runner, Stop
from .tracer import Say, Tracer, Wish


@dataclass(frozen=True)
class Done:
    """A trace that is over."""

    trace: Trace
    stop: Stop
    """What ended it."""


def trace(
    runner: Runner,
    wish: Wish,
    say: Say,
    head: Callable[[list[str]], None],
) -> Done:
    """Run under watch. `head` gets what cannot be watched, before the process runs."""
    try:
        tracer = Tracer(runner, locator_for(Memory(runner.target())), wish, say)
        head(tracer.tally.trace.missing)
        stop = tracer.run()
        return finish(tracer, runner, stop)
    finally:
        runner.close()


def finish(tracer: Tracer, runner: Runner, stop: Stop) -> Done:
    """Why it ended; when it was time, also where the process was."""
    hang = None
    if stop.reason == TIME_UP or (stop.reason == AT_POINT and tracer.round_for_ever):
        hang = look(runner, tracer.tally.trace.calls, tracer.round_for_ever)
    done = tracer.finish(stop.said)
    done.hang = hang
    return Done(done, stop)
