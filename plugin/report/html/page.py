"""What the template of the HTML report shows, made from a Report.

Groups and labels what the Report has, in the words of the terminal's report. Nothing is
judged here, and no markup is made here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ...checklist.model import FAIL, PASS, UNKNOWN, Check, Diagnosis
from ...trace.model import Trace
from ..model import CodeLine, Report, StackWord
from ..words import (
    MACHINES,
    PROVED,
    SECTIONS,
    SYMBOLS,
    headline,
    layout_problems,
    lost_calls,
    meaning,
    mend_label,
    stopped_inside,
)
from .picture import NARROW, WIDE, Picture, picture_of

VERDICT_SYMBOLS = {"sound": SYMBOLS[PASS], "broken": SYMBOLS[FAIL]}
STATE_SYMBOLS = {"present": SYMBOLS[FAIL], "absent": SYMBOLS[PASS]}


@dataclass(frozen=True)
class Item:
    """A claim, or an item of the checklist."""

    id: str
    symbol: str
    verdict: str
    title: str
    evidence: Sequence[str]
    hint: str
    open: bool


@dataclass(frozen=True)
class Section:
    """One letter of the checklist."""

    letter: str
    title: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Issue:
    """One of the six diagnoses."""

    id: int
    symbol: str
    state: str
    title: str
    because: Sequence[str]
    cause: str
    mend_label: str
    steps: Sequence[str]
    proved: str


@dataclass(frozen=True)
class Line:
    """An instruction."""

    offset: str
    code: str
    text: str
    note: str
    blamed: bool
    here: bool


@dataclass(frozen=True)
class Part:
    """Instructions of the header, of the stub, or of the epilogue."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Register:
    name: str
    value: str
    meaning: str
    shown: bool
    """Whether it stands in the report's head."""


@dataclass(frozen=True)
class Word:
    """A word of the stack, for the table beside the picture."""

    place: str
    address: str
    value: str
    role: str
    by: str
    holds: str
    comment: str
    wrong: bool


@dataclass
class Page:
    verdict: str
    symbol: str
    reason: str
    target: str
    issues: Sequence[Issue]
    """All six; the present ones stand in the head too."""
    undecided: Sequence[Item]
    """Claims that stand between this thunk and a verdict."""
    failing: Sequence[Item]
    facts: Sequence[tuple[str, str]]
    call: str
    pictures: Sequence[tuple[str, Picture]]
    words: Sequence[Word]
    layout_problems: Sequence[str]
    code: Sequence[Part]
    registers: Sequence[Register]
    claims: Sequence[Item]
    sections: Sequence[Section]
    problems: Sequence[str]
    trace: Optional[Trace]
    tally: str = ""
    """What the trace counted, in a sentence."""
    counts: Sequence[tuple[str, int]] = field(default_factory=tuple)


def page_of(report: Report) -> Page:
    claims = [_item(check) for check in report.claims]
    layout = report.layout
    known = bool(layout and layout.function and not layout_problems(report))
    return Page(
        verdict=report.verdict,
        symbol=VERDICT_SYMBOLS.get(report.verdict, SYMBOLS[UNKNOWN]),
        reason=headline(report),
        target=_target(report),
        issues=[_issue(issue) for issue in report.issues],
        undecided=[
            item
            for item in claims
            if report.verdict == "undecided" and item.verdict == UNKNOWN
        ],
        failing=[item for item in claims if item.verdict == FAIL],
        facts=_facts(report),
        call=layout.call_text if layout and known else "",
        pictures=_pictures(report),
        words=[_word(word) for word in sorted(report.stack, key=lambda w: w.place)],
        layout_problems=layout_problems(report),
        code=_code(report),
        registers=_registers(report),
        claims=claims,
        sections=_sections(report.checklist),
        problems=report.problems,
        trace=report.trace,
        tally=_tally(report.trace) if report.trace else "",
        counts=list(report.trace.counts.items()) if report.trace else (),
    )


def _target(report: Report) -> str:
    machine = MACHINES.get(report.arch, report.arch)
    where = "" if report.pc is None else f", pc {report.pc:#x}"
    source = "a snapshot" if report.source == "snapshot" else report.source
    return f"{machine}, {report.os}, from {source}{where}"


