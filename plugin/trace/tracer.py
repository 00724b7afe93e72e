"""Runs the process under watch and gathers a Trace.

A hit is judged while its thread waits; words are made of it at most PACE seconds
later. Whatever has to be set up on the way (a new block, a caller that is yet unknown)
stops the process for as long as that takes.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ..arch import WORD
from ..chakra.interpreter import INTERPRETER as SYMBOL
from ..chakra.locate import Locator
from ..target import Memory, ThunkError
from . import plan
from .events import Writer
from .follow import Follower, Seen
from .generated import encoded_text, generated
from .gone import Gone
from .judge import Call
from .model import (
    CALL,
    ENCODED,
    ENTERED,
    GENERATED,
    INTERPRETER,
    KINDS,
    RETURNED,
    Event,
    Trace,
)
from .points import (
    ANOTHER_PROGRAM,
    AT_POINT,
    BACK,
    BY_NAME,
    ELSEWHERE,
    EXITED,
    SIGNALLED,
    TIME_UP,
    Hit,
    Runner,
    Stop,
)
from .tally import Tally
from .watching import Watching

PACE = 0.1
"""Seconds that an event may wait for its words while hits keep coming."""
MAX_WAITING = 256
"""Events that may wait for their words."""
PAUSED = "paused"
Pause = Callable[[Seen], bool]
Say = Callable[[Sequence[Event]], None]


@dataclass(frozen=True)
class Wish:
    """What a trace is to do."""

    count: int = 0
    """Calls after whose end it is over; 0 for no limit."""
    timeout: Optional[float] = None
    """Seconds; None for as long as it takes."""
    kinds: Sequence[str] = KINDS
    """The events that are wanted."""

    @property
    def calls(self) -> bool:
        """Whether calls are to be watched. If so, then all of each: a verdict on calls
        is one on every step, whatever is shown."""
        return bool(self.count or set(self.kinds) - {ENCODED, GENERATED})


class Tracer:
    """One trace of one process. `say` gets the events that are wanted, soon after they
    happen: those that have come together by then."""

    def __init__(
        self,
        runner: Runner,
        locator: Locator,
        wish: Wish,
        say: Say,
    ) -> None:
        self._runner = runner
        self._wish = wish
        self._say = say
        self._untold: list[Event] = []
        self._arch = locator.arch
        self._follower = Follower(locator.arch)
        self.tally = Tally()
        self.watching = Watching(runner, self._follower, wish.calls)
        self._writer = Writer(locator.arch)
        self._waiting: list[Seen] = []
        self._told = 0.0
        self._paused = False
        self._held: Optional[int] = None
        """Calls that the last signal came to; None where a hit has come since, as the
        program has lived on."""
        self._until: Optional[float] = None
        self.watching.start(locator)
        self.tally.trace.missing = self._missing(locator.memory)

    def _missing(self, memory: Memory) -> list[str]:
        """Events that cannot be had, each with why."""
        lines: list[str] = []
        wanted, helper = self._wish.kinds, plan.HELPERS[self._arch.name]
        if self.watching.awaited:
            return lines
        if GENERATED in wanted and not memory.symbol_address(plan.GENERATE):
            lines.append(
                "generated: no symbol of GenerateDynamicInterpreterThunk; a block is"
                " found when it calls the interpreter"
            )
        if not memory.symbol_address(SYMBOL):
            lines.append(
                "interpreter: no symbol of InterpreterThunk; it is what the stubs call"
            )
        if CALL in wanted and not memory.symbol_address(helper):
            lines.append(f"call: no symbol of {helper}; told by return addresses")
        return lines

    def run(self, pause: Optional[Pause] = None, early: Optional[float] = None) -> Stop:
        """Until the end, or until `pause` says so of something that was seen: the
        words of the stop are PAUSED then, and the next `run` goes on. Where nothing
        is watched up to the time `early`, as if that were the end of the time."""
        if self._until is None and self._wish.timeout is not None:
            self._until = time.monotonic() + self._wish.timeout
        while True:
            self._paused, self.tally.trace.lost = False, 0
            until = self._until
            if early is not None and self.watching.awaited:
                until = early if until is None else min(early, until)
            self.watching.renew()
            stop = self._runner.run(lambda hit: self._take(hit, pause), until)
            here = stop.reason == AT_POINT
            if here and stop.said == BY_NAME:
                self.watching.loaded(self._memory())
            if stop.reason in (SIGNALLED, ELSEWHERE):
                self._look_at_trap()
            self._flush()
            if here:
                self.watching.settle(self._memory())
                self._tell_blocks()
                self._tell()
            if not here:
                if stop.reason in (SIGNALLED, EXITED):
                    self._note_lost(stop)
                if stop.reason == TIME_UP:
                    # It goes on a little, to be looked at.
                    self.watching.renew()
                return stop
            if self._paused:
                return Stop(AT_POINT, PAUSED)
            if self.over:
                return Stop(AT_POINT, self.over)

    def _note_lost(self, stop: Stop) -> None:
        """Calls that a signal, or another program, has ended: of the thread that it
        came to, those that it was still in."""
        if stop.reason == SIGNALLED:
            sp = self._memory().registers().get(self._arch.sp)
            self._held = self._follower.held(self._runner.thread(), sp)
        elif stop.normal and stop.said != ANOTHER_PROGRAM:
            return
        held = self._held
        self.tally.trace.lost = self._follower.in_progress if held is None else held

    def _look_at_trap(self) -> None:
        pc = self._memory().registers().get(self._arch.pc)
        if pc is not None:
            for seen in self._follower.trapped(self._runner.thread(), pc):
                self.tally.note(seen)
                self._waiting.append(seen)

    @property
    def over(self) -> str:
        """Why there is nothing more to trace; empty while there is."""
        if self._follower.round_for_ever:
            return "a call returns again and again: it goes round for ever"
        if self._wish.count and self.tally.finished >= self._wish.count:
            count = self.tally.finished
            return f"{count} {'call was' if count == 1 else 'calls were'} traced"
        return ""

    @property
    def round_for_ever(self) -> "Optional[plan.Watch]":
        """The block in which a call goes round for ever."""
        return self._follower.round_for_ever

    @property
    def watches(self) -> "list[plan.Watch]":
        """Every block that is under watch, and those that were and are broken."""
        return [*self._follower.watches.values(), *self.watching.broken]

    def finish(self, ended: str) -> Trace:
        """The whole trace. Whatever still waits for its words gets them first."""
        self._runner.close()
        self._flush()
        self.tally.trace.missing += self._not_judged()
        return self.tally.finish(ended)

    def _not_judged(self) -> list[str]:
        """Calls that were met on their way only: they may have begun before, or their
        entry was lost."""
        lines = []
        missed, strangers = self._follower.missed, self._follower.strangers
        self.tally.trace.unjudged = missed
        if missed:
            what = "calls are not judged: they were"
            if missed == 1:
                what = "call is not judged: it was"
            lines.append(f"{ENTERED}: {missed} more {what} not seen to enter")
        if strangers:
            what = f"{strangers} returns are not judged: their calls were"
            if strangers == 1:
                what = "1 return is not judged: its call was"
            lines.append(f"{RETURNED}: {what} not seen to enter")
        return lines

    def _take(self, hit: Hit, pause: Optional[Pause]) -> bool:
        """At every hit: whether the thread is to stay there."""
        unknown, self._held = False, None
        if hit.point.kind == INTERPRETER:
            hit = self._with_return_address(hit)
            unknown = self.watching.stranger(hit.values.get(self._arch.lr or BACK))
        fresh, hurry = len(self._waiting), False
        found = self._follower.take(hit)
        if any(seen.problems for seen in found) and not self._believable(hit):
            return True
        for seen in found:
            self.tally.note(seen)
            self._waiting.append(seen)
            self._paused |= bool(pause and pause(seen))
            hurry |= self._writer.stranger(seen)
            # Its fields are to be read before the engine goes on.
            unknown |= seen.kind == GENERATED
        now = time.monotonic()
        late = now - self._told > PACE or len(self._waiting) > MAX_WAITING
        if late or hurry:
            self._told = now
            if not unknown:
                self._flush(fresh)
        return unknown or bool(self._follower.wanted) or self._paused or bool(self.over)

    def _believable(self, hit: Hit) -> bool:
        """Whether what was read at a hit is the process's. Of one that was killed
        meanwhile nothing can be read, not even the break point itself, where the thread
        has just been, and registers come as they like: no call is to blame for that."""
        try:
            return self._runner.holds() and bool(
                self._runner.read(hit.point.address, 1)
            )
        except ThunkError:
            return False

    def _with_return_address(self, hit: Hit) -> Hit:
        """Who called the interpreter, where that stands on the stack."""
        if self._arch.lr:
            return hit
        try:
            data = self._runner.read(hit.values[self._arch.sp], WORD)
        except (ThunkError, KeyError):
            return hit
        back = int.from_bytes(data, "little")
        return hit._replace(values={**hit.values, BACK: back})

    def _flush(self, fresh: Optional[int] = None) -> None:
        """Words for everything that waits; from index `fresh` on it is of just now."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        memory = self._memory()
        for index, seen in enumerate(waiting):
            now = fresh is not None and index >= fresh
            if seen.kind == GENERATED and seen.body is not None:
                self._tell_generated(seen, memory)
            else:
                self._keep(self._writer.event(seen, memory, now), seen.call)
        self._tell()

    def _memory(self) -> Memory:
        try:
            return Memory(self._runner.target())
        except ThunkError:
            return Memory(Gone(self._arch.name))

    def _tell_generated(self, seen: Seen, memory: Memory) -> None:
        assert seen.body is not None
        made = generated(memory, self.watching, seen.body)
        self._tell_blocks()
        self._others_at(made.values.get("stub", 0), 1)
        self._keep(
            self._writer.plain(
                GENERATED,
                seen.hit.thread,
                seen.hit.point.address,
                made.text,
                made.values,
                depth=seen.depth,
                name=made.name,
                problems=made.problems,
            )
        )

    def _tell_blocks(self) -> None:
        """Blocks that came to light."""
        new, self.watching.new = self.watching.new, []
        if not new:
            return
        memory = self._memory()
        for watch in new:
            self._others_at(watch.address, watch.facts.thunk.size)
            text = encoded_text(watch, memory)
            self.tally.count(ENCODED)
            self._keep(self._writer.plain(ENCODED, 0, watch.address, text, {}))

    def _others_at(self, start: int, size: int) -> None:
        """Stubs that are other functions' from now on."""
        self.tally.forget(start, size)
        self._writer.names.forget(start, size)

    def _keep(self, event: Event, call: Optional[Call] = None) -> None:
        self.tally.keep(event, call)
        if event.kind in self._wish.kinds:
            self._untold.append(event)

    def _tell(self) -> None:
        told, self._untold = self._untold, []
        if told:
            self._say(told)
