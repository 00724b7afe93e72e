"""Hits per second of a trace, against a bare Python stop.

Each call of the fixture is five hits of thunk-trace, all recorded and shown. The floor
is a debugger without the plugin that stops at the same five places, reads 3 registers
and 64 bytes and goes on.
"""

import json
from typing import Any

from .figures import Measured, Sample, clocks, median, paired
from .sides import BARE, in_the_interpreter

Runs = list[tuple[list[float], list[float]]]
"""(ours, the floor), side by side: each [hits, CPU s, wall s]."""
HITS_PER_CALL = 5
SESSIONS = 5
"""Pairs of debuggers that the runs are shared out to: one process is up to a fifth
faster than another that does the same, for as long as it lives."""
CALLS = {
    ("gdb", "x86_64"): 300,
    ("gdb", "aarch64"): 100,
    ("lldb", "x86_64"): 120,
    ("lldb", "aarch64"): 60,
}
"""Calls of one run: enough that setting up and ending a trace is little of it."""


def trace(debugger: str, arch: str, rounds: int) -> Measured:
    """Hits per second by the clock, which is what a user waits for: debugger, server
    and program take turns at every hit."""
    found: Runs = []
    for _ in range(min(SESSIONS, rounds)):
        found += _in_turns(debugger, arch, max(1, rounds // SESSIONS))
    ours, floor = zip(*found)
    rates = [[hits / wall for hits, _, wall in runs] for runs in (ours, floor)]
    samples = [
        [Sample(1000 * cpu, 1000 * wall) for _, cpu, wall in runs]
        for runs in (ours, floor)
    ]
    details = clocks(*samples)
    details["hits of one run"] = HITS_PER_CALL * CALLS[debugger, arch]
    fast, bare = map(median, rates)
    return Measured(paired(*rates), fast, bare, "hits/s", details=details)


def _in_turns(debugger: str, arch: str, rounds: int) -> Runs:
    calls = CALLS[debugger, arch]
    found: Runs = []
    with (
        in_the_interpreter(debugger, arch) as traced,
        in_the_interpreter(debugger, arch, BARE) as bare,
    ):
        # The session's own breakpoint would end the first run.
        for session in (traced, bare):
            session.run({"gdb": "delete", "lldb": "breakpoint delete -f"}[debugger])
        places = points(traced, calls)
        for _ in range(rounds):
            ours, said = traced.bench(do="traced", calls=calls)
            hits = HITS_PER_CALL * calls
            assert ours[0] == hits, said
            found.append((ours, bare.bench(do="bare", places=places, hits=hits)))
    return found


def points(session: Any, calls: int) -> "list[str]":
    """Where a trace stops: the same addresses in every session of one debugger."""
    file = session.folder / "trace.json"
    session.run(f"thunk-trace --count {calls} --json {file}")
    events = json.loads(file.read_text())["events"]
    found = {event["kind"]: event["address"] for event in events if event["call"]}
    assert len(found) == HITS_PER_CALL, found
    return list(found.values())
