"""A report goes through the file of a scripted session and is the same behind it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from sessions import Session
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_json
from thunk_inspect.report.model import Report
from thunk_inspect.report.page import Style
from thunk_inspect.report.text import Detail, render
from thunk_inspect.session.outcome import read_outcome
from thunk_inspect.session.seam import STOPPED, Order, Outcome, write_outcome
from thunk_inspect.snapshot import load_snapshot
from thunk_inspect.trace.model import (
    CALL,
    STRAIGHT,
    Event,
    FunctionCalls,
    Hang,
    Sample,
    Site,
    Trace,
)

EVENT = Event(
    1,
    CALL,
    2,
    3,
    4,
    (1 << 64) - 1,
    None,
    "naïve",
    "text",
    {"x0": 1 << 63},
    ("wrong",),
    Site(True, STRAIGHT),
)
TRACE = Trace(
    [EVENT],
    {CALL: 1},
    [FunctionCalls(None, 1, None, 2, 1)],
    1,
    1,
    EVENT,
    ["returned: no symbol"],
    "time was up",
    Hang("thunk", "text", ["ret"], [Sample(1, 2, "f+4", None)]),
)


def through_a_file(folder: Path, outcome: Outcome) -> Outcome:
    result = str(folder / "outcome.json")
    write_outcome(Order(None, 0, 60.0, result), outcome)
    assert [entry.name for entry in folder.glob("outcome*")] == ["outcome.json"]
    return read_outcome(result)


def plain(value: Any) -> Any:
    """All of a dataclass, its sequences as lists whatever they were."""
    return json.loads(json.dumps(dataclasses.asdict(value), default=bytes.hex))


def check(folder: Path, report: Report) -> None:
    outcome = Outcome(STOPPED, "stopped", report)
    again = through_a_file(folder, outcome)
    assert plain(again) == plain(outcome)
    assert again.report
    assert type(again.report.thunk) is type(report.thunk)
    assert to_json(again.report) == to_json(report)
    everything = Detail(everything=True, code=True)
    for style in (Style(80, False, True), Style(120, True, False)):
        texts = [render(one, style, everything) for one in (report, again.report)]
        assert texts[0] == texts[1]


def test_nothing_to_report(tmp_path: Path) -> None:
    outcome = Outcome("exited", "exited with 3")
    assert through_a_file(tmp_path, outcome) == outcome


@pytest.mark.parametrize(
    "arch, convention, fault",
    [
        ("aarch64", "homing", "none"),
        ("aarch64", "section7", "none"),
        ("x86_64", "windows", "callee-saved"),
    ],
)
def test_a_report(
    gdb: Session, tmp_path: Path, arch: str, convention: str, fault: str
) -> None:
    gdb.load(convention, fault, "3", arch=arch)
    gdb.go_on_to("header")
    path = tmp_path / "snapshot.json"
    assert not gdb.run(f"thunk-snapshot {path}").error
    report = inspect(load_snapshot(str(path)))
    assert report.thunk and report.claims and report.stack
    check(tmp_path, report)
    report.trace = TRACE
    check(tmp_path, report)


def test_a_trace_is_the_same_in_every_field(tmp_path: Path) -> None:
    report = Report("aarch64", "linux", "gdb", None, {}, [], trace=TRACE)
    again = through_a_file(tmp_path, Outcome(STOPPED, "", report)).report
    assert again and again.trace
    assert plain(again.trace) == plain(TRACE)
    assert again.trace.events == again.trace.events
    assert again.trace.hang and again.trace.hang.samples[0] == Sample(1, 2, "f+4", None)
