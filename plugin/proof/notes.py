"""One short note per instruction: what it does to the frame and the layout."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Optional

from ..arch import ANCHOR
from .chain import chain
from .facts import Facts
from .path import Step
from .state import State
from .values import Const, Entry, Load, Value, always

CHAIN = ("function -> functionInfo", "functionInfo -> body", "body -> stub")


@lru_cache(maxsize=64)
def notes(facts: Facts) -> Mapping[int, str]:
    """Notes by offset in the block, for every instruction of the main path."""
    steps = facts.main.steps
    after = [step.before for step in steps[1:]] + [facts.main.state]
    return {
        step.at: _note(facts, step, state)
        for step, state in zip(steps, after)
        if state is not None
    }


def _note(facts: Facts, step: Step, after: State) -> str:
    dispatch, call = facts.main.dispatch, facts.call
    if dispatch and step.at == dispatch.at:
        return "to the function's stub"
    if call and step.at == call.at:
        return "calls the interpreter"
    if step.insn.mnemonic == "ret":
        return "back to the caller"
    guards = [g for path in facts.paths for g in path.guards if g.at == step.at]
    if guards:
        return "range check"
    stored = _stored(facts, step, after)
    if stored:
        return stored
    changed = [
        name for name in after.registers if step.before.get(name) != after.get(name)
    ]
    texts = [_register_note(facts, name, after.get(name), step) for name in changed]
    return next(filter(None, texts), "")


def _stored(facts: Facts, step: Step, after: State) -> str:
    """Names of the words that an instruction stored, as the layout has them."""
    words: list[str] = []
    for offset in sorted(after.stack):
        cell = after.stack[offset]
        if cell.writer != step.at or cell.part or step.before.stack.get(offset) == cell:
            continue
        words.append(_word_name(facts, offset, cell.value))
    if not words:
        return ""
    frame = {facts.thunk.arch.fp, facts.thunk.arch.lr}
    if all(word in frame for word in words):
        return f"{', '.join(words)} saved"
    return ", ".join(words)


def _word_name(facts: Facts, offset: int, value: Value) -> str:
    arguments = facts.convention.arguments
    if not isinstance(value, Entry):
        return f"to {place_in_layout(facts, offset)}"
    if value.register not in arguments:
        return value.register
    index = arguments.index(value.register)
    name = ("function", "callInfo")[index] if index < 2 else f"args[{index - 2}]"
    return f"{name} {place_in_layout(facts, offset)}"


def place_in_layout(facts: Facts, offset: int) -> str:
    """A place on the stack (from entry SP) as the interpreter will see it."""
    layout = facts.layout_from_entry
    if layout is None:
        return f"entry sp{offset:+d}"
    return f"L{offset - layout:+d}"


def _register_note(facts: Facts, name: str, value: Value, step: Step) -> str:
    arch, convention = facts.thunk.arch, facts.convention
    path = chain(value, convention.arguments[0]) if isinstance(value, Load) else None
    if path and len(path) <= len(CHAIN):
        return CHAIN[len(path) - 1]
    layout = facts.layout_value
    if name == convention.arguments[0] and layout is not None and value == layout:
        distance = facts.layout_offset
        return f"layout = {arch.sp}{distance:+d}" if distance is not None else ""
    if name == arch.fp and facts.call:
        return _frame_pointer_note(facts, value)
    if isinstance(value, Const) and value.value == facts.interpreter:
        return "interpreter's address"
    if name == arch.sp:
        moved = _moved(step, value, arch.sp)
        return f"frame of {-moved} bytes" if moved and moved < 0 else ""
    return ""


def _moved(step: Step, value: Value, sp: str) -> Optional[int]:
    before, after = step.before.sp, step.before.from_entry_sp(value)
    return None if before is None or after is None else after - before


def _frame_pointer_note(facts: Facts, value: Value) -> str:
    fp, layout = facts.fp_at_call, facts.layout_from_entry
    call = facts.call
    if call is None or always(call.state.get(facts.thunk.arch.fp), value) is not True:
        return ""
    if fp is not None and layout is not None and fp + ANCHOR == layout:
        return "fp anchors the layout"
    return "frame pointer"
