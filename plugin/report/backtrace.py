"""`thunk-bt`: the JavaScript stack as text and as JSON."""

import json
from typing import Any

from ..chakra.stack import JsFrame, Walk
from .as_json import hexed, layout_dict
from .page import Page, Style
from .text import COLOURS

FORMAT, VERSION = "thunk-bt", 1


def _position(frame: JsFrame) -> str:
    """The script's file and line, without its folders."""
    function = frame.layout.function if frame.layout else None
    if function is None or function.position is None:
        return ""
    return f"  {function.position.replace(chr(92), '/').rsplit('/', 1)[-1]}"


def to_json(result: Walk) -> str:
    """A frame on each line: there may be very many."""
    frames = (_entry(n, frame) for n, frame in enumerate(result.frames))
    lines = ",\n  ".join(map(json.dumps, frames))
    return (
        f'{{"format": "{FORMAT}", "version": {VERSION},\n "frames": [\n  {lines}\n ],'
        f'\n "ended": {json.dumps(result.ended)}}}'
    )


def _entry(number: int, frame: JsFrame) -> "dict[str, Any]":
    entry: dict[str, Any] = {
        "index": number,
        "kind": frame.kind,
        "pc": hexed(frame.pc),
    }
    if frame.layout:
        entry["doubt"] = frame.doubt or None
        entry["layout"] = layout_dict(frame.layout)
    else:
        entry["symbol"] = frame.symbol
    return entry


def render(result: Walk, style: Style) -> str:
    page = Page(style)
    width = len(str(max(len(result.frames) - 1, 0))) + 2
    for number, frame in enumerate(result.frames):
        label = f"#{number:<{width}}"
        if frame.layout is None:
            name = frame.symbol or f"{frame.pc:#x} (no symbol)"
            page.row(label, (name, "dim"))
            continue
        kind = "" if frame.kind == "interpreted" else f"  [{frame.kind}]"
        kind = f"{_position(frame)}{kind}"
        if frame.doubt:
            kind += f"  {frame.doubt}"
        text = frame.layout.call_text
        if frame.layout.call_info is None and frame.layout.function:
            # asm.js, or a layout that is not stored yet.
            text = f"{text[:-2]}(…)"
        room = style.width - len(label) - len(f"  {frame.layout.address:#x}{kind}")
        if len(text) > room:
            text = text[: room - 1] + "…"
        page.row(label, f"{text}  ", (f"{frame.layout.address:#x}{kind}", "dim"))
        for problem in frame.problems:
            page.row(" " * len(label), (problem, COLOURS["fail"]))
    if not result.frames:
        page.row("", "no script frames on this thread")
    page.row(" " * (width + 1), (f"({result.ended})", "dim"))
    return page.render()
