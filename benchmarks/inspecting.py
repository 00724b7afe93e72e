"""What a report costs: the first one of a session, and one at every new stop."""

from programs import ROOT

from .figures import Measured, Sample, both, median, middle, turns
from .sides import BARE, Job, in_the_interpreter, others

REPORT = "thunk-inspect"
FLOOR = {
    "gdb": ["info registers", "x/10i $pc", "x/10gx $sp"],
    "lldb": [
        "register read",
        "disassemble --pc --count 10",
        "memory read --format x --size 8 --count 10 $sp",
    ],
}
"""What shows about as much of a stop with the debugger's own commands."""
AT_PROMPT = {"pwndbg": ["context"]}
"""What other plugins show before they ask for the next command."""


def first(debugger: str, rounds: int) -> Measured:
    """All that the plugin has cost by the end of a session's first report, loading and
    the way to the stop included; the floor only imports Capstone and Rich."""
    ours, bare, floor, alone = [], [], [], []
    for _ in turns(rounds):
        with in_the_interpreter(debugger) as session:
            alone += session.timed([Job([REPORT], "")], 1)[0]
            ours.append(1000 * session.bench(do="cpu"))
        with in_the_interpreter(debugger, plugin=BARE) as session:
            bare.append(1000 * session.bench(do="cpu"))
            floor.append(1000 * session.bench(do="imports", path=site_packages()))
    cost = median(ours) - median(bare)
    details = {"the command alone": both(middle(alone))}
    return Measured(cost, cost, median(floor), "ms", {}, details)


def site_packages() -> str:
    return str(next((ROOT / ".venv" / "lib").glob("python3*/site-packages")))


def at_a_stop(debugger: str, rounds: int) -> Measured:
    """A report at a new native stop, with what the plugin does unasked when the process
    stops: the way to the stop is measured with it, and without any plugin. In gdb by
    CPU time; in lldb by the clock, because half of the work is its server's."""
    stop, report = Job(["continue"], ""), Job(["continue", REPORT], "")
    least = Job(["continue", *FLOOR[debugger]], "")
    with (
        in_the_interpreter(debugger) as mine,
        in_the_interpreter(debugger, plugin=BARE) as bare,
    ):
        mine.timed([report], 2)  # Imports, and the proof of this block, are over.
        rows: list[list[Sample]] = [[], [], [], []]
        for _ in range(rounds):
            found = [*mine.timed([report, stop], 1), *bare.timed([least, stop], 1)]
            for row, samples in zip(rows, found):
                row += samples
    clock = {"gdb": "cpu", "lldb": "wall"}[debugger]
    with_report, stopped, with_floor, unasked = (
        both(middle(samples))[clock] for samples in rows
    )
    details = {"at the stop, unasked": stopped - unasked, "clock": clock}
    costs = with_report - unasked, with_floor - unasked
    names = others() if debugger == "gdb" else ()
    found_there = {name: context(name, rounds) for name in names}
    return Measured(costs[0], *costs, "ms", found_there, details)


def context(plugin: str, rounds: int) -> float:
    """CPU ms of what another plugin shows at a stop: a step with it, less one without.
    What it shows hangs on the stop, or on the prompt, which nobody waits for here."""
    costs = {}
    for name in (BARE, plugin):
        with in_the_interpreter("gdb", plugin=name) as session:
            step = [Job(["stepi", *AT_PROMPT.get(name, ())], "")]
            session.timed(step, 3)
            samples: list[Sample] = session.timed(step, rounds)[0]
            costs[name] = middle(samples).cpu
    return costs[plugin] - costs[BARE]
