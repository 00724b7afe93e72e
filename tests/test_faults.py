"""Every convention of the fixture with every fault: the claims that must fail.

The expected claims are thought out from what the fixture emits, not taken from what
the plugin says. A claim that is not named must not fail.
"""

from typing import FrozenSet, NamedTuple, Sequence

import pytest

from conftest import Opener
from programs import variants, wait_until
from reports import claims, evidence, failing
from sessions import Session

COUNTS = ("0", "3", "8", "12", "20")
CONVENTIONS = {
    "aarch64": ("homing", "caller-stack", "section3", "section7"),
    "x86_64": ("sysv", "windows"),
}


class Expected(NamedTuple):
    """Claims that are violated: some that must be found to fail, and some that not
    every stop has the evidence for. To let one of either pass is wrong."""

    must: FrozenSet[str]
    may: FrozenSet[str] = frozenset()


def _claims(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


OF_THE_DOCUMENT = {
    # x2 and x3 lie below the layout, x4-x7 nowhere; fp is never set.
    "section3": _claims("R4 R11"),
    # As section3, and nothing puts the interpreter into x1.
    "section7": _claims("R4 R6 R11"),
}

FAULTS = {
    "none": Expected(_claims("")),
    # L is another place than that of function, callInfo and args; so fp + 16 is not L.
    "offset16": Expected(_claims("R2 R3 R4 R11")),
    # What the header takes for the layout was left on the stack by others. That it is
    # another callInfo than the caller's can be seen while x1 or rsi still holds that.
    "regs-only": Expected(_claims("R2 R12"), _claims("R3 R4")),
    "misalign": Expected(_claims("R5")),
    # The epilogue's ret comes back to the stub for ever; fp is the caller's.
    "no-fplr": Expected(_claims("R9 R11")),
    # Where the branch goes is not even mapped.
    "thunk-offset": Expected(_claims("R7"), _claims("R8")),
    "target-outside": Expected(_claims("R7")),
    "callinfo-clobber": Expected(_claims("R3")),
    # SP is wrong after the return, which itself is right: fp and lr come first.
    "epilogue-size": Expected(_claims("R10")),
    "callee-saved": Expected(_claims("R10")),
}

SPECIAL = {
    # rbp is not needed to find the layout here.
    ("windows", "offset16"): Expected(_claims("R2 R3 R4")),
    # rbp points to the frame, but the caller's is lost.
    ("sysv", "no-fplr"): Expected(_claims("R10")),
    # fp and lr, or the return address, are taken from another slot: where it does not
    # come back to, registers cannot be judged.
    ("section3", "epilogue-size"): Expected(_claims("R9"), _claims("R10")),
    ("section7", "epilogue-size"): Expected(_claims("R9"), _claims("R10")),
    ("sysv", "epilogue-size"): Expected(_claims("R9"), _claims("R10")),
    # Here from the shadow space, which belongs to the interpreter.
    ("windows", "epilogue-size"): Expected(_claims("R9"), _claims("R5 R10")),
}

NO_CALL = frozenset({"thunk-offset", "target-outside"})
"""Faults with which the header's own range check, or the processor, may end it."""


def expected(convention: str, fault: str) -> Expected:
    found = SPECIAL.get((convention, fault), FAULTS[fault])
    return Expected(
        found.must | OF_THE_DOCUMENT.get(convention, frozenset()), found.may
    )


# Kept here as well, so that a variant that the fixture loses does not go unnoticed.
ON_ARM = ("offset16", "thunk-offset", "target-outside", "epilogue-size", "callee-saved")
IN_REGISTERS = ("callinfo-clobber",)
VARIANTS = {
    "aarch64": [
        (convention, fault)
        for convention, more in (
            ("homing", ("misalign", "no-fplr", *IN_REGISTERS)),
            ("caller-stack", ("regs-only", "misalign", "no-fplr")),
            ("section3", IN_REGISTERS),
            ("section7", IN_REGISTERS),
        )
        for fault in ("none", *ON_ARM, *more)
    ],
    "x86_64": [
        (convention, fault)
        for convention, more in (
            ("sysv", ("regs-only", "misalign", "no-fplr")),
            ("windows", ("misalign", *IN_REGISTERS)),
        )
        for fault in ("none", *ON_ARM, *more)
    ],
}


def judge(session: Session, convention: str, fault: str, where: str) -> None:
    """Hold the report of this place against what is expected; `where` is for people."""
    report = session.json()
    want, got = expected(convention, fault), failing(report)
    assert want.must <= got, f"{where}: {sorted(want.must - got)} should fail"
    extra = got - want.must - want.may
    assert not extra, f"{where}: {[(c, evidence(report, c)) for c in sorted(extra)]}"
    passed = claims(report, "pass") & (want.must | want.may)
    assert not passed, f"{where}: {[(c, evidence(report, c)) for c in sorted(passed)]}"
    assert report["verdict"] == ("broken" if want.must else "sound"), where
    if not want.must:
        assert not claims(report, "unknown"), where


def load(session: Session, arch: str, *args: str) -> None:
    """One process after the other in one debugger."""
    if session.arch:
        session.load_again(*args)
    else:
        session.load(*args, arch=arch)


def counts_of(number: int, fault: str) -> Sequence[str]:
    """Of arguments: a sound call is tried with all, a fault with two that change from
    one to the next, so that every convention meets every number."""
    if fault == "none":
        return COUNTS
    return COUNTS[number % 5], COUNTS[(number + 2) % 5]


def judge_calls(
    session: Session, arch: str, convention: str, fault: str, counts: Sequence[str]
) -> None:
    """At the header's first instruction, and in the interpreter if it gets so far."""
    reaches = convention != "section7" and fault not in NO_CALL
    for count in counts:
        load(session, arch, convention, fault, count)
        for place in ("header", "interpreter") if reaches else ("header",):
            session.go_to(session.place(place))
            where = f"{convention}, {fault}, {count} arguments, at the {place}"
            judge(session, convention, fault, where)


@pytest.mark.parametrize("arch", CONVENTIONS)
def test_every_variant_of_the_fixture_is_tested(arch: str) -> None:
    assert sorted(map(tuple, variants(arch))) == sorted(VARIANTS[arch])


# All of them here, where one costs a few reports and no debugger of its own: what is
# left in that of a process that ended would make the next verdict a wrong one. Traces,
# scripted sessions and snapshots take fewer: to what the verdict is they add nothing.
@pytest.mark.parametrize(
    "arch, convention",
    [(arch, one) for arch in CONVENTIONS for one in CONVENTIONS[arch]],
)
def test_faults(gdb: Session, arch: str, convention: str) -> None:
    faults = [fault for one, fault in VARIANTS[arch] if one == convention]
    for number, fault in enumerate(faults):
        judge_calls(gdb, arch, convention, fault, counts_of(number, fault))


IN_LLDB = [
    ("aarch64", "homing", "offset16"),
    ("aarch64", "caller-stack", "regs-only"),
    ("aarch64", "homing", "no-fplr"),
    ("aarch64", "section7", "none"),
    ("aarch64", "caller-stack", "target-outside"),
    ("aarch64", "section3", "callinfo-clobber"),
    ("x86_64", "sysv", "regs-only"),
    ("x86_64", "sysv", "epilogue-size"),
    ("x86_64", "windows", "misalign"),
    ("x86_64", "windows", "callee-saved"),
]


@pytest.mark.parametrize(
    "arch, convention", [("aarch64", "caller-stack"), ("x86_64", "sysv")]
)
def test_at_the_header_the_callers_own_callinfo_is_known(
    gdb: Session, arch: str, convention: str
) -> None:
    for count in COUNTS:
        load(gdb, arch, convention, "regs-only", count)
        gdb.go_to(gdb.place("header"))
        assert {"R2", "R3", "R12"} <= failing(gdb.json()), count


@pytest.mark.parametrize("arch", CONVENTIONS)
def test_faults_in_lldb(lldb: Session, arch: str) -> None:
    cases = [case[1:] for case in IN_LLDB if case[0] == arch]
    for number, (convention, fault) in enumerate(cases):
        judge_calls(lldb, arch, convention, fault, counts_of(number, fault))


@pytest.mark.parametrize("convention", ["homing", "caller-stack"])
def test_a_process_that_hangs(session: Session, convention: str) -> None:
    """Without a saved lr the stub and the epilogue run for ever: interrupted there,
    the report says so."""
    session.load(convention, "no-fplr", "3", arch="aarch64")
    thunk = session.go_on_to("header")["thunk"]
    session.go_on_to("interpreter")
    behind_the_call = session.debugger.number("$x30")
    for _ in range(3):
        session.go_to(behind_the_call)
    session.interrupt()
    first, last = int(thunk["block"], 16), int(thunk["epilogue"], 16) + 8
    assert first <= session.pc() < last, "the loop never leaves the block"
    report = session.json()
    assert report["thunk"]["block"] == thunk["block"]
    assert report["thunk"]["found_by"].startswith("pc")
    assert {"R9", "R11"} <= failing(report)
    assert session.run("thunk-inspect").output.startswith("BROKEN")


@pytest.mark.parametrize(
    "arch, convention, fault",
    [
        ("aarch64", "homing", "thunk-offset"),
        ("aarch64", "caller-stack", "thunk-offset"),
        ("aarch64", "section3", "target-outside"),
        ("aarch64", "section7", "none"),
        ("x86_64", "sysv", "thunk-offset"),
        ("x86_64", "windows", "target-outside"),
    ],
)
@pytest.mark.cover("session arch", "convention", "fault")
def test_a_process_that_crashed(
    session: Session, arch: str, convention: str, fault: str
) -> None:
    """Stopped by its signal, the process still shows what was wrong with the branch."""
    session.load(convention, fault, "3", arch=arch)
    session.run("continue")
    report = session.json()
    assert report["verdict"] == "broken"
    assert expected(convention, fault).must <= failing(report)


def test_the_hang_is_one(sessions: Opener) -> None:
    """The fixture itself: it prints the call, and then nothing more."""
    session = sessions("gdb")
    session.load("homing", "no-fplr", "3", arch="aarch64")
    session.debugger.send("continue")
    assert wait_until(lambda: len(session.stdout()) == 1)
    session.stop_from_outside()
    session.debugger.answer()
    assert len(session.stdout()) == 1, "returned: is never printed"
