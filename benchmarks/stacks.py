"""`thunk-bt` of 10,000 script frames, against gdb's own `bt`; in lldb too.

Ours: the real engine without JIT in deep.js, stopped in the host's print below 10,000
interpreted calls; every frame is decoded and printed. Floor: `bt` without the plugin on
10,000 frames of a native recursion without debug information, `programs/recurse.c`.
Each run is at a stop of its own, after `stepi`.
"""

from .figures import Measured, both, clocks, middle, paired, turns
from .sides import BARE, Job, side

FRAMES = 10_000
DEEP = ("deep.js", "--no-jit", "--big-stack")


def deep(debugger: str, rounds: int) -> Measured:
    """ms for the whole command. In lldb by the clock: its server reads the memory."""
    with side(debugger) as session, side("gdb", BARE) as native:
        session.load_engine(*DEEP, stop="engine_print")
        native.start("recurse", str(FRAMES), stop="bottom")
        session.timed([Job(["thunk-bt"], "stepi")], 1)
        ours, floor = [], []
        for _ in turns(rounds):
            ours += session.timed([Job(["thunk-bt"], "stepi")], 1)[0]
            floor += native.timed([Job(["bt"], "stepi")], 1)[0]
        lines = native.bench(do="said", command="bt").count("\n")
    clock = {"gdb": "cpu", "lldb": "wall"}[debugger]
    mine, least = (both(middle(samples))[clock] for samples in (ours, floor))
    pairs = [[getattr(run, clock) for run in runs] for runs in (ours, floor)]
    details = {**clocks(ours, floor), "lines of the floor": lines}
    return Measured(paired(*pairs), mine, least, "ms", details=details)


def reads(debugger: str, rounds: int) -> Measured:
    """Reads of the target's memory for each frame, by a counting Target."""
    with side(debugger) as session:
        session.load_engine(*DEEP, stop="engine_print")
        found = session.bench(do="reads", command="thunk-bt")
    frames = found["lines"] - 1
    measured = Measured(
        found["reads"] / frames, found["reads"], 0, "reads", details=found
    )
    if frames < FRAMES:
        measured.failure = f"only {frames} frames"
    return measured
