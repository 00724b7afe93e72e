"""What the proof says, held against memory: a claim with what memory says added."""

from dataclasses import replace
from typing import Optional

from .model import FAIL, PASS, Check

DISAGREE = "the instructions are right; this call is not"


def held(check: Check, holds: Optional[bool], evidence: str) -> Check:
    """Add what memory says. It can break a pass, and never makes one."""
    lines = [*check.evidence, evidence]
    if holds is False:
        if check.verdict == PASS:
            lines.append(DISAGREE)
        return replace(check, verdict=FAIL, evidence=lines)
    return replace(check, evidence=lines)
