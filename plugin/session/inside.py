"""A scripted session as it goes on inside the debugger: run, trace, inspect, answer.

The program is stopped at its start. What is done here is the same in every debugger;
an adapter hands over its Runner.
"""

import time
from collections.abc import Sequence
from typing import Callable, Optional

from ..inspection import inspect, locator_for, with_trace
from ..report.model import Report
from ..target import Memory, ThunkError, one_line
from ..trace.follow import Seen
from ..trace.hang import look
from ..trace.model import INTERPRETER, KINDS, RETURNED, Event, Hang, Trace
from ..trace.plan import NAMES, Watch
from ..trace.points import (
    ANOTHER_PROGRAM,
    AT_POINT,
    BY_NAME,
    EXITED,
    INTERRUPTED,
    SIGNALLED,
    TIME_UP,
    Hit,
    Point,
    Runner,
    Stop,
)
from ..trace.session import Looks
from ..trace.tracer import PAUSED, Tracer, Wish
from .judged import Judged, with_all, worse
from .seam import (
    CRASHED,
    FAILED,
    HUNG,
    SAYS,
    STOPPED,
    Order,
    Outcome,
    read_order,
    write_outcome,
)
from .seam import EXITED as HAS_EXITED

UNWATCHED = (
    "no call could be watched: no symbol of ChakraCore's functions in the program or"
    " its libraries; if it is a ChakraCore, give one that is not stripped, or attach a"
    " debugger where it hangs and type thunk-inspect"
)
FIRST_LOOK = 3.0
"""Seconds after which a program in which no call can be watched is looked at, whether
it hangs in a block; from then on each time after twice as long."""
LATE = 1.0
"""Seconds after such a look in which an interrupt may still be its own."""
MAX_SIGNALS = 64
"""Signals of the program that are looked at: an engine may live by them."""
Say = Callable[[str], None]


def perform(path: str, start: Callable[[], Runner], say: Say) -> None:
    """Carry out the order in a file, and write its outcome."""
    order = read_order(path)
    runner = start()
    try:
        outcome = Performance(order, runner, say).outcome()
    except Exception as error:
        outcome = Outcome(FAILED, one_line(error))
    finally:
        runner.close()
    write_outcome(order, outcome)


