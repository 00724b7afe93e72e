"""thunk-trace on chakra_like, in each debugger: sound calls, and every fault."""

import json
import re
from typing import FrozenSet, List, NamedTuple, Tuple

import pytest

from reports import Document
from sessions import Session
from test_faults import CONVENTIONS, VARIANTS
from traces import all_break_points, by_call, own_break_points, trace, wrong

STEPS = ["call", "entered", "dispatch", "interpreter", "returned"]
SOUND = [
    ("x86_64", "sysv"),
    ("x86_64", "windows"),
    ("aarch64", "homing"),
    ("aarch64", "caller-stack"),
]
EVERYWHERE = pytest.mark.parametrize(("arch", "convention"), SOUND)


# Sound calls.


@EVERYWHERE
@pytest.mark.cover("session arch", "convention")
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
    assert any("1 return is not judged" in line for line in document["missing"])


def is_entry(event: Document) -> bool:
    return bool(event["kind"] == "entered")


@EVERYWHERE
@pytest.mark.cover("session arch", "convention")
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


# What a debugger sees of a call hangs on the convention, and what is said of that on
# the fault; where both meet is for `test_faults`.
@pytest.mark.parametrize(("arch", "convention", "fault"), cases())
@pytest.mark.cover("session convention", "session fault", "arch fault")
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


@pytest.mark.parametrize(
    ("convention", "fault", "issue"),
    [
        ("homing", "offset16", "issue 1"),
        ("homing", "callee-saved", "issue 4"),
        ("caller-stack", "regs-only", "issue 2"),
        ("section7", "callinfo-clobber", "issue 4"),
        ("homing", "none", ""),
    ],
)
@pytest.mark.cover("session", "convention fault")
def test_a_process_that_ended_is_judged_too(
    session: Session, convention: str, fault: str, issue: str
) -> None:
    """By what it was when a call went wrong."""
    session.load(convention, fault, "3", "--calls", "2", arch="aarch64")
    said = session.run("thunk-trace").output
    summary, _, report = said.partition("thunk-inspect would have said:")
    assert re.search(r"ended: (exited with|SIGSEGV)", summary)
    assert bool(report) == bool(issue)
    assert issue in report and report.count("BROKEN") == bool(issue)


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
@pytest.mark.cover("session", "convention")
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
    assert "1 returned (1 not to the caller)" in " ".join(answer.output.split())
    # The same from within the loop: no call is seen to enter any more.
    answer = session.run("thunk-trace --timeout 30")
    assert "0 calls, the loop was there before" in " ".join(answer.output.split())
    assert "BROKEN" in answer.output
