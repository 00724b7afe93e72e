"""What a trace counts by function, of hits made of plain values."""

from typing import List, Tuple

import pytest

from following import ARGS, CALL_INFO, FUNCTION, Process
from thunk_inspect.trace import tally
from thunk_inspect.trace.follow import Seen
from thunk_inspect.trace.model import Trace


def note(counts: tally.Tally, seen: List[Seen]) -> None:
    for one in seen:
        counts.note(one)


def counted(calls: List[Tuple[int, int]]) -> Trace:
    """Calls of (function object, stub), one after the other."""
    process, counts = Process("arm64-windows"), tally.Tally()
    for x0, stub in calls:
        note(counts, process.entry(x0=x0))
        note(counts, process.dispatch([x0, CALL_INFO, *ARGS], stub))
        note(counts, process.leave())
    return counts.finish("")


def test_more_functions_than_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call counts all the same, and it is said."""
    monkeypatch.setattr(tally, "MAX_FUNCTIONS", 2)
    trace = counted([(FUNCTION + 64 * n, n) for n in range(5)])
    assert (trace.calls, trace.failures) == (5, 0)
    assert [one.calls for one in trace.functions] == [1, 1]
    (line,) = trace.missing
    assert line == "entered: 3 calls of further functions are not told apart"


def test_a_function_is_told_by_its_stub() -> None:
    """Closures of one are many objects; an object may be another function's later."""
    calls = [(FUNCTION + 64 * n, 7) for n in range(4)] + 3 * [(FUNCTION, 8)]
    trace = counted(calls)
    stubs = [one.stub and one.stub & 0xFFF for one in trace.functions]
    thunk = Process("arm64-windows").watch.facts.thunk
    assert stubs == [thunk.stub_address(n) & 0xFFF for n in (7, 8)]
    assert [one.calls for one in trace.functions] == [4, 3]


def test_a_stub_that_another_function_has_by_now() -> None:
    """One more is generated there: it has a line of its own."""
    process, counts = Process("x64-sysv"), tally.Tally()
    stub = process.watch.facts.thunk.stub_address(5)
    for _ in range(2):
        note(counts, process.entry())
        note(counts, process.dispatch())
        counts.forget(stub, 1)
    functions = counts.finish("").functions
    assert [(one.stub, one.calls) for one in functions] == [(stub, 1)] * 2
