"""thunk-trace on chakra_like, in each debugger: sound calls, every fault, every end."""

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
from typing import FrozenSet, List, NamedTuple, Tuple

import pytest

from debuggers import DEBUGGERS
from programs import DEADLINE, ENVIRONMENT, end, fixture, need, wait_until
from reports import Document, validated
from sessions import Session
from test_faults import CONVENTIONS, VARIANTS

STEPS = ["call", "entered", "dispatch", "interpreter", "returned"]
SOUND = [
    ("x86_64", "sysv"),
    ("x86_64", "windows"),
    ("aarch64", "homing"),
    ("aarch64", "caller-stack"),
]
EVERYWHERE = pytest.mark.parametrize(("arch", "convention"), SOUND)


def trace(session: Session, options: str = "") -> Document:
    path = session.folder / "trace.json"
    answer = session.run(f"thunk-trace {options} --json {path}")
    # gdb may miss the source of a place where the process stopped.
    assert "thunk-trace" not in answer.error, answer.error
    assert "Traceback" not in answer.text
    return validated(json.loads(path.read_text()))


def by_call(document: Document) -> "dict[int, list[str]]":
    """The kinds of event of each call, in order."""
    found: dict[int, list[str]] = {}
    for event in document["events"]:
        if event["call"] is not None:
            found.setdefault(event["call"], []).append(event["kind"])
    return found


def wrong(document: Document) -> "list[tuple[str, set[str]]]":
    """(kind, claims) of each event at which something was found to be wrong."""
    return [
        (event["kind"], {problem.split(":")[0] for problem in event["problems"]})
        for event in document["events"]
        if event["problems"]
    ]


def all_break_points(session: Session) -> "list[str]":
    """Also those that no list of the user's shows."""
    gdb = session.name == "gdb"
    command = "maint info breakpoints" if gdb else "breakpoint list --internal --brief"
    lines = session.run(command).output.splitlines()
    return [line for line in lines if re.match(r"-?\d", line)]


def own_break_points(session: Session) -> str:
    gdb = session.name == "gdb"
    return session.run("info breakpoints" if gdb else "breakpoint list --brief").output


# Sound calls.


@EVERYWHERE
def test_every_step_of_every_call(session: Session, arch: str, convention: str) -> None:
    """Twice 21 calls, one in the other, through two blocks where these can be found
    before: qemu gives no memory map."""
    others = "490" if arch == "x86_64" else "4"
    options = ("--calls", "2", "--nest", "20", "--functions", others)
    session.load(convention, "none", "3", *options, arch=arch)
    document = trace(session)
    assert document["ended"] == "exited with 0"
    assert (document["calls"], document["failures"]) == (42, 0)
    assert document["first_failure"] is None and not wrong(document)
    assert document["counts"] == dict.fromkeys(STEPS, 42)
    assert by_call(document) == {number: STEPS for number in range(1, 43)}
    kinds = [event["kind"] for event in document["events"]]
    assert kinds == 2 * (21 * STEPS[:4] + 21 * STEPS[4:])
    depths = [event["depth"] for event in document["events"] if event["kind"] == "call"]
    assert depths == 2 * list(range(1, 22))
    functions = {one["name"]: one["calls"] for one in document["functions"]}
    assert functions == {f"nest_{level}": 2 for level in range(21)}
    blocks = {event["address"] for event in document["events"] if is_entry(event)}
    assert len(blocks) == (2 if arch == "x86_64" else 1)


def test_a_block_that_comes_to_light_later(session: Session) -> None:
    """It is met in the interpreter, so the first call through it is not judged."""
    options = ("--calls", "2", "--nest", "20", "--functions", "490")
    session.load("homing", "none", "3", *options, arch="aarch64")
    document = trace(session)
    assert (document["calls"], document["failures"]) == (41, 0)
    assert document["counts"]["encoded"] == 1
    assert any("1 returns of calls" in line for line in document["missing"])


def is_entry(event: Document) -> bool:
    return bool(event["kind"] == "entered")


@EVERYWHERE
def test_so_many_calls(session: Session, arch: str, convention: str) -> None:
    """The process is left as it was, but for where it stands."""
    session.load(convention, "none", "12", "--calls", "9", arch=arch)
    session.run("break usage_error" if session.name == "gdb" else "b usage_error")
    before, own = all_break_points(session), own_break_points(session)
    document = trace(session, "--count 4")
    assert document["ended"] == "4 calls were traced"
    assert (document["calls"], document["failures"]) == (4, 0)
    assert all_break_points(session) == before
    assert own_break_points(session) == own
    report = session.json()
    assert report["verdict"] in ("sound", "undecided")
    again = trace(session)
    assert again["calls"] == 5 and again["ended"] == "exited with 0"
    assert again["failures"] == 0


