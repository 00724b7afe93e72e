"""docs/images/*.svg: what gdb shows of real calls, drawn by Rich's own exporter.

    .venv/bin/python tools/screenshots.py

Drives gdb as the tests do; nothing is drawn by hand. The pictures load nothing: Rich's
template names fonts on the network, and those lines are left out.
"""

import re
import sys
import tempfile
from io import StringIO
from pathlib import Path
from typing import List, NamedTuple, Tuple

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from programs import SessionError  # noqa: E402
from sessions import INTERPRETER, Session  # noqa: E402

IMAGES = ROOT / "docs" / "images"
WIDTH = 80
TEMPLATE = re.sub(r"@font-face\s*{{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
THEME = TerminalTheme(
    (24, 26, 31),
    (214, 217, 224),
    [
        (72, 76, 86),
        (240, 113, 120),
        (126, 200, 128),
        (229, 192, 103),
        (110, 170, 240),
        (200, 150, 230),
        (95, 200, 205),
        (214, 217, 224),
    ],
)


class Picture(NamedTuple):
    """One picture: a program, where it is stopped, and what is typed there."""

    name: str
    title: str
    program: Tuple[str, ...]
    stop: str
    """The function that it is stopped in."""
    command: str


PICTURES = (
    Picture(
        "broken",
        "a call that hangs, on arm64",
        ("caller-stack", "no-fplr", "3"),
        INTERPRETER,
        "thunk-inspect",
    ),
    Picture(
        "sound",
        "a sound call on arm64",
        ("homing", "none", "3"),
        INTERPRETER,
        "thunk-inspect",
    ),
    Picture(
        "trace",
        "a trace, and a caller that stores nothing",
        ("caller-stack", "regs-only", "3", "--functions", "1", "--calls", "2"),
        "main",
        "thunk-trace --count 1",
    ),
)


def answer(picture: Picture, folder: Path) -> str:
    """What gdb prints, with its colours."""
    session = Session("gdb", folder)
    try:
        session.load(*picture.program, arch="aarch64", stop=picture.stop)
        session.run("thunk-settings colour on")
        said = session.run(picture.command)
        if said.error:
            raise SessionError(said.error.strip())
        return said.output
    finally:
        session.close()


def draw(picture: Picture, output: str) -> str:
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    lines: List[Text] = [Text(f"(gdb) {picture.command}", "bold")]
    lines += [Text.from_ansi(line) for line in output.rstrip().splitlines()]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)
    return console.export_svg(
        title=picture.title,
        theme=THEME,
        code_format=TEMPLATE,
        unique_id=f"thunk-{picture.name}",
    )


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    try:
        for picture in PICTURES:
            with tempfile.TemporaryDirectory() as folder:
                drawn = draw(picture, answer(picture, Path(folder)))
            (IMAGES / f"{picture.name}.svg").write_text(drawn)
            print(IMAGES / f"{picture.name}.svg")
    except (AssertionError, SessionError) as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
