"""R12: whether the caller stored on the stack what the header will read there."""

from dataclasses import replace
from typing import Optional

from ..arch import WORD
from ..chakra.callsite import find_call_site
from ..chakra.layout import MAX_LOOKED_AT, CallInfo, all_args, read_layout
from ..chakra.objects import try_function, unread_of
from ..chakra.values import decode
from ..target import MASK64, Unreadable
from .assess import Assessment
from .held import unread
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
    word = f"[{place:#x}] = {function:#x}"
    known = try_function(a.memory, function, a.facts.offsets)
    passed = a.call.passed_function
    if passed is not None and function != passed:
        wrong.append(f"{word}, should be the function {passed:#x}")
    elif passed is None and known is None:
        missing = unread_of(a.memory, function, a.facts.offsets)
        if missing is None or a.memory.lacks(missing.address, missing.size):
            wrong.append(f"{word}, should be a function object")
    elif known and a.stub_address is not None and known.stub != a.stub_address:
        wrong.append(f"{word}, a function of stub {known.stub:#x}: not the one called")
    text = f"[{place + WORD:#x}] = {info.raw:#x}"
    if a.asm and not wrong:
        text = f"{word}, the function; asm.js arguments are not judged"
        return replace(check, verdict=PASS, evidence=[text])
    passed_info = a.call.passed_call_info
    if passed_info is not None and info.raw != passed_info:
        wrong.append(f"{text}, should be the callInfo {passed_info:#x}")
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
    good = [f"{word}, the function", f"{text}, callInfo"]
    return _judge_stored_args(a, check, place, good)


def _judge_stored_args(
    a: Assessment, check: Check, place: int, good: list[str]
) -> Check:
    """Every argument's word must be one that a call can have stored."""
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
    site = find_call_site(a.memory, a.facts, a.call.entry_sp, a.found)
    if (
        site.call
        and not site.stores
        and not a.memory.symbol_at(site.return_address or 0)
    ):
        text = "no store to the stack before the call: words of an earlier one?"
        return replace(check, verdict=UNKNOWN, evidence=[*good, text])
    return replace(check, verdict=PASS, evidence=good)
