"""The geometry of the stack picture: words and pointers in, boxes and arrows out.

Lower addresses are above. Every word is a box; registers point at it from the left;
what there is to say of it stands on its right, or inside it where there is no room.
Every piece of text is given its length, so that it fits whatever font a browser has.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from ...arch import WORD
from ...target import clean
from ..model import Pointer, Report, StackWord


class Measure(NamedTuple):
    """The room that there is. Lengths are pixels, columns are of the fixed font."""

    width: int
    gutter: int
    """Where the boxes begin; labels and arrows stand before."""
    box: int
    """Width of a box."""
    font: float
    beside: bool
    """Whether notes stand on the right of a box, rather than in it."""

    @property
    def column(self) -> float:
        return self.font * 0.6

    @property
    def line(self) -> float:
        return self.font * 1.5

    @property
    def notes(self) -> int:
        """Width of the notes, with what lies free before and behind them."""
        return self.width - self.gutter - self.box if self.beside else self.box

    def columns(self, width: float) -> int:
        return int((width - 2 * PAD) / self.column)


WIDE = Measure(width=900, gutter=140, box=316, font=13, beside=True)
NARROW = Measure(width=344, gutter=92, box=252, font=11.5, beside=False)
PAD, GAP, ARROW, EDGE = 10, 6, 18, 26
"""Inside a box, between boxes, an arrow's length, and above and below it all."""


@dataclass(frozen=True)
class Text:
    x: float
    y: float
    """Of the baseline."""
    text: str
    kind: str
    length: float
    end: bool = False
    """Whether x is where it ends."""


@dataclass
class Box:
    place: int
    x: float
    y: float
    width: float
    height: float
    kind: str
    """`read` by the interpreter, kept by the `frame`, or a `gap`; and `wrong`."""
    title: str
    texts: list[Text] = field(default_factory=list)


@dataclass(frozen=True)
class Arrow:
    register: str
    place: int
    kind: str
    """`points`, `astray`, or `should` for where it should point."""
    start: float
    end: float
    y: float
    label: Text

    @property
    def left(self) -> float:
        """Where its label begins."""
        return self.label.x - self.label.length


class Shift(NamedTuple):
    """From where a register points to where it should: a line around the labels."""

    x: float
    start: tuple[float, float]
    end: tuple[float, float]


@dataclass
class Picture:
    width: float
    height: float
    boxes: list[Box]
    arrows: list[Arrow]
    texts: list[Text]
    shifts: list[Shift] = field(default_factory=list)


class Target(NamedTuple):
    """An arrow before its place is known."""

    register: str
    place: int
    kind: str


class Row(NamedTuple):
    """A word, or bytes between words that are not shown."""

    place: int
    size: int
    word: Optional[StackWord]


def picture_of(report: Report, measure: Measure) -> Optional[Picture]:
    """The picture in that room; None where nothing is known of the stack."""
    if not report.stack:
        return None
    targets = _targets(report.pointers)
    picture = Picture(measure.width, 0, [], [], [])
    y = float(EDGE)
    _edge(picture, measure, "lower addresses", y - GAP - 4)
    for row in _rows(report.stack, [target.place for target in targets]):
        pointing = [target for target in targets if target.place == row.place]
        box = _box(row, y, len(pointing), measure, picture.texts)
        picture.boxes.append(box)
        picture.arrows += _arrows(pointing, box, measure)
        y += box.height + GAP
    picture.shifts = _shifts(picture.arrows)
    _edge(picture, measure, "higher addresses", y + measure.font)
    picture.height = y + EDGE
    return picture


def _targets(pointers: Sequence[Pointer]) -> list[Target]:
    found: list[Target] = []
    for pointer in pointers:
        if pointer.place is not None:
            kind = "points" if pointer.should is None else "astray"
            found.append(Target(pointer.register, pointer.place, kind))
        if pointer.should is not None:
            found.append(Target(pointer.register, pointer.should, "should"))
    return found


def _rows(words: Sequence[StackWord], targets: Sequence[int]) -> list[Row]:
    """Words by address, with what lies between them; each target begins a row."""
    ends = {word.place for word in words} | set(targets)
    by_place = {word.place: word for word in words}
    rows: list[Row] = []
    places = sorted(ends)
    for place, following in zip(places, [*places[1:], places[-1] + WORD]):
        word = by_place.get(place)
        end = place + WORD if word else place
        if word:
            rows.append(Row(place, WORD, word))
        if following > end:
            rows.append(Row(end, following - end, None))
    return rows


def _edge(picture: Picture, measure: Measure, text: str, y: float) -> None:
    picture.texts.append(_text(measure, measure.gutter, y, text, "edge", 40))


def _box(
    row: Row, y: float, pointing: int, measure: Measure, outside: list[Text]
) -> Box:
    word = row.word
    notes = _notes(word, measure) if word else []
    inside = 2 if word else 1
    beside = len(notes) if measure.beside else 0
    inside += 0 if measure.beside else len(notes)
    lines = max(inside, beside, pointing)
    height = lines * measure.line + PAD
    kind = _kind(word)
    title = _title(row)
    box = Box(row.place, measure.gutter, y, measure.box, height, kind, title)
    _fill(box, row, measure)
    if measure.beside:
        x = measure.gutter + measure.box + PAD
        first = y + (height - beside * measure.line) / 2
        outside += _column(measure, x, first, notes)
    else:
        first = y + PAD / 2 + 2 * measure.line
        box.texts += _column(measure, box.x + PAD, first, notes)
    return box


