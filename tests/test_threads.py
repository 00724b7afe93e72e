"""Several threads that make calls at once: each has its own, whatever the others do.

Natively they run freely. Under qemu-aarch64 they take turns: its stub cannot be spoken
to while two threads are at break points, whoever asks.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Dict, List, Set, Tuple

import pytest

from conftest import Console
from following import SOUND, Process
from programs import fixture
from reports import Document, arguments, validated
from runs import BOTH
from sessions import Session
from test_trace import EVERYWHERE, STEPS
from traces import all_break_points, by_call, own_break_points, trace, wrong

LONG = pytest.mark.long
SOME = pytest.mark.parametrize(
    ("arch", "convention"),
    [
        ("x86_64", "windows"),
        ("aarch64", "caller-stack"),
        pytest.param("x86_64", "sysv", marks=LONG),
        pytest.param("aarch64", "homing", marks=LONG),
    ],
)
NEST, CALLS, THREADS = 3, 4, 3
EACH = CALLS * (NEST + 1)
"""Calls of one thread."""
ALL = EACH * (THREADS + 1)
PRINTED = re.compile(r"interpreter: (nest_\d+)\((?:(\d+), )?")


def load(session: Session, arch: str, convention: str, *options: str) -> None:
    """Up to the first call of any thread; some are still to be created then."""
    turns = ("--at-once", "1") if arch == "aarch64" else ()
    counts = ("--threads", str(THREADS), "--nest", str(NEST), "--calls", str(CALLS))
    # So that calls go through two blocks, where both can be found before.
    others = ("--functions", "490") if arch == "x86_64" else ()
    words = (convention, "none", "3", *counts, *others, *turns, *options)
    session.load(*words, arch=arch)


def selected(session: Session) -> int:
    """The debugger's number of the thread that is selected."""
    gdb = session.name == "gdb"
    said = session.run("thread" if gdb else "thread info").output
    found = re.search(r"thread (?:is |#)(\d+)", said)
    assert found, said
    return int(found.group(1))


def select(session: Session, number: int) -> None:
    gdb = session.name == "gdb"
    session.run(f"thread {number}" if gdb else f"thread select {number}")
    assert selected(session) == number


def numbers(session: Session) -> List[int]:
    """The debugger's numbers of all threads."""
    gdb = session.name == "gdb"
    said = session.run("info threads" if gdb else "thread list").output
    line = r"(?m)^[* ] +(\d+) +Thread" if gdb else r"thread #(\d+):"
    return [int(number) for number in re.findall(line, said)]


def threads_of_calls(document: Document) -> "Dict[int, Set[int]]":
    found: Dict[int, Set[int]] = {}
    for event in document["events"]:
        if event["call"] is not None:
            found.setdefault(event["call"], set()).add(event["thread"])
    return found


def first_arguments(document: Document) -> "Dict[int, Set[str]]":
    """The first argument of each thread's calls, by which the fixture tells threads
    apart, as the interpreter got it."""
    found: Dict[int, Set[str]] = {}
    for event in document["events"]:
        match = re.match(r"\((\d+),", event["text"])
        if event["kind"] == "interpreter" and match:
            found.setdefault(event["thread"], set()).add(match.group(1))
    return found


def printed(session: Session) -> Tuple[int, int]:
    """Calls that the program saw begin, and come back sound."""
    lines = session.stdout()
    begun = sum(bool(PRINTED.match(line)) for line in lines)
    back = [line for line in lines if line.startswith("returned: ")]
    assert all(line.endswith(" ok") for line in back)
    return begun, len(back)


@EVERYWHERE
@pytest.mark.cover("session arch", "convention")
def test_every_call_of_every_thread(
    session: Session, arch: str, convention: str
) -> None:
    """None is lost or counted twice, and no step is another thread's."""
    load(session, arch, convention)
    document = trace(session)
    assert document["ended"] == "exited with 0" and not document["missing"]
    assert printed(session) == (ALL, ALL)
    assert (document["calls"], document["failures"]) == (ALL, 0)
    assert document["counts"] == dict.fromkeys(STEPS, ALL) and not wrong(document)
    assert by_call(document) == {number: STEPS for number in range(1, ALL + 1)}
    threads = threads_of_calls(document)
    assert Counter(map(len, threads.values())) == {1: ALL}
    by_thread = Counter(number for found in threads.values() for number in found)
    assert list(by_thread.values()) == [EACH] * (THREADS + 1)
    shown = first_arguments(document)
    assert all(len(found) == 1 for found in shown.values())
    said = {next(iter(found)) for found in shown.values()}
    assert said == {str(12 + 100 * n) for n in range(THREADS + 1)}
    assert {event["depth"] for event in document["events"]} == set(range(1, NEST + 2))