def test_only_some_are_shown_but_all_are_judged(gdb: Session) -> None:
    gdb.load("sysv", "callee-saved", "3")
    answer = gdb.run("thunk-trace --only call")
    shown = [line for line in answer.output.splitlines() if line.startswith("#")]
    assert [line.split()[1] for line in shown] == ["call"]
    assert "1 call, 1 went wrong" in answer.output


def test_only_what_is_generated(session: Session) -> None:
    """Calls are then not even looked at, and nothing is said of them."""
    session.load("sysv", "callee-saved", "3")
    answer = session.run("thunk-trace --only encoded --only generated")
    assert "0 calls, nothing to judge" in answer.output


@pytest.mark.parametrize(("arch", "convention"), [SOUND[0], SOUND[2]])
def test_from_the_middle(session: Session, arch: str, convention: str) -> None:
    """Six calls are in progress, which return; another one follows."""
    options = ("--nest", "5", "--calls", "2")
    session.load(convention, "none", "3", *options, arch=arch)
    for _ in range(6):
        session.go_to("depth_5")
    document = trace(session)
    assert (document["calls"], document["failures"]) == (6, 0)
    assert document["counts"]["returned"] == 6 and not wrong(document)
    (said,) = [line for line in document["missing"] if line.startswith("returned")]
    assert said.startswith("returned: 6 returns ")


# Faults.


class Expected(NamedTuple):
    """Where it goes wrong first, and which claims are then found to be broken."""

    kind: str
    first: FrozenSet[str]
    later: Tuple[Tuple[str, str], ...] = ()


def _at(kind: str, first: str, *later: Tuple[str, str]) -> Expected:
    return Expected(kind, frozenset(first.split()), later)


ANCHOR = ("interpreter", "R11")
FAULTS = {
    "offset16": _at("dispatch", "R2 R3 R4", ANCHOR),
    "regs-only": _at("call", "R12"),
    # qemu and x64 go on with a misaligned SP.
    "misalign": _at("interpreter", "R5"),
    # The interpreter gets the frame pointer of its caller's caller before it returns.
    "no-fplr": _at("interpreter", "R11", ("returned", "R9")),
    "thunk-offset": _at("dispatch", "R7"),
    "target-outside": _at("dispatch", "R7"),
    "callinfo-clobber": _at("dispatch", "R3"),
    "epilogue-size": _at("returned", "R10"),
    "callee-saved": _at("returned", "R10"),
}
SPECIAL = {
    # No args in registers that could be compared.
    ("sysv", "offset16"): _at("dispatch", "R2 R3", ANCHOR),
    ("caller-stack", "offset16"): _at("dispatch", "R2 R3", ANCHOR),
    # FP does not lead to the layout here.
    ("windows", "offset16"): _at("dispatch", "R2 R3 R4"),
    # rbp is set, but not saved; the return address is on the stack in any case.
    ("sysv", "no-fplr"): _at("returned", "R10"),
    ("sysv", "epilogue-size"): _at("returned", "R9 R10"),
    ("windows", "epilogue-size"): _at("returned", "R9 R10"),
    ("section3", "none"): _at("dispatch", "R4", ANCHOR),
    ("section3", "offset16"): _at("dispatch", "R2 R3 R4", ANCHOR),
    ("section3", "callinfo-clobber"): _at("dispatch", "R3 R4", ANCHOR),
    ("section3", "epilogue-size"): _at(
        "dispatch", "R4", ANCHOR, ("returned", "R9 R10")
    ),
    ("section3", "callee-saved"): _at("dispatch", "R4", ANCHOR, ("returned", "R10")),
    # x1 is no interpreter: the call ends in the stub.
    ("section7", "none"): _at("dispatch", "R4 R6"),
    ("section7", "offset16"): _at("dispatch", "R2 R3 R4 R6"),
    ("section7", "callinfo-clobber"): _at("dispatch", "R3 R4 R6"),
    ("section7", "epilogue-size"): _at("dispatch", "R4 R6"),
    ("section7", "callee-saved"): _at("dispatch", "R4 R6"),
}


