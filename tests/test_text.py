"""Reports as a user reads them: the answer first, 80 columns, colour if asked for."""

import os
import pty
import re
import subprocess
from pathlib import Path
from typing import List

import pytest

from conftest import Opener
from made import event, report_of
from programs import CONSOLE, DEADLINE, ENVIRONMENT, need
from reports import Document
from sessions import Session
from thunk_inspect.inspection import inspect
from thunk_inspect.report.page import Style
from thunk_inspect.report.text import Detail, render
from thunk_inspect.report.trace import render_event, render_trace
from thunk_inspect.snapshot import SnapshotTarget
from thunk_inspect.trace.model import Hang, Sample, Trace

ESCAPE = "\x1b"
VERDICTS = ("SOUND", "BROKEN", "UNDECIDED")

SEEN = [
    ("aarch64", "homing", "none"),
    ("aarch64", "homing", "no-fplr"),
    ("aarch64", "homing", "offset16"),
    ("aarch64", "caller-stack", "regs-only"),
    ("aarch64", "caller-stack", "target-outside"),
    ("aarch64", "section3", "callinfo-clobber"),
    ("aarch64", "section7", "none"),
    ("x86_64", "sysv", "none"),
    ("x86_64", "sysv", "epilogue-size"),
    ("x86_64", "windows", "none"),
    ("x86_64", "windows", "misalign"),
]


def check(text: str, width: int = 80) -> None:
    for line in text.splitlines():
        assert len(line) <= width, f"{len(line)} columns: {line}"
        assert line == line.rstrip(), f"spaces at the end: {line!r}"
    assert ESCAPE not in text


@pytest.mark.parametrize("arch, convention, fault", SEEN)
@pytest.mark.cover("session arch", "convention", "fault")
def test_a_report_fits(
    session: Session, arch: str, convention: str, fault: str
) -> None:
    session.load(convention, fault, "12", arch=arch)
    verdict = session.go_on_to("header")["verdict"]
    for options in ("", " --bytes", " --all", " --all --bytes"):
        answer = session.run(f"thunk-inspect{options}")
        assert not answer.error
        check(answer.output)
        assert answer.output.split()[0] == verdict.upper(), "the answer comes first"
    check(session.run("thunk-find").output)
    check(session.run("thunk-layout $sp").output)


def test_a_report_without_a_call(session: Session) -> None:
    """Stopped before the call: no layout yet, and the verdict still comes first."""
    session.load("homing", "none", "12", arch="aarch64")
    report = session.json()
    assert report["layout"] is None and report["problems"]
    output = session.run("thunk-inspect").output
    check(output)
    assert output.split()[0] == report["verdict"].upper()


@pytest.mark.parametrize("arch, convention, fault", SEEN[:7])
@pytest.mark.cover("convention")
def test_gdb_and_lldb_say_the_same(
    sessions: Opener, arch: str, convention: str, fault: str
) -> None:
    said: List[List[str]] = []
    for name in ("gdb", "lldb"):
        session = sessions(name)
        session.load(convention, fault, "12", arch=arch)
        session.go_on_to("header")
        commands = ("thunk-inspect", "thunk-inspect --all", "thunk-find")
        said.append([session.run(command).output for command in commands])
    for ours, theirs in zip(*said):
        assert ours.rstrip() == theirs.rstrip()


def test_a_sound_report_is_short(saved: Document) -> None:
    text = render(inspect(SnapshotTarget(saved)), Style(), Detail())
    assert len(text.splitlines()) <= 20
    assert "add(12, 1.5, 3)" in text


def test_detail_only_adds(saved: Document) -> None:
    report = inspect(SnapshotTarget(saved))
    short = render(report, Style(), Detail())
    code = render(report, Style(), Detail(code=True))
    everything = render(report, Style(), Detail(everything=True))
    assert "br" not in short.split() and "br" in code.split()
    assert len(short) < len(code) and len(short) < len(everything)
    for claim in ("R1 ", "R12"):
        assert claim in everything