class Performance:
    """One order being carried out."""

    def __init__(self, order: Order, runner: Runner, say: Say) -> None:
        self._order = order
        self._runner = runner
        self._say = say
        self._tracer: Optional[Tracer] = None
        self._report: Optional[Report] = None
        self._crash: tuple[str, Optional[Report]] = "", None
        """The last signal, and the report of where it came."""
        self._judged = Judged()
        self._why = ""
        """Why there is no report."""
        self._signals = 0
        self._hits = 0
        self._unknown: Sequence[str] = ()
        """Names that were to be stopped at, and are no function's."""
        self._begun = time.monotonic()
        self._pause = FIRST_LOOK
        """Seconds from the beginning to the next look, where nothing is watched."""
        self._looked = 0.0
        """When the last one was."""

    def outcome(self) -> Outcome:
        place = self._order.place
        if place and place not in KINDS:
            return self._to_place(place)
        return self._through_trace(place)

    # To a place, by name or address.

    def _to_place(self, place: str) -> Outcome:
        until = time.monotonic() + self._order.timeout
        self._await(place)
        while True:
            stop = self._runner.run(self._last_of_them, until)
            if stop.reason == AT_POINT:
                if stop.said == BY_NAME:
                    self._hits += 1
                    self._await(place)
                if self._hits >= self._order.hits:
                    self._report = self._inspected()
                    return self._answer(STOPPED, f"stopped at {place}")
                continue
            done = self._ended(stop)
            if done:
                return done

    def _last_of_them(self, hit: Hit) -> bool:
        self._hits += 1
        return self._hits >= self._order.hits

    def _await(self, place: str) -> None:
        """By its first instruction; by its name as long as it is not loaded."""
        address = self._address(place)
        self._runner.drop_names()
        if address is None:
            self._runner.add_names([place])
            return
        try:
            self._runner.read(address, 1)
        except ThunkError:
            text = f"nothing is at {address:#x} when the program starts"
            raise ThunkError(
                f"{text}: give an address that is there, or a name"
            ) from None
        self._runner.add(Point("place", address, ()))

    def _address(self, place: str) -> Optional[int]:
        if place[:1].isdigit():
            try:
                return int(place, 0)
            except ValueError:
                raise ThunkError(f"{place!r} is no address") from None
        return self._runner.target().symbol_address(place)

    # Through a trace.

    def _through_trace(self, kind: Optional[str]) -> Outcome:
        """All calls; or up to the n-th event of a kind."""
        count = 0 if kind else self._order.hits
        locator = locator_for(Memory(self._runner.target()))
        wish = Wish(count, self._order.timeout)
        tracer = self._tracer = Tracer(self._runner, locator, wish, self._progress)

        if tracer.watching.awaited:
            self._say(f"{SAYS}no symbol of ChakraCore's functions so far")
        looks = Looks(self._shows_why)

        def pause(seen: Seen) -> bool:
            if kind is not None:
                self._hits += seen.kind == kind
                return self._hits >= self._order.hits
            if seen.call and seen.kind in (INTERPRETER, RETURNED):
                self._judge(seen.call.watch)
            looks.at(seen)
            return False

        while True:
            stop = tracer.run(pause, self._begun + self._pause)
            if stop.said == PAUSED:
                self._report = self._inspected()
                return self._answer(STOPPED, f"stopped at {kind}")
            if stop.reason == AT_POINT:
                looping = tracer.round_for_ever is not None
                return (
                    self._hung(stop.said)
                    if looping
                    else self._answer(STOPPED, stop.said)
                )
            done = self._unwatched(stop) if self._early(stop) else self._ended(stop)
            if done:
                return done

    def _early(self, stop: Stop) -> bool:
        """Whether a stop is for a look at what cannot be watched."""
        now = time.monotonic()
        if stop.reason == INTERRUPTED:
            # Of the look before: it may come only now.
            return now - self._looked < LATE
        awaits = self._tracer is not None and self._tracer.watching.awaited
        in_time = now - self._begun < self._order.timeout
        return awaits and in_time and stop.reason == TIME_UP

    def _unwatched(self, stop: Stop) -> Optional[Outcome]:
        """No call tells that it goes round for ever: without a look at where it is, all
        the time that it may run would pass. None: it may be on its way."""
        if stop.reason == INTERRUPTED:
            return None
        hang = look(self._runner, 0, None) if self._in_block() else None
        self._pause *= 2
        self._looked = time.monotonic()
        report = self._inspected() if hang and hang.kind == "thunk" else None
        if report is None or report.verdict != "broken":
            return None
        passed = self._looked - self._begun
        return self._hung(f"still running after {passed:.0f} s", hang)

    def _in_block(self) -> bool:
        locator = locator_for(Memory(self._runner.target()))
        pc = locator.memory.registers().get(locator.arch.pc)
        return pc is not None and locator.block_at(pc) is not None

    def _judge(self, watch: Watch) -> None:
        """Looked at from within a hit of a call through a block: the first like it. Of
        asm.js calls it is never known whether their args are right: their blocks count
        only where they are broken."""
        broken = self._report is not None and self._report.verdict == "broken"
        if self._report is not None and not watch.call_info:
            return
        if not broken and self._judged.is_new(watch):
            self._report = worse(self._report, self._inspected())

    def _shows_why(self) -> bool:
        """Looked at from within a hit of a call that went wrong."""
        if self._report is None or self._report.verdict != "broken":
            self._report = worse(self._inspected(), self._report)
        return self._report is not None and self._report.verdict == "broken"

    def _progress(self, events: Sequence[Event]) -> None:
        if self._tracer:
            self._say(f"{SAYS}{self._tracer.tally.trace.calls} calls")

    # Ends.

    def _ended(self, stop: Stop) -> Optional[Outcome]:
        """What a stop that nobody asked for means; None: the program may go on."""
        if stop.reason == EXITED:
            if stop.said == ANOTHER_PROGRAM:
                # What that would have called nobody sees.
                return self._answer(CRASHED, f"{stop.said}, and was ended there")
            if stop.normal:
                return self._answer(HAS_EXITED, stop.said)
            self._report = self._report_of_crash(stop.said) or self._report
            return self._answer(CRASHED, stop.said)
        if stop.reason == TIME_UP:
            return self._hung(f"still running after {self._order.timeout:g} s")
        if self._signals < MAX_SIGNALS and self._is_its_own(stop):
            # The program gets its signal, and may live by it. If not, it died here.
            self._signals += 1
            if stop.reason != INTERRUPTED:
                broken = self._report is not None and self._report.verdict == "broken"
                self._crash = stop.said, self._report if broken else self._inspected()
            return None
        # One signal too many, or what nobody can go on from.
        said = stop.said
        if self._signals >= MAX_SIGNALS:
            said = f"{said}: the program has raised more than {MAX_SIGNALS} signals"
        self._report = self._inspected() or self._crash[1] or self._report
        return self._answer(CRASHED if self._report else FAILED, said)

    def _is_its_own(self, stop: Stop) -> bool:
        """Whether a stop is the program's own affair: by a signal, a trap included."""
        signalled = self._runner.pass_on() or stop.reason == SIGNALLED
        return signalled or stop.reason == INTERRUPTED

    def _report_of_crash(self, said: str) -> Optional[Report]:
        """Of where the signal came that ended it, unless that was outside of any call
        and what was seen of one tells more."""
        name, report = self._crash
        outside = self._tracer is not None and not self._tracer.tally.trace.lost
        if self._report is None:
            return report
        broken = report is not None and report.verdict == "broken"
        return report if name in said and (broken or not outside) else None

    def _hung(self, said: str, hang: Optional[Hang] = None) -> Outcome:
        tracer = self._tracer
        calls = tracer.tally.trace.calls if tracer else 0
        looping = tracer.round_for_ever if tracer else None
        hang = hang or look(self._runner, calls, looping)
        self._unknown = self._runner.unknown_names()
        self._report = self._inspected() or self._report
        trace = tracer.finish(said) if tracer else Trace(ended=said)
        trace.hang = hang
        return self._with(HUNG, f"{said}: {hang.text}", trace)

    def _answer(self, state: str, said: str) -> Outcome:
        self._unknown = self._runner.unknown_names()
        trace = self._tracer.finish(said) if self._tracer else None
        return self._with(state, said, trace)

    def _with(self, state: str, said: str, trace: Optional[Trace]) -> Outcome:
        report = self._report
        if report is None and state == HUNG:
            why = f"; {UNWATCHED}" if self._nothing_watched else ""
            return Outcome(state, f"{said}{why}", None)
        if report is None:
            why = self._why or self._not_enough()
            return Outcome(state, f"{said}; {why}", None)
        if self._order.place and state == CRASHED:
            said = f"{said}; {self._not_enough()}"
        if self._tracer and not self._order.place:
            report = with_all(report, self._tracer.watches)
        report = with_trace(report, trace) if trace else report
        return Outcome(state, said, report)

    def _not_enough(self) -> str:
        place, wanted = self._order.place, self._order.hits
        if self._nothing_watched:
            return UNWATCHED
        if not place:
            return "no interpreted call was seen"
        if place in self._unknown:
            return f"{place} was not hit: no function of the program has that name"
        if not self._hits:
            return f"{place} was not hit"
        times = "once" if self._hits == 1 else f"{self._hits} times"
        return f"{place} was hit {times}, not {wanted}"

    @property
    def _nothing_watched(self) -> bool:
        return set(self._unknown) >= set(NAMES)

    def _inspected(self) -> Optional[Report]:
        """The report of here, if there is anything here to be reported."""
        try:
            return inspect(self._runner.target())
        except ThunkError as error:
            self._why = one_line(error)
            return None
