"""D. Stack layout: the words that the interpreter will read."""

from ..chakra.layout import ARGS
from .model import FAIL, PASS, UNKNOWN
from .sections import Assessment, Check, Claims, cited, from_claims, plain


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
    call, layout = a.facts.call, a.facts.layout_from_entry
    if call is None or layout is None:
        return plain("D4", title, UNKNOWN, cited(r4))
    first_bad = any("args[0]" in line for line in r4.evidence if "should" in line)
    gap = any(line.find("args[0] is read at") >= 0 for line in r4.evidence)
    if first_bad or gap or claims["R12"].verdict == FAIL:
        return plain("D4", title, FAIL, cited(r4))
    cell = call.state.byte(layout + ARGS)
    lines = [f"[L+{ARGS}] was stored by +{cell.writer:#x}"] if cell.writer else []
    return plain("D4", title, PASS, lines or [f"[L+{ARGS}] is the caller's word"])
