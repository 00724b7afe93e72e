"""R12: whether the caller stored on the stack what the header will read there."""

from dataclasses import replace
from typing import Optional

from ..arch import WORD
from ..chakra.callsite import find_call_site, stores_args
from ..chakra.entry import at_interpreter
from ..chakra.layout import MAX_LOOKED_AT, CallInfo, all_args, read_layout
from ..chakra.objects import try_function, unread_of
from ..chakra.values import decode
from ..proof.values import Entry
from ..target import MASK64, Unreadable
from .assess import Assessment
from .held import MAY_BE_ASM, doubted, unread
from .model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check


def stored_by_caller(a: Assessment, check: Check) -> Check:
    stored = a.convention.caller_stores
    if stored is None:
        why = "callers leave arguments in registers here; the header stores them"
        return replace(check, verdict=NOT_APPLICABLE, evidence=[why])
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
    return _judge_stored(a, check, place, function, CallInfo(info))


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
        return replace(check, verdict=UNKNOWN, evidence=[*good, left])
    return replace(check, verdict=PASS, evidence=good)


def _left_over(a: Assessment, words: "list[int]") -> str:
    """Why the words may be those of an earlier call, if they may. The engine's
    CallFunction copies them to the stack out of sight, and so may other code of its
    own; jitted code stores what it passes right before the call."""
    site = find_call_site(a.memory, a.facts, a.call.entry_sp, a.found)
    if not site.call:
        return f"whether the caller stored them just before is not seen: {site.why}"
    if stores_args(site.run, len(words), a.facts):
        return ""
    symbol = a.memory.symbol_at(site.return_address or 0)
    if symbol is None:
        return "no store of them to the stack before the call: an earlier call's words?"
    if "CallFunction" in symbol.name:
        return ""
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
