"""What the proof says, held against memory: a claim with what memory says added."""

from dataclasses import replace
from typing import Optional

from ..target import Memory, Unreadable
from .model import FAIL, PASS, UNKNOWN, Check

DISAGREE = "the instructions are right; this call is not"
HINT = "inspect the live process, or a core file that holds all of its memory"


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
