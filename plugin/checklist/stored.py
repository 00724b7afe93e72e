"""R12: whether the caller stored on the stack what the header will read there."""

from dataclasses import replace
from typing import Optional

from ..arch import WORD
from ..chakra.call import lasting, passed_in
from ..chakra.callsite import find_call_site, stores_args
from ..chakra.entry import at_interpreter
from ..chakra.layout import ARGS, MAX_LOOKED_AT, CallInfo, all_args, read_layout
from ..chakra.objects import try_function, unread_of
from ..chakra.values import decode
from ..proof.values import Entry
from ..target import MASK64, Unreadable
from .assess import Assessment
from .held import MAY_BE_ASM, doubted, unread
from .model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check

MAX_COMPARED = 64
"""Arguments that are held against what else may be them."""


def stored_by_caller(a: Assessment, check: Check) -> Check:
    stored = a.convention.caller_stores
    if stored is None:
        return _stored_by_header(a, check)
    if a.call.entry_sp is None:
        return replace(
            check,
            evidence=[a.call.how],
            hint="stop in an interpreted call: this is a claim about one call",
        )
    place = (a.call.entry_sp + stored) & MASK64
    try:
        function, info = a.memory.word(place), a.memory.word(place + WORD)
    except Unreadable as error:
        return _not_read(a, check, [f"caller's stack: {error}"], error)
    count = min(CallInfo(info).arguments, MAX_COMPARED)
    if (own := _headers_own(a, stored, count)) is not None:
        text = f"the header itself stores at entry {a.arch.sp} + {own}"
        why = "what the caller left there is gone, or of no use"
        return replace(check, verdict=UNKNOWN, evidence=[f"{text}: {why}"])
    return _judge_stored(a, check, place, function, CallInfo(info))


def _headers_own(a: Assessment, stored: int, count: int) -> Optional[int]:
    """The first of the caller's words, by its distance from SP at entry, that the
    header has written by now, or has before the interpreter reads it."""
    states = [lasting(a.facts, a.found), a.facts.call and a.facts.call.state]
    for place in range(stored, stored + ARGS + WORD * count):
        if any(state and state.writer(place) is not None for state in states):
            return place - place % WORD
    return None


def _stored_by_header(a: Assessment, check: Check) -> Check:
    """It takes from registers what callers of some systems store on the stack, and do
    not pass in registers but for the first two."""
    mine = a.convention.arguments[:2]
    others = [c for c in a.arch.conventions if c.arguments[:2] == mine]
    stored = next(
        (c.caller_stores for c in others if c.caller_stores is not None), None
    )
    if stored is None or a.memory.os == "windows":
        why = "callers leave arguments in registers here; the header stores them"
        return replace(check, verdict=NOT_APPLICABLE, evidence=[why])
    if (differs := _stored_otherwise(a, stored)) is None:
        why = "this header takes them from registers, and stores them itself"
        return replace(check, verdict=NOT_APPLICABLE, evidence=[why])
    return replace(
        check,
        verdict=UNKNOWN,
        evidence=differs,
        hint="follow calls with thunk-trace, or look at the code before this one: a"
        " caller that stores args on its stack is issue 2 the other way round",
    )


def _stored_otherwise(a: Assessment, stored: int) -> Optional[list[str]]:
    """Evidence that the caller stored the call on its stack with other args than the
    registers had, or that such words are there from an earlier call."""
    function, raw = a.call.passed_function, a.call.passed_call_info
    if a.call.entry_sp is None or function is None or raw is None or a.asm:
        return None
    place = (a.call.entry_sp + stored) & MASK64
    try:
        found = a.memory.word(place), a.memory.word(place + WORD)
    except Unreadable:
        return None
    if found != (function, raw):
        return None
    same = f"[{place:#x}] and [{place + WORD:#x}] are this function and callInfo"
    for index in range(min(CallInfo(raw).arguments, MAX_COMPARED)):
        at = (place + ARGS + WORD * index) & MASK64
        try:
            passed, word = _passed_arg(a, index), a.memory.word(at)
        except Unreadable as error:
            return [same, f"args[{index}]: {error}"]
        if passed not in (None, word):
            text = f"args[{index}] is {passed:#x} by the header, and"
            return [same, f"{text} [{at:#x}] = {word:#x} behind that callInfo"]
    return None


def _passed_arg(a: Assessment, index: int) -> Optional[int]:
    """An argument as the header takes it, so far as that is still there."""
    registers, sp = a.convention.register_args, a.call.entry_sp
    assert sp is not None
    if index < len(registers):
        return passed_in(registers[index], a.memory, a.found, a.facts, sp)
    place = sp + a.convention.stack_arguments + WORD * (index - len(registers))
    return a.memory.word(place & MASK64)


def _not_read(
    a: Assessment, check: Check, lines: list[str], error: Unreadable
) -> Check:
    *before, text = lines
    return unread(a.memory, replace(check, evidence=before), text, error)


