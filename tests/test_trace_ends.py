"""thunk-trace and what may end it: the user, signals, time, and wrong usage."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import List, Tuple

import pytest

from debuggers import DEBUGGERS
from fakes import FakeSession
from programs import DEADLINE, ENVIRONMENT, end, fixture, need, wait_until
from reports import validated
from sessions import INTERPRETER, Session
from thunk_inspect.commands.run import run_command
from thunk_inspect.session.children import descendants
from thunk_inspect.target import Target, ThunkError
from traces import all_break_points, own_break_points, trace, wrong


def test_a_break_point_of_the_users_own(session: Session) -> None:
    session.load("sysv", "none", "3", "--calls", "4")
    session.run("break depth_5" if session.name == "gdb" else "b depth_5")
    before = all_break_points(session)
    document = trace(session)
    assert re.fullmatch(r"break point \d+", document["ended"])
    assert document["counts"]["interpreter"] == 1
    assert "returned" not in document["counts"]
    assert len(all_break_points(session)) == len(before)


def test_one_where_ours_is_too(session: Session) -> None:
    session.load("sysv", "none", "3", "--calls", "4")
    place = session.place("header")
    where = f"*{place:#x}" if session.name == "gdb" else f"set -a {place:#x}"
    said = session.run(f"{'break' if session.name == 'gdb' else 'breakpoint'} {where}")
    number = re.search(r"Breakpoint (\d+)", said.text)
    assert number, said.text
    document = trace(session)
    assert document["ended"] == f"break point {number[1]}"
    assert session.pc() == place


def test_one_whose_python_goes_on(lldb: Session) -> None:
    """Where the trace itself stops for a moment: at the first call of a block."""
    counts = ("--nest", "20", "--functions", "490")
    lldb.load("homing", "none", "3", *counts, arch="aarch64")
    lldb.run(f"breakpoint set -n {INTERPRETER}")
    lldb.run('breakpoint command add -s python -o "return False"')
    document = trace(lldb)
    assert document["ended"] == "exited with 0" and not document["failures"]


def pid_of(session: Session) -> int:
    """The program's, once it has said something; it is below the debugger."""
    assert wait_until(lambda: bool(session.stdout()))
    found = descendants(session.debugger.pid)
    (pid,) = [pid for pid in found if "chakra_like" in command_of(pid)]
    return pid


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


@pytest.mark.parametrize(
    ("number", "ended"),
    [(signal.SIGINT, "interrupted"), (signal.SIGKILL, "ended by|was killed")],
)
def test_a_signal_from_outside(session: Session, number: int, ended: str) -> None:
    session.load("sysv", "none", "3", "--calls", "1000000")
    before = all_break_points(session)
    path = session.folder / "trace.json"
    said = session.output.stat().st_size
    session.debugger.send(f"thunk-trace --json {path}")
    assert wait_until(lambda: session.output.stat().st_size > said), "it runs"
    os.kill(pid_of(session), number)
    answer = session.debugger.answer()
    assert not answer.error or number == signal.SIGKILL, answer.error
    assert path.exists(), f"{answer.error}\n{answer.output[-2000:]}"
    document = validated(json.loads(path.read_text()))
    assert re.search(ended, document["ended"])
    assert document["calls"] and not document["failures"], wrong(document)
    if number == signal.SIGINT:
        assert all_break_points(session) == before
        assert session.json()["verdict"] in ("sound", "undecided")


KILL = """
import os, time
def dead(pid):
    with open("/proc/%d/stat" % pid) as status:
        return status.read().rpartition(")")[2].split()[0] in "ZX"
def kill(pid):
    os.kill(pid, 9)
    limit = time.monotonic() + 10
    while not dead(pid) and time.monotonic() < limit:
        time.sleep(0.001)
"""
GDB_KILL = """
class Killer(gdb.Breakpoint):
    def stop(self):
        kill(gdb.selected_inferior().pid)
        return False
"""
LLDB_KILL = """
def killer(frame, location, *rest):
    kill(frame.GetThread().GetProcess().GetProcessID())
    return False
"""


