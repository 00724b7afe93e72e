"""The call in hand: which stub, which SP at entry, which layout, who was called.

The proof says how SP, FP and the layout stand to each other at every instruction;
one of them, read from the stopped process, fixes the others. Nothing is taken from
a place where a wrong guess would look right: each way says how it knows.
"""

from dataclasses import dataclass
from typing import Callable, Optional

from ..arch import WORD
from ..proof import Facts
from ..proof.path import CallSite, Path
from ..proof.state import BELOW_SP, State
from ..proof.values import Const, Entry
from ..target import MASK64, Memory, ThunkError, Unreadable
from .layout import CallInfo
from .locate import MAX_UNWOUND, Found
from .objects import try_function
from .thunk import Thunk

SEARCHED = 4096
"""Bytes above SP in which the saved function is looked for as a last resort."""


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


def call_in_hand(memory: Memory, found: Found, facts: Facts) -> CallInHand:
    """Work out the call from the place where the thread is stopped."""
    lost = _lost_in_a_loop(found, facts)
    entry_sp, how = (None, lost) if lost else _entry_sp(memory, found, facts)
    state = _state(found, facts)
    function, call_info = (
        None if lost else _passed(memory, found, facts, entry_sp, register)
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
    )


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
        if name == arch.lr and isinstance(value, Const):
            return facts.thunk.returning_stub(actual)
    return None


def _layout(
    facts: Facts, state: Optional[State], entry_sp: Optional[int], stub: Optional[int]
) -> "tuple[Optional[int], bool]":
    """Where the layout is, and whether its words are given up: once the epilogue took
    SP back, they may be overwritten at any time."""
    distance, at_call = (_at_calls(facts, stub, of) for of in (_distance, _depth))
    if entry_sp is None or distance is None:
        return None, False
    given_up = False
    if state is not None and state.sp is not None and at_call is not None:
        below = state.byte(distance).value is BELOW_SP
        given_up = below and state.sp > at_call
    return (entry_sp + distance) & MASK64, given_up


def _at_calls(
    facts: Facts, stub: Optional[int], of: Callable[[CallSite], Optional[int]]
) -> Optional[int]:
    """A distance at the stub's call, if it is the same on every path that leads there:
    from inside the interpreter nobody can tell which of them was taken."""
    ways = [
        path.calls[0]
        for path in facts.paths
        if path.calls and (stub is None or stub in path.numbers)
    ]
    if not ways:
        ways = [facts.call] if facts.call else []
    seen = {of(call) for call in ways}
    return seen.pop() if len(seen) == 1 else None


def _depth(call: CallSite) -> Optional[int]:
    """SP, from SP at entry."""
    return call.state.sp


def _frame(call: CallSite) -> Optional[int]:
    """FP, from SP at entry; None where it is no stack address."""
    return call.state.from_entry_sp(call.state.get(call.state.arch.fp))


def _distance(call: CallSite) -> Optional[int]:
    """The layout pointer, from SP at entry."""
    state = call.state
    return state.from_entry_sp(state.get(state.convention.arguments[0]))


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


