"""`thunk-inspect run` of a program that has no symbol to watch calls by."""

from typing import Iterator, List, Optional, Sequence

import pytest

from blocks import RECIPES, emit
from fakes import FakeTarget
from following import BASE, INTERPRETER_AT, OFFSETS, SP, watched
from reports import Document
from thunk_inspect.inspection import inspect
from thunk_inspect.report.model import Report
from thunk_inspect.session import inside
from thunk_inspect.session.judged import with_all, worse
from thunk_inspect.session.run import status_of
from thunk_inspect.session.seam import EXITED, HUNG, Order, Outcome
from thunk_inspect.snapshot import SnapshotTarget
from thunk_inspect.status import UNREACHED
from thunk_inspect.target import Target
from thunk_inspect.trace import points
from thunk_inspect.trace.plan import NAMES
from thunk_inspect.trace.points import OnHit, Point, Stop

LOOPING = "arm64-unix+frame-not-saved"
LONG = 60.0


class Now:
    """Time that goes on only while a process runs."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class FakeRunner:
    """A process that hits nothing; it is stopped in time, or by what is scripted. Once
    it runs it is at `pc`."""

    def __init__(self, now: Now, pc: int = 0x400000) -> None:
        code = emit(RECIPES[LOOPING], BASE, INTERPRETER_AT, OFFSETS)
        self._target = FakeTarget({BASE: code}, {"pc": 0x400000, "sp": SP})
        self._later = FakeTarget({BASE: code}, {"pc": pc, "sp": SP, "x30": pc})
        self._now = now
        self.unknown: Sequence[str] = ()
        self.stops: List[Optional[Stop]] = []
        """What ends each run; None: the time that it was given."""
        self.limits: List[float] = []
        """Seconds that each run was given."""
        self.signalled = True
        self.passed = 0
        """Signals that the process was to have."""

    def add(self, point: Point) -> None:
        pass

    def remove(self, point: Point) -> None:
        pass

    def renew(self, point: Point) -> None:
        pass

    def past_debugger(self, address: int, size: int) -> Optional[bytes]:
        return None

    def add_names(self, names: Sequence[str]) -> None:
        self.unknown = names

    def drop_names(self) -> None:
        self.unknown = ()

    def notes(self) -> Sequence[str]:
        return ()

    def unknown_names(self) -> Sequence[str]:
        return self.unknown

    def read(self, address: int, size: int) -> bytes:
        return self._target.read(address, size)

    def holds(self) -> bool:
        return True

    def run(self, on_hit: OnHit, deadline: Optional[float]) -> Stop:
        assert deadline is not None
        self._target = self._later
        stop = self.stops.pop(0) if self.stops else None
        self.limits.append(deadline - self._now.seconds)
        self._now.seconds += 0.1 if stop else deadline - self._now.seconds
        return stop or Stop(points.TIME_UP, "time is up")

    def target(self) -> Target:
        return self._target

    def pass_on(self) -> bool:
        self.passed += self.signalled
        return self.signalled

    def thread(self) -> int:
        return 1

    def close(self) -> None:
        self.drop_names()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[Now]:
    now = Now()
    monkeypatch.setattr("time.monotonic", now)
    yield now


def performed(
    runner: FakeRunner, place: Optional[str] = None, said: Optional[List[str]] = None
) -> Outcome:
    order = Order(place, int(bool(place)), LONG, "nowhere")
    say = (said if said is not None else []).append
    return inside.Performance(order, runner, say).outcome()


GONE = Stop(points.EXITED, "exited with 3")


@pytest.mark.parametrize("place", [None, "call"])
def test_it_says_why_no_call_was_seen(now: Now, place: Optional[str]) -> None:
    runner, said = FakeRunner(now), [""]
    runner.stops = [GONE]
    outcome = performed(runner, place, said)
    assert outcome.state == EXITED and not outcome.report
    assert outcome.said.startswith("exited with 3; no call could be watched: no symbol")
    assert "not stripped" in outcome.said and "\n" not in outcome.said
    assert said == ["", "thunk-run: no symbol of ChakraCore's functions so far"]


def test_with_symbols_there_was_no_call(now: Now) -> None:
    """Of a library that came later, so that its functions are known by now."""
    runner = FakeRunner(now)
    runner.stops = [GONE]
    runner.unknown_names = lambda: NAMES[1:]  # type: ignore[method-assign]
    assert performed(runner).said == "exited with 3; no interpreted call was seen"


@pytest.mark.parametrize("known", [False, True])
def test_a_place_that_is_no_function(now: Now, known: bool) -> None:
    runner = FakeRunner(now)
    runner.stops = [GONE]
    if known:
        runner.unknown_names = lambda: ()  # type: ignore[method-assign]
    why = "" if known else ": no function of the program has that name"
    assert performed(runner, "here").said == f"exited with 3; here was not hit{why}"


def test_a_hang_in_a_block_is_seen_early(now: Now) -> None:
    runner = FakeRunner(now, BASE + 0xFBC)
    outcome = performed(runner)
    assert outcome.state == HUNG
    assert outcome.said.startswith(f"still running after {inside.FIRST_LOOK:.0f} s")
    assert "loops in the thunk block" in outcome.said
    assert outcome.report and outcome.report.verdict == "broken"
    assert outcome.report.trace and outcome.report.trace.hang
    assert runner.limits[0] == inside.FIRST_LOOK


def test_what_does_not_hang_there_has_all_its_time(now: Now) -> None:
    """It is looked at seldom, and an interrupt that comes late ends nothing."""
    runner = FakeRunner(now)
    late = Stop(points.INTERRUPTED, "interrupted")
    runner.stops = [None, late]
    outcome = performed(runner)
    assert outcome.state == HUNG and not outcome.report
    assert outcome.said.startswith(f"still running after {LONG:g} s")
    assert "no symbol of ChakraCore's" in outcome.said
    assert len([limit for limit in runner.limits if limit > 1]) < 8
    assert 0 <= now.seconds - 1000.0 - LONG < 2


def test_a_block_that_no_call_was_seen_in(saved: Document) -> None:
    """That it is broken is proved all the same."""
    report = inspect(SnapshotTarget(saved))
    assert report.verdict == "sound"
    assert with_all(report, [watched("arm64-windows"), watched("arm64-unix")]) == report
    broken = with_all(report, [watched("arm64-windows"), watched(LOOPING)])
    assert broken.verdict == "broken"
    (found, *_) = [claim for claim in broken.claims if claim.verdict == "fail"]
    assert f"the block at {BASE:#x}: " in found.evidence[0]
    assert worse(report, broken) is worse(broken, report) is broken


UNASKED = [points.INTERRUPTED, points.ELSEWHERE, points.SIGNALLED]


@pytest.mark.parametrize("reason", UNASKED)
@pytest.mark.parametrize("place", [None, "call", "here"])
def test_a_stop_that_nobody_asked_for_is_the_programs(
    now: Now, reason: str, place: Optional[str]
) -> None:
    """It gets its signal, and goes on."""
    runner = FakeRunner(now)
    runner.stops = [Stop(reason, "a signal"), GONE]
    outcome = performed(runner, place)
    assert outcome.state == EXITED and outcome.said.startswith("exited with 3")
    assert runner.passed == 1


@pytest.mark.parametrize(
    ("reason", "signals"),
    [*((reason, inside.MAX_SIGNALS) for reason in UNASKED), (points.ELSEWHERE, 0)],
)
def test_what_ends_before_the_program(now: Now, reason: str, signals: int) -> None:
    """One signal after the other, or what is none. Nothing is broken, and nothing is
    known of the calls that did not come."""
    runner = FakeRunner(now, BASE)
    runner.signalled = bool(signals)
    runner.stops = [Stop(reason, "a stop")] * (signals + 1)
    performance = inside.Performance(Order(None, 0, LONG, "nowhere"), runner, print)
    performance._inspected = lambda: Report(  # type: ignore[method-assign]
        "aarch64", "linux", "gdb", None, {}, [], verdict="sound"
    )
    outcome = performance.outcome()
    assert outcome.said.startswith("a stop") and runner.passed == signals
    assert status_of(outcome, None) == UNREACHED