@pytest.mark.parametrize("place", ["header", "dispatch", "interpreter"])
def test_killed_at_a_hit(session: Session, place: str) -> None:
    """Nothing can be read any more, which no call is to be blamed for."""
    session.load("sysv", "none", "3", "--calls", "4")
    where = session.place(place)
    script = session.folder / "killer.py"
    if session.name == "gdb":
        script.write_text(KILL + GDB_KILL)
        session.run(f"source {script}")
        session.run(f'python Killer("*{where:#x}")')
    else:
        script.write_text(KILL + LLDB_KILL)
        session.run(f"command script import {script}")
        session.run(f"breakpoint set --address {where:#x}")
        session.run("breakpoint command add -F killer.killer")
    path = session.folder / "trace.json"
    session.run(f"thunk-trace --json {path}")
    document = validated(json.loads(path.read_text()))
    assert document["calls"] <= 1
    assert not document["failures"] and not wrong(document)


def test_no_process(session: Session) -> None:
    session.open()
    error = session.run("thunk-trace").error
    assert "no process" in error and len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "words", ["--count 0", "--count x", "--timeout -1", "--only lunch", "5", "--what"]
)
def test_bad_usage(gdb: Session, words: str) -> None:
    gdb.open()
    error = gdb.run(f"thunk-trace {words}").error
    assert "see help thunk-trace" in error and len(error.strip().splitlines()) == 1


def test_a_file_that_cannot_be_written(session: Session) -> None:
    session.load("sysv", "none", "3")
    before = own_break_points(session)
    # A file is no folder.
    path = session.output / "trace.json"
    error = session.run(f"thunk-trace --json {path}").error.splitlines()[-1]
    assert f"cannot write {path}" in error
    assert len(error.strip().splitlines()) == 1
    assert own_break_points(session) == before


PROGRAM = r"""
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
volatile int n;
__attribute__((noinline)) void ready(void) { n = 1; }
static void *sleeps(void *p) { for (;;) pause(); return p; }
int main(int argc, char **argv)
{
    pthread_t thread;
    sigset_t all;
    sigfillset(&all);
    if (argc > 2)
        sigprocmask(SIG_BLOCK, &all, 0);
    pthread_create(&thread, 0, sleeps, 0);
    ready();
    if (argc > 1 && !strcmp(argv[1], "yield"))
        for (;;) syscall(SYS_sched_yield);
    if (argc > 1)
        for (;;) n++;
    pause();
    return 0;
}
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Waits; with an argument spins, or yields again and again; with two it keeps all
    signals waiting."""
    folder = tmp_path_factory.mktemp("hangs")
    source = folder / "hangs.c"
    source.write_text(PROGRAM)
    command = [need("gcc"), "-g", "-pthread", str(source), "-o", str(folder / "hangs")]
    subprocess.run(command, check=True)
    return str(folder / "hangs")


def start(session: Session, program: str, *args: str) -> None:
    session.open()
    session.run(session.debugger.open(program))
    session.run(session.debugger.once("ready"))
    session.run(session.debugger.launch(args, session.output))
    assert session.pc()


@pytest.mark.parametrize(
    ("args", "kind"), [((), "waiting"), (("spin",), "native")], ids=["waits", "spins"]
)
@pytest.mark.cover("session", "kind")
def test_a_program_that_does_not_end(
    session: Session, program: str, args: Tuple[str, ...], kind: str
) -> None:
    start(session, program, *args)
    document = trace(session, "--timeout 0.5")
    assert document["hang"]["kind"] == kind
    assert "time" in document["ended"] and document["calls"] == 0
    # No interrupt of ours is left: it would stop the process at once.
    assert not args or stops_only_when_asked(session)


def test_a_program_that_comes_back_to_a_system_call(gdb: Session, program: str) -> None:
    """It spins, and every look finds it where one that waits would be."""
    start(gdb, program, "yield")
    text = trace(gdb, "--timeout 0.3")["hang"]["text"]
    assert "it waits, or calls it again and again" in text


def test_a_program_that_keeps_signals_waiting(gdb: Session, program: str) -> None:
    test_a_program_that_does_not_end(gdb, program, ("spin", "deaf"), "native")


def stops_only_when_asked(session: Session) -> bool:
    """A step over an instruction ends as a step does."""
    if session.name == "gdb":
        return "SIG" not in session.run("stepi").output
    said = session.run("thread step-inst").output
    return "SIG" not in session.run("thread info").output + said


