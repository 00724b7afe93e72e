"""Finding every block in 1 GiB of executable memory, against gdb's own `find`.

`find` looks for the eight bytes that every header of this program begins with, as
somebody would who looks for blocks with gdb alone. In lldb too gdb's `find` is 1.0.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from .figures import Measured, Sample, both, clocks, median, paired, turns
from .sides import OURS, Job, side

SIZE = 1 << 30
PAGE = 4096
BLOCKS = 100
HEADER = "0x28478b48e5894855"
"""push rbp; mov rbp, rsp; mov rax, [rdi+0x28]"""
TOUCHED = 0b11 << 62
"""Bits of a pagemap entry: in memory, or swapped out."""
OURS_FINDS = Job(["thunk-find"], "", "found by:")


class Area(NamedTuple):
    """The GiB of a running `big`."""

    pid: int
    start: int

    @property
    def find(self) -> str:
        return f"find /g {self.start:#x}, +{SIZE}, {HEADER}"

    def touched(self) -> "dict[str, int]":
        """Pages that the process has there, zero pages included, and its Rss in KiB."""
        with open(f"/proc/{self.pid}/pagemap", "rb") as pages:
            pages.seek(self.start // PAGE * 8)
            entries = struct.unpack(f"{SIZE // PAGE}Q", pages.read(SIZE // PAGE * 8))
        return {
            "pages": sum(bool(entry & TOUCHED) for entry in entries),
            "rss KiB": self._rss(),
        }

    def _rss(self) -> int:
        lines = iter(Path(f"/proc/{self.pid}/smaps").read_text().splitlines())
        for line in lines:
            if line.startswith(f"{self.start:x}-"):
                return next(int(s.split()[1]) for s in lines if s.startswith("Rss:"))
        raise RuntimeError("the area is not in smaps")


@contextmanager
def big(debugger: str, mode: str) -> "Iterator[tuple[Any, Area]]":
    """`big` in a debugger with the plugin, which has made a report of another process
    by then: the area is looked at for the first time when it is measured."""
    with side(debugger, OURS) as session:
        session.load("sysv", "none", "3")
        session.run("thunk-inspect")
        session.run(session.debugger.kill)
        session.start("big", mode, stop="ready")
        pid, start = session.stdout()[-1].split()
        yield session, Area(int(pid), int(start, 0))


def search(debugger: str, mode: str, rounds: int) -> Measured:
    """Both searches in turns. A process is good for one of ours: what is proved is
    remembered, and `find` populates what was only reserved."""
    ours: list[Sample] = []
    floor: list[Sample] = []
    grown = ""
    for _ in turns(rounds):
        with big(debugger, mode) as (session, area):
            before = area.touched()
            ours += session.timed([OURS_FINDS], 1)[0]
            after = area.touched()
            if after != before:
                grown = f"the looking populated pages: {before} became {after}"
            if debugger == "gdb":
                floor += session.timed([Job([area.find], "")], 1)[0]
        if debugger != "gdb":
            with big("gdb", mode) as (gdb, there):
                floor += gdb.timed([Job([there.find], "")], 1)[0]
    measured = compared(debugger, ours, floor, {"touched": after})
    measured.failure = measured.failure or grown
    return measured


def compared(
    debugger: str,
    ours: "list[Sample]",
    floor: "list[Sample]",
    details: "dict[str, Any]",
) -> Measured:
    """How many times as fast as `find`. By CPU in gdb, which does all of the work; by
    the clock in lldb, whose server may do some."""
    clock = {"gdb": "cpu", "lldb": "wall"}[debugger]
    mine, least = ([both(one)[clock] for one in samples] for samples in (ours, floor))
    details.update(clocks(ours, floor))
    times = paired(least, mine)
    measured = Measured(times, median(mine), median(least), "ms", details=details)
    found = {sample.counted for sample in ours}
    if found != {BLOCKS}:
        measured.failure = f"{sorted(found)} of {BLOCKS} blocks were found"
    return measured
