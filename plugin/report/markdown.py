"""A Report as Markdown: the summary of a CI job, as GitHub shows it.

The answer first, then why, then what to do; what fails or could not be decided in a
table, everything else folded away. All text goes through `inert`, whatever it is.
"""

from collections.abc import Iterable, Iterator, Sequence

from ..checklist.model import FAIL, PASS, UNKNOWN, Check, Diagnosis
from ..trace.model import Event, FunctionCalls, Trace
from .inert import code, prose
from .model import Report
from .words import (
    MACHINES,
    PROVED,
    SYMBOLS,
    folded,
    headline,
    layout_problems,
    lost_calls,
    mend_label,
)

VERDICTS = {"sound": SYMBOLS[PASS], "broken": SYMBOLS[FAIL]}
MAX_EVIDENCE, MAX_ARGS, MAX_FUNCTIONS, MAX_STEPS = 12, 16, 20, 16
LIMIT = 1_000_000
"""Bytes; GitHub shows nothing of a summary above 1 MiB."""


def render(report: Report) -> str:
    """The summary."""
    lines = [
        *_head(report),
        *_checks(report),
        *_call(report),
        *_trace(report),
        *_notes(report),
    ]
    short = "\n".join(lines) + "\n"
    whole = short + "\n".join(_everything(report)) + "\n"
    return whole if len(whole.encode()) <= LIMIT else short


def _head(report: Report) -> Iterator[str]:
    symbol = VERDICTS.get(report.verdict, SYMBOLS[UNKNOWN])
    reason = prose(headline(report))
    yield f"### {symbol} {report.verdict.upper()}" + (f": {reason}" if reason else "")
    yield ""
    machine = MACHINES.get(report.arch, report.arch)
    yield prose(f"{machine}, {report.os}, by {report.source}")
    yield ""
    for issue in report.issues:
        if issue.state == "present":
            yield from _issue(issue)


def _issue(issue: Diagnosis) -> Iterator[str]:
    yield f"**issue {issue.id}** {prose(f'{issue.title}: {issue.cause}')}"
    yield ""
    if issue.mend is None:
        return
    proved = f" {prose(PROVED)}" if issue.mend.proved else ""
    yield f"**{mend_label(issue.mend)}**{proved}"
    yield ""
    for step in issue.mend.steps[:MAX_STEPS]:
        yield f"- {prose(step)}"
    yield from _more(len(issue.mend.steps) - MAX_STEPS, "instructions")
    yield ""


def _more(count: int, what: str) -> Iterator[str]:
    if count > 0:
        yield f"- … and {count} {what} more"


def _checks(report: Report) -> Iterator[str]:
    """Those that fail, then those that are unknown."""
    checks = [*report.claims, *report.checklist]
    told = [c for word in (FAIL, UNKNOWN) for c in checks if c.verdict == word]
    above = {check.id: check for check in told if check in report.claims}
    if told:
        rows = [_row(folded(check, above)) for check in told]
        yield from _table(("", "check", "evidence"), rows)
    sums = ", ".join(
        f"{count} {word}"
        for word in SYMBOLS
        if (count := sum(check.verdict == word for check in checks))
    )
    if sums:
        yield f"{len(checks)} checks: {sums}"
        yield ""


def _row(check: Check) -> tuple[str, str, str]:
    lines = [prose(line) for line in _evidence(check)]
    if check.hint:
        lines.append(f"*{prose(check.hint)}*")
    title = f"**{prose(check.id)}** {prose(check.title)}"
    return SYMBOLS[check.verdict], title, "<br>".join(lines)


def _evidence(check: Check) -> list[str]:
    lines = list(dict.fromkeys(check.evidence))
    more = len(lines) - MAX_EVIDENCE
    return lines[:MAX_EVIDENCE] + ([f"… and {more} lines more"] if more > 0 else [])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _call(report: Report) -> Iterator[str]:
    """The call in hand, as its layout reads."""
    layout = report.layout
    if layout is None:
        return
    read = [word for word in report.stack if not word.role.startswith("saved")]
    if any(word.pending for word in read):
        yield f"**layout** at {layout.address:#x}: not stored yet"
        yield ""
        return
    called = f"**call** {code(layout.call_text)}, its" if layout.function else "the"
    yield f"{called} layout at {layout.address:#x}"
    yield ""
    problems = layout_problems(report)
    for problem in problems:
        yield f"- {prose(problem)}"
    if problems:
        yield ""
    rows = [
        ("this" if n == 0 else prose(f"args[{n}]"), f"{value.raw:#x}", code(value.text))
        for n, value in enumerate(layout.args[:MAX_ARGS])
    ]
    if rows and report.verdict != "sound":
        yield from _table(("", "word", "value"), rows)


def _trace(report: Report) -> Iterator[str]:
    trace = report.trace
    if trace is None:
        return
    wrong = trace.failures
    right = trace.calls and not trace.lost and not trace.unjudged
    symbol = SYMBOLS[FAIL if wrong or trace.hang else PASS if right else UNKNOWN]
    sums = (f"{trace.calls} calls, {wrong} with a problem", lost_calls(trace))
    yield f"#### {symbol} Trace: {', '.join(filter(None, sums))}"
    yield ""
    yield f"ended: {prose(trace.ended)}"
    yield ""
    if trace.first_failure:
        yield from _first_failure(trace.first_failure)
    if trace.hang:
        yield from _hang(trace)
    rows = sorted(trace.functions, key=lambda one: (-one.failures, -one.calls))
    if rows:
        head = ("function", "calls", "with a problem")
        yield from _table(head, map(_function, rows[:MAX_FUNCTIONS]))
    if len(rows) > MAX_FUNCTIONS:
        yield f"and {len(rows) - MAX_FUNCTIONS} functions more"
        yield ""
    for line in trace.missing:
        yield f"- not watched: {prose(line)}"
    yield ""


def _first_failure(event: Event) -> Iterator[str]:
    name = code(event.name) if event.name else "a function without a name"
    which = "outside any call" if event.call is None else f"call {event.call} of {name}"
    place = f"{prose(event.kind)} at {event.address:#x}"
    yield f"**first failure** {which}: {place}: {prose(event.text)}"
    yield ""
    for problem in event.problems:
        yield f"- {prose(problem)}"
    yield ""


def _hang(trace: Trace) -> Iterator[str]:
    assert trace.hang
    yield f"**hang** {prose(trace.hang.text)}"
    yield ""
    for line in trace.hang.instructions[:MAX_STEPS]:
        yield f"- {code(line)}"
    yield from _more(len(trace.hang.instructions) - MAX_STEPS, "instructions")
    for sample in trace.hang.samples[:MAX_STEPS]:
        yield f"- thread {sample.thread} at {sample.pc:#x}: {prose(sample.where)}"
    yield ""


def _function(one: FunctionCalls) -> tuple[str, str, str]:
    name = code(one.name) if one.name else f"{one.function:#x}"
    return name, str(one.calls), str(one.failures)


def _notes(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"- {prose(problem)}"
    if report.problems:
        yield ""


def _everything(report: Report) -> Iterator[str]:
    checks = [*report.claims, *report.checklist]
    if not checks:
        return
    yield f"<details><summary>All {len(checks)} checks</summary>"
    yield ""
    yield from _table(("", "check", "evidence"), map(_row, checks))
    yield "</details>"
