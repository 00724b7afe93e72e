"""The call in hand: which stub, which layout, who was called, and what was passed.

Nothing is taken from a place where a wrong guess would look right, or that has been
given up: what the proof says lasts is read, and nothing else.
"""

from dataclasses import dataclass
from typing import Optional

from ..arch import WORD
from ..proof import Facts
from ..proof.cells import BELOW_SP
from ..proof.path import Path
from ..proof.state import State
from ..proof.values import Behind, Const, Entry
from ..target import MASK64, Memory, ThunkError
from .entry import at_calls, entry_sp_of
from .locate import Found
from .thunk import Thunk

LAYOUT_WORDS = 10
"""Function, callInfo and as many args as a header may have to do with."""


@dataclass(frozen=True)
class CallInHand:
    """What is known of the call; None where it is not."""

    stub: Optional[int]
    entry_sp: Optional[int]
    how: str
    """How entry SP is known, or why it is not."""
    layout: Optional[int]
    """Where the layout pointer points, or will point."""
    passed_function: Optional[int]
    """The function object as the caller passed it, from where it still stands."""
    passed_call_info: Optional[int]
    given_up: bool
    """Whether the layout lies below SP by now, so that a wrong word says nothing."""
    stored: bool
    """Whether the layout's words are known to have been stored by now."""


def call_in_hand(memory: Memory, found: Found, facts: Facts) -> CallInHand:
    """Work out the call from the place where the thread is stopped."""
    lost = _lost_in_a_loop(found, facts)
    entry_sp, how = (None, lost) if lost else entry_sp_of(memory, found, facts)
    state = _state(found, facts)
    function, call_info = (
        None if lost else passed_in(register, memory, found, facts, entry_sp)
        for register in facts.convention.arguments[:2]
    )
    layout, given_up = _layout(facts, state, entry_sp, found.stub)
    stub = found.stub
    if stub is None and state is not None:
        stub = _stub_by_state(memory, facts, state)
    return CallInHand(
        stub=stub,
        entry_sp=entry_sp,
        how=how,
        layout=layout,
        passed_function=function,
        passed_call_info=call_info,
        given_up=given_up,
        stored=_stored(found, facts),
    )


def _stored(found: Found, facts: Facts) -> bool:
    """The caller stores before the call; the header does until it dispatches."""
    if facts.convention.caller_stores is not None and not _stores_more(facts):
        return True
    if found.at is None:
        return found.back is not None
    dispatch = facts.main.dispatch
    return dispatch is not None and found.at >= dispatch.at


def _stores_more(facts: Facts) -> bool:
    """Whether the header writes words of a layout that is the caller's."""
    layout = facts.layout_from_entry
    if facts.call is None or layout is None:
        return False
    words = (layout + WORD * n for n in range(LAYOUT_WORDS))
    return any(facts.call.state.writer(word) is not None for word in words)


def _lost_in_a_loop(found: Found, facts: Facts) -> Optional[str]:
    """Why the call cannot be told from a thread that goes round in the block: SP moves
    on with each round, or registers change, and nobody has counted them. The stub that
    does that need not be one of those that are alike."""
    if found.at is None:
        return None
    for path in facts.paths:
        if found.stub is None or found.stub in path.numbers:
            lost = _lost_in(path, found.at, facts.thunk)
            if lost:
                return lost
    return None


def _lost_in(path: Path, at: int, thunk: Thunk) -> Optional[str]:
    if path.end != "loop" or path.state is None or not path.loop:
        return None
    places = {step.at for step in path.loop}
    row = range(thunk.first_stub, thunk.epilogue)
    behind_a_call = (
        at in row
        and (at - thunk.first_stub) % thunk.arch.stub_size >= thunk.return_offset
        and any(place in row for place in places)
    )
    if at not in places and not behind_a_call:
        return None
    first, last, arch = path.loop[0].before, path.state, thunk.arch
    if first.sp is not None and first.sp == last.sp:
        names = {*first.registers, *last.registers}
        if all(first.get(name) == last.get(name) for name in names):
            return None
    moved = "moves it"
    if first.sp is not None and last.sp is not None and first.sp != last.sp:
        moved = f"adds {last.sp - first.sp} to it"
    return (
        f"the call's words cannot be found from {arch.sp}: each round of the loop"
        f" {moved}; stop at the interpreter's first instruction to see them"
    )


def _state(found: Found, facts: Facts) -> Optional[State]:
    return None if found.at is None else facts.state_anywhere(found.at)


def _stub_by_state(memory: Memory, facts: Facts, state: State) -> Optional[int]:
    """The stub that a register names, where the proof says that it does: the chain's
    value in the header, the link register behind the call."""
    arch, registers = facts.thunk.arch, memory.registers()
    dispatch = facts.main.dispatch
    for name in arch.registers:
        value, actual = state.get(name), registers.get(name)
        if actual is None:
            continue
        if dispatch and value == dispatch.target and not isinstance(value, Entry):
            return facts.thunk.stub_number(actual)
        if name == arch.lr and isinstance(value, (Const, Behind)):
            return facts.thunk.returning_stub(actual)
    return None


def _layout(
    facts: Facts, state: Optional[State], entry_sp: Optional[int], stub: Optional[int]
) -> "tuple[Optional[int], bool]":
    """Where the layout is, and whether its words are given up: once the epilogue took
    SP back, they may be overwritten at any time."""
    place = at_calls(facts, stub, lambda call: call.layout)
    at_call = at_calls(facts, stub, lambda call: call.sp)
    if entry_sp is None or place is None:
        return None, False
    given_up = False
    if state is not None and state.sp is not None and at_call is not None:
        cell = state.stack.get(place)
        stored = cell is not None and cell.value is BELOW_SP
        given_up = stored and state.sp > at_call
    return (entry_sp + place) & MASK64, given_up


def lasting(facts: Facts, found: Found) -> Optional[State]:
    """What is known of registers and stack where the thread is; while the interpreter
    runs only the stack counts, with what lasts until it returns."""
    if found.at is not None:
        return _state(found, facts)
    if found.back is None:
        return facts.main.dispatch.state if facts.main.dispatch else None
    if found.stub is None:
        return None
    return facts.state_anywhere(
        facts.thunk.behind_call(found.stub) - facts.thunk.address
    )


def passed_in(
    register: str,
    memory: Memory,
    found: Found,
    facts: Facts,
    entry_sp: Optional[int],
) -> Optional[int]:
    """What the caller passed in a register: it is still in one, or was saved whole."""
    value = _still_there(memory, _state(found, facts), register)
    state = lasting(facts, found)
    if value is not None or entry_sp is None or state is None:
        return value
    place = state.kept(Entry(register))
    if place is None:
        return None
    try:
        return memory.word((entry_sp + place) & MASK64)
    except ThunkError:
        return None


def _still_there(
    memory: Memory, state: Optional[State], register: str
) -> Optional[int]:
    """An entry register's value, if some register holds it at pc."""
    if state is None:
        return None
    values = memory.registers()
    for name in (register, *state.arch.registers):
        if state.get(name) == Entry(register) and name in values:
            return values[name]
    return None
