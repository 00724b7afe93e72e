"""B. JIT code generation: the call site that led to the block.

The code before the return address is what LowerCallI and GeneratePreCall made, or a
helper in assembly. It is disassembled backwards, which on x86-64 can go wrong; what
was really passed is read at the entry point.
"""

from ..chakra.callsite import CallSite, find_call_site
from ..chakra.objects import TYPE
from ..target import ThunkError
from .model import FAIL, PASS, UNKNOWN
from .sections import (
    Assessment,
    Check,
    Claims,
    from_claims,
    known,
    no_function,
    not_here,
    plain,
    unread_function,
)

TYPE_ENTRY_POINT = 0x18
"""Type::entryPoint: lib/Runtime/Types/Type.h."""
STOP = "stop in an interpreted call"
ENTRY = "stop at the block's first instruction"


def items(a: Assessment, claims: Claims) -> list[Check]:
    site = find_call_site(a.memory, a.facts, a.call.entry_sp, a.found)
    return [
        _lowered(a),
        _arguments(a, claims),
        _entry_point(a),
        _branch(a, site),
        _captured(a, site),
    ]


def _lowered(a: Assessment) -> Check:
    title = "LowerCallI() places what the convention wants"
    if a.arch.name != "aarch64":
        return not_here("B1", title, "an item on the ARM64 backend")
    why = "only a trace can see which code the JIT made for a call"
    return known(
        "B1", title, None, why, "look at the code that the JIT makes for a warmed call"
    )


def _arguments(a: Assessment, claims: Claims) -> Check:
    """By what arrived: the caller's stores, and the words that the header saved."""
    names = ", ".join(a.convention.arguments[:4])
    title = f"arguments are placed in {names}, …"
    if a.convention.caller_stores is not None:
        title = f"arguments are in {names} and on the stack"
        return from_claims("B2", title, claims, ["R12"])
    if claims["R12"].verdict == UNKNOWN:
        return from_claims("B2", title, claims, ["R12"])
    if not a.layout or a.call.entry_sp is None:
        return known("B2", title, None, a.call.how, STOP)
    function = a.function
    if claims["R3"].verdict == FAIL and a.call.passed_call_info is not None:
        return from_claims("B2", title, claims, ["R3"])
    if function and claims["R2"].verdict == claims["R3"].verdict == PASS:
        text = f"{a.convention.arguments[0]} was {function.address:#x}, a function"
        return known("B2", title, True, text)
    unsure = [claims[name] for name in ("R2", "R3") if claims[name].verdict != PASS]
    why = [check.evidence[-1] for check in unsure] + a.layout.problems[:1]
    missing = unread_function(a)
    why += [str(missing)] if missing else []
    text = "what arrived in them cannot be told here"
    return plain("B2", title, UNKNOWN, [text, *why], STOP)


def _entry_point(a: Assessment) -> Check:
    title = "the call loads function->type->entryPoint"
    if not a.function:
        return known("B3", title, None, no_function(a), STOP)
    try:
        place = a.memory.word(a.function.address + TYPE) + TYPE_ENTRY_POINT
        entry = a.memory.word(place)
    except ThunkError as error:
        return known("B3", title, None, str(error))
    text = f"[{place:#x}] function->type->entryPoint = {entry:#x}"
    if entry == a.thunk.address:
        return known("B3", title, True, f"{text}, the block that was entered")
    symbol = a.memory.symbol_at(entry)
    name = f" ({symbol.at(entry)})" if symbol else ""
    why = f"{text}{name}: not the block, which another road led to"
    return known("B3", title, None, why)


def _branch(a: Assessment, site: CallSite) -> Check:
    title = "the call's branch goes to the entry point"
    if site.call is None:
        return known("B4", title, None, _not_seen(a, site), ENTRY)
    text = f"{site.call}, then control is in the block"
    if site.target is None:
        return known("B4", title, True, text)
    if site.target == a.thunk.address:
        return known("B4", title, True, f"{text} {site.target:#x}")
    # A direct call of something that jumps on to the entry point.
    return known("B4", title, None, f"{site.call} goes to {site.target:#x}")


def _not_seen(a: Assessment, site: CallSite) -> str:
    """Why no call can be told."""
    return site.why if a.call.entry_sp is not None else f"{site.why}: {a.call.how}"


def _captured(a: Assessment, site: CallSite) -> Check:
    title = "the instructions up to the call can be read"
    if site.call is None:
        return known("B5", title, None, _not_seen(a, site), ENTRY)
    lines = [*site.lines]
    if site.ambiguous:
        lines.append("read backwards: earlier lines may start at the wrong byte")
    return plain("B5", title, PASS if lines else UNKNOWN, lines or [site.why])
