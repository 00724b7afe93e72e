"""The user's break points while a trace runs: whether a stop is one of theirs."""

from collections.abc import Iterable, Iterator
from typing import Any, Optional

import lldb


class UsersPoints:
    """All that are not ours, with their counts at the start."""

    def __init__(self, target: Any, ours: "Iterable[int]") -> None:
        self._target = target
        numbers = set(ours)
        self._stops = {
            made.GetID(): _stops(made)
            for made in target.breakpoint_iter()
            if made.GetID() not in numbers
        }

    def at(self, process: Any, staying: bool) -> "Iterator[tuple[Any, int]]":
        """Threads at one of them, perhaps where one of ours is too, and its number.
        `staying`: whether a hit of ours is to stay there."""
        for thread in process:
            if thread.GetStopReason() == lldb.eStopReasonBreakpoint:
                number = self.that_stopped(thread, staying)
                if number is not None:
                    yield thread, number

    def that_stopped(self, thread: Any, staying: bool) -> Optional[int]:
        """The one that was to stop this thread, told by its count: a thread's data,
        pairs of break point and location, name all that are there. One that was there
        for once is gone by now, and mostly the data too."""
        if not thread.GetStopReasonDataCount():
            return next(filter(self._gone, self._stops), None)
        for n in range(0, thread.GetStopReasonDataCount(), 2):
            number = int(thread.GetStopReasonDataAtIndex(n))
            made = self._target.FindBreakpointByID(number)
            if number not in self._stops:
                continue
            if self._gone(number):
                return number
            if made.GetAutoContinue() or _stops(made) <= self._stops[number]:
                continue
            if not (staying and _may_go_on(made)):
                return number
        return None

    def _gone(self, number: int) -> bool:
        return not self._target.FindBreakpointByID(number).IsValid()


def _may_go_on(made: Any) -> bool:
    """Whether it asks, at a hit, if it is to stop: its condition may not hold, or its
    Python have said False, and the stop be ours. It is counted all the same."""
    if made.GetCondition():
        return True
    data = made.SerializeToStructuredData()
    for key in ("Breakpoint", "BKPTOptions", "BKPTCMDData", "ScriptSource"):
        data = data.GetValueForKey(key)
    return data.GetStringValue(16) not in ("", "None")


def _stops(made: Any) -> int:
    """How often lldb has meant to stop there, but for a number that does not matter: a
    hit is counted where the condition holds, or is one of those to be ignored."""
    return int(made.GetHitCount()) + int(made.GetIgnoreCount())
