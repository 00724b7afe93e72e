"""A Report as text for a terminal: the answer first, then why, then what to do.

Reads the Report and decides nothing but looks; how lines are made is in `page`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..checklist.model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check, Mend
from .model import CodeLine, Report, StackWord
from .page import ASCII, INDENT, PLAIN, Page, Style, pieces
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

MAX_CODE = 14
VALUES = INDENT + 11
"""Columns before a stack word's value."""
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
    command: str = "thunk-inspect"
    """What is typed to have it, for the hint at its end."""


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
    told: dict[tuple[str, ...], int] = {}
    for issue in present:
        page.wrapped(f"issue {issue.id}", f"{issue.title}: {issue.cause}")
        if issue.mend:
            first = told.setdefault(tuple(issue.mend.steps), issue.id)
            if first == issue.id:
                _mend(page, issue.mend)
            else:
                page.wrapped(mend_label(issue.mend), f"that of issue {first}")
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
    if not report.code:
        return
    width = min(max(len(one.code) for one in report.code), MAX_CODE)
    column = _note_column(report.code, page.style.width - INDENT - width - 9)
    label = "code"
    for line in report.code:
        for parts in _code_lines(report, line, width, column, page.style.width):
            page.text(label, *parts)
            label = ""
    page.gap()


def _note_column(lines: Sequence[CodeLine], room: int) -> int:
    """How long instructions are made, so that notes stand below each other and the
    longest has room."""
    noted = [line for line in lines if line.note]
    longest = max((len(line.text) for line in noted), default=0)
    note = max((len(line.note) for line in noted), default=0)
    return max(min(longest, room - 2 - note), 0)


def _code_lines(
    report: Report, line: CodeLine, width: int, column: int, columns: int
) -> "Iterator[list[str | tuple[str, str]]]":
    """An instruction, and its note, which goes on below itself where it is long."""
    assert report.thunk
    mark = "=>" if report.pc == report.thunk.block + line.offset else "  "
    code = line.code if len(line.code) <= width else line.code[: width - 1] + "…"
    style = COLOURS[FAIL] if line.blamed else ""
    start = f"{mark}+{line.offset:03x} {code:<{width}}  "
    text = line.text if not line.note else f"{line.text:<{column}}  "
    before = INDENT + len(start) + len(text)
    first, *rest = pieces(line.note, max(columns - before, 16)) or [""]
    yield [start, (text, style), (first, style or "dim")]
    for piece in rest:
        yield [" " * (before - INDENT), (piece, style or "dim")]


def _stack(page: Page, report: Report) -> None:
    layout = report.layout
    if layout and layout.function and report.verdict == "sound":
        page.wrapped("call", layout.call_text)
    label = "stack" if report.verdict != "sound" else "layout"
    words = report.stack
    if report.verdict == "sound":
        words = [word for word in words if not word.role.startswith("saved")]
    for word in words:
        colour = COLOURS[FAIL] if word.wrong else ""
        page.noted(label, _stack_line(report, word), word.comment, colour, VALUES)
        label = ""
    for problem in layout_problems(report):
        page.wrapped("", problem)
    if words:
        page.gap()


def _stack_line(report: Report, word: StackWord) -> str:
    pointer = "L ->" if word.place == 0 else ""
    value = "unreadable" if word.value is None else f"{word.value:#018x}"
    if report.layout is None:
        value = ""
    by = "" if word.written_by == "caller" else f"by {word.written_by}"
    return f"{pointer:<5}{word.place:+4d}  {value:<18}  {word.role:<9} {by:<8} "


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
    hint = f"({detail.command} --all shows the evidence of every check)"
    page.text("", (hint, "dim"))


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
    indent = INDENT + 6
    title, *rest = pieces(f"{check.title}{more}", max(page.style.width - indent, 16))
    page.text("", (f"{check.id:<3} {symbol} ", COLOURS[check.verdict]), title)
    for line in rest:
        page.text("", " " * 6, line)
    for line in dict.fromkeys(check.evidence):
        page.wrapped(" " * indent, line, indent=indent)
    if check.hint and check.verdict != PASS:
        page.wrapped(" " * indent, check.hint, indent=indent)
