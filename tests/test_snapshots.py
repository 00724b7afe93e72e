"""A process saved in one debugger gives the same report again without any."""

import json
from pathlib import Path
from typing import Tuple

import pytest

from conftest import Console
from reports import Document, validated, without_source
from sessions import INTERPRETER, Session
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.snapshot import load_snapshot

STATUS = {"sound": 0, "broken": 1, "undecided": 3}

CALLS = [
    ("aarch64", "homing", "none"),
    ("aarch64", "caller-stack", "none"),
    ("aarch64", "section3", "none"),
    ("aarch64", "section7", "none"),
    ("aarch64", "caller-stack", "regs-only"),
    ("aarch64", "homing", "offset16"),
    ("aarch64", "homing", "thunk-offset"),
    ("x86_64", "sysv", "none"),
    ("x86_64", "windows", "none"),
    ("x86_64", "sysv", "callee-saved"),
]
SOUND = [call for call in CALLS if call[2] == "none" and "section" not in call[1]]


def saved_here(session: Session) -> Tuple[Document, Path]:
    """The live report, and the snapshot that was made beside it."""
    live = session.json()
    path = session.folder / "snapshot.json"
    answer = session.run(f"thunk-snapshot {path}")
    assert not answer.error and str(path) in answer.output
    validated(json.loads(path.read_text()))
    return live, path


def replayed(path: Path) -> Document:
    return validated(to_dict(inspect(load_snapshot(str(path)))))


def check_replay(session: Session) -> None:
    live, path = saved_here(session)
    again = replayed(path)
    assert again["target"]["source"] == "snapshot"
    assert without_source(again) == without_source(live)


@pytest.mark.parametrize("arch, convention, fault", CALLS)
@pytest.mark.cover("session arch", "convention", "fault")
def test_replay_at_the_header(
    session: Session, arch: str, convention: str, fault: str
) -> None:
    session.load(convention, fault, "3", arch=arch)
    session.go_on_to("header")
    check_replay(session)


@pytest.mark.parametrize("arch, convention, fault", SOUND)
@pytest.mark.parametrize("place", ["interpreter", "depth_5"])
@pytest.mark.cover("session place", "session convention")
def test_replay_further_on(
    session: Session, arch: str, convention: str, fault: str, place: str
) -> None:
    session.load(convention, fault, "12", arch=arch)
    session.go_on_to("header")
    session.go_on_to(place)
    check_replay(session)


def test_replay_of_the_real_engine(session: Session) -> None:
    session.load_engine("add.js", "--no-jit", stop=INTERPRETER)
    session.go_to(INTERPRETER)
    check_replay(session)


@pytest.mark.parametrize(
    "convention, fault",
    [("homing", "none"), ("caller-stack", "regs-only"), ("section7", "none")],
)
def test_the_console_replays(
    gdb: Session, console: Console, convention: str, fault: str
) -> None:
    gdb.load(convention, fault, "3", arch="aarch64")
    gdb.go_on_to("header")
    live, path = saved_here(gdb)
    text = console("replay", path)
    assert text.returncode == STATUS[live["verdict"]], text.stderr
    assert text.stdout.split()[0] == live["verdict"].upper()
    assert not text.stderr and "\x1b" not in text.stdout
    again = console("replay", path, "--json")
    assert again.returncode == text.returncode
    assert without_source(validated(json.loads(again.stdout))) == without_source(live)


def test_a_snapshot_replaces_a_file_whole(gdb: Session) -> None:
    gdb.load("homing", "none", "3", arch="aarch64")
    gdb.go_on_to("header")
    path = gdb.folder / "snapshot.json"
    path.write_text("x" * 1_000_000)
    _, path = saved_here(gdb)
    assert [entry.name for entry in gdb.folder.glob("*thunk*")] == []
    assert replayed(path)["verdict"] == "sound"


def test_a_snapshot_of_another_block(gdb: Session) -> None:
    """With an ADDRESS, the file holds what an inspection of that address reads."""
    gdb.load("homing", "none", "3", arch="aarch64")
    block = gdb.go_on_to("header")["thunk"]["block"]
    path = gdb.folder / "snapshot.json"
    assert not gdb.run(f"thunk-snapshot {path} {block}").error
    assert replayed(path)["thunk"]["block"] == block
