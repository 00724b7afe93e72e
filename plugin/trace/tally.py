"""Counts of a trace while it runs: by event, by function; and what is kept of it."""

from collections import Counter
from dataclasses import dataclass
from typing import Optional

from .follow import Seen
from .model import DISPATCH, ENTERED, RETURNED, Event, FunctionCalls, Trace

MAX_EVENTS = 20_000
"""Events that are kept; of those with a problem as many again."""
MAX_FUNCTIONS = 10_000


@dataclass
class _Function:
    calls: int = 0
    failures: int = 0
    stub: Optional[int] = None
    name: Optional[str] = None


class Tally:
    def __init__(self) -> None:
        self.finished = 0
        """Calls that came back."""
        self.trace = Trace()
        self._counts: Counter[str] = Counter()
        self._functions: dict[int, _Function] = {}
        self._others = _Function()
        self._failed: set[int] = set()
        self._bad = 0

    def note(self, seen: Seen) -> None:
        """Count what was seen; it runs at every hit."""
        self._counts[seen.kind] += 1
        call = seen.call
        if call is None:
            return
        function = self._function(call.function)
        if seen.kind == ENTERED:
            function.calls += 1
            self.trace.calls += 1
        elif seen.kind == RETURNED:
            self.finished += 1
        elif seen.kind == DISPATCH and call.stub is not None:
            function.stub = call.watch.facts.thunk.stub_address(call.stub)
        if seen.problems and call.number not in self._failed:
            self._failed.add(call.number)
            function.failures += 1

    def _function(self, address: int) -> _Function:
        """Beyond the cap all are counted together, and shown nowhere."""
        function = self._functions.get(address)
        if function is None:
            if len(self._functions) >= MAX_FUNCTIONS:
                return self._others
            function = self._functions[address] = _Function()
        return function

    def keep(self, event: Event) -> None:
        """Remember an event, as far as the caps allow."""
        trace = self.trace
        if event.problems:
            self._bad += 1
            trace.first_failure = trace.first_failure or event
        if event.function in self._functions and event.name:
            self._functions[event.function].name = event.name
        room = len(trace.events) < MAX_EVENTS
        if room or (event.problems and self._bad < MAX_EVENTS):
            trace.events.append(event)

    def count(self, kind: str) -> None:
        self._counts[kind] += 1

    def finish(self, ended: str) -> Trace:
        trace = self.trace
        trace.ended = ended
        trace.failures = len(self._failed)
        trace.counts = dict(self._counts)
        trace.functions = self._by_stub()
        return trace

    def _by_stub(self) -> list[FunctionCalls]:
        """Closures of one function are many objects, with one stub."""
        merged: dict[int, FunctionCalls] = {}
        for address, one in self._functions.items():
            key = one.stub or address
            before = merged.get(key)
            merged[key] = FunctionCalls(
                one.name or (before.name if before else None),
                before.function if before else address,
                one.stub,
                one.calls + (before.calls if before else 0),
                one.failures + (before.failures if before else 0),
            )
        return list(merged.values())
