"""What the instructions promise and the stopped process contradicts: it must fail.

Each case is a snapshot of a sound call with one thing in it changed.
"""

import json
from collections.abc import Callable

import pytest

from conftest import Opener
from reports import Document, claims, evidence
from sessions import Session
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.snapshot import SnapshotTarget

Edit = Callable[[Document], None]


def judged(document: Document) -> Document:
    return to_dict(inspect(SnapshotTarget(document)))


def register(name: str, value: int) -> Edit:
    def edit(document: Document) -> None:
        document["registers"][name] = f"{value:#x}"

    return edit


def write(document: Document, address: int, value: int) -> None:
    """A word of the saved memory."""
    for chunk in document["memory"]:
        start = address - int(chunk["address"], 16)
        data = bytearray.fromhex(chunk["bytes"])
        if 0 <= start <= len(data) - 8:
            data[start : start + 8] = value.to_bytes(8, "little")
            chunk["bytes"] = data.hex()
            return
    raise AssertionError(f"{address:#x} is not in the snapshot")


@pytest.fixture
def stopped(sessions: Opener) -> "Callable[[str, str], Document]":
    """A snapshot of a sound call, by convention and place."""

    def at(convention: str, place: str) -> Document:
        session: Session = sessions("gdb")
        arch = "aarch64" if convention in ("homing", "caller-stack") else "x86_64"
        session.load(convention, "none", "9", arch=arch)
        places = ("header", "dispatch", "stub", "interpreter")
        for name in places[: places.index(place) + 1]:
            session.go_on_to(name)
        path = session.folder / "stopped.json"
        assert not session.run(f"thunk-snapshot {path}").error
        document: Document = json.loads(path.read_text())
        assert judged(document)["verdict"] == "sound"
        return document

    return at


@pytest.mark.parametrize(
    ("convention", "place", "name", "claim"),
    [
        ("caller-stack", "stub", "x1", "R6"),
        ("homing", "dispatch", "x1", "R6"),
        ("caller-stack", "dispatch", "x3", "R7"),
        ("sysv", "dispatch", "rdx", "R7"),
        ("homing", "dispatch", "x0", "R1"),
        ("caller-stack", "dispatch", "x29", "R11"),
        ("sysv", "stub", "rax", "R6"),
    ],
)
def test_a_register_with_something_else_in_it(
    stopped: "Callable[[str, str], Document]",
    convention: str,
    place: str,
    name: str,
    claim: str,
) -> None:
    document = stopped(convention, place)
    register(name, 0x1238)(document)
    report = judged(document)
    assert claim in claims(report, "fail"), evidence(report, claim)
    assert "0x1238" in evidence(report, claim)


@pytest.mark.parametrize("convention", ["caller-stack", "sysv"])
def test_a_stale_register_names_no_stub(
    stopped: "Callable[[str, str], Document]", convention: str
) -> None:
    """At the header's beginning the dispatch register belongs to nobody."""
    document = stopped(convention, "header")
    first = int(judged(document)["thunk"]["stubs"]["first"], 16)
    register("x3" if convention == "caller-stack" else "rdx", first)(document)
    assert judged(document)["verdict"] == "sound"


def test_a_dead_return_address(stopped: "Callable[[str, str], Document]") -> None:
    document = stopped("caller-stack", "interpreter")
    layout = int(judged(document)["layout"]["address"], 16)
    write(document, layout - 8, 0)
    assert "R9" in claims(judged(document), "fail")


def test_a_null_stub_is_no_offset(stopped: "Callable[[str, str], Document]") -> None:
    document = stopped("caller-stack", "interpreter")
    report = judged(document)
    body = next(c for c in report["checklist"] if c["id"] == "A4")["evidence"][0]
    write(document, int(body[1 : body.index("]")], 16), 0)
    report = judged(document)
    assert "R7" in claims(report, "fail")
    issue = report["issues"][4]
    assert issue["state"] == "present" and "null" in issue["cause"]


def test_args_beyond_the_stack(stopped: "Callable[[str, str], Document]") -> None:
    document = stopped("sysv", "interpreter")
    layout = int(judged(document)["layout"]["address"], 16)
    write(document, layout + 8, 0x02000FA0)
    report = judged(document)
    assert not {"R4", "R12"} & claims(report, "pass")
    assert report["verdict"] != "sound"


def test_what_is_not_modelled_blames_nobody(
    stopped: "Callable[[str, str], Document]",
) -> None:
    """`svc #0` in a homing header: not decided, and no fault of the caller's."""
    document = stopped("homing", "header")
    block = int(judged(document)["thunk"]["block"], 16)
    write(document, block + 0x30, 0xD503201F_D4000001)
    report = judged(document)
    assert "R12" not in claims(report, "fail")
    assert report["thunk"]["calling_convention"] == "arm64-registers"


def test_a_word_that_is_right_by_chance(gdb: Session) -> None:
    """No value is said to be one that it should be."""
    gdb.load("homing", "offset16", "3", arch="aarch64")
    for place in ("header", "interpreter"):
        gdb.go_on_to(place)
    path = gdb.folder / "stopped.json"
    assert not gdb.run(f"thunk-snapshot {path}").error
    document: Document = json.loads(path.read_text())
    first = inspect(SnapshotTarget(document)).stack[0]
    passed = int(first.comment.partition("should be ")[2], 16)
    assert first.address and first.value != passed
    write(document, first.address, passed)
    first = inspect(SnapshotTarget(document)).stack[0]
    assert first.value == passed and first.comment == "should be x0"
