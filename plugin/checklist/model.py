"""The words of a verdict: what a check and a diagnosis consist of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

PASS, FAIL, UNKNOWN, NOT_APPLICABLE = "pass", "fail", "unknown", "not-applicable"


@dataclass(frozen=True)
class Check:
    """One claim or checklist item with its verdict.

    `evidence` is never empty: for pass and fail the instructions or memory words that
    decide it, for unknown what was missing, for not-applicable why.
    """

    id: str
    title: str
    verdict: str
    evidence: Sequence[str]
    hint: str = ""
    """What the user can do about it."""


@dataclass(frozen=True)
class Mend:
    """A change that puts a fault right."""

    steps: Sequence[str]
    """One line for each edit."""
    proved: bool
    """Whether the block was proved again with this change."""

    @property
    def text(self) -> str:
        return "; ".join(self.steps)


@dataclass(frozen=True)
class Diagnosis:
    """One of the six potential bugs of the document."""

    id: int
    title: str
    state: str
    """`present`, `absent` or `unknown`."""
    because: Sequence[str] = field(default_factory=list)
    cause: str = ""
    mend: Optional[Mend] = None


def verdict_of(holds: Optional[bool]) -> str:
    return {True: PASS, False: FAIL, None: UNKNOWN}[holds]


def combined(checks: Sequence[Check]) -> str:
    """The verdict of several together: any fail, else any unknown, else pass."""
    verdicts = {check.verdict for check in checks} - {NOT_APPLICABLE}
    for verdict in (FAIL, UNKNOWN, PASS):
        if verdict in verdicts:
            return verdict
    return NOT_APPLICABLE
