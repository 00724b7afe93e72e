"""A thread that goes round in the block for ever, each time with another SP: the block
is to blame, and nobody knows any more where the call's words are."""

import json
from typing import Any, Dict, Set

import pytest

from reports import validated
from sessions import Session
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_json
from thunk_inspect.snapshot import SnapshotTarget


def judged(document: Dict[str, Any]) -> Dict[str, Any]:
    return validated(json.loads(to_json(inspect(SnapshotTarget(document)))))


def failing(report: Dict[str, Any]) -> Set[str]:
    return {item["id"] for item in report["checklist"] if item["verdict"] == "fail"}


def saved_in_the_loop(session: Session, convention: str) -> Dict[str, Any]:
    session.load(convention, "no-fplr", "3", arch="aarch64")
    session.go_on_to("interpreter")
    session.run("thunk-trace --timeout 5")
    path = session.folder / "saved.json"
    session.run(f"thunk-snapshot {path}")
    found: Dict[str, Any] = json.loads(path.read_text())
    return found


def test_sp_that_moves_on(session: Session) -> None:
    """Wherever it has come to: into the callers' words, zeros, the block, nothing."""
    document = saved_in_the_loop(session, "homing")
    before = judged(document)
    assert before["verdict"] == "broken" and before["layout"] is None
    assert "each round of the loop adds 80 to it" in " ".join(before["problems"])
    block = int(before["thunk"]["block"], 16)
    for sp in (block + 0x200, block - 0x8000, 0x10, 0x123456789AB0, 0xFFFFFFFFFFFFFFF0):
        document["registers"]["sp"] = f"{sp:#x}"
        report = judged(document)
        assert report["layout"] is None
        assert failing(report) == failing(before), f"{sp:#x}"
        assert [issue["state"] for issue in report["issues"]] == [
            issue["state"] for issue in before["issues"]
        ]
    error = session.run("thunk-layout").error
    assert "each round of the loop adds 80 to it" in error


def test_sp_that_stays(session: Session) -> None:
    """The loop of the other convention leaves everything as it is."""
    report = judged(saved_in_the_loop(session, "caller-stack"))
    assert report["verdict"] == "broken"
    assert report["layout"]["function"]["name"] == "add"


@pytest.mark.parametrize("convention", ["homing", "caller-stack"])
def test_the_return_that_leads_back(gdb: Session, convention: str) -> None:
    """The event says where it goes, not where it should."""
    gdb.load(convention, "no-fplr", "3", arch="aarch64")
    said = " ".join(gdb.run("thunk-trace").output.split())
    returned = said.split("returned ")[1].split(" WRONG ")
    goes = returned[1].split("returns to ")[1].split(" ")[0]
    assert f"to {goes}" in returned[0]
