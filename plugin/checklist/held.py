"""What the proof says, held against memory: a claim with what memory says added."""

from dataclasses import replace
from typing import Optional

from ..chakra.objects import unconfirmed
from ..target import Memory, Unreadable
from .assess import Assessment
from .model import FAIL, PASS, UNKNOWN, Check

DISAGREE = "the instructions are right; this call is not"
HINT = "inspect the live process, or a core file that holds all of its memory"


MAY_BE_ASM = (
    "the interpreter that is called is not known, and asm.js calls have no callInfo"
)


def doubted(a: Assessment, address: int) -> str:
    """Why what may be a function object cannot be told from one, if that is so."""
    if a.facts.offsets is None:
        return "the header's loads do not tell what a function object is here"
    function = unconfirmed(a.memory, address, a.facts.offsets)
    if function and a.thunk.stub_number(a.facts.goal(function.stub)) is not None:
        return "its chain leads to a stub of the block, but its body or type is unusual"
    return ""


def held(check: Check, holds: Optional[bool], evidence: str) -> Check:
    """Add what memory says. It can break a pass, and never makes one."""
    lines = [*check.evidence, evidence]
    if holds is False:
        if check.verdict == PASS:
            lines.append(DISAGREE)
        return replace(check, verdict=FAIL, evidence=lines)
    return replace(check, evidence=lines)


def unread(memory: Memory, check: Check, text: str, error: Unreadable) -> Check:
    """After a look that failed; `text` names what was looked at.

    Memory that is certain not to be there is a fault of the call. What only could not
    be read, as from a core file that is cut short, decides nothing: it is named.
    """
    if check.verdict == FAIL or memory.lacks(error.address, error.size):
        return held(check, False, text)
    lines = [*check.evidence, text]
    return replace(check, verdict=UNKNOWN, evidence=lines, hint=HINT)
