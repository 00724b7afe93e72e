"""Counts of a trace while it runs: by event, by function; and what is kept of it.

A function is told by its stub, known from the dispatch on: function objects are
collected, and others made where they were.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Optional

from .follow import Seen
from .judge import Call
from .model import DISPATCH, ENTERED, RETURNED, Event, FunctionCalls, Trace

MAX_EVENTS = 20_000
"""Events that are kept; of those with a problem as many again."""
MAX_FUNCTIONS = 10_000


@dataclass
class _Function:
    function: int
    stub: Optional[int] = None
    calls: int = 0
    failures: int = 0
    name: Optional[str] = None


class Tally:
    def __init__(self) -> None:
        self.finished = 0
        """Calls that came back."""
        self.trace = Trace()
        self._counts: Counter[str] = Counter()
        self._functions: list[_Function] = []
        self._by_stub: dict[int, _Function] = {}
        self._no_stub: dict[int, _Function] = {}
        """By function object: calls that have not come to their stub."""
        self._others = _Function(0)
        self._failed: set[int] = set()
        self._bad = 0

    def note(self, seen: Seen) -> None:
        """Count what was seen; it runs at every hit."""
        self._counts[seen.kind] += 1
        call = seen.call
        if call is None:
            return
        if seen.kind == ENTERED:
            self._function(call).calls += 1
            self.trace.calls += 1
        elif seen.kind == RETURNED:
            self.finished += 1
        elif seen.kind == DISPATCH and call.stub is not None:
            self._comes_to_stub(call)
        if seen.problems and call.number not in self._failed:
            self._failed.add(call.number)
            self._function(call).failures += 1

    def _function(self, call: Call) -> _Function:
        """Beyond the cap all are counted together."""
        stub = call.stub_address
        table, key = self._no_stub, call.function
        if stub is not None:
            table, key = self._by_stub, stub
        function = table.get(key)
        if function is None:
            if len(self._functions) + len(self._no_stub) >= MAX_FUNCTIONS:
                return self._others
            function = table[key] = _Function(call.function, stub)
            if stub is not None:
                self._functions.append(function)
        return function

    def _comes_to_stub(self, call: Call) -> None:
        """It is counted there from now on."""
        before = self._no_stub.get(call.function, self._others)
        failed = call.number in self._failed
        before.calls -= 1
        before.failures -= failed
        if before is not self._others and not before.calls:
            del self._no_stub[call.function]
        after = self._function(call)
        after.calls += 1
        after.failures += failed

    def forget(self, start: int, size: int) -> None:
        """The stubs there are other functions' from now on."""
        for stub in [one for one in self._by_stub if start <= one < start + size]:
            del self._by_stub[stub]

    def keep(self, event: Event, call: Optional[Call] = None) -> None:
        """Remember an event, as far as the caps allow."""
        trace = self.trace
        if event.problems:
            self._bad += 1
            trace.first_failure = trace.first_failure or event
        if call and event.name:
            self._function(call).name = event.name
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
        trace.functions = [
            FunctionCalls(one.name, one.function, one.stub, one.calls, one.failures)
            for one in (*self._functions, *self._no_stub.values())
        ]
        if self._others.calls:
            what = f"{self._others.calls} calls of further functions are not told apart"
            trace.missing.append(f"{ENTERED}: {what}")
        return trace
