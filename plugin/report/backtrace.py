"""`thunk-bt`: the JavaScript stack as text and as JSON."""

import json
from collections.abc import Iterator
from typing import Any, Optional

from ..arch import ANCHOR
from ..chakra.stack import JsFrame, Walk, Walker, native_name
from ..checklist import Assessment
from ..target import Memory
from .as_json import hexed, layout_dict
from .page import Page, Style
from .text import COLOURS

FORMAT, VERSION = "thunk-bt", 1


def walk(
    a: Assessment, limit: Optional[int], native: bool, shown: Optional[int] = None
) -> Walk:
    """The frames of the thread that was assessed, innermost first.

    `limit` counts JavaScript frames; `native`: those between them too; `shown`:
    arguments of each.
    """
    offsets = a.facts.offsets
    result = Walk()
    if offsets is None:
        result.ended = "the header's loads do not tell the engine's offsets"
        return result
    from ..chakra.locate import Locator

    walker = Walker(a.memory, Locator(a.memory, a.arch), offsets, shown)
    found = _frames(a, walker, native)
    scripts = 0
    for frame in found:
        result.frames.append(frame)
        scripts += frame.kind != "native"
        if limit is not None and scripts >= limit:
            result.ended = f"{limit} frames were asked for"
            return result
    result.ended = walker.why
    return result


def _frames(a: Assessment, walker: Walker, native: bool) -> Iterator[JsFrame]:
    """The call in hand first, if no frame record holds it yet; then the chain."""
    registers = a.memory.registers()
    if not a.convention.anchored:
        walker.why = ""
        yield from walker.left_over(a.facts, registers[a.arch.sp])
        return
    start = registers.get(a.arch.fp, 0)
    inside = a.found.at is not None
    fresh = a.found.back is not None and a.found.back.frame is None
    if (inside or fresh) and a.call.layout is not None:
        pc = registers[a.arch.pc]
        yield JsFrame("interpreted", pc, None, walker.layout(a.call.layout))
        state = a.facts.call.state if a.facts.call else None
        anchored = a.facts.fp_at_call is not None and state is not None
        if anchored and not _before_frame(a):
            start = a.call.layout - ANCHOR
    yield from walker.frames(start, native)


def _before_frame(a: Assessment) -> bool:
    """Whether the header has not set its frame pointer yet."""
    if a.found.at is None:
        return False
    state = a.facts.state_at(a.found.at)
    fp = a.arch.fp
    return state is not None and state.from_entry_sp(state.get(fp)) is None


def _position(frame: JsFrame) -> str:
    """The script's file and line, without its folders."""
    function = frame.layout.function if frame.layout else None
    if function is None or function.position is None:
        return ""
    return f"  {function.position.replace(chr(92), '/').rsplit('/', 1)[-1]}"


def to_json(result: Walk, memory: Memory) -> str:
    """A frame on each line: there may be very many."""
    frames = (_entry(n, frame, memory) for n, frame in enumerate(result.frames))
    lines = ",\n  ".join(map(json.dumps, frames))
    return (
        f'{{"format": "{FORMAT}", "version": {VERSION},\n "frames": [\n  {lines}\n ],'
        f'\n "ended": {json.dumps(result.ended)}}}'
    )


def _entry(number: int, frame: JsFrame, memory: Memory) -> "dict[str, Any]":
    entry: dict[str, Any] = {
        "index": number,
        "kind": frame.kind,
        "pc": hexed(frame.pc),
    }
    if frame.layout:
        entry["layout"] = layout_dict(frame.layout)
    else:
        symbol = memory.symbol_at(frame.pc)
        entry["symbol"] = symbol.at(frame.pc) if symbol else None
    return entry


def render(result: Walk, a: Assessment, style: Style) -> str:
    page = Page(style)
    width = len(str(max(len(result.frames) - 1, 0))) + 2
    for number, frame in enumerate(result.frames):
        label = f"#{number:<{width}}"
        if frame.layout is None:
            page.row(label, (native_name(a.memory, a.arch, frame.pc), "dim"))
            continue
        kind = "" if frame.kind == "interpreted" else f"  [{frame.kind}]"
        kind = f"{_position(frame)}{kind}"
        text = frame.layout.call_text
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