@SOME
@pytest.mark.cover("session", "arch")
def test_threads_that_end_within_calls(
    session: Session, arch: str, convention: str
) -> None:
    """Two do, each in a call within five others: these never come back."""
    load(session, arch, convention, "--leave", "2")
    document = trace(session)
    back = ALL - 2 * (NEST + 1)
    assert document["ended"] == "exited with 0" and not document["missing"]
    assert printed(session) == (ALL, back)
    assert (document["calls"], document["failures"]) == (ALL, 0)
    assert document["counts"] == {**dict.fromkeys(STEPS, ALL), "returned": back}
    ended = [one for one, kinds in by_call(document).items() if kinds != STEPS]
    threads = threads_of_calls(document)
    assert [by_call(document)[one] for one in ended] == [STEPS[:4]] * (ALL - back)
    assert len(set.union(*(threads[one] for one in ended))) == 2


@SOME
@pytest.mark.cover("session", "arch")
def test_calls_that_began_before(session: Session, arch: str, convention: str) -> None:
    """Every thread is in the middle of six calls: of these no return is judged."""
    load(session, arch, convention)
    session.go_to("all_threads_met")
    before = (NEST + 1) * (THREADS + 1)
    document = trace(session)
    assert document["ended"] == "exited with 0"
    assert printed(session) == (ALL, ALL)
    assert (document["calls"], document["failures"]) == (ALL - before, 0)
    assert document["counts"] == dict.fromkeys(STEPS, ALL - before)
    (line,) = document["missing"]
    assert line.startswith(f"returned: {before} returns are not judged")


@SOME
def test_each_thread_is_in_its_own_calls(
    session: Session, arch: str, convention: str
) -> None:
    """All in the innermost call: a switch to another shows that one's, and back."""
    load(session, arch, convention)
    session.go_to("all_threads_met")
    seen: Dict[int, Tuple[Document, Document]] = {}
    threads = numbers(session)
    assert len(threads) == THREADS + 1
    for number in (*threads, *reversed(threads)):
        select(session, number)
        both = session.json(), session.json("thunk-bt")
        assert seen.setdefault(number, both) == both
    told = []
    for report, walk in seen.values():
        assert report["verdict"] == "sound"
        names = [one["layout"]["function"]["name"] for one in walk["frames"]]
        assert names == [f"nest_{level}" for level in range(NEST, -1, -1)]
        outermost = walk["frames"][-1]["layout"]
        assert report["layout"]["address"] == walk["frames"][0]["layout"]["address"]
        told.append(arguments({"layout": outermost})[0])
    assert sorted(told) == sorted(str(12 + 100 * n) for n in range(THREADS + 1))
    places = {report["layout"]["address"] for report, _ in seen.values()}
    assert len(places) == THREADS + 1


def test_all_threads_by_one_command(gdb: Session) -> None:
    load(gdb, "x86_64", "windows")
    gdb.go_to("all_threads_met")
    each = gdb.run("thread apply all thunk-bt").output.split("\nThread ")[1:]
    assert len(each) == THREADS + 1
    for text in each:
        assert re.findall(r"#\d+ +(nest_\d)\(", text) == [
            f"nest_{n}" for n in range(NEST, -1, -1)
        ]
    said = gdb.run("thread apply all thunk-inspect").output
    assert said.count("\nThread ") == said.count("SOUND") == THREADS + 1


@pytest.mark.parametrize("lock", ["off", "step"])
def test_scheduler_locking_stays(gdb: Session, lock: str) -> None:
    load(gdb, "x86_64", "sysv")
    gdb.run(f"set scheduler-locking {lock}")
    document = trace(gdb)
    assert (document["calls"], document["failures"]) == (ALL, 0)
    assert f'is "{lock}"' in gdb.run("show scheduler-locking").output


# Faults.


CLAIMS = [
    ("x86_64", "sysv", "offset16"),
    ("x86_64", "sysv", "regs-only"),
    pytest.param("x86_64", "sysv", "no-fplr", marks=LONG),
    pytest.param("x86_64", "windows", "callinfo-clobber", marks=LONG),
    ("x86_64", "windows", "callee-saved"),
    pytest.param("aarch64", "homing", "offset16", marks=LONG),
    ("aarch64", "caller-stack", "regs-only"),
]


@pytest.mark.parametrize(("arch", "convention", "fault"), CLAIMS)
@pytest.mark.cover("session arch", "convention", "fault")
def test_a_fault_in_every_thread(
    session: Session, arch: str, convention: str, fault: str
) -> None:
    """Each call fails by just the claims by which it does in one thread alone."""
    options = ("--calls", "2", "--nest", "2")
    session.load(convention, fault, "3", *options, arch=arch)
    alone = trace(session)
    turns = ("--at-once", "1") if arch == "aarch64" else ()
    session.load_again(convention, fault, "3", *options, "--threads", "2", *turns)
    document = trace(session)
    assert alone["failures"] and document["failures"] == 3 * alone["failures"]
    assert document["ended"] == alone["ended"] == "exited with 1"
    for thread in {event["thread"] for event in document["events"]}:
        events = [one for one in document["events"] if one["thread"] == thread]
        assert wrong({"events": events}) == wrong(alone)