@pytest.mark.parametrize("options", ["--timeout 1", "--timeout 1 --only encoded"])
@pytest.mark.cover("session", "options")
def test_one_under_qemu_that_does_not_end(session: Session, options: str) -> None:
    """A spinning program says nothing to the debugger, and this qemu does not listen to
    it: the trace ends all the same."""
    session.load("caller-stack", "no-fplr", "3", arch="aarch64")
    session.go_to(session.place("header"))
    document = trace(session, options)
    assert document["hang"] or "round" in document["ended"]
    assert session.json()["verdict"] == "broken"


def test_no_time_at_all(session: Session, program: str) -> None:
    start(session, program, "spin")
    assert trace(session, "--timeout 0")["hang"]["kind"] == "native"


def test_busy_is_not_a_loop_in_the_thunk(session: Session) -> None:
    """Most of its time it stands at break points of ours, and those in the block."""
    session.load("sysv", "none", "3", "--calls", "1000000")
    document = trace(session, "--timeout 0.5")
    assert document["hang"]["kind"] == "interpreter"
    assert document["calls"] and not document["failures"]


class Terminal:
    """A debugger that a user types to, its program under control at the first call."""

    def __init__(self, words: List[str]) -> None:
        ours, theirs = pty.openpty()
        self._terminal, self._seen = ours, b""
        self._process = subprocess.Popen(
            [need(words[0]), *words[1:]],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=ENVIRONMENT,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)

    def worked(self) -> float:
        """Seconds for which the debugger itself had a processor."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def type(self, text: str) -> None:
        self._seen = b""
        os.write(self._terminal, text.encode())

    def until(self, word: bytes) -> bytes:
        """All that it said up to a word and some more."""
        limit = time.monotonic() + DEADLINE
        while word not in self._seen:
            left = max(0.0, limit - time.monotonic())
            ready, _, _ = select.select([self._terminal], [], [], left)
            assert ready, self._seen[-500:]
            self._seen += os.read(self._terminal, 1 << 16)
        return self._seen

    def close(self) -> None:
        """lldb's server would leave the program behind, stopped."""
        below = descendants(self._process.pid)
        end(self._process)
        for pid in below:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        os.close(self._terminal)


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_a_users_interrupt(debugger: str, tmp_path: Path) -> None:
    """^C, typed."""
    plugin = DEBUGGERS[debugger].load
    args, out = "sysv none 3 --calls 1000000", tmp_path / "out"
    if debugger == "gdb":
        start = [plugin, "tbreak amd64_CallFunction", f"run {args} >{out} </dev/null"]
        words = ["gdb", "-nx", "-q", "-ex", "set pagination off"]
        words += [word for line in start for word in ("-ex", line)]
    else:
        once, streams = "breakpoint set -o true -n", f"-i /dev/null -o {out} -e {out}"
        start = [plugin, f"{once} amd64_CallFunction"]
        start.append(f"process launch {streams} -- {args}")
        words = ["lldb-19", "--no-lldbinit"]
        words += [word for line in start for word in ("-o", line)]
    terminal = Terminal([*words, fixture("x86_64")])
    try:
        terminal.until(b"amd64_CallFunction (" if debugger == "gdb" else b"stop reason")
        terminal.type("thunk-trace\n")
        terminal.until(b"#5 ")
        terminal.type("\x03")
        assert b"all consistent; ended: interrupted" in terminal.until(b"functions ")
    finally:
        terminal.close()


def test_lldbs_hook(tmp_path: Path) -> None:
    """lldb would wait there for ever for a process that is let run."""
    out = tmp_path / "out"
    start = [
        DEBUGGERS["lldb"].load,
        "breakpoint set -n amd64_CallFunction",
        "breakpoint command add -o thunk-trace",
    ]
    words = [word for line in start for word in ("-o", line)]
    terminal = Terminal(["lldb-19", "--no-lldbinit", *words, fixture("x86_64")])
    try:
        terminal.until(b"breakpoint command add")
        terminal.type(f"process launch -o {out} -e {out} -- sysv none 3\n")
        terminal.until(b"thunk-trace: lldb lets no process run")
        terminal.until(b"stop reason")
    finally:
        terminal.close()


def test_a_trace_in_a_trace() -> None:
    """What a debugger runs at every stop is run at those of a trace too."""

    class Hooked(FakeSession):
        def target(self) -> Target:
            return run_command("thunk-trace", "", self)  # type: ignore[return-value]

    for _ in range(2):
        with pytest.raises(ThunkError, match="a trace is at work"):
            run_command("thunk-trace", "", Hooked({}, {}))