def _passed(
    memory: Memory,
    found: Found,
    facts: Facts,
    entry_sp: Optional[int],
    register: str,
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


def _entry_sp(memory: Memory, found: Found, facts: Facts) -> tuple[Optional[int], str]:
    registers, arch = memory.registers(), facts.thunk.arch
    sp = registers.get(arch.sp)
    if found.at is not None:
        state = _state(found, facts)
        if sp is None or state is None or state.sp is None:
            return None, f"SP at entry cannot be told at +{found.at:#x}"
        return (sp - state.sp) & MASK64, f"{arch.sp} where pc is"
    if found.elsewhere is not None:
        # Blocks leave the same registers: those are no sign of this one.
        return None, f"the call in hand is one of the block at {found.elsewhere:#x}"
    if found.back is None:
        return _after_dispatch(memory, facts)
    ways: list[Callable[[Memory, Found, Facts], Optional[tuple[int, str]]]] = [
        _by_return_slot,
        _by_frame_pointer,
        _by_unwinder,
        _by_saved_function,
    ]
    if found.back.sp is not None:
        # FP is that of another frame.
        ways.remove(_by_frame_pointer)
    for way in ways:
        known = way(memory, found, facts)
        if known:
            return known[0] & MASK64, known[1]
    return None, (
        "SP at entry cannot be told here: the header does not set the frame pointer;"
        " stop in the header, the stub or at the interpreter's first instruction"
    )


def _after_dispatch(memory: Memory, facts: Facts) -> tuple[Optional[int], str]:
    """The dispatch branch went astray: its registers are still as it left them.

    Believed only if the layout register and the stub's call register both hold what
    the header computes for this very SP.
    """
    registers, call = memory.registers(), facts.call
    sp, at_dispatch = registers.get(facts.thunk.arch.sp), facts.sp_at_dispatch
    distance, interpreter = facts.layout_offset, facts.interpreter
    if None in (call, sp, at_dispatch, distance, interpreter):
        return None, _no_call(memory, sp)
    assert call and sp is not None and at_dispatch is not None and distance is not None
    pointer = registers.get(facts.convention.arguments[0])
    held = registers.get(call.insn.operands[0].register)
    if pointer != (sp + distance) & MASK64 or held != interpreter:
        return None, _no_call(memory, sp)
    return (sp - at_dispatch) & MASK64, "the registers as the dispatch branch left them"


def _no_call(memory: Memory, sp: Optional[int]) -> str:
    """Or none that can be seen."""
    try:
        if sp is not None:
            memory.word(sp)
    except ThunkError as error:
        return f"no call can be seen here: the stack: {error}"
    return "no call is in progress here"


def _by_return_slot(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """A call that pushes its return address leaves SP right above it."""
    at_call = _at_calls(facts, found.stub, _depth)
    if facts.thunk.arch.lr or at_call is None or not found.back:
        return None
    slot = found.back.slot
    if slot is None:
        return None
    return slot + WORD - at_call, f"the return address at {slot:#x}"


def _by_frame_pointer(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """The interpreter saved the header's frame pointer, or still has it in FP."""
    at_call = _at_calls(facts, found.stub, _frame)
    if at_call is None or not found.back:
        return None
    arch = facts.thunk.arch
    record = found.back.frame
    if record is None and found.back.slot is None:
        record = _own_record(memory, found, facts)
    try:
        value = memory.registers()[arch.fp] if record is None else memory.word(record)
    except (ThunkError, KeyError):
        return None
    where = arch.fp if record is None else f"the frame pointer saved at {record:#x}"
    return value - at_call, where


def _own_record(memory: Memory, found: Found, facts: Facts) -> Optional[int]:
    """FP, if the interpreter has already stored its frame record there."""
    fp = memory.registers().get(facts.thunk.arch.fp)
    if fp is None or found.stub is None:
        return None
    try:
        value = memory.word(fp + WORD) & memory.code_mask
    except ThunkError:
        return None
    return fp if value == facts.thunk.behind_call(found.stub) else None


def _by_unwinder(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """The debugger's unwinder knows the interpreter's frame from its unwind tables."""
    at_call = _at_calls(facts, found.stub, _depth)
    if at_call is None or found.stub is None or found.back is None:
        return None
    if found.back.sp is not None:
        return found.back.sp - at_call, "the debugger's unwinder"
    behind = facts.thunk.behind_call(found.stub)
    for frame in memory.frames(MAX_UNWOUND)[1:]:
        if frame.pc == behind:
            return frame.sp - at_call, "the debugger's unwinder"
    return None


def _by_saved_function(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """The function object and callInfo, side by side as the header saved them, for
    just the stub that is being run: believed when one place only has them."""
    places = {saved.register: saved.offset for saved in facts.saved}
    function, call_info = (places.get(name) for name in facts.convention.arguments[:2])
    sp, at_dispatch = memory.registers().get(facts.thunk.arch.sp), facts.sp_at_dispatch
    if None in (function, call_info, sp, at_dispatch, found.stub):
        return None
    assert function is not None and call_info is not None
    assert sp is not None and at_dispatch is not None and found.stub is not None
    stub = facts.thunk.stub_address(found.stub)
    places_found = []
    for place in range(sp - sp % WORD, sp + SEARCHED, WORD):
        try:
            candidate = try_function(memory, memory.word(place), facts.offsets)
            beside = memory.word(place + call_info - function)
        except Unreadable as error:
            if memory.lacks(error.address, error.size):
                break
            # The right place may be behind it, and this one a copy.
            return None
        right = candidate and facts.goal(candidate.stub) == stub
        if right and not CallInfo(beside).problem:
            places_found.append(place)
    if len(places_found) != 1:
        return None
    place = places_found[0]
    return place - function - at_dispatch, f"the function saved at {place:#x}"
