"""Figures: samples, medians, and what one row came to."""

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional


class Sample(NamedTuple):
    """One run on the clock, in ms."""

    cpu: float
    """User and system time of the debugger; of all children for a whole process."""
    wall: float
    counted: int = 0
    """How often what was to be counted was in the output."""


@dataclass
class Measured:
    """What a row came to. `figure` is what is held against the target."""

    figure: float
    ours: float
    floor: float
    """`ours` and `floor` are in one unit: ms, packets, stops per second."""
    unit: str
    others: "dict[str, float]" = field(default_factory=dict)
    """Of gef and pwndbg, in the same unit."""
    details: "dict[str, Any]" = field(default_factory=dict)
    failure: str = ""
    """Why the figure does not count, however good it is."""

    @property
    def ratio(self) -> Optional[float]:
        """Ours in units of the floor; for a rate too, so that more is then better."""
        return self.ours / self.floor if self.floor else None


def median(numbers: Iterable[float]) -> float:
    return statistics.median(numbers)


def paired(ours: Sequence[float], floor: Sequence[float]) -> float:
    """Ours in units of the floor: the median of pairs that were measured side by side,
    so that what else runs on the machine slows both."""
    return median(one / other for one, other in zip(ours, floor))


def turns(rounds: int, seconds: float = 8) -> Iterator[int]:
    """As many rounds, but none begins when the time is up: what is slow is measured
    less often. Two at least are, if two are wanted."""
    start = time.monotonic()
    for number in range(rounds):
        if number < 2 or time.monotonic() - start < seconds:
            yield number


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each clock by itself."""
    return Sample(median(s.cpu for s in samples), median(s.wall for s in samples))


def clocks(ours: Sequence[Sample], floor: Sequence[Sample]) -> "dict[str, Any]":
    """Both clocks of both sides, for the details of a row."""
    return {"ours": both(middle(ours)), "floor": both(middle(floor))}


def both(sample: Sample) -> "dict[str, float]":
    return {"cpu": sample.cpu, "wall": sample.wall}
