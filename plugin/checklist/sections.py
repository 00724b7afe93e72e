"""What the modules of the sections share: making a check out of claims or facts."""

from collections.abc import Sequence
from typing import Optional

from ..chakra.objects import unread_of
from ..chakra.thunk import page_size
from ..target import Unreadable
from .assess import Assessment
from .model import (
    FAIL,
    NOT_APPLICABLE,
    PASS,
    UNKNOWN,
    Check,
    combined,
    verdict_of,
)

Claims = dict[str, Check]

__all__ = [
    "Assessment",
    "Check",
    "Claims",
    "block_of",
    "cited",
    "from_claims",
    "from_proof",
    "known",
    "no_function",
    "not_here",
    "plain",
    "unread_function",
]


def from_claims(
    id: str, title: str, claims: Claims, names: Sequence[str], hint: str = ""
) -> Check:
    """An item that holds if these claims do; the evidence is what decides it."""
    chosen = [claims[name] for name in names]
    verdict = combined(chosen)
    deciding = [check for check in chosen if check.verdict == verdict]
    evidence = [line for check in deciding for line in cited(check)]
    return Check(id, title, verdict, evidence, hint or deciding[0].hint)


def cited(claim: Check) -> list[str]:
    """A claim's evidence as an item tells it: what shows both leaves it out there."""
    return [f"{claim.id}: {line}" for line in claim.evidence]


def from_proof(id: str, title: str, a: Assessment, names: Sequence[str]) -> Check:
    """An item about the block alone, whatever the call in hand shows."""
    claims = {
        name: Check(name, "", verdict_of(finding.holds), list(finding.evidence))
        for name, finding in a.facts.claims.items()
    }
    return from_claims(id, title, claims, names)


def known(
    id: str, title: str, holds: Optional[bool], evidence: str, hint: str = ""
) -> Check:
    verdict = {True: PASS, False: FAIL, None: UNKNOWN}[holds]
    return Check(id, title, verdict, [evidence], hint)


def unread_function(a: Assessment) -> Optional[Unreadable]:
    """What could not be read of the called function's chain."""
    words = (a.call.passed_function, a.layout and a.layout.function_address)
    for address in (*words, a.found.function):
        missing = address and unread_of(a.memory, address, a.facts.offsets)
        if missing:
            return missing
    return None


def no_function(a: Assessment) -> str:
    """Why no function object is at hand: what could not be read, if that is it."""
    text = "no function object at hand that its chain confirms"
    layout, missing = a.layout, unread_function(a)
    if missing:
        return f"{text}: {missing}"
    if layout and layout.function_address is None and layout.problems:
        return f"{text}: {layout.problems[0]}"
    return text if layout else f"{text}: {a.call.how}"


def block_of(a: Assessment, stub: int) -> tuple[Optional[bool], str]:
    """Whether ConvertToEntryPoint leads from a stub to the block, and how: it masks
    with the engine's block size, which is seen by the block's shape alone."""
    thunk = a.thunk
    start = stub & ~(thunk.size - 1)
    text = f"{stub:#x} & ~{thunk.size - 1:#x} = {start:#x}"
    if start != thunk.address:
        return False, f"{text}, should be {thunk.address:#x}"
    page = page_size(a.arch, a.memory.os)
    if stub & ~(page - 1) != thunk.address:
        other = stub & ~(page - 1)
        why = f"but {other:#x} where blocks are pages of {page >> 10} KiB, as here"
        return None, f"{text}, {why}"
    return True, text


def not_here(id: str, title: str, why: str) -> Check:
    return Check(id, title, NOT_APPLICABLE, [why])


def plain(
    id: str, title: str, verdict: str, evidence: Sequence[str], hint: str = ""
) -> Check:
    return Check(id, title, verdict, list(evidence), hint)
