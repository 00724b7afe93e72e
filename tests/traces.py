"""A trace in a session, and what tests ask of it."""

import json
import re

from reports import Document, validated
from sessions import Session


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
