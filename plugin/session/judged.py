"""The verdict of a run: the worst of all blocks that its calls may go through.

Blocks that are alike but for their place do the same: one of them is judged for all.
"""

from typing import Optional

from ..inspection import with_block
from ..report.model import Report
from ..trace.plan import Watch

WORST_LAST = ("sound", "undecided", "broken")


class Judged:
    """Which blocks of a run were looked at."""

    def __init__(self) -> None:
        self._met: dict[int, Watch] = {}
        self._kinds: set[tuple[object, ...]] = set()

    def is_new(self, watch: Watch) -> bool:
        """Whether none like it was asked for before."""
        if self._met.get(watch.address) is watch:
            return False
        self._met[watch.address] = watch
        kind = _kind(watch)
        known = kind in self._kinds
        self._kinds.add(kind)
        return not known


def _kind(watch: Watch) -> "tuple[object, ...]":
    facts = watch.facts
    return facts.thunk.first_stub, facts.thunk.likeness, facts.interpreter


def with_all(report: Report, watches: "list[Watch]") -> Report:
    """With those that are proved to be broken, though no call in them was looked at."""
    for watch in watches:
        if report.verdict != "broken":
            report = with_block(report, watch)
    return report


def worse(one: Optional[Report], other: Optional[Report]) -> Optional[Report]:
    """The first of two unless the second is worse."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda report: WORST_LAST.index(report.verdict))