@pytest.mark.parametrize("arch, convention, fault", SEEN)
def test_evidence_is_shown_once(arch: str, convention: str, fault: str) -> None:
    """An item that rests on a claim refers to it."""
    report = report_of(arch, convention, fault)
    text = render(report, Style(width=1000), Detail(everything=True))
    told = [line.strip() for line in text.partition("checks ")[2].splitlines()]
    for claim in report.claims:
        for line in claim.evidence:
            assert line in told and f"{claim.id}: {line}" not in told
    (at,) = [n for n, line in enumerate(told) if line.startswith("D2 ")]
    assert told[at + 1] == "see R2"


@pytest.mark.parametrize("arch, convention, fault", SEEN)
def test_nothing_is_cut(arch: str, convention: str, fault: str) -> None:
    """A wider page says nothing more."""
    report = report_of(arch, convention, fault)
    detail = Detail(code=True, everything=True)
    narrow, wide = (render(report, Style(width), detail) for width in (80, 1000))
    assert "".join(narrow.split()) == "".join(wide.split())


def test_a_mend_is_told_once() -> None:
    """Two issues may have one mend, and several words one cause."""
    report = report_of("aarch64", "section3", "callinfo-clobber")
    mends = [issue.mend for issue in report.issues if issue.mend]
    assert len(mends) == 2 and mends[0].steps == mends[1].steps
    text = render(report, Style(), Detail())
    assert text.count("emit the header of") == 1 and "that of issue 1" in text


def test_an_instruction_is_blamed_once_for_an_event() -> None:
    """Each word that it made wrong is named, and the instruction with the first."""
    cited = ": 0x5500802038 e0430091 add x0, sp, #16: it is wrong"
    words = [f"R4: [x0+{n}] is 0x7" for n in (16, 24)]
    other = "R6: x1 is 0x9: 0x550080203c 60001fd6 br x3"
    one = event(1, problems=[*(word + cited for word in words), other])
    lines = " ".join(render_event(one, Style()).split())
    assert lines.count("add x0, sp") == 1 and "br x3" in lines
    assert all(word in lines for word in words)


def test_a_place_of_a_hang_is_shown_once() -> None:
    """With how often it was met, however the looks alternate."""
    places = [Sample(1, pc, "here", None) for pc in (8, 12, 8, 8, 12)]
    hang = Hang("thunk", "loops", ["ret"], places)
    text = render_trace(Trace(hang=hang), Style())
    shown = [
        line.strip() for line in text.splitlines() if "here" in line and "0x" in line
    ]
    assert shown == ["0x8 here, at 3 of 5 looks", "0xc here, at 2 of 5 looks"]
    alone = render_trace(Trace(hang=Hang("thunk", "", (), places[:1])), Style())
    assert "0x8 here\n" in f"{alone}\n"


def test_calls_that_did_not_come_back() -> None:
    """Are not consistent."""
    trace = Trace(calls=5, lost=2, ended="ended by SIGSEGV")
    text = render_trace(trace, Style())
    assert "5 calls, 2 did not come back; ended: ended by SIGSEGV" in text
    trace.failures = 1
    assert "1 went wrong, 2 did not come back" in render_trace(trace, Style())


def test_what_a_trace_did_not_judge() -> None:
    """What cannot be watched was said before the process ran."""
    told = ["entered: 2 more calls are not judged", "returned: 1 return is not judged"]
    text = render_trace(Trace(missing=["call: no symbol", *told]), Style())
    assert "1 return is not judged" in text and "symbol" not in text
    assert "2 more calls are not judged" in text


def test_where_the_caller_is_made() -> None:
    text = render(report_of("aarch64", "caller-stack", "regs-only"), Style(1000))
    assert "the JIT makes its calls in lib/Backend/arm64/LowerMD.cpp" in text


