"""What an unreadable word means for a verdict.

Memory that is certain not to be there is a fault of the call. What only could not be
read, as from a core file that is cut short, decides nothing: it is named.
"""

from dataclasses import replace

from ..target import Memory, Unreadable
from .model import FAIL, UNKNOWN, Check

HINT = "inspect the live process, or a core file that holds all of its memory"


def unread(memory: Memory, check: Check, text: str, error: Unreadable) -> Check:
    """The check after a look that failed; `text` names what was looked at."""
    lines = [*check.evidence, text]
    if check.verdict == FAIL or memory.lacks(error.address, error.size):
        return replace(check, verdict=FAIL, evidence=lines)
    return replace(check, verdict=UNKNOWN, evidence=lines, hint=HINT)
