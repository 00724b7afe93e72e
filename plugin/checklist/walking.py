"""The script calls on the stack of the thread that was assessed, for `thunk-bt`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Optional

from ..arch import ANCHOR
from ..chakra.locate import Locator
from ..chakra.stack import JsFrame, Walk, Walker
from ..target import Memory
from .assess import Assessment


def walk_calls(
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
    walker = Walker(a.memory, Locator(a.memory, a.arch), offsets, shown)
    found = _frames(a, walker, native)
    scripts = 0
    for frame in found:
        result.frames.append(_named(a.memory, frame))
        scripts += frame.kind != "native"
        if limit is not None and scripts >= limit:
            result.ended = f"{limit} frames were asked for"
            return result
    result.ended = walker.why
    return result


def _frames(a: Assessment, walker: Walker, native: bool) -> Iterator[JsFrame]:
    """The call in hand first, if no frame record holds it yet; then the chain."""
    registers = a.memory.registers()
    missing = [name for name in (a.arch.pc, a.arch.sp) if name not in registers]
    if missing:
        walker.why = f"{' and '.join(missing)} of this thread are not known"
        return
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


def _named(memory: Memory, frame: JsFrame) -> JsFrame:
    """A native frame with its symbol, if it has one."""
    symbol = memory.symbol_at(frame.pc) if frame.layout is None else None
    return replace(frame, symbol=symbol.at(frame.pc)) if symbol else frame
