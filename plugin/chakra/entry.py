"""SP at entry of the call in hand: what all else about it is told by.

The proof says how far SP, FP and the layout are from there at every instruction; one of
them, read from the stopped process, gives it. Each way says how it knows.
"""

from typing import Callable, Optional

from ..arch import WORD
from ..proof import Facts
from ..proof.path import CallSite
from ..proof.state import State
from ..target import MASK64, Memory, ThunkError, Unreadable
from .layout import CallInfo
from .locate import MAX_UNWOUND, Found
from .objects import try_function

SEARCHED = 4096
"""Bytes above SP in which the saved function is looked for as a last resort."""


def at_interpreter(memory: Memory, found: Found, facts: Facts) -> bool:
    """Whether the thread is at the interpreter's first instruction, where SP and all
    registers are as at the stub's call."""
    registers, arch, back = memory.registers(), facts.thunk.arch, found.back
    if found.at is not None or back is None or facts.interpreter is None:
        return False
    called = back.frame is None and back.slot in (None, registers.get(arch.sp))
    return called and registers.get(arch.pc) == facts.interpreter


def entry_sp_of(
    memory: Memory, found: Found, facts: Facts
) -> "tuple[Optional[int], str]":
    """SP at entry, and how that is known, or why not."""
    registers, arch = memory.registers(), facts.thunk.arch
    sp = registers.get(arch.sp)
    if found.at is not None:
        state = facts.state_anywhere(found.at)
        if sp is None or state is None or state.sp is None:
            return None, f"SP at entry cannot be told at +{found.at:#x}"
        return (sp - state.sp) & MASK64, f"{arch.sp} where pc is"
    if found.elsewhere is not None:
        # Blocks leave the same registers: those are no sign of this one.
        if found.elsewhere == facts.thunk.address:
            return None, "the call in hand is one of another function of this block"
        return None, f"the call in hand is one of the block at {found.elsewhere:#x}"
    if found.back is None:
        return _after_dispatch(memory, facts)
    ways: list[Callable[[Memory, Found, Facts], Optional[tuple[int, str]]]] = [
        _by_return_slot,
        _at_first_instruction,
        _by_frame_record,
        _by_unwinder,
        _by_frame_pointer,
        _by_saved_function,
    ]
    if found.back.sp is not None:
        # FP is that of another frame.
        ways = [way for way in ways if way not in (_by_frame_record, _by_frame_pointer)]
    for way in ways:
        known = way(memory, found, facts)
        if known:
            return known[0] & MASK64, known[1]
    return None, (
        "SP at entry cannot be told here: no frame, no saved function leads to it;"
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
    at_call = at_calls(facts, found.stub, lambda call: call.sp)
    if facts.thunk.arch.lr or at_call is None or not found.back:
        return None
    slot = found.back.slot
    if slot is None:
        return None
    return slot + WORD - at_call, f"the return address at {slot:#x}"


def _at_first_instruction(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """Where nothing was pushed, SP is what it was at the call."""
    at_call = at_calls(facts, found.stub, lambda call: call.sp)
    sp = memory.registers().get(facts.thunk.arch.sp)
    if at_call is None or sp is None or not at_interpreter(memory, found, facts):
        return None
    return sp - at_call, f"{facts.thunk.arch.sp} at the interpreter's first instruction"


def _by_frame_record(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """The interpreter saved the header's frame pointer."""
    at_call = at_calls(facts, found.stub, lambda call: call.fp)
    if at_call is None or not found.back:
        return None
    record = found.back.frame
    if record is None and found.back.slot is None:
        record = _own_record(memory, found, facts)
    if record is None:
        return None
    try:
        value = memory.word(record)
    except ThunkError:
        return None
    return value - at_call, f"the frame pointer saved at {record:#x}"


def _by_frame_pointer(
    memory: Memory, found: Found, facts: Facts
) -> Optional[tuple[int, str]]:
    """The interpreter still has the header's frame pointer in FP: believed if the
    function is there, as it may use FP for something else."""
    at_call = at_calls(facts, found.stub, lambda call: call.fp)
    distance, fp = facts.layout_from_entry, memory.registers().get(facts.thunk.arch.fp)
    if None in (at_call, distance, fp, found.stub) or not found.back:
        return None
    assert at_call is not None and distance is not None and found.stub is not None
    if found.back.frame is not None or fp is None:
        return None
    try:
        there = memory.word((fp - at_call + distance) & MASK64)
    except ThunkError:
        return None
    function = try_function(memory, there, facts.offsets)
    own = facts.thunk.stub_address(found.stub)
    if function is None or facts.goal(function.stub) != own:
        return None
    return fp - at_call, facts.thunk.arch.fp


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
    at_call = at_calls(facts, found.stub, lambda call: call.sp)
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
    # The interpreter's own frame, and what it calls, may have copies.
    start = found.back.slot if found.back and found.back.slot is not None else sp
    places_found = []
    for place in range(start - start % WORD, sp + SEARCHED, WORD):
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


def at_calls(
    facts: Facts, stub: Optional[int], of: Callable[[CallSite], Optional[int]]
) -> Optional[int]:
    """A distance at the stub's call, if it is the same on every path that leads there:
    from inside the interpreter nobody can tell which of them was taken."""
    seen = {of(call) for call in _calls(facts, stub)}
    return seen.pop() if len(seen) == 1 else None


def states_at_calls(facts: Facts, stub: Optional[int]) -> list[State]:
    """The states at the stub's call, on every path that leads there."""
    return [call.state for call in _calls(facts, stub)]


def _calls(facts: Facts, stub: Optional[int]) -> list[CallSite]:
    ways = [
        path.calls[0]
        for path in facts.paths
        if path.calls and (stub is None or stub in path.numbers)
    ]
    return ways or ([facts.call] if facts.call else [])