def cases() -> List[Tuple[str, str, str]]:
    return [
        (arch, convention, fault)
        for arch in CONVENTIONS
        for convention, fault in VARIANTS[arch]
        if fault != "none" or convention.startswith("section")
    ]


@pytest.mark.parametrize(("arch", "convention", "fault"), cases())
def test_where_it_goes_wrong(
    session: Session, arch: str, convention: str, fault: str
) -> None:
    """One call with eight arguments. No fault goes unnoticed: all of them show."""
    session.load(convention, fault, "8", arch=arch)
    expected = SPECIAL.get((convention, fault)) or FAULTS[fault]
    document = trace(session, "--timeout 20")
    steps = [(expected.kind, set(expected.first))]
    steps += [(kind, set(claims.split())) for kind, claims in expected.later]
    assert wrong(document) == steps
    assert document["failures"] == document["calls"] == 1
    assert document["first_failure"]["kind"] == expected.kind
    assert document["functions"][0]["failures"] == 1
    assert bool(document["hang"]) == (fault == "no-fplr" and arch == "aarch64")


def test_a_call_site_is_named(session: Session) -> None:
    """The call instruction in the helper, by its address."""
    session.load("caller-stack", "regs-only", "3", arch="aarch64")
    document = trace(session)
    first = document["first_failure"]
    where = int(first["address"], 16)
    if session.name == "gdb":
        code = session.run(f"x/i {where:#x}").output
    else:
        code = session.run(f"disassemble -s {where:#x} -c 1").output
    assert re.search(r"blr\s+x16", code)
    (problem,) = first["problems"]
    assert problem.startswith("R12:") and f"its call at {where:#x}" in problem


@pytest.mark.parametrize("convention", ["homing", "caller-stack"])
def test_a_loop_is_named(session: Session, convention: str) -> None:
    session.load(convention, "no-fplr", "3", "--nest", "2", arch="aarch64")
    answer = session.run(f"thunk-trace --json {session.folder}/trace.json")
    document = json.loads((session.folder / "trace.json").read_text())
    hang = document["hang"]
    assert hang["kind"] == "thunk"
    assert re.search(r" b +#0x", hang["instructions"][0])
    assert re.search(r" ret$", hang["instructions"][-1])
    assert "goes round for ever" in document["ended"].replace("\n", " ")
    assert document["failures"] == 3, "each of the three failed R11"
    assert "BROKEN" in answer.output


# Ends.


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


def pid_of(session: Session) -> int:
    """The program's, once it has said something; it is a child of the debugger's."""
    assert wait_until(lambda: bool(session.stdout()))
    if session.name == "gdb":
        pipes = session.debugger._pipes  # type: ignore[union-attr]
        parent = pipes.process.pid
        return int(subprocess.check_output(["pgrep", "-P", str(parent)]))
    from thunk_inspect.session.children import descendants

    found = descendants(session.debugger.process.pid)  # type: ignore[union-attr]
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
    document = validated(json.loads(path.read_text()))
    assert re.search(ended, document["ended"])
    assert document["calls"] and not document["failures"]
    if number == signal.SIGINT:
        assert all_break_points(session) == before
        assert session.json()["verdict"] in ("sound", "undecided")


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
    assert "usage: thunk-trace" in error and len(error.strip().splitlines()) == 1


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
#include <unistd.h>
volatile int n;
__attribute__((noinline)) void ready(void) { n = 1; }
static void *sleeps(void *p) { for (;;) pause(); return p; }
int main(int argc, char **argv)
{
    pthread_t thread;
    pthread_create(&thread, 0, sleeps, 0);
    ready();
    if (argc > 1)
        for (;;) n++;
    pause();
    return 0;
}
"""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Waits, or with an argument spins."""
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
def test_a_program_that_does_not_end(
    session: Session, program: str, args: Tuple[str, ...], kind: str
) -> None:
    start(session, program, *args)
    document = trace(session, "--timeout 0.5")
    assert document["hang"]["kind"] == kind
    assert "time" in document["ended"] and document["calls"] == 0
    # No interrupt of ours is left: it would stop the process at once.
    assert not args or stops_only_when_asked(session)


def stops_only_when_asked(session: Session) -> bool:
    """A step over an instruction ends as a step does."""
    if session.name == "gdb":
        return "SIGINT" not in session.run("stepi").output
    said = session.run("thread step-inst").output
    return "SIG" not in session.run("thread info").output + said


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
        end(self._process)
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
