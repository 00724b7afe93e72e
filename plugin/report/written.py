"""The documents that a command line asks for: which there are, and writing them."""

import argparse
import sys
from typing import Callable

from .as_json import to_json
from .files import write_text
from .model import Report

STDOUT = "-"
"""In place of a file: the document goes to standard output, alone."""
OTHERS = (
    ("junit", "JUnit XML"),
    ("markdown", "Markdown"),
    ("html", "one HTML file"),
)


def add_options(parser: argparse.ArgumentParser, json: bool = True) -> None:
    """`json`: whether --json takes a file here too."""
    for name, what in (("json", "JSON"), *OTHERS):
        if json or name != "json":
            parser.add_argument(
                f"--{name}",
                metavar="FILE",
                help=f"write the report as {what}; - prints it in place of the text",
            )


def write_files(report: Report, options: argparse.Namespace) -> None:
    """Each document where it was asked for. ThunkError when one cannot be written."""
    for name, render in _RENDERERS.items():
        path = getattr(options, name, None)
        if not isinstance(path, str):
            continue
        if path == STDOUT:
            _print(render(report).rstrip("\n") + "\n")
        else:
            write_text(path, render(report).rstrip("\n") + "\n")


def _print(document: str) -> None:
    """As UTF-8, which the documents say that they are, whatever the terminal's."""
    raw = getattr(sys.stdout, "buffer", None)
    if raw is None:
        sys.stdout.write(document)
        return
    sys.stdout.flush()
    raw.write(document.encode("utf-8", "backslashreplace"))
    raw.flush()


def to_stdout(options: argparse.Namespace) -> bool:
    """Whether a document takes the place of the text."""
    return any(getattr(options, name, None) == STDOUT for name in _RENDERERS)


def _html(report: Report) -> str:
    from . import html

    return html.render(report)


def _junit(report: Report) -> str:
    from . import junit

    return junit.render(report)


def _markdown(report: Report) -> str:
    from . import markdown

    return markdown.render(report)


_RENDERERS: dict[str, Callable[[Report], str]] = {
    "json": to_json,
    "junit": _junit,
    "markdown": _markdown,
    "html": _html,
}
