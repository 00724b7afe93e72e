"""The table: what is measured, its target, and the function that measures it."""

from functools import partial
from typing import Callable, NamedTuple

from . import inspecting, load, packets, proof, scanning, stacks, tracing
from .figures import Measured

GDB_STARTS = 62.0
"""CPU ms of `gdb -nx -q -batch` on the machine for which targets in ms were set."""


class Row(NamedTuple):
    """One line of the table.

    `limit` is what a Measured's figure is held against, in `unit`. One in ms is meant
    for a machine on which gdb starts in GDB_STARTS; a slower one has as many times
    longer.
    """

    name: str
    title: str
    limit: float
    unit: str
    measure: "Callable[[int], Measured]"
    rounds: int
    quick: int
    more: bool = False
    """Whether the figure must be at least the limit, not at most."""

    @property
    def in_time(self) -> bool:
        return self.unit == "ms"

    def limit_here(self, slowness: float) -> float:
        return self.limit * max(1.0, slowness) if self.in_time else self.limit

    def met(self, measured: Measured, slowness: float) -> bool:
        limit = self.limit_here(slowness)
        enough = measured.figure >= limit if self.more else measured.figure <= limit
        return enough and not measured.failure


def _loading() -> "list[Row]":
    gdb, lldb = (partial(load.load, name) for name in ("gdb", "lldb"))
    return [
        Row("load-gdb", "load, gdb: CPU added", 10, "ms", gdb, 31, 7),
        Row("load-lldb", "load, lldb: CPU added", 10, "ms", lldb, 61, 5),
    ]


def _reports() -> "list[Row]":
    first, stop = inspecting.first, inspecting.at_a_stop
    sent = packets.packets
    return [
        Row("first-gdb", "first report, gdb", 180, "ms",
            partial(first, "gdb"), 7, 3),
        Row("first-lldb", "first report, lldb", 180, "ms",
            partial(first, "lldb"), 5, 2),
        Row("stop-gdb", "report at a stop, gdb", 7, "ms",
            partial(stop, "gdb"), 101, 21),
        Row("stop-lldb", "report at a stop, lldb", 12, "ms",
            partial(stop, "lldb"), 101, 21),
        Row("packets-gdb", "packets per report, gdb", 14, "packets",
            partial(sent, "gdb"), 5, 3),
        Row("packets-lldb", "packets per report, lldb", 48, "packets",
            partial(sent, "lldb"), 5, 3),
    ]  # fmt: skip


def _scans() -> "list[Row]":
    titles = {
        "find": ("dense", "100 blocks in 1 GiB", 2.5),
        "sparse": ("sparse", "1 GiB reserved, 100 pages", 20),
    }
    return [
        Row(f"{name}-{debugger}", f"{title}, {debugger}", limit, "×",
            partial(scanning.search, debugger, mode), 5, 2, more=True)
        for name, (mode, title, limit) in titles.items()
        for debugger in ("gdb", "lldb")
    ]  # fmt: skip


def _traces() -> "list[Row]":
    machines = {"x86_64": "native", "aarch64": "qemu"}
    return [
        Row(f"trace-{debugger}-{how}", f"trace, {debugger} {how}", 0.85, "×",
            partial(tracing.trace, debugger, arch), 25, 3, more=True)
        for debugger in ("gdb", "lldb")
        for arch, how in machines.items()
    ]  # fmt: skip


def _others() -> "list[Row]":
    deep, reads = stacks.deep, stacks.reads
    return [
        Row("bt-gdb", "thunk-bt, 10,000 frames, gdb", 1, "×",
            partial(deep, "gdb"), 11, 2),
        Row("bt-lldb", "thunk-bt, 10,000 frames, lldb", 1, "×",
            partial(deep, "lldb"), 11, 2),
        Row("bt-reads", "its reads per frame", 0.02, "reads", partial(reads, "gdb"),
            1, 1),
        Row("proof-cold", "proof of a block, first sight", 3, "ms",
            partial(proof.proved, proof.FIRST), 20, 5),
        Row("proof-again", "proof of a block, seen before", 0.05, "ms",
            partial(proof.proved, proof.AGAIN), 20, 5),
    ]  # fmt: skip


TABLE = (*_loading(), *_reports(), *_scans(), *_traces(), *_others())
