"""What a trace decides of the checklist: nothing passes without proof."""

from dataclasses import replace
from typing import Any, Dict, List, Optional

import pytest

from thunk_inspect.checklist.model import FAIL, PASS, UNKNOWN, Check
from thunk_inspect.checklist.traced import traced_claims, traced_items
from thunk_inspect.trace.model import AFTERWARDS, ASIDE, STRAIGHT, Event, Site, Trace

BLOCK, FUNCTION = 0x6515310000, 0x7F5000001000
AGREE = {"body": 1, "stub": BLOCK + 64, "converted": BLOCK, "entry_point": BLOCK}


def event(kind: str, **other: Any) -> Event:
    call = None if kind == "generated" else 1
    made = Event(1, kind, 1, call, 1, BLOCK, FUNCTION, "add", "", {}, ())
    return replace(made, **other)


def verdict(name: str, events: List[Event], missing: Optional[List[str]] = None) -> str:
    """What becomes of an item that nothing else decided."""
    item = Check(name, "title", UNKNOWN, ["why"], "hint")
    (found,) = traced_items([item], Trace(events, missing=missing or []))
    assert found.evidence
    return found.verdict


JITTED, NAMED = Site(False, STRAIGHT), Site(True, STRAIGHT)
CALLED = [event("call", site=JITTED), event("dispatch"), event("interpreter")]
HELPER = [event("call", site=NAMED), *CALLED[1:]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (AGREE, PASS),
        ({**AGREE, "entry_point": BLOCK + 8}, UNKNOWN),
        ({"body": 1}, UNKNOWN),
        ({"body": 1, "stub": 0}, UNKNOWN),
    ],
)
def test_the_entry_point(values: Dict[str, int], expected: str) -> None:
    """Of a thunk that could not be read nothing agrees with nothing."""
    assert verdict("A3", [event("generated", values=values)]) == expected
    has_stub = PASS if values.get("stub") else UNKNOWN
    assert verdict("A1", [event("generated", values=values)]) == has_stub
    assert verdict("A4", [event("generated", values=values)]) == has_stub


def test_what_the_jit_makes() -> None:
    """Told by a caller without a symbol, where all others have one."""
    assert verdict("B1", CALLED) == PASS
    assert verdict("B1", HELPER) == UNKNOWN
    assert verdict("B1", CALLED, ["call: no symbol of arm64_CallFunction"]) == UNKNOWN
    assert verdict("B1", CALLED[:1]) == UNKNOWN
    bad = ("R12: the caller did not store it",)
    assert verdict("B1", [replace(CALLED[0], problems=bad)]) == FAIL
    assert verdict("B1", [replace(HELPER[0], problems=bad)]) == UNKNOWN


def test_arguments_in_their_places() -> None:
    assert verdict("B2", HELPER) == PASS
    assert verdict("B2", HELPER[:2]) == UNKNOWN
    assert verdict("B2", [replace(one, name=None) for one in HELPER]) == UNKNOWN
    wrong = replace(HELPER[1], problems=("R3: [x0+8] is 0x0",))
    assert verdict("B2", [HELPER[0], wrong, HELPER[2]]) == UNKNOWN


@pytest.mark.parametrize(
    ("how", "expected"),
    [(STRAIGHT, PASS), (ASIDE, UNKNOWN), (AFTERWARDS, UNKNOWN)],
)
@pytest.mark.parametrize("named", [False, True])
def test_the_entry_point_that_a_call_loads(
    how: str, expected: str, named: bool
) -> None:
    site = Site(named, how)
    assert verdict("B3", [event("call", site=site)]) == expected
    assert verdict("B4", [event("call", site=site)]) == PASS


def test_on_into_the_interpreter() -> None:
    assert verdict("E4", HELPER) == PASS
    assert verdict("E4", [*HELPER, event("dispatch", call=2)]) == UNKNOWN
    assert verdict("E4", HELPER, ["interpreter: no symbol"]) == UNKNOWN
    misaligned = replace(HELPER[2], problems=("R5: sp is 0x8: not aligned",))
    assert verdict("E4", [*HELPER[:2], misaligned]) == PASS, "it got there"
    aside = replace(HELPER[1], problems=("R6: the stub will call x1, which is 0x8",))
    assert verdict("E4", [aside]) == FAIL


def test_a_claim_that_broke() -> None:
    claim = Check("R2", "title", PASS, ["the instructions"], "")
    problem = ("R2: [x0+0] is 0x1",)
    (found,) = traced_claims([claim], Trace([event("dispatch", problems=problem)]))
    assert found.verdict == FAIL and "[x0+0] is 0x1" in found.evidence[0]
    (same,) = traced_claims([claim], Trace(HELPER))
    assert same == claim