def test_what_a_saved_register_is(gdb: Session) -> None:
    """Its word may be no argument of this call, or stand where none is read."""
    words = report_of("aarch64", "homing", "none").stack
    said = {word.role: word.comment for word in words}
    assert said["args[3]"] == "3" and "saved x5" not in said
    assert said["saved x6"] == "args[4], not passed"
    gdb.load("section7", "none", "3", arch="aarch64")
    for place in ("header", "dispatch"):
        gdb.go_on_to(place)
    lines = gdb.run("thunk-inspect").output.splitlines()
    assert any(re.search(r" args\[0\] +by \S+  should be x2$", line) for line in lines)
    assert any(re.search(r" saved x2 +by \S+  args\[0\]$", line) for line in lines)


@pytest.mark.parametrize("width", [40, 60, 79, 80, 100, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_any_width(saved: Document, width: int, unicode: bool) -> None:
    report = inspect(SnapshotTarget(saved))
    detail = Detail(everything=True, code=True)
    check(render(report, Style(width=width, unicode=unicode), detail), width)


def test_ascii_where_there_is_no_utf8(saved: Document) -> None:
    report = inspect(SnapshotTarget(saved))
    detail = Detail(everything=True, code=True)
    assert render(report, Style(unicode=False), detail).isascii()
    assert not render(report, Style(unicode=True), detail).isascii()


def test_colour_says_nothing_more(saved: Document) -> None:
    """Without its escape sequences a coloured report is the plain one."""
    report = inspect(SnapshotTarget(saved))
    coloured = render(report, Style(colour=True), Detail())
    assert ESCAPE in coloured
    plain = render(report, Style(), Detail())
    without = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in without.splitlines()] == plain.splitlines()


def test_a_debugger_without_utf8(sessions: Opener) -> None:
    """lldb goes by the locale, gdb by its host-charset."""
    lldb = sessions("lldb")
    lldb.load("homing", "none", "3", arch="aarch64", env={"LC_ALL": "C"})
    assert lldb.run("thunk-inspect --all").output.isascii()
    gdb = sessions("gdb")
    gdb.load("homing", "none", "3", arch="aarch64", env={"LC_ALL": "C"})
    assert gdb.run("thunk-inspect --all").output.isascii()


def in_a_terminal(path: Path, **env: str) -> str:
    """What the console command prints to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [need(CONSOLE), "replay", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**ENVIRONMENT, "TERM": "xterm-256color", **env},
    )
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 1 << 16):
            said += data
    except OSError:
        pass  # the other end has been closed
    assert process.wait(DEADLINE) in (0, 1, 3)
    os.close(ours)
    return said.decode()


def test_what_wants_no_colour_gets_none(saved_text: str, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    path.write_text(saved_text)
    coloured = in_a_terminal(path)
    assert ESCAPE in coloured
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        plain = in_a_terminal(path, **env)
        assert ESCAPE not in plain and plain.startswith(VERDICTS)


def test_names_cannot_speak_to_the_terminal(saved: Document) -> None:
    """A function whose name is an escape sequence: shown, but not obeyed."""
    old, new = "add".encode("utf-16-le").hex(), "\x1b[H".encode("utf-16-le").hex()
    changed = 0
    for piece in saved["memory"]:
        changed += piece["bytes"].count(old)
        piece["bytes"] = piece["bytes"].replace(old, new)
    assert changed, "the name stands in the snapshot"
    report = inspect(SnapshotTarget(saved))
    for style in (Style(), Style(unicode=False)):
        assert ESCAPE not in render(report, style, Detail(everything=True))


def test_words_not_stored_yet_are_not_wrong(gdb: Session) -> None:
    """At the header's first instruction the frame holds what lay there before."""
    gdb.load("homing", "none", "12", arch="aarch64")
    assert gdb.go_on_to("header")["verdict"] == "sound"
    text = gdb.run("thunk-inspect").output
    assert "not stored yet" in text
    assert "should be" not in text and "garbage" not in text