def _item(check: Check) -> Item:
    hint = check.hint if check.verdict != PASS else ""
    return Item(
        id=check.id,
        symbol=SYMBOLS[check.verdict],
        verdict=check.verdict,
        title=check.title,
        evidence=list(dict.fromkeys(check.evidence)),
        hint=hint,
        open=check.verdict == FAIL,
    )


def _issue(issue: Diagnosis) -> Issue:
    mend = issue.mend
    return Issue(
        id=issue.id,
        symbol=STATE_SYMBOLS.get(issue.state, SYMBOLS[UNKNOWN]),
        state=issue.state,
        title=issue.title,
        because=issue.because,
        cause=issue.cause,
        mend_label=mend_label(mend) if mend else "",
        steps=mend.steps if mend else (),
        proved=PROVED if mend and mend.proved else "",
    )


def _facts(report: Report) -> list[tuple[str, str]]:
    """The block in the words of the terminal's report."""
    thunk = report.thunk
    if thunk is None:
        return []
    size = f"{thunk.block_size // 1024} KiB"
    facts = [
        ("block", f"{thunk.block:#x}, {size}, {thunk.stub_count} stubs, {thunk.style}"),
        ("found by", thunk.found_by),
    ]
    for name in report.shown:
        value = report.registers[name]
        facts.append((name, f"{value:#x}{meaning(report, name, value)}"))
    if thunk.interpreter is not None:
        name = thunk.interpreter_name or "no symbol"
        facts.append(("calls", f"{thunk.interpreter:#x} {name}"))
    return facts


def _pictures(report: Report) -> list[tuple[str, Picture]]:
    """The same twice: the page shows the one that there is room for."""
    made = [("wide", WIDE), ("narrow", NARROW)]
    pictures = [(name, picture_of(report, measure)) for name, measure in made]
    return [(name, picture) for name, picture in pictures if picture]


def _word(word: StackWord) -> Word:
    value = "unreadable" if word.value is None else f"{word.value:#018x}"
    return Word(
        place=f"{word.place:+d}",
        address="" if word.address is None else f"{word.address:#x}",
        value="" if word.address is None else value,
        role=word.role,
        by=word.written_by,
        holds=word.holds,
        comment=word.comment,
        wrong=word.wrong,
    )


def _code(report: Report) -> list[Part]:
    """Instructions in their order; each run within one part of the block together."""
    parts: list[tuple[str, list[Line]]] = []
    for line in report.code:
        title = _part_of(report, line)
        if not parts or parts[-1][0] != title:
            parts.append((title, []))
        parts[-1][1].append(_line(report, line))
    return [Part(title, lines) for title, lines in parts]


def _part_of(report: Report, line: CodeLine) -> str:
    thunk = report.thunk
    if thunk is None or line.offset < thunk.header_size:
        return "header"
    if line.offset >= thunk.epilogue - thunk.block:
        return "epilogue"
    return "a stub; all are alike"


def _line(report: Report, line: CodeLine) -> Line:
    block = report.thunk.block if report.thunk else 0
    return Line(
        offset=f"+{line.offset:03x}",
        code=line.code,
        text=" ".join(line.text.split()),
        note=line.note,
        blamed=line.blamed,
        here=stopped_inside(report) and report.pc == block + line.offset,
    )


def _registers(report: Report) -> list[Register]:
    return [
        Register(
            name=name,
            value=f"{value:#x}",
            meaning=meaning(report, name, value).strip() if report.thunk else "",
            shown=name in report.shown,
        )
        for name, value in report.registers.items()
    ]


def _sections(checks: Iterable[Check]) -> list[Section]:
    by_letter: dict[str, list[Item]] = {}
    for check in checks:
        by_letter.setdefault(check.id[0], []).append(_item(check))
    return [
        Section(letter, SECTIONS.get(letter, ""), items)
        for letter, items in by_letter.items()
    ]


def _tally(trace: Trace) -> str:
    calls = "1 call" if trace.calls == 1 else f"{trace.calls} calls"
    wrong = f"{trace.failures or 'none'} with a problem"
    return ", ".join(filter(None, (calls, wrong, lost_calls(trace))))
