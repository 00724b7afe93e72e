"""The same command very often in one debugger, and what that leaves behind there."""

import os
import time
from pathlib import Path
from statistics import median
from typing import List, NamedTuple

from sessions import INTERPRETER, Session

WARM = 200
"""Commands before the first measure: until then things are imported and remembered."""
SLICE = 20
"""Commands between two measures."""
CALLS = 1_000_000
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class Kind(NamedTuple):
    """What is done again and again: `moves` lets the process go on before."""

    moves: bool
    command: str
    says: str


KINDS = {
    "stays": Kind(False, "thunk-inspect", "SOUND"),
    "moves": Kind(True, "thunk-inspect", "SOUND"),
    "stack": Kind(True, "thunk-bt --all", "frame chain ends"),
    "find": Kind(True, "thunk-find", "found by"),
    "error": Kind(True, "thunk-inspect 8", "thunk-inspect: "),
    "trace": Kind(False, "thunk-trace --count 1", "1 call was traced"),
    "bare": Kind(True, "", ""),
}
"""`bare` is the debugger without us, to compare with."""


class Left(NamedTuple):
    """What a debugger holds at a time."""

    rss: int
    """KiB"""
    fds: int
    threads: int


class Soaked(NamedTuple):
    before: Left
    after: Left
    seconds: List[float]
    """Of each command, without the way to its stop."""
    sizes: List[int]
    """KiB before, and after each SLICE of commands."""

    @property
    def growth(self) -> float:
        """KiB in 1,000 commands, by the middle slice: what piles up does so in each,
        a table that becomes twice as large does so once."""
        grown = [after - before for before, after in zip(self.sizes, self.sizes[1:])]
        return median(grown) * 1000 / SLICE

    def middle(self, share: slice) -> float:
        return 1000 * median(self.seconds[share])

    @property
    def slower(self) -> float:
        """How many times as long a command takes at the end as at the beginning."""
        tenth = len(self.seconds) // 10
        return self.middle(slice(-tenth, None)) / self.middle(slice(tenth))


def left(pid: int) -> Left:
    place = Path(f"/proc/{pid}")
    pages = int((place / "statm").read_text().split()[1])
    fds, threads = (len(os.listdir(place / name)) for name in ("fd", "task"))
    return Left(pages * PAGE_KIB, fds, threads)


def start(session: Session, arch: str = "x86_64") -> None:
    """A program that calls for a long time; stopped in its interpreter."""
    convention = "sysv" if arch == "x86_64" else "caller-stack"
    session.load(convention, "none", "3", "--calls", str(CALLS), arch=arch)


def soak(session: Session, kind: Kind, count: int, warm: int = WARM) -> Soaked:
    if kind.command != KINDS["trace"].command:
        how = {"gdb": "break", "lldb": "breakpoint set --name"}[session.name]
        session.run(f"{how} {INTERPRETER}")
        session.run("continue")
    _repeat(session, kind, warm)
    before = left(session.debugger.pid)
    seconds, sizes = [], [before.rss]
    for _ in range(count // SLICE):
        seconds += _repeat(session, kind, SLICE)
        sizes.append(left(session.debugger.pid).rss)
    return Soaked(before, left(session.debugger.pid), seconds, sizes)


def _repeat(session: Session, kind: Kind, count: int) -> List[float]:
    seconds = []
    for _ in range(count):
        if kind.moves:
            session.run("continue")
        start = time.perf_counter()
        said = session.run(kind.command).text if kind.command else ""
        seconds.append(time.perf_counter() - start)
        assert kind.says in said, said
    return seconds
