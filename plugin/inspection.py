"""`inspect`: from a stopped process to a Report, in one call."""

from dataclasses import replace
from typing import Optional

from .arch import ARCHES
from .chakra.locate import Found, Locator
from .chakra.objects import Function, try_function
from .checklist import assess, overall
from .checklist.assess import prove_block
from .checklist.model import FAIL
from .checklist.traced import traced_claims, traced_items
from .report.build import build
from .report.model import Report
from .target import Memory, Target, ThunkError
from .trace.model import Trace
from .trace.plan import Watch


def inspect(
    target: Target, address: Optional[int] = None, shown: Optional[int] = None
) -> Report:
    """Find the thunk, prove it, decode the call in hand, and judge.

    `address`: of a block, of code in one, or of a function object, in the target's
    address space; None looks where the selected thread is stopped. `shown`: arguments
    of the call in the picture of the stack. Raises ThunkError, with one line that says
    what to do: NotFound where there is no block, Unreadable where what leads to it
    cannot be read.
    """
    memory = target if isinstance(target, Memory) else Memory(target)
    return build(assess(memory, find_thunk(memory, address)), shown)


def with_trace(report: Report, trace: Trace) -> Report:
    """The report with what a trace saw: it decides items that no single stop can, and
    a claim that it saw break fails."""
    claims = traced_claims(report.claims, trace)
    return replace(
        report,
        trace=trace,
        claims=claims,
        checklist=traced_items(report.checklist, trace),
        verdict=overall({claim.id: claim for claim in claims}),
    )


def with_block(report: Report, watch: Watch) -> Report:
    """The report with what the proof holds against another block."""
    facts, name = watch.facts, f"the block at {watch.address:#x}"
    skipped = set() if watch.call_info else {"R3", "R4"}
    skipped |= set() if facts.convention.anchored else {"R11"}
    claims = []
    for claim in report.claims:
        found = facts.claims.get(claim.id)
        if claim.id not in skipped and found and found.holds is False:
            lines = [f"{name}: {line}" for line in found.evidence]
            claim = replace(claim, verdict=FAIL, evidence=lines)
        claims.append(claim)
    verdict = overall({claim.id: claim for claim in claims})
    return replace(report, claims=claims, verdict=verdict)


def find_thunk(memory: Memory, address: Optional[int] = None) -> Found:
    """The block at an address, or the one that matters here; else NotFound."""
    locator = locator_for(memory)
    if address is None:
        return locator.here()
    given = locator.from_address(address)
    try:
        here = locator.here()
    except ThunkError:
        return given
    if here.thunk.address != given.thunk.address:
        known = here.at is not None or here.back or here.function
        return replace(given, elsewhere=here.thunk.address) if known else given
    called = _called(memory, here) if given.function is not None else None
    if called not in (None, given.function):
        # One of the same block, and the call in hand is another function's.
        return replace(given, elsewhere=here.thunk.address)
    # The thread is in that very block: its call is the one that is meant.
    return replace(here, by=f"{given.by}; {here.by}")


def _called(memory: Memory, found: Found) -> Optional[int]:
    """The function object of the call in hand, be it a sound one or not."""
    a = assess(memory, found)
    if a.call.passed_function is not None:
        return a.call.passed_function
    return a.layout.function_address if a.layout else found.function


def function_at(memory: Memory, address: int) -> Function:
    """The function object at an address, whose thunk was generated; ThunkError for
    anything else. Its block is found from itself, wherever the process is stopped."""
    locator = locator_for(memory)
    function = _with_thunk(locator, address)
    if function:
        return function
    # At the interpreter's first instruction a function is one step farther.
    first = _word(memory, address)
    if first and _with_thunk(locator, first):
        raise ThunkError(f"{address:#x} is a layout: give its function {first:#x}")
    raise ThunkError(
        f"no function with a thunk at {address:#x}: never called, or jitted"
    )


def _with_thunk(locator: Locator, address: int) -> Optional[Function]:
    thunk = locator.of_function(address)
    offsets = prove_block(locator.memory, thunk).offsets if thunk else None
    function = try_function(locator.memory, address, offsets)
    if thunk is None or function is None or thunk.stub_number(function.stub) is None:
        return None
    return function


def _word(memory: Memory, address: int) -> Optional[int]:
    try:
        return memory.word(address)
    except ThunkError:
        return None


def locator_for(memory: Memory) -> Locator:
    """A Locator for the target's machine; ThunkError when it is none of ours."""
    if memory.arch not in ARCHES:
        known = " and ".join(ARCHES)
        raise ThunkError(f"this process runs on {memory.arch}; known are {known}")
    return Locator(memory, ARCHES[memory.arch])
