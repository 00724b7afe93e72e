"""A Report as one HTML file that needs no network and runs no script.

`page` turns a Report into what the template shows, `picture` makes the geometry of the
stack; `page.html`, its parts and `style.css` are all there is to see. Everything that
the template prints is cleaned and escaped on its way out, so that no name of the target
speaks to the browser; the content security policy holds whatever else may come.
"""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ... import dependencies
from ...target import clean
from ..model import Report

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).resolve().parent


def render(report: Report) -> str:
    """The whole file. ThunkError with one line where Jinja is not to be had."""
    dependencies.ready(dependencies.FOR_HTML)
    from markupsafe import Markup

    from .page import page_of

    # Newlines as a browser has them when it takes the style's hash.
    style = (FOLDER / "style.css").read_text(encoding="utf-8").replace("\r\n", "\n")
    digest = hashlib.sha256(style.encode()).digest()
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page_of(report),
            style=Markup(style),
            style_hash=base64.b64encode(digest).decode(),
        )
    )


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    return environment


def _harmless(value: object) -> object:
    """What a template prints: text from anywhere, or markup that was made here."""
    from markupsafe import Markup

    if isinstance(value, str) and not isinstance(value, Markup):
        return clean(value)
    return value


def _coded(text: str) -> str:
    """Text with its `quoted` parts as code."""
    from markupsafe import Markup, escape

    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return Markup(escape(clean(text)))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part)
        for n, part in enumerate(parts)
    )
