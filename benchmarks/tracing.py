"""Hits per second of a trace, against a bare Python stop.

Each call of the fixture is five hits of thunk-trace, all recorded and shown. The floor
is a debugger without the plugin that stops at the same five places, reads 3 registers
and 64 bytes and goes on.
"""

import json
from typing import Any

from .figures import Measured, Sample, clocks, median, paired
from .sides import BARE, in_the_interpreter

HITS_PER_CALL = 5
CALLS = {
    ("gdb", "x86_64"): 400,
    ("gdb", "aarch64"): 80,
    ("lldb", "x86_64"): 100,
    ("lldb", "aarch64"): 40,
}
"""Calls of one run: enough that setting up and ending a trace is little of it."""


def trace(debugger: str, arch: str, rounds: int) -> Measured:
    """Hits per second by the clock, which is what a user waits for: debugger, server
    and program take turns at every hit."""
    calls = CALLS[debugger, arch]
    ours, floor, said = [], [], ""
    with (
        in_the_interpreter(debugger, arch) as traced,
        in_the_interpreter(debugger, arch, BARE) as bare,
    ):
        # The session's own breakpoint would end the first run.
        for session in (traced, bare):
            session.run({"gdb": "delete", "lldb": "breakpoint delete -f"}[debugger])
        places = points(traced, calls)
        for _ in range(rounds):
            one, said = traced.bench(do="traced", calls=calls)
            ours.append(one)
            hits = HITS_PER_CALL * calls
            floor.append(bare.bench(do="bare", places=places, hits=hits))
    found = {"ours": ours, "floor": floor}
    rates = {who: [n / wall for n, _, wall in runs] for who, runs in found.items()}
    samples = {
        who: [Sample(1000 * cpu, 1000 * wall) for _, cpu, wall in found[who]]
        for who in rates
    }
    details = {
        **clocks(samples["ours"], samples["floor"]),
        "hits of one run": ours[-1][0],
        "said": said,
    }
    ratio = paired(rates["ours"], rates["floor"])
    middle = {who: median(each) for who, each in rates.items()}
    return Measured(ratio, middle["ours"], middle["floor"], "hits/s", details=details)


def points(session: Any, calls: int) -> "list[str]":
    """Where a trace stops: the same addresses in every session of one debugger."""
    file = session.folder / "trace.json"
    session.run(f"thunk-trace --count {calls} --json {file}")
    events = json.loads(file.read_text())["events"]
    found = {event["kind"]: event["address"] for event in events if event["call"]}
    assert len(found) == HITS_PER_CALL, found
    return list(found.values())
