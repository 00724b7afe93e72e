"""The table as text, as Markdown and as JSON. Nothing is measured here."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

from .figures import Measured
from .rows import Row

COLUMNS = ("what", "floor", "ours", "ratio", "figure", "target", "gef", "pwndbg", "")
WIDTHS = (31, 9, 9, 8, 10, 10, 5, 6, 4)
"""With a blank between them, 100 columns and no more."""
SHORT = {"packets": "", "reads": "", "hits/s": "/s"}
MET, MISSED, FAILED = "ok", "MISS", "FAIL"


class Result(NamedTuple):
    """A row and what it came to; `error` when it could not be measured."""

    row: Row
    measured: Optional[Measured]
    error: str = ""
    slowness: float = 1.0
    """Of this machine, in terms of the one for which the targets were set."""

    @property
    def met(self) -> bool:
        measured = self.measured
        return measured is not None and self.row.met(measured, self.slowness)

    @property
    def limit(self) -> float:
        return self.row.limit_here(self.slowness)


def cells(result: Result) -> "list[str]":
    row, measured = result.row, result.measured
    if measured is None:
        return [row.title, "", "", "", "", target(row, result.limit), "", "", FAILED]
    unit = short(measured.unit)
    return [
        row.title,
        number(measured.floor) + unit if measured.floor else "–",
        number(measured.ours) + unit,
        f"{number(measured.ratio)} ×" if measured.ratio is not None else "–",
        number(measured.figure) + short(row.unit),
        target(row, result.limit),
        *(other(measured, name) for name in ("gef", "pwndbg")),
        MET if result.met else MISSED,
    ]


def number(value: float) -> str:
    """Three digits that say something."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def target(row: Row, limit: float) -> str:
    return f"{'≥' if row.more else '≤'} {number(limit)}{short(row.unit)}"


def short(unit: str) -> str:
    return SHORT.get(unit, f" {unit}")


def other(measured: Measured, name: str) -> str:
    value = measured.others.get(name)
    return "–" if value is None else number(value)


def line(texts: Sequence[str]) -> str:
    """The first and the last column to the left, figures to the right."""
    first, *figures = (
        f"{text:<{width}}" if place in (0, 8) else f"{text:>{width}}"
        for place, (text, width) in enumerate(zip(texts, WIDTHS))
    )
    return " ".join((first, *figures)).rstrip()


def as_text(results: Sequence[Result]) -> str:
    lines = [line(COLUMNS), *(line(cells(result)) for result in results), ""]
    missed = [result for result in results if not result.met]
    if not missed:
        return "\n".join([*lines, "every row meets its target"])
    return "\n".join([*lines, *map(why, missed)])


def why(result: Result) -> str:
    """One line for a row that misses its target."""
    row, measured = result.row, result.measured
    if measured is None:
        return f"{row.name}: not measured: {result.error}"
    if measured.failure:
        return f"{row.name}: {measured.failure}"
    text = f"{number(measured.figure)} {row.unit}"
    return f"{row.name}: {text}, target {target(row, result.limit)}"


def as_markdown(results: Sequence[Result]) -> str:
    rows = [COLUMNS, tuple("---" for _ in COLUMNS), *map(cells, results)]
    return "\n".join("| " + " | ".join(texts) + " |" for texts in rows)


def as_json(results: Sequence[Result]) -> str:
    return json.dumps({"rows": [entry(result) for result in results]}, indent=2)


def entry(result: Result) -> "dict[str, Any]":
    row, measured = result.row, result.measured
    found: dict[str, Any] = {
        "row": row.name,
        "title": row.title,
        "target": {"at least" if row.more else "at most": row.limit, "unit": row.unit},
        "met": result.met,
        "error": result.error or None,
    }
    if measured:
        found.update(
            figure=measured.figure,
            limit=result.limit,
            ours=measured.ours,
            floor=measured.floor,
            unit=measured.unit,
            ratio=measured.ratio,
            others=measured.others,
            details=measured.details,
            failure=measured.failure or None,
        )
    return found