def _kind(word: Optional[StackWord]) -> str:
    if word is None:
        return "gap"
    kind = "frame" if word.role.startswith("saved") else "read"
    return f"{kind} wrong" if word.wrong else kind


def _title(row: Row) -> str:
    word = row.word
    if word is None:
        return f"{row.size} bytes from {row.place:+d} on"
    mark = "wrong: " if word.wrong else ""
    return f"{word.place:+d} {word.role}: {mark}{word.comment or word.holds}"


def _fill(box: Box, row: Row, measure: Measure) -> None:
    """Place and role, address, value and writer."""
    left, right = box.x + PAD, box.x + box.width - PAD
    y = box.y + PAD / 2 + measure.font
    if row.word is None:
        size = f"{row.place:+d}  {row.size} bytes not shown"
        box.texts.append(_text(measure, left, y, size, "dim", 34))
        return
    word = row.word
    place = f"{word.place:+d}"
    after = left + (len(place) + 1) * measure.column
    room = measure.columns(box.width) - len(place) - 1
    box.texts.append(_text(measure, left, y, place, "dim", 6))
    role = clean(word.role)
    if word.address is not None:
        at = f"{word.address:#x}"
        room -= len(at) + 1
        box.texts.append(_text(measure, right, y, at, "dim", 18, end=True))
    box.texts.append(_text(measure, after, y, role, "role", room))
    y += measure.line
    by = "" if word.written_by == "caller" else f"by {word.written_by}"
    kind = "value old" if word.pending else "value"
    value = "" if word.address is None else "unreadable"
    value = value if word.value is None else f"{word.value:#018x}"
    for text in (
        _text(measure, left, y, value, kind, 18),
        _text(measure, right, y, by or "by the caller", "dim", 13, end=True),
    ):
        box.texts += [text] if text.text else []


def _notes(word: StackWord, measure: Measure) -> list[tuple[str, str]]:
    """What there is to say of a word, in lines that fit, each with its kind."""
    columns = measure.columns(measure.notes)
    lines: list[tuple[str, str]] = []
    for text, kind in _said(word):
        for piece in textwrap.wrap(clean(text), columns, max_lines=2, placeholder="…"):
            lines.append((piece, kind))
    return lines


def _said(word: StackWord) -> list[tuple[str, str]]:
    said: list[tuple[str, str]] = []
    if word.wrong:
        said.append((f"✗ {word.comment or 'wrong'}", "no"))
        if word.holds:
            holds = "will hold" if word.pending else "holds"
            said.append((f"{holds} {word.holds}", "note"))
    elif word.pending:
        said.append((": ".join(filter(None, (word.comment, word.holds))), "note"))
    else:
        said.append((word.comment or word.holds, "note"))
    return [(text, kind) for text, kind in said if text]


def _column(
    measure: Measure, x: float, y: float, lines: list[tuple[str, str]]
) -> list[Text]:
    columns = measure.columns(measure.notes)
    return [
        _text(measure, x, y + n * measure.line + measure.font, text, kind, columns)
        for n, (text, kind) in enumerate(lines)
    ]


def _arrows(targets: Sequence[Target], box: Box, measure: Measure) -> list[Arrow]:
    """One below the other, all ending at the left edge of the box."""
    found: list[Arrow] = []
    top = box.y + (box.height - len(targets) * measure.line) / 2
    for n, (register, place, kind) in enumerate(targets):
        middle = top + (n + 0.5) * measure.line
        start = measure.gutter - ARROW
        words = {"points": "", "astray": " ✗", "should": " should"}[kind]
        label = _text(
            measure,
            start - 4,
            middle + measure.font * 0.35,
            f"{register}{words}",
            kind,
            int((start - 4) / measure.column),
            end=True,
        )
        found.append(Arrow(register, place, kind, start, box.x - 1, middle, label))
    return found


def _shifts(arrows: Sequence[Arrow]) -> list[Shift]:
    """For every register that is astray, where there is room on the left."""
    found: list[Shift] = []
    for wrong in arrows:
        for right in arrows:
            if (wrong.kind, right.kind) != ("astray", "should"):
                continue
            x = min(wrong.left, right.left) - 2 * GAP
            if wrong.register == right.register and x > 0:
                start, end = (wrong.left - GAP, wrong.y), (right.left - GAP, right.y)
                found.append(Shift(x, start, end))
    return found


def _text(
    measure: Measure,
    x: float,
    y: float,
    text: str,
    kind: str,
    columns: int,
    end: bool = False,
) -> Text:
    """Text cut to so many columns, with the length that these have."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) > columns:
        text = set_cell_size(text, columns - 1).rstrip() + "…"
    return Text(x, y, text, kind, round(cell_len(text) * measure.column, 1), end)
