"""A Report as JUnit XML, for the test pages of GitHub actions, GitLab and Jenkins.

A suite for the claims, one for each group of the checklist, one for a trace. Written
within what every reader of the format takes: a test case holds a failure, a reason
to skip it, or nothing, and what passed speaks in the suite's system-out. GitLab takes
two cases with the same class and name for one, so names are unique, and they are the
same in every run.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Optional

from ..checklist.model import FAIL, PASS, UNKNOWN, Check
from ..target import clean
from ..trace.model import Event, Trace
from .model import Report
from .words import PROVED, SECTIONS, headline, lost_calls, mend_label

PACKAGE = "thunk"
SKIPPED = "skipped"
MAX_NAME, MAX_LINE, MAX_LINES = 80, 1000, 100
"""Characters of a function's name and of a line, lines of a case: names may be long."""
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True)
class Case:
    name: str
    outcome: str
    """PASS, FAIL or SKIPPED."""
    message: str
    """The reason in one line."""
    lines: Sequence[str]
    """All there is to say."""


def render(report: Report, when: Optional[datetime] = None) -> str:
    """The XML. `when`: the time that it shows, now if None."""
    when = when or datetime.now(timezone.utc)
    root = ET.Element("testsuites")
    for number, (name, cases) in enumerate(_suites(report)):
        suite = ET.SubElement(root, "testsuite", {"name": name})
        suite.attrib.update(_counts(cases))
        suite.set("package", PACKAGE)
        suite.set("id", str(number))
        # Two that the format asks for, and that mean nothing here.
        suite.set("hostname", "localhost")
        suite.set("time", "0")
        suite.set("timestamp", when.strftime("%Y-%m-%dT%H:%M:%S"))
        _properties(suite, report)
        for case in cases:
            _case(suite, name, case)
        ET.SubElement(suite, "system-out").text = _passed(cases)
        ET.SubElement(suite, "system-err")
    ET.indent(root)
    return DECLARATION + ET.tostring(root, encoding="unicode") + "\n"


def _suites(report: Report) -> Iterator[tuple[str, list[Case]]]:
    if report.claims:
        yield "R claims", [_check(report, check) for check in report.claims]
    for letter, title in SECTIONS.items():
        checks = [check for check in report.checklist if check.id.startswith(letter)]
        if checks:
            yield f"{letter} {title}", [_check(report, check) for check in checks]
    if report.trace:
        yield "T trace", list(_trace(report.trace))
    if not report.claims and not report.trace:
        # A file without any case is an error to Jenkins.
        why = report.problems or [headline(report)]
        yield "R claims", [Case("R inspection", SKIPPED, _joined(why), why)]


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(outcomes.count(FAIL)),
        "errors": "0",
        "skipped": str(outcomes.count(SKIPPED)),
    }


def _properties(suite: ET.Element, report: Report) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("verdict", report.verdict),
        ("arch", report.arch),
        ("os", report.os),
        ("source", report.source),
    ):
        ET.SubElement(properties, "property", {"name": name, "value": _safe(value)})


def _case(suite: ET.Element, name: str, case: Case) -> None:
    # Jenkins takes what stands before the last dot for the package.
    place = {"classname": f"{PACKAGE}.{name}", "name": _safe(case.name), "time": "0"}
    element = ET.SubElement(suite, "testcase", place)
    if case.outcome == FAIL:
        about = {"type": "broken", "message": _safe(case.message)}
        ET.SubElement(element, "failure", about).text = _text(case.lines)
    elif case.outcome == SKIPPED:
        ET.SubElement(element, "skipped", {"message": _safe(case.message)})


def _passed(cases: Iterable[Case]) -> str:
    """What the passing cases rest on: the format has no place for it in the case."""
    return "\n".join(
        f"{_safe(case.name)}\n{_text(case.lines, '    ')}"
        for case in cases
        if case.outcome == PASS
    )


def _check(report: Report, check: Check) -> Case:
    name = f"{check.id} {check.title}"
    lines = list(dict.fromkeys(check.evidence))
    if check.verdict == PASS:
        return Case(name, PASS, "", lines)
    if check.verdict == FAIL:
        return Case(name, FAIL, _joined(lines), [*lines, *_remedy(report, check)])
    word = "unknown" if check.verdict == UNKNOWN else "does not apply"
    reason = [*lines, check.hint] if check.hint else lines
    return Case(name, SKIPPED, f"{word}: {_joined(reason)}", reason)


def _remedy(report: Report, check: Check) -> Iterator[str]:
    """What the diagnoses that rest on this check advise, else the check's own hint."""
    advised = False
    for issue in report.issues:
        if issue.state != "present" or check.id not in issue.because:
            continue
        yield f"issue {issue.id}: {issue.title}: {issue.cause}"
        if issue.mend:
            advised = True
            yield from (
                f"{mend_label(issue.mend)}: {step}" for step in issue.mend.steps
            )
            if issue.mend.proved:
                yield PROVED
    if check.hint and not advised:
        yield f"hint: {check.hint}"


def _trace(trace: Trace) -> Iterator[Case]:
    """Two cases that are always there, so that a mended fault turns green; then one
    for each call that went wrong."""
    missing = [f"not watched: {line}" for line in trace.missing]
    sums = (f"{trace.calls} calls, {trace.failures} with a problem", lost_calls(trace))
    seen = f"{', '.join(filter(None, sums))}; ended: {trace.ended}"
    right = trace.calls and not trace.lost and not trace.unjudged
    outcome = FAIL if trace.failures else PASS if right else SKIPPED
    yield Case("every call is right", outcome, seen, [seen, *missing])
    if trace.hang is None:
        yield Case("the program does not hang", PASS, "", [trace.ended])
    else:
        lines = [trace.hang.text, *trace.hang.instructions]
        where = [f"{one.pc:#x} {one.where}" for one in trace.hang.samples]
        yield Case("the program does not hang", FAIL, trace.hang.text, lines + where)
    for name, events in _wrong_calls(trace).items():
        lines = [line for event in events for line in _event_lines(event)]
        yield Case(name, FAIL, events[0].problems[0], lines)


def _wrong_calls(trace: Trace) -> dict[str, list[Event]]:
    """The events with problems, by the call that they belong to."""
    events = {event.number: event for event in trace.events}
    if trace.first_failure:
        events[trace.first_failure.number] = trace.first_failure
    calls: dict[str, list[Event]] = {}
    for number in sorted(events):
        event = events[number]
        if not event.problems:
            continue
        about = f" of {_cut(_safe(event.name), MAX_NAME)}" if event.name else ""
        what = f"event {number}" if event.call is None else f"call {event.call}"
        calls.setdefault(f"{what}{about}", []).append(event)
    return calls


def _event_lines(event: Event) -> Iterator[str]:
    yield f"{event.kind} at {event.address:#x}: {event.text}"
    yield from event.problems


def _joined(lines: Iterable[str]) -> str:
    return "; ".join(lines)


def _text(lines: Sequence[str], indent: str = "") -> str:
    kept = [indent + _safe(line) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        kept.append(f"{indent}… and {len(lines) - MAX_LINES} lines more: see --json")
    return "\n".join(kept)


def _safe(text: str) -> str:
    """Text that XML can hold, and that no reader takes for an order to attach a file:
    `[[ATTACHMENT|path]]` is one to GitLab and Jenkins."""
    return _cut(clean(text).replace("[[ATTACHMENT", "[ [ATTACHMENT"), MAX_LINE)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