def _judge_stored(
    a: Assessment, check: Check, place: int, function: int, info: CallInfo
) -> Check:
    """What the caller left at `place`, against what it passed in registers."""
    wrong: list[str] = []
    missing: Optional[Unreadable] = None
    doubts: list[str] = []
    word = f"[{place:#x}] = {function:#x}"
    known = try_function(a.memory, function, a.facts.offsets)
    passed = a.call.passed_function
    if passed is not None and function != passed:
        wrong.append(f"{word}, should be the function {passed:#x}")
    elif passed is None and known is None:
        missing = unread_of(a.memory, function, a.facts.offsets)
        if doubt := doubted(a, function):
            doubts.append(f"{word}: {doubt}")
        elif missing is None or a.memory.lacks(missing.address, missing.size):
            wrong.append(f"{word}, should be a function object")
    elif known and a.stub_address not in (None, a.facts.goal(known.stub)):
        wrong.append(f"{word}, a function of stub {known.stub:#x}: not the one called")
    text = f"[{place + WORD:#x}] = {info.raw:#x}"
    if a.asm and not wrong:
        text = f"{word}, the function; asm.js arguments are not judged"
        return replace(check, verdict=PASS, evidence=[text])
    passed_info = a.call.passed_call_info
    if passed_info is not None and info.raw != passed_info:
        wrong.append(f"{text}, should be the callInfo {passed_info:#x}")
    elif info.problem and a.may_be_asm:
        doubts.append(f"{text}: {info.problem}; {MAY_BE_ASM}")
    elif info.problem:
        wrong.append(f"{text}: {info.problem}")
    if wrong:
        return replace(
            check,
            verdict=FAIL,
            evidence=wrong,
            hint="store function, callInfo and args on the stack before the call",
        )
    if missing:
        return _not_read(a, check, [f"{word}: {missing}"], missing)
    if doubts:
        return replace(check, verdict=UNKNOWN, evidence=doubts)
    good = [f"{word}, the function", f"{text}, callInfo"]
    return _judge_stored_args(a, check, place, good)


def _judge_stored_args(
    a: Assessment, check: Check, place: int, good: list[str]
) -> Check:
    """Every argument's word must be one that a call can have stored."""
    if a.may_be_asm:
        return replace(check, verdict=UNKNOWN, evidence=[*good, MAY_BE_ASM])
    layout = read_layout(a.memory, place, a.facts.offsets)
    assert layout.call_info
    if layout.call_info.arguments > MAX_LOOKED_AT:
        return replace(check, evidence=[*good, "too many args to look at"])
    try:
        words = all_args(a.memory, layout)
    except Unreadable as error:
        return _not_read(a, check, [*good, f"args: {error}"], error)
    for index, raw in enumerate(words):
        value = decode(raw, a.memory)
        if value.kind not in ("int", "double", "object"):
            text = f"args[{index}] is no JavaScript value: {value.text}"
            return replace(check, verdict=UNKNOWN, evidence=[*good, text])
    good.append(f"{len(words)} args that are JavaScript values")
    if left := _left_over(a, words):
        return replace(
            check,
            verdict=UNKNOWN,
            evidence=[*good, left],
            hint="thunk-trace sees calls from their beginning; or stop at the block's"
            " first instruction",
        )
    return replace(check, verdict=PASS, evidence=good)


def _left_over(a: Assessment, words: "list[int]") -> str:
    """Why the words may be those of an earlier call, if they may. The engine's
    CallFunction copies them to the stack out of sight; jitted code stores what it
    passes right before the call."""
    site = find_call_site(a.memory, a.facts, a.call.entry_sp, a.found)
    if not site.call:
        return f"whether this call's caller stored them cannot be seen: {site.why}"
    if stores_args(site.run, len(words), a.facts):
        return ""
    symbol = a.memory.symbol_at(site.return_address or 0)
    if symbol is None or "CallFunction" not in symbol.name:
        return "no store of them to the stack before the call: an earlier call's words?"
    return _in_registers(a, words)


def _in_registers(a: Assessment, words: "list[int]") -> str:
    """A register that passes another value than the stack has, where it is certain to
    be a value: other code leaves addresses and whatnot in these registers."""
    state = None
    if a.found.at is not None:
        state = a.facts.state_anywhere(a.found.at)
    elif at_interpreter(a.memory, a.found, a.facts) and a.facts.call:
        state = a.facts.call.state
    if state is None:
        return ""
    registers, own = a.memory.registers(), a.convention.arguments[:2]
    others = (c for c in a.arch.conventions if c.caller_stores is None)
    names = next((c.register_args for c in others if c.arguments[:2] == own), ())
    for name, raw in zip(names, words):
        passed = registers.get(name, 0)
        whole = state.get(name) == Entry(name)
        if whole and passed != raw and decode(passed, a.memory).kind == "int":
            return f"{name} = {passed:#x} is a value too, and the stack has {raw:#x}"
    return ""
