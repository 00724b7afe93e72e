"""The script calls on the stack of the thread that was assessed, for `thunk-bt`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Optional

from ..chakra.layout import Layout
from ..chakra.locate import Locator
from ..chakra.stack import LEFT_OVER, JsFrame, Proved, Walk, Walker
from ..chakra.thunk import Thunk
from ..target import MASK64, Memory
from .assess import Assessment, is_asm, prove_block

UNSTORED = "its layout is not stored yet"


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

    def prover(thunk: Thunk) -> Proved:
        facts = prove_block(a.memory, thunk)
        return Proved(facts, is_asm(a.memory, facts))

    walker = Walker(a.memory, Locator(a.memory, a.arch), offsets, prover, shown)
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
    """The call in hand first, if nothing on the stack holds it yet; then the others."""
    registers = a.memory.registers()
    missing = [name for name in (a.arch.pc, a.arch.sp) if name not in registers]
    if missing:
        walker.why = f"{' and '.join(missing)} of this thread are not known"
        return
    walker.why = ""
    hand = _in_hand(a, walker)
    if hand:
        yield hand
    outside = hand is None or bool(hand.doubt)
    entry_sp = None if outside else a.call.entry_sp
    if not a.convention.anchored:
        sp = registers[a.arch.sp] if entry_sp is None else entry_sp
        yield from walker.left_over(a.facts, sp)
        return
    start, fp = registers.get(a.arch.fp, 0), a.facts.fp_at_call
    if entry_sp is not None and fp is not None and not _before_frame(a):
        start = (entry_sp + fp) & MASK64
    yield from walker.frames(start, native)


def _in_hand(a: Assessment, walker: Walker) -> Optional[JsFrame]:
    """The call whose block the thread is in, or whose interpreter has just begun."""
    back, registers = a.found.back, a.memory.registers()
    fresh = back is not None and back.frame is None
    if not a.convention.anchored and back is not None:
        # Deeper in the interpreter its return address is one of those on the stack.
        fresh = back.slot == registers[a.arch.sp]
    if a.call.layout is None or not (fresh or a.found.at is not None):
        return None
    # Of what the header has yet to store, earlier calls' words stand in memory.
    layout = walker.layout(a.call.layout, a.asm, a.words)
    pc = registers[a.arch.pc]
    if a.left_over and a.found.stub is not None:
        pc = a.thunk.behind_call(a.found.stub)
    if a.function and layout.function is None and _in_header(a):
        layout = Layout(
            layout.address, a.function.address, a.function, problems=[UNSTORED]
        )
    doubt = LEFT_OVER if a.left_over else ""
    return JsFrame("interpreted", pc, None, layout, doubt=doubt)


def _in_header(a: Assessment) -> bool:
    return a.found.at is not None and a.found.at < a.thunk.first_stub


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
