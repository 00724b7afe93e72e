"""Packets to a stub for one report at a new stop, counted by a proxy."""

from .figures import Measured, median
from .sides import BARE, OURS, Counted, in_the_interpreter, others

REPORT = "thunk-inspect"


def packets(debugger: str, rounds: int) -> Measured:
    """What the stop costs without a plugin is taken off on both sides, so that what a
    plugin does at every stop unasked is counted with its report. gdb has the registers
    by then: what brought them is no part of that stop."""
    with in_the_interpreter(debugger, "aarch64", BARE, Counted) as session:
        session.packets(["continue"])
        stops = [session.packets(["continue"]) for _ in range(rounds)]
        stop = median(len(sent) - registers(debugger, sent) for sent in stops)
        floor = median(
            len(session.packets(["continue", "@state"])) for _ in range(rounds)
        )
    with in_the_interpreter(debugger, "aarch64", OURS, Counted) as session:
        session.packets([REPORT])
        runs = [session.packets(["continue", REPORT]) for _ in range(rounds)]
        stopping = median(len(session.packets(["continue"])) for _ in range(rounds))
    ours = median(map(len, runs)) - stop
    details = {
        "at the stop, unasked": stopping - median(map(len, stops)),
        "sent": [packet.decode("latin-1") for packet in runs[-1]],
    }
    found = {name: of_other(name, rounds) - stop for name in _others(debugger)}
    return Measured(ours, ours, floor - stop, "packets", found, details)


def registers(debugger: str, sent: "list[bytes]") -> int:
    """How many of a stop's packets bring gdb the registers: from the last `vCont;c`."""
    if debugger != "gdb":
        return 0
    last = max(n for n, packet in enumerate(sent) if packet.startswith(b"vCont;c"))
    kinds = (b"vCont", b"g", b"qfThreadInfo", b"qsThreadInfo")
    return sum(packet.startswith(kinds) for packet in sent[last:])


def _others(debugger: str) -> "list[str]":
    return list(others()) if debugger == "gdb" else []


def of_other(plugin: str, rounds: int) -> float:
    """Packets of a step with all that the plugin shows by itself."""
    with in_the_interpreter("gdb", "aarch64", plugin, Counted) as session:
        session.packets(["stepi"])
        return median(len(session.packets(["stepi"])) for _ in range(rounds))
