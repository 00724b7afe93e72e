"""D. Stack layout: the words that the interpreter will read."""

import re

from ..chakra.layout import ARGS
from ..target import ThunkError
from .model import FAIL, PASS, UNKNOWN
from .sections import Assessment, Check, Claims, cited, from_claims, plain

_ARGUMENT = re.compile(r"args\[(\d+)\]")
"""The first that a line of R4's evidence speaks of."""


def items(a: Assessment, claims: Claims) -> list[Check]:
    return [
        from_claims(
            "D1", "the layout is as the interpreter expects", claims, ["R2", "R3", "R4"]
        ),
        from_claims("D2", "the layout pointer finds the function", claims, ["R2"]),
        from_claims("D3", "callInfo is at +8", claims, ["R3"]),
        _this(a, claims),
        from_claims("D5", "args are contiguous and readable", claims, ["R4"]),
    ]


def _this(a: Assessment, claims: Claims) -> Check:
    """args[0] only: R4 may fail for a later one."""
    title = "this is at +16"
    r4 = claims["R4"]
    if r4.verdict != FAIL:
        return from_claims("D4", title, claims, ["R4"])
    proved = a.facts.claims["R4"]
    if proved.holds is not False:
        return _this_now(a, title, cited(r4))
    number = _ARGUMENT.search(proved.evidence[0])
    if number is None or number.group(1) == "0" or claims["R12"].verdict == FAIL:
        return plain("D4", title, FAIL, cited(r4))
    call, layout = a.facts.call, a.facts.layout_from_entry
    if call is None or layout is None:
        return plain("D4", title, UNKNOWN, cited(r4))
    cell = call.state.byte(layout + ARGS)
    lines = [f"[L+{ARGS}] was stored by +{cell.writer:#x}"] if cell.writer else []
    return plain("D4", title, PASS, lines or [f"[L+{ARGS}] is the caller's word"])


def _this_now(a: Assessment, title: str, cited: list[str]) -> Check:
    """The instructions are right; in this call not every argument can be read."""
    if a.layout is None:
        return plain("D4", title, UNKNOWN, cited)
    place = a.layout.address + ARGS
    try:
        text = f"[{place:#x}] = {a.memory.word(place):#x}"
    except ThunkError:
        return plain("D4", title, FAIL, cited)
    return plain("D4", title, PASS, [text])
