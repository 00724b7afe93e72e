"""Reports of real calls, traces made of plain values, and names to be afraid of."""

import copy
import functools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from sessions import Session
from thunk_inspect.chakra.objects import Function
from thunk_inspect.chakra.values import JsValue
from thunk_inspect.checklist.model import Check, Diagnosis
from thunk_inspect.inspection import inspect
from thunk_inspect.report.model import Report
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

SOUND = ("aarch64", "homing", "none")
CASES = [
    SOUND,
    ("aarch64", "homing", "offset16"),
    ("aarch64", "homing", "no-fplr"),
    ("aarch64", "caller-stack", "regs-only"),
    ("aarch64", "section7", "none"),
    ("x86_64", "sysv", "none"),
]
FUNCTION, STUB, PC = 0x4A96F0, 0x5500802FB8, 0x5500802028

HOSTILE = [
    "<script>alert(1)</script>",
    "a|b|c",
    "`code` ``and`` ```more",
    "[link](javascript:alert(1))",
    "![image][x]",
    "@everyone and me@example.com",
    "#1 GH-2 you/yours#3",
    "https://example.com/ www.example.com",
    "one\n\n# two\r\n- three\n| a |\n| --- |",
    "\u202eback\u2066wards\u200b",
    "\x00\x1b[31m\x07\x7f\x85",
    "\ud800 half \udfff",
    "\ufffe\uffff\U0001fffe",
    "&lt;b&gt; &#60;i&#62; <!-- -->",
    "*a* _b_ ~~c~~ $d$ :e: \\",
    "]]> <![CDATA[ \" ' >",
    "[[ATTACHMENT|/etc/passwd]]",
    "- a",
    "1. b",
    "",
    " ",
    "x" * 5000,
]


@functools.cache
def _saved(arch: str, convention: str, fault: str) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        session = Session("gdb", Path(folder) / "gdb")
        try:
            session.load(convention, fault, "3", arch=arch)
            session.go_on_to("header")
            if fault == "none" and not convention.startswith("section"):
                session.go_on_to("interpreter")
            answer = session.run(f"thunk-snapshot {folder}/file.json")
            assert not answer.error, answer.error
        finally:
            session.close()
        return inspect(load_snapshot(f"{folder}/file.json"))


def report_of(
    arch: str, convention: str, fault: str, trace: Optional[Trace] = None
) -> Report:
    """What an inspection of this call says, with a trace beside it."""
    report = copy.deepcopy(_saved(arch, convention, fault))
    report.trace = trace
    return report


def hostile(name: str) -> Report:
    """A broken report in which this name stands wherever the target's may."""
    report = report_of("aarch64", "homing", "offset16", bad_trace(name))
    report.claims = [_named(check, name) for check in report.claims]
    report.checklist = [_named(check, name) for check in report.checklist]
    report.issues = [_accused(issue, name) for issue in report.issues]
    report.problems = [name, f"near {name}"]
    layout = report.layout
    assert layout
    layout.function = Function(FUNCTION, 8, 8, 8, STUB, True, name)
    layout.args = [JsValue(n, "object", f"{{{name}}}") for n in range(3)]
    layout.problems = [name]
    report.stack = [replace(word, pending=False) for word in report.stack]
    return report


def _named(check: Check, name: str) -> Check:
    evidence = [f"symbol {name}", name, *check.evidence]
    return replace(check, evidence=evidence, hint=f"{name} is it")


def _accused(issue: Diagnosis, name: str) -> Diagnosis:
    mend = issue.mend and replace(issue.mend, steps=[name, f"to {name}"])
    return replace(issue, cause=f"{name} or {name}", mend=mend)


def event(number: int, kind: str = CALL, **more: object) -> Event:
    values: Dict[str, Any] = {
        "thread": 1,
        "call": 1,
        "depth": 1,
        "address": PC,
        "function": FUNCTION,
        "name": "add",
        "text": "x0 = the function",
        "values": {"x0": FUNCTION, "top": (1 << 64) - 1},
        "site": Site(True, STRAIGHT) if kind == CALL else None,
        **more,
    }
    return Event(number, kind, **values)


def good_trace() -> Trace:
    """Two calls, both right."""
    kinds = ["call", "dispatch", "returned"]
    events = [event(n + 1, kind) for n, kind in enumerate(kinds)]
    functions = [FunctionCalls("add", FUNCTION, STUB, 2, 0)]
    counts = {"call": 2, "dispatch": 2, "returned": 2}
    return Trace(events, counts, functions, 2, 0, ended="exited with 0")


def bad_trace(name: str = "add") -> Trace:
    """Two calls, of which the second goes wrong twice; then it hangs."""
    wrong = event(
        2,
        "dispatch",
        call=2,
        name=name,
        text=f"branch of {name}",
        problems=[f"x0 of {name} changed"],
    )
    later = event(3, "interpreter", call=2, name=name, problems=["callInfo changed"])
    samples = [Sample(1, PC, f"{name} + 4", None), Sample(2, PC, "a stub", STUB)]
    hang = Hang("thunk", f"{name} goes round", ["br x3", f"b {name}"], samples)
    events: List[Event] = [event(1), wrong, later]
    functions = [
        FunctionCalls("add", FUNCTION, STUB, 1, 0),
        FunctionCalls(name, FUNCTION + 8, None, 1, 1),
    ]
    counts = {"call": 2, "dispatch": 1, "interpreter": 1}
    missing = [f"encoded: no symbol {name}"]
    return Trace(events, counts, functions, 2, 1, wrong, missing, "time was up", hang)
