"""A Report as text for a terminal: the answer first, then why, then what to do.

Reads the Report and decides nothing but looks; how lines are made is in `page`.
"""

from dataclasses import dataclass
from typing import Optional

from ..checklist.model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check, Mend
from .model import CodeLine, Report, StackWord
from .page import ASCII, INDENT, PLAIN, Page, Style
from .words import (
    MACHINES,
    PROVED,
    SYMBOLS,
    folded,
    headline,
    layout_problems,
    meaning,
    mend_label,
    stopped_inside,
)

MAX_CODE, MAX_INSTRUCTION = 14, 29
MAX_STEPS = 4
"""Edits of a mend that are shown one by one."""
COLOURS = {PASS: "green", FAIL: "bold red", UNKNOWN: "yellow", NOT_APPLICABLE: "dim"}


@dataclass(frozen=True)
class Detail:
    """How much of it."""

    everything: bool = False
    """The evidence of every check."""
    code: bool = False
    """The instructions even when all is well."""


def render(report: Report, style: Style = PLAIN, detail: Detail = Detail()) -> str:
    """The whole report as text."""
    page = Page(style)
    _head(page, report)
    _thunk(page, report)
    if report.verdict == "broken" or detail.code or stopped_inside(report):
        _code(page, report)
    _stack(page, report)
    _checks(page, report, detail)
    for problem in report.problems:
        page.wrapped("note", problem)
    return page.render()


def _head(page: Page, report: Report) -> None:
    machine = MACHINES.get(report.arch, report.arch)
    colour = {"sound": "bold green", "broken": "bold red"}.get(report.verdict, "yellow")
    present = [issue for issue in report.issues if issue.state == "present"]
    page.headed(report.verdict.upper(), colour, headline(report), machine)
    for issue in present:
        page.wrapped(f"issue {issue.id}", f"{issue.title}: {issue.cause}")
        if issue.mend:
            _mend(page, issue.mend)
    if report.verdict == "undecided":
        for check in report.claims:
            if check.verdict == UNKNOWN:
                page.wrapped(check.id, f"{check.title}: {check.evidence[-1]}")
                if check.hint:
                    page.wrapped("", check.hint)
    page.gap()


def _mend(page: Page, mend: Mend) -> None:
    label = mend_label(mend)
    for step in mend.steps[:MAX_STEPS]:
        page.wrapped(label, step)
        label = ""
    rest = len(mend.steps) - MAX_STEPS
    if rest > 0:
        page.wrapped("", f"… and {rest} instructions more: see --json")
    if mend.proved:
        page.wrapped("", PROVED)


def _thunk(page: Page, report: Report) -> None:
    thunk = report.thunk
    if thunk is None:
        return
    size = f"{thunk.block_size // 1024} KiB"
    page.text(
        "thunk",
        f"{thunk.block:#x}  {size}, {thunk.stub_count} stubs, {thunk.style}",
    )
    page.wrapped("", f"found by: {thunk.found_by}")
    page.packed(
        f"{name} {report.registers[name]:#x}"
        f"{meaning(report, name, report.registers[name])}"
        for name in report.shown
    )
    name = thunk.interpreter_name or "no symbol"
    if thunk.interpreter is not None:
        page.wrapped("", f"calls {thunk.interpreter:#x} {name}")
    page.gap()


def _code(page: Page, report: Report) -> None:
    label = "code"
    here = report.pc
    for line in report.code:
        page.text(label, *_code_line(report, line, here))
        label = ""
    page.gap()


def _code_line(
    report: Report, line: CodeLine, here: Optional[int]
) -> "list[str | tuple[str, str]]":
    assert report.thunk
    width = min(max((len(one.code) for one in report.code), default=8), MAX_CODE)
    room = min(max((len(one.text) for one in report.code), default=8), MAX_INSTRUCTION)
    mark = "=>" if here == report.thunk.block + line.offset else "  "
    code = line.code if len(line.code) <= width else line.code[: width - 1] + "…"
    style = COLOURS[FAIL] if line.blamed else ""
    return [
        f"{mark}+{line.offset:03x} {code:<{width}}  ",
        (f"{line.text:<{room}}", style),
        (f"  {line.note}" if line.note else "", style or "dim"),
    ]


def _stack(page: Page, report: Report) -> None:
    layout = report.layout
    if layout and layout.function and report.verdict == "sound":
        page.wrapped("call", layout.call_text)
    label = "stack" if report.verdict != "sound" else "layout"
    words = report.stack
    if report.verdict == "sound":
        words = [word for word in words if not word.role.startswith("saved")]
    for word in words:
        page.text(label, *_stack_line(report, word))
        label = ""
    for problem in layout_problems(report):
        page.wrapped("", problem)
    if words:
        page.gap()


def _stack_line(report: Report, word: StackWord) -> "list[str | tuple[str, str]]":
    pointer = "L ->" if word.place == 0 else ""
    value = "unreadable" if word.value is None else f"{word.value:#018x}"
    if report.layout is None:
        value = ""
    by = "" if word.written_by == "caller" else f"by {word.written_by}"
    style = COLOURS[FAIL] if word.wrong else ""
    return [
        f"{pointer:<5}{word.place:+4d}  {value:<18}  {word.role:<9} {by:<8} ",
        (word.comment, style),
    ]


def _checks(page: Page, report: Report, detail: Detail) -> None:
    sections: dict[str, list[Check]] = {}
    for check in report.checklist:
        sections.setdefault(check.id[0], []).append(check)
    parts: list[str | tuple[str, str]] = []
    for name, checks in sections.items():
        parts.append(f"{name} ")
        for check in checks:
            symbol = SYMBOLS[check.verdict]
            if not page.style.unicode:
                symbol = ASCII.get(symbol, symbol) + " "
            parts.append((symbol, COLOURS[check.verdict]))
        parts.append("  ")
    page.text("checks", *parts)
    if detail.everything:
        claims = {claim.id: claim for claim in report.claims}
        for check in [*report.claims, *report.checklist]:
            _unfold(page, folded(check, claims))
        return
    _failures(page, report)
    page.text("", ("(thunk-inspect --all shows the evidence of every check)", "dim"))


def _failures(page: Page, report: Report) -> None:
    """Each failing claim once, with the items that it fails; then the other items."""
    failed = [check for check in report.checklist if check.verdict == FAIL]
    told: set[str] = set()
    for claim in report.claims:
        if claim.verdict != FAIL:
            continue
        items = [item for item in failed if _rests_on(item, claim)]
        told.update(item.id for item in items)
        names = " ".join(item.id for item in items)
        _unfold(page, claim, f" ({names})" if names else "")
    for item in failed:
        if item.id not in told:
            _unfold(page, item)


def _rests_on(item: Check, claim: Check) -> bool:
    shared = set(item.evidence) & set(claim.evidence)
    named = any(line.startswith(f"{claim.id}: ") for line in item.evidence)
    return named or bool(shared)


def _unfold(page: Page, check: Check, more: str = "") -> None:
    symbol = SYMBOLS[check.verdict]
    title = f"{check.title}{more}"
    page.text("", (f"{check.id:<3} {symbol} ", COLOURS[check.verdict]), title)
    indent = INDENT + 6
    for line in dict.fromkeys(check.evidence):
        page.wrapped(" " * indent, line, indent=indent)
    if check.hint and check.verdict != PASS:
        page.wrapped(" " * indent, check.hint, indent=indent)
