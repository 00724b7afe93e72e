"""A bounded share of `make soak`: nothing piles up in a debugger."""

import pytest

from sessions import Session
from soaking import KINDS, left, soak, start

MOST_KIB = 3072
"""Growth in 1,000 commands: the debuggers' own is up to 1.3 MiB, a few KiB that are
kept for each trace made 15."""
COUNT = {"moves": 200, "error": 100, "trace": 200}


@pytest.mark.parametrize("kind", COUNT)
@pytest.mark.cover("session", "kind")
def test_nothing_piles_up(session: Session, kind: str) -> None:
    start(session)
    found = soak(session, KINDS[kind], COUNT[kind])
    assert found.after.fds <= found.before.fds, "open files"
    assert found.after.threads <= found.before.threads + 1, "threads"
    assert found.growth < MOST_KIB


MOST_OBJECTS = 150
"""Left in rings by a command: argparse's own are up to 50, a trace's 100. An error that
was kept as it was raised held memory and lldb's objects with it: 700 with a trace."""
PYTHON = {"gdb": "python", "lldb": "script"}
TIMES = 10


@pytest.mark.parametrize("kind", COUNT)
def test_python_need_not_look_for_rings(session: Session, kind: str) -> None:
    """What a command leaves goes at once, and not when Python has time for it: a few
    objects may hold much of a debugger's."""
    start(session)
    soak(session, KINDS[kind], 0, TIMES)
    script, told = PYTHON[session.name], session.folder / "rings"
    session.run(f"{script} import gc; gc.collect(); gc.disable()")
    soak(session, KINDS[kind], 0, TIMES)
    session.run(f"{script} open('{told}', 'w').write(str(gc.collect())); gc.enable()")
    assert int(told.read_text()) < MOST_OBJECTS * TIMES


PRINT = """
import lldb
from thunk_inspect.lldb.registers import Printed
frame = lldb.debugger.GetSelectedTarget().process.GetSelectedThread().frame[0]
interpreter = lldb.debugger.GetCommandInterpreter()
context = lldb.SBExecutionContext(frame)
printed, ask = Printed(), "process plugin packet send m%x,400"
for n in range({first}, {first} + 10000):
    result = printed.result()
    interpreter.HandleCommand(ask % (frame.GetSP() + n), context, result, False)
    text = printed.text()
    assert text.count("response: ") == 1 and text.startswith(" "), text
open("{told}", "a").write("done\\n")
"""


def test_lldb_keeps_nothing_of_what_it_prints(lldb: Session) -> None:
    """Of a text that it hands out itself it keeps a copy: here of 2 KiB each."""
    start(lldb)
    path, told, sizes = lldb.folder / "print.py", lldb.folder / "told", []
    for first in (-12000, -24000):
        path.write_text(PRINT.format(first=first, told=told))
        assert not lldb.run(f"script exec(open('{path}').read())").text
        sizes.append(left(lldb.debugger.pid).rss)
    assert told.read_text() == "done\n" * 2
    assert sizes[1] - sizes[0] < 1024, "KiB"
