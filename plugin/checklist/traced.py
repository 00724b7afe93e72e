"""What a trace decides: checklist items that no single stop can, and claims that were
seen to break while the process ran (A1-A5, B1-B5, E4; R1-R12)."""

from collections.abc import Sequence
from dataclasses import replace

from ..trace.model import CALL, DISPATCH, GENERATED, INTERPRETER, STRAIGHT, Event, Trace
from .model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check

SHOWN = 3
"""Events that an item cites at the most."""


WRONG = {"A2": ("A2",), "A5": ("A5",), "B2": ("R12",), "E4": ("R6",)}
"""Items that fail when one of these was seen to break."""


def traced_claims(claims: Sequence[Check], trace: Trace) -> list[Check]:
    """A claim that broke in the trace fails, whatever the instructions say."""
    return [_broken(claim, trace) for claim in claims]


def traced_items(items: Sequence[Check], trace: Trace) -> list[Check]:
    """Items that a trace can decide where nothing else did; a failure always counts."""
    return [_item(item, trace) for item in items]


def _broken(claim: Check, trace: Trace) -> Check:
    told = _problems(trace, claim.id)
    if not told or claim.verdict == FAIL:
        return claim
    lines = [f"seen in the trace: {line}" for line in told[:SHOWN]]
    if claim.verdict == PASS:
        lines.append("the instructions alone say otherwise:")
        lines += claim.evidence
    return replace(claim, verdict=FAIL, evidence=lines)


def _problems(trace: Trace, *names: str) -> list[str]:
    """What went wrong with these claims or items, by the event that showed it."""
    return [
        f"{_title(event)}: {problem.split(': ', 1)[-1]}"
        for event in trace.events
        for problem in event.problems
        if problem.split(":")[0] in names
    ]


def _title(event: Event) -> str:
    name = f" of {event.name}" if event.name else ""
    call = f"call {event.call}{name}, " if event.call is not None else ""
    return f"event {event.number} ({call}{event.kind})"


def _item(item: Check, trace: Trace) -> Check:
    told = _problems(trace, *WRONG.get(item.id, ()))
    if item.id == "B1":
        told = _problems(_made_by_jit(trace), "R12")
    if told and item.verdict not in (FAIL, NOT_APPLICABLE):
        return replace(item, verdict=FAIL, evidence=told[:SHOWN])
    if item.verdict != UNKNOWN:
        return item
    lines = _evidence(item.id, trace)
    return replace(item, verdict=PASS, evidence=lines, hint="") if lines else item


def _evidence(name: str, trace: Trace) -> list[str]:
    """The events that decide an item for good; nothing where they do not."""
    generated = _of(trace, GENERATED)
    calls = _of(trace, CALL)
    if name in ("A1", "A4"):
        return _cited([event for event in generated if event.values.get("stub")])
    if name == "A3":
        return _cited(generated) if _all_agree(generated) else []
    if name == "B1":
        return _cited(_delivered(_made_by_jit(trace)))
    if name == "B2":
        return _cited(_delivered(trace))
    if name == "B3":
        return _cited([event for event in calls if _straight(event)])
    if name == "B4":
        return _cited([event for event in calls if not event.problems])
    if name == "E4" and not _missing(trace, INTERPRETER):
        arrived = [e for e in _of(trace, INTERPRETER) if e.call is not None]
        awaited = {event.call for event in _of(trace, DISPATCH)}
        return _cited(arrived) if {e.call for e in arrived} >= awaited else []
    return []


def _missing(trace: Trace, kind: str) -> bool:
    return any(line.startswith(f"{kind}:") for line in trace.missing)


def _delivered(trace: Trace) -> list[Event]:
    """Calls of a function that is confirmed, whose function and callInfo reached the
    interpreter as they were passed."""
    wrong = {event.call for event in trace.events if event.problems}
    good = {event.call for event in _of(trace, INTERPRETER)} - wrong
    return [e for e in _of(trace, CALL) if e.name is not None and e.call in good]


def _made_by_jit(trace: Trace) -> Trace:
    """The calls from code without a symbol, in an engine whose own code has them."""
    if _missing(trace, CALL):
        return replace(trace, events=[])
    jitted = {e.call for e in _of(trace, CALL) if e.site and not e.site.named}
    return replace(trace, events=[e for e in trace.events if e.call in jitted])


def _straight(event: Event) -> bool:
    """A call of a confirmed function that was seen to go to its block itself."""
    straight = event.site is not None and event.site.how == STRAIGHT
    return straight and event.name is not None and not event.problems


def _of(trace: Trace, kind: str) -> list[Event]:
    return [event for event in trace.events if event.kind == kind]


def _all_agree(generated: Sequence[Event]) -> bool:
    return bool(generated) and all(
        event.values.get("entry_point", -1) == event.values.get("converted")
        and not event.problems
        for event in generated
    )


def _cited(events: Sequence[Event]) -> list[str]:
    lines = [f"{_title(event)}: {event.text}" for event in events[:SHOWN]]
    if len(events) > SHOWN:
        lines.append(f"and {len(events) - SHOWN} more")
    return lines
