"""E. Control flow: dispatch branch, range check, and on into the interpreter."""

from ..proof.words import cite
from .model import FAIL, PASS, UNKNOWN
from .sections import Assessment, Check, Claims, cited, from_claims, not_here, plain


def items(a: Assessment, claims: Claims) -> list[Check]:
    return [
        from_claims("E1", "the branch goes to the function's stub", claims, ["R7"]),
        _range_check(a, claims),
        from_claims("E3", "the target is executable memory", claims, ["R8"]),
        from_claims("E4", "execution goes on in the interpreter", claims, ["R6", "R7"]),
        _readable(a, claims),
    ]


def _range_check(a: Assessment, claims: Claims) -> Check:
    title = "the range check passes"
    guards = a.facts.main.guards
    if not guards:
        return not_here("E2", title, "this header makes no range check")
    lines = [cite(guard.insn, "let every stub through") for guard in guards]
    r7 = claims["R7"]
    if r7.verdict == PASS and all(guard.decided for guard in guards):
        return plain("E2", title, PASS, lines)
    if r7.verdict == FAIL:
        return plain("E2", title, FAIL, cited(r7))
    return plain("E2", title, UNKNOWN, cited(r7), r7.hint)


def _readable(a: Assessment, claims: Claims) -> Check:
    title = "the interpreter can read args through the pointer"
    check = from_claims("E5", title, claims, ["R1", "R2", "R3", "R4"])
    if check.verdict != PASS or a.layout:
        return check
    return plain("E5", title, UNKNOWN, [a.call.how], "stop in an interpreted call")
