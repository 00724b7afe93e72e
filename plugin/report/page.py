"""Lines for a terminal: what fits, what is cut, what colour it has.

Knows nothing of reports. Rich makes the colours, and is not needed where there are
none; whatever is put on a page is cleaned first.
"""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..target import clean

INDENT = 10
ASCII = {"✓": "ok", "✗": "NO", "–": "-", "…": "...", "≠": "#"}

Line = list[tuple[str, str]]


@dataclass(frozen=True)
class Style:
    """How a report may look; decided once, by whoever knows the terminal."""

    width: int = 80
    colour: bool = False
    unicode: bool = True


PLAIN = Style()


def utf8_locale(environment: Mapping[str, str]) -> bool:
    """Whether the user's locale can show more than ASCII."""
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    chosen = next(filter(None, (environment.get(name) for name in names)), "")
    return "UTF-8" in chosen.upper() or "UTF8" in chosen.upper()


def colourless(environment: Mapping[str, str]) -> bool:
    """Whether the user wants no colour, or the terminal knows none."""
    return "NO_COLOR" in environment or environment.get("TERM") == "dumb"


def width_of(text: str) -> int:
    """Columns that a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def pieces(text: str, room: int) -> list[str]:
    """A text in lines, as textwrap has it. That takes its time over hyphens and other
    places to break at; a trace has a thousand lines a second without any."""
    if not text.isascii() or "-" in text:
        return textwrap.wrap(text, room)
    found, text = [], text.rstrip(" ")
    while len(text) > room:
        indent = len(text) - len(text.lstrip(" "))
        end = text.rfind(" ", indent, room + 1)
        found.append(text[: end if end > 0 else room].rstrip(" "))
        text = text[len(found[-1]) :].lstrip(" ")
    return [*found, text] if text else found


class Page:
    """Lines under construction. Every line begins with a label's column."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self._lines: list[Line] = []

    def text(self, label: str, *parts: "str | tuple[str, str]") -> None:
        """One line: a label, then pieces, each plain or (text, style).

        What does not fit is cut, and a … says so.
        """
        self.row(f"{label:<{INDENT}}", *parts)

    def row(self, label: str, *parts: "str | tuple[str, str]") -> None:
        """The same with a label of its own width."""
        if not self.style.colour:
            pieces = [part if isinstance(part, str) else part[0] for part in parts]
            text = clean(self.plain("".join((label, *pieces)))).rstrip()
            self._lines.append(self._fitted([(text, "")]) if text else [])
            return
        line: Line = [(label, "bold" if label.strip() else "")]
        for part in parts:
            piece, style = part if isinstance(part, tuple) else (part, "")
            line.append((clean(self.plain(piece)), style))
        self._lines.append(self._fitted(_stripped(line)))

    def _fitted(self, line: Line) -> Line:
        """The line, cut to the page's width."""
        if sum([width_of(text) for text, _ in line]) <= self.style.width:
            return line
        more = self.plain("…")
        room = self.style.width - len(more)
        cut: Line = []
        for text, style in line:
            while width_of(text) > room:
                text = text[: min(room, len(text) - 1)]
            room -= width_of(text)
            cut.append((text, style))
        return [*cut, (more, "")]

    def wrapped(
        self, label: str, text: str, style: str = "", indent: int = INDENT
    ) -> None:
        """A paragraph whose further lines are indented below the first."""
        room = max(self.style.width - indent, 20)
        text = clean(self.plain(text))
        if len(text) <= room and text.isascii():
            self.text(label, (text, style))
            return
        for n, piece in enumerate(pieces(text, room) or [""]):
            self.text(label if n == 0 else " " * indent, (piece, style))

    def noted(self, label: str, row: str, note: str, style: str, indent: int) -> None:
        """A line with a note behind it, or below it where there is no room for that."""
        if INDENT + len(row) + width_of(note) <= self.style.width:
            self.text(label, row, (note, style))
            return
        self.text(label, row)
        self.wrapped(" " * indent, note, style, indent)

    def packed(self, pieces: Iterable[str]) -> None:
        """Pieces side by side, as many on a line as fit whole."""
        line = ""
        for piece in pieces:
            longer = f"{line}   {piece}" if line else piece
            if line and INDENT + len(longer) > self.style.width:
                self.text("", line)
                longer = piece
            line = longer
        self.text("", line)

    def headed(self, label: str, colour: str, text: str, corner: str) -> None:
        """A first line: a word in colour, a text that may go on below it, and one more
        word in the right corner."""
        room = self.style.width - INDENT - len(corner) - 2
        pieces = textwrap.wrap(clean(self.plain(text)), max(room, 20))
        first, *rest = pieces or [""]
        head = (f"{label:<{INDENT}}", colour)
        self._lines.append([head, (f"{first:<{room}}  {corner}", colour)])
        for piece in rest:
            self.text("", piece)

    def gap(self) -> None:
        if self._lines and self._lines[-1]:
            self._lines.append([])

    def plain(self, text: str) -> str:
        if self.style.unicode or text.isascii():
            return text
        for symbol, replacement in ASCII.items():
            text = text.replace(symbol, replacement)
        return text.encode("ascii", "backslashreplace").decode()

    def render(self) -> str:
        if self.style.colour:
            text = self._coloured()
        else:
            text = "\n".join("".join(text for text, _ in line) for line in self._lines)
        return text.rstrip("\n")

    def _coloured(self) -> str:
        import io

        from rich.console import Console
        from rich.text import Text

        out = io.StringIO()
        console = Console(
            file=out,
            width=self.style.width,
            force_terminal=True,
            color_system="standard",
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )
        for line in self._lines:
            console.print(Text.assemble(*line), soft_wrap=True)
        return out.getvalue()


def _stripped(line: Line) -> Line:
    """Without spaces at its end."""
    while line:
        text, style = line.pop()
        text = text.rstrip()
        if text:
            return [*line, (text, style)]
    return []
