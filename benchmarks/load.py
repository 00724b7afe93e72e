"""What loading costs: whole processes of the debugger, with the plugin and without."""

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence

from debuggers import DRIVERS
from programs import ENVIRONMENT, need

from .figures import Measured, Sample, clocks, median, middle
from .sides import others

START = {
    "gdb": (["gdb", "-nx", "-q", "-batch"], "-ex"),
    "lldb": (["lldb-19", "--no-lldbinit", "--batch", "-o", "script 1"], "-o"),
}
"""A debugger that does nothing, and the option that gives it a command. lldb starts
its Python at the first script only, which any plugin would pay for."""
STARTS = 9
"""Of a bare gdb, for how fast this machine is at the moment."""


def load(debugger: str, rounds: int) -> Measured:
    """The ms that the plugin adds; the floor is the debugger without it."""
    bare, option = START[debugger]
    commands = {"floor": bare, "ours": [*bare, option, DRIVERS[debugger].load]}
    if debugger == "gdb":
        for name, path in others().items():
            commands[name] = [*bare, option, f"source {path}"]
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        for command in commands.values():
            run(command, home)  # Python writes its .pyc the first time.
        for _ in range(rounds):
            for name, command in commands.items():
                samples[name].append(run(command, home))
    cpu = {name: middle(found).cpu for name, found in samples.items()}
    # Pairs of one round: the machine may be slower in the next.
    added = {
        name: median(one.cpu - bare.cpu for one, bare in zip(found, samples["floor"]))
        for name, found in samples.items()
    }
    del added["floor"]
    figure = added.pop("ours")
    details = clocks(samples["ours"], samples["floor"])
    return Measured(figure, cpu["ours"], cpu["floor"], "ms", added, details)


def gdb_starts() -> "list[float]":
    """CPU ms of some starts of a gdb that does nothing."""
    return [run(START["gdb"][0]).cpu for _ in range(STARTS)]


def run(command: Sequence[str], home: str = ENVIRONMENT["HOME"]) -> Sample:
    """One process from start to end, by what the system says it used."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [need(command[0]), *command[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**ENVIRONMENT, "HOME": home},
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = 0  # It is waited for already.
    wall = time.perf_counter() - start
    if status:
        raise RuntimeError(f"{' '.join(command)}: ended with {status}")
    return Sample(1000 * (used.ru_utime + used.ru_stime), 1000 * wall)
