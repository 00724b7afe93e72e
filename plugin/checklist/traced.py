"""What a trace decides: checklist items that no single stop can, and claims that were
seen to break while the process ran (A1-A5, B1-B5, E4; R1-R12)."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ..trace.model import CALL, DISPATCH, ENTERED, GENERATED, INTERPRETER, Event, Trace
from .model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check

_NO_SYMBOL = re.compile("(returns to )?0x")
SHOWN = 3
"""Events that an item cites at the most."""


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
    wrong = {
        "A2": ("A2",),
        "A5": ("A5",),
        "B1": ("R12",),
        "B2": ("R12",),
        "E4": ("R5", "R6"),
    }
    told = _problems(trace, *wrong.get(item.id, ()))
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
        return _cited([event for event in calls if _from_jitted_code(event)])
    if name == "B2":
        return _cited(calls)
    if name in ("B3", "B4"):
        entered = {event.call for event in _of(trace, ENTERED)}
        return _cited([event for event in calls if event.call in entered])
    if name == "E4":
        arrived = [e for e in _of(trace, INTERPRETER) if e.call is not None]
        return _cited(arrived) if len(arrived) >= len(_of(trace, DISPATCH)) else []
    return []


def _of(trace: Trace, kind: str) -> list[Event]:
    return [event for event in trace.events if event.kind == kind]


def _all_agree(generated: Sequence[Event]) -> bool:
    return bool(generated) and all(
        event.values.get("entry_point") == event.values.get("converted")
        and not event.problems
        for event in generated
    )


def _from_jitted_code(event: Event) -> bool:
    """A call of a function that is confirmed, from code without a symbol."""
    return event.name is not None and bool(_NO_SYMBOL.match(event.text))


def _cited(events: Sequence[Event]) -> list[str]:
    lines = [f"{_title(event)}: {event.text}" for event in events[:SHOWN]]
    if len(events) > SHOWN:
        lines.append(f"and {len(events) - SHOWN} more")
    return lines
