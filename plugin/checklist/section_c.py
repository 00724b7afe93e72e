"""C. Dynamic thunk code: what the header's instructions do."""

from ..proof.claims import STATIC
from ..proof.facts import Saved
from .model import FAIL, PASS, UNKNOWN
from .sections import (
    Assessment,
    Check,
    Claims,
    cited,
    from_claims,
    from_proof,
    known,
    not_here,
    plain,
)


def items(a: Assessment, claims: Claims) -> list[Check]:
    return [
        _pattern(a),
        _arguments_saved(a, claims),
        _frame_saved(a, claims),
        from_claims("C4", "the layout pointer is a stack address", claims, ["R1"]),
        from_proof("C5", "the layout pointer is where arguments were saved", a, ["R2"]),
        from_claims("C6", "the stack stays aligned to 16", claims, ["R5"]),
    ]


def _pattern(a: Assessment) -> Check:
    """Not by comparing bytes: the code is right if all that it must do is proved."""
    title = "the code does what the pattern must do"
    found = a.facts.claims
    # The chain's offsets and the interpreter's address are data, not the pattern.
    names = [name for name in STATIC if name not in ("R6", "R7")]
    for holds, verdict in ((False, FAIL), (None, UNKNOWN)):
        bad = [n for n in names if found[n].holds is holds]
        if bad:
            lines = [f"{name}: {line}" for name in bad for line in found[name].evidence]
            return plain("C1", title, verdict, lines)
    text = f"{', '.join(names)} proved for {a.facts.style()}, {a.convention.title}"
    return plain("C1", title, PASS, [text])


def _saved_line(a: Assessment, saved: Saved) -> str:
    address = a.thunk.address + saved.at
    return f"{address:#x} stores {saved.register} at {a.arch.sp} + {saved.offset}"


def _arguments_saved(a: Assessment, claims: Claims) -> Check:
    wanted = a.convention.arguments
    title = f"the header stores all argument registers, {wanted[0]}-{wanted[-1]}"
    if a.convention.caller_stores is not None:
        title = "the header stores the argument registers"
        why = "the caller stores them here (G6); the header need not"
        return not_here("C2", title, why)
    saved = {s.register: s for s in a.facts.saved}
    missing = [register for register in wanted if register not in saved]
    lines = [_saved_line(a, saved[r]) for r in wanted if r in saved]
    if not missing:
        return plain("C2", title, PASS, lines)
    verdict = FAIL if claims["R4"].verdict == FAIL or len(lines) else UNKNOWN
    if any(claims[name].verdict == FAIL for name in ("R2", "R3", "R4")):
        verdict = FAIL
    return plain("C2", title, verdict, [f"not stored: {', '.join(missing)}", *lines])


def _frame_saved(a: Assessment, claims: Claims) -> Check:
    arch = a.arch
    wanted = [name for name in (arch.fp, arch.lr) if name]
    verb = "are" if len(wanted) > 1 else "is"
    title = f"{' and '.join(wanted)} {verb} saved"
    if not a.convention.anchored:
        why = "x64 Windows: the return address is on the stack, rbp is not used"
        return not_here("C3", title, why)
    saved = {s.register: s for s in a.facts.saved}
    lines = [_saved_line(a, saved[name]) for name in wanted if name in saved]
    missing = [name for name in wanted if name not in saved]
    back = [claims["R9"], claims["R10"]]
    if not missing:
        return plain("C3", title, PASS, lines)
    if all(check.verdict == PASS for check in back):
        text = f"{', '.join(missing)} not stored, but proved to come back unchanged"
        return known("C3", title, True, text)
    verdict = FAIL if any(c.verdict == FAIL for c in back) else UNKNOWN
    lines = [f"not saved: {', '.join(missing)}", *lines]
    return plain("C3", title, verdict, [*lines, *cited(back[0])])