@pytest.mark.parametrize("fault", ["thunk-offset", "epilogue-size"])
def test_the_thread_that_a_signal_stopped(session: Session, fault: str) -> None:
    session.load("sysv", fault, "3", "--threads", str(THREADS))
    document = trace(session)
    assert document["ended"] == "SIGSEGV" and document["failures"]
    failed = [event["thread"] for event in document["events"] if event["problems"]]
    assert selected(session) in failed
    assert session.json()["verdict"] == "broken"


# Where a trace ends.


@pytest.mark.parametrize(
    "count", [7, pytest.param(1, marks=LONG), pytest.param(20, marks=LONG)]
)
def test_the_thread_of_the_last_call_is_selected(session: Session, count: int) -> None:
    """Others may have hit break points too by the time that the process stands."""
    load(session, "x86_64", "windows")
    before, own = all_break_points(session), own_break_points(session)
    document = trace(session, f"--count {count}")
    returned = [one for one in document["events"] if one["kind"] == "returned"]
    assert selected(session) == returned[count - 1]["thread"]
    assert f"{session.pc():#x}" == returned[count - 1]["address"]
    assert all_break_points(session) == before
    assert own_break_points(session) == own
    assert session.json()["verdict"] == "sound"
    assert not trace(session)["failures"]


def stops(session: Session) -> "List[Tuple[str, str]]":
    """(why each of up to three traces ended, where the selected thread was then)."""
    found: List[Tuple[str, str]] = []
    for _ in range(3):
        ended = trace(session)["ended"]
        if ended.startswith("exited"):
            return [*found, (ended, "")]
        frame = session.run("frame" if session.name == "gdb" else "frame info").output
        found.append((ended, "depth_5" if "depth_5" in frame else frame))
    return found


def test_a_break_point_of_the_users(session: Session) -> None:
    load(session, "x86_64", "sysv")
    session.run("break depth_5" if session.name == "gdb" else "b depth_5")
    assert stops(session) == [("break point 2", "depth_5")] * 3


def test_a_break_point_for_once(session: Session) -> None:
    load(session, "x86_64", "sysv")
    session.run(session.debugger.once("depth_5"))
    assert stops(session) == [("break point 2", "depth_5"), ("exited with 0", "")]


PASSED = {
    "gdb": ["break depth_5 if frame == 0", "break depth_5 thread 999"],
    "lldb": [
        "breakpoint set -n depth_5 -c 'frame == 0'",
        "breakpoint set -n depth_5 -G true",
        "breakpoint set -n depth_5 -i 1000",
    ],
}


@pytest.mark.parametrize("which", [0, 1, pytest.param(2, marks=LONG)])
def test_a_break_point_that_does_not_stop(session: Session, which: int) -> None:
    commands = PASSED[session.name]
    load(session, "x86_64", "sysv")
    session.run(commands[which % len(commands)])
    document = trace(session)
    assert document["ended"] == "exited with 0"
    assert (document["calls"], document["failures"]) == (ALL, 0)


@pytest.mark.parametrize("name", SOUND)
def test_a_hit_that_is_told_twice(name: str) -> None:
    """As lldb 14 does where several threads hit at once: it is one call, and one return
    of it; and the next call is another, however alike."""
    process = Process(name)
    for number in (1, 2):
        first = process.entry()
        assert {one.call.number for one in first if one.call} == {number}
        assert process.entry() == []
        process.dispatch()
        process.arrival()
        assert [one.depth for one in process.leave()] == [1]
        assert process.leave() == []
    assert process.follower.strangers == 0


# `thunk-inspect run`.


@BOTH
@pytest.mark.parametrize(
    ("fault", "status", "calls"), [("none", 0, ALL), ("offset16", 1, ALL // (NEST + 1))]
)
@pytest.mark.cover("debugger", "fault")
def test_a_run_sees_the_calls_of_all_threads(
    console: Console, debugger: str, fault: str, status: int, calls: int, tmp_path: Path
) -> None:
    """Those too that are made while one of them is looked at."""
    path = tmp_path / "report.json"
    counts = ("--threads", THREADS, "--nest", NEST, "--calls", CALLS)
    words = ("run", "--debugger", debugger, "--json", path, fixture("x86_64"))
    done = console(*words, "sysv", fault, "3", *counts)
    assert done.returncode == status, done.stderr
    traced = validated(json.loads(path.read_text()))["trace"]
    assert traced["ended"] == f"exited with {status}"
    assert (traced["calls"], traced["failures"]) == (calls, calls * status)


@BOTH
def test_a_run_up_to_the_last_hit_of_all_threads(
    console: Console, debugger: str
) -> None:
    """Every call comes there."""
    words = ("run", "--debugger", debugger, "--break", "depth_5", "--hits")
    counts = ("--threads", THREADS, "--nest", NEST, "--calls", CALLS)
    program = (fixture("x86_64"), "sysv", "none", "3", *counts)
    done = console(*words, ALL, *program)
    assert done.returncode == 0 and "SOUND" in done.stdout, done.stderr
    done = console(*words, ALL + 1, *program)
    said = f"depth_5 was hit {ALL} times, not {ALL + 1}"
    assert done.returncode == 4 and said in done.stderr, done.stderr
