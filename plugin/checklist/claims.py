"""R1-R12: what the proof says of every call, held against the call in hand.

Where instructions and memory both speak, both are evidence; where they disagree the
claim fails and says so.
"""

from dataclasses import replace
from typing import Callable

from ..arch import ANCHOR, WORD
from ..chakra.callsite import find_call_site
from ..chakra.entry import at_interpreter
from ..chakra.layout import ARGS, CallInfo, all_args, args_readable
from ..chakra.objects import unread_of
from ..proof.values import Const
from ..target import MASK64, Unreadable
from .assess import Assessment
from .branch import executable, target_now
from .held import DISAGREE, MAY_BE_ASM, doubted, held, unread
from .model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check, verdict_of
from .stored import stored_by_caller

TITLES = {
    "R1": "the layout pointer is in the first argument register",
    "R2": "[L] is the function object that the caller passed",
    "R3": "[L+8] is the callInfo that the caller passed",
    "R4": "[L+16] onwards are all args, without a gap",
    "R5": "SP is 16-byte aligned at the stub's call",
    "R6": "the stub's call goes to the interpreter",
    "R7": "the dispatch branch goes to this function's stub",
    "R8": "the branch target is executable",
    "R9": "control comes back to the caller, once",
    "R10": "SP, FP and callee-saved registers come back as they were",
    "R11": "FP + 16 is the layout: the stack walker finds it",
    "R12": "the caller stored what this header reads",
}


def decisive(check: Check) -> str:
    """The line of evidence that decided a failure last."""
    return next(line for line in reversed(check.evidence) if line != DISAGREE)


def judge_claims(a: Assessment) -> dict[str, Check]:
    """R1 … R12 in order."""
    checks = {name: _static(a, name) for name in TITLES}
    live: dict[str, Callable[[Assessment, Check], Check]] = {
        "R1": _pointer_now,
        "R6": _registers_now,
        "R9": _way_back_now,
        "R2": _function_now,
        "R3": _call_info_now,
        "R4": _args_now,
        "R5": _stack_pointer_now,
        "R7": target_now,
        "R8": executable,
        "R11": _anchor_now,
        "R12": stored_by_caller,
    }
    for name, look in live.items():
        checks[name] = look(a, checks[name])
    if a.asm:
        checks.update(_without_call_info(checks))
    if checks["R12"].verdict == FAIL:
        for name in ("R2", "R3", "R4"):
            checks[name] = _resting_on_caller(a, checks[name], "R12 fails")
    elif checks["R12"].verdict == UNKNOWN and a.call.entry_sp is not None:
        checks["R4"] = _resting_on_caller(a, checks["R4"], "R12 is unknown")
    if a.left_over:
        checks = {name: _of_no_call(a, check) for name, check in checks.items()}
    return checks


def _of_no_call(a: Assessment, check: Check) -> Check:
    """What only memory holds against a call that may be over is held against none."""
    proved = a.facts.claims.get(check.id)
    if check.verdict != FAIL or (proved and proved.holds is False):
        return check
    text = "the call may be over: only a word that lies on the stack led to it"
    lines = [*(line for line in check.evidence if line != DISAGREE), text]
    hint = "stop in the block, or at the interpreter's first instruction"
    return replace(check, verdict=UNKNOWN, evidence=lines, hint=hint)


def _without_call_info(checks: dict[str, Check]) -> dict[str, Check]:
    """AsmJsCallStackLayout: the function, then arguments of whatever type."""
    why = "the asm.js layout has no callInfo"
    more = "arguments of asm.js functions are not decoded"
    return {
        "R3": replace(checks["R3"], verdict=NOT_APPLICABLE, evidence=[why]),
        "R4": replace(checks["R4"], verdict=UNKNOWN, evidence=[f"{why}; {more}"]),
    }


def _resting_on_caller(a: Assessment, check: Check, why: str) -> Check:
    """What reads the caller's words cannot hold when the caller did not store them."""
    how = "passed" if a.convention.caller_stores is None else "stored"
    if check.verdict != PASS:
        return check
    text = f"it rests on what the caller {how}, and {why}"
    return replace(check, verdict=UNKNOWN, evidence=[*check.evidence, text])


def overall(claims: dict[str, Check]) -> str:
    """`broken`, `sound` or `undecided`."""
    verdicts = {check.verdict for check in claims.values()}
    if FAIL in verdicts:
        return "broken"
    return "undecided" if UNKNOWN in verdicts else "sound"


def _static(a: Assessment, name: str) -> Check:
    finding = a.facts.claims.get(name)
    if name == "R11" and not a.convention.anchored:
        why = "no frame pointer is needed on x64 Windows"
        return Check(name, TITLES[name], NOT_APPLICABLE, [why])
    if finding is None:
        return Check(name, TITLES[name], UNKNOWN, ["needs a stopped process"])
    return Check(name, TITLES[name], verdict_of(finding.holds), list(finding.evidence))


def _word_missing(a: Assessment, check: Check, address: int) -> Check:
    """A word of the call in hand that could not be read for the layout."""
    try:
        a.memory.word(address)
    except Unreadable as error:
        return unread(a.memory, check, str(error), error)
    return check


def _at_interpreter(a: Assessment) -> bool:
    """Whether the thread is at the interpreter's first instruction, or at the call."""
    if a.found.at is None:
        return at_interpreter(a.memory, a.found, a.facts)
    in_stub = a.thunk.part(a.thunk.address + a.found.at).startswith("stub")
    return bool(a.facts.call and in_stub and _stub_part(a) == 0)


def _stub_part(a: Assessment) -> int:
    assert a.found.at is not None
    return (a.found.at - a.thunk.first_stub) % a.arch.stub_size


def _pointer_now(a: Assessment, check: Check) -> Check:
    layout, register = a.call.layout, a.convention.arguments[0]
    if layout is None:
        return check
    if _at_interpreter(a):
        actual = a.memory.registers().get(register)
        if actual is not None and actual != layout:
            text = f"{register} is {actual:#x}, the header makes it {layout:#x}"
            return held(check, False, text)
    if layout % WORD:
        return held(check, False, f"L = {layout:#x} is not 8-byte aligned")
    if not a.call.stored:
        text = f"L = {layout:#x}: nothing is stored there yet"
        return _register_now(a, held(check, True, text), register)
    try:
        a.memory.read(layout, ARGS)
    except Unreadable as error:
        return unread(a.memory, check, f"L = {layout:#x}: {error}", error)
    check = held(check, True, f"L = {layout:#x} can be read")
    return _register_now(a, check, register)


def _register_now(a: Assessment, check: Check, register: str) -> Check:
    """A register, where pc is in the block, against what is proved of it there."""
    state = a.facts.state_anywhere(a.found.at) if a.found.at is not None else None
    actual = a.memory.registers().get(register)
    if state is None or actual is None:
        return check
    value = state.get(register)
    offset = state.from_entry_sp(value)
    if isinstance(value, Const):
        expected = value.value
    elif offset is not None and a.call.entry_sp is not None:
        expected = (a.call.entry_sp + offset) & MASK64
    else:
        return check
    if actual != expected:
        text = f"{register} is {actual:#x}, the instructions make it {expected:#x}"
        return held(check, False, text)
    return check


def _registers_now(a: Assessment, check: Check) -> Check:
    """The register that the stub calls through."""
    call = a.facts.call
    if call is None or a.found.at is None or not _before_call(a):
        return check
    return _register_now(a, check, call.insn.operands[0].register)


def _before_call(a: Assessment) -> bool:
    part = a.thunk.part(a.thunk.address + (a.found.at or 0))
    return part == "header" or (part.startswith("stub") and _stub_part(a) == 0)


def _way_back_now(a: Assessment, check: Check) -> Check:
    """The return address of the call in hand must be behind somebody's call."""
    site = find_call_site(a.memory, a.facts, a.call.entry_sp, a.found)
    behind = site.return_address
    if check.verdict != PASS or behind is None:
        return check
    if not behind or a.thunk.contains(behind) or (a.arch.lr and behind % 4):
        return held(check, False, f"the return address is {behind:#x}")
    region = a.memory.region_of(behind)
    if region and "x" not in region.permissions:
        text = f"the return address {behind:#x} is mapped {region.permissions}"
        return held(check, False, text)
    if site.call is None:
        lines = [*check.evidence, f"return address {behind:#x}: {site.why}"]
        return replace(check, verdict=UNKNOWN, evidence=lines)
    return held(check, True, f"the return address {behind:#x} is behind a call")


def _function_now(a: Assessment, check: Check) -> Check:
    if not a.layout or not a.call.stored:
        return check
    if a.layout.function_address is None:
        return _word_missing(a, check, a.layout.address)
    actual = a.layout.function_address
    word = f"[{a.layout.address:#x}] = {actual:#x}"
    passed = a.call.passed_function
    if passed is not None and passed != actual:
        return held(check, False, f"{word}, should be {passed:#x}")
    function = a.layout.function
    if function is None:
        missing = unread_of(a.memory, actual, a.facts.offsets)
        if missing and not a.memory.lacks(missing.address, missing.size):
            return unread(a.memory, check, f"{word}: {missing}", missing)
        doubt = doubted(a, actual)
        if doubt and check.verdict != FAIL:
            lines = [*check.evidence, f"{word}: {doubt}"]
            return replace(check, verdict=UNKNOWN, evidence=lines)
        return held(check, False, f"{word} is no function object")
    stub = a.stub_address
    if stub is not None and a.facts.goal(function.stub) != stub:
        text = f"{word} is a function of stub {function.stub:#x}, not {stub:#x}"
        return held(check, False, text)
    name = f" ({function.name})" if function.name else ""
    return held(check, True, f"{word}, a function object{name}")


def _call_info_now(a: Assessment, check: Check) -> Check:
    passed = a.call.passed_call_info
    problem = None if passed is None else CallInfo(passed).problem
    if problem and not a.asm:
        return _garbage(a, check, f"passed {passed:#x}: {problem}")
    if not a.layout or not a.call.stored or a.asm:
        return check
    if a.layout.call_info is None:
        return _word_missing(a, check, a.layout.address + WORD)
    info = a.layout.call_info
    word = f"[{a.layout.address + WORD:#x}] = {info.raw:#x}"
    if passed is not None and passed != info.raw:
        return held(check, False, f"{word}, should be {passed:#x}")
    if info.problem:
        return _garbage(a, check, f"{word}: {info.problem}")
    if info.doubt and passed is None and not args_readable(a.memory, a.layout):
        lines = [*check.evidence, f"{word}: {info.doubt}"]
        return (
            check
            if check.verdict == FAIL
            else replace(check, verdict=UNKNOWN, evidence=lines)
        )
    flags = "|".join(info.flags) or "no flags"
    text = f"{word}: count {info.count}, {flags}"
    return _perhaps_asm(check, text) if a.may_be_asm else held(check, True, text)


def _perhaps_asm(check: Check, text: str) -> Check:
    """What would be right for JavaScript's calls, where it may be none of them."""
    if check.verdict != PASS:
        return check
    lines = [*check.evidence, f"{text}; {MAY_BE_ASM}"]
    return replace(check, verdict=UNKNOWN, evidence=lines)


def _garbage(a: Assessment, check: Check, text: str) -> Check:
    """No callInfo, which an asm.js layout does not have."""
    if not a.may_be_asm or check.verdict == FAIL:
        return held(check, False, text)
    lines = [*check.evidence, f"{text}; {MAY_BE_ASM}"]
    return replace(check, verdict=UNKNOWN, evidence=lines)


def _args_now(a: Assessment, check: Check) -> Check:
    """Only unreadable words are held against it: values cannot be checked here."""
    layout = a.layout
    if not layout or not a.call.stored or a.asm:
        return check
    if layout.call_info is None:
        return _word_missing(a, check, layout.address + WORD)
    passed = a.call.passed_call_info
    if layout.call_info.problem or passed not in (None, layout.call_info.raw):
        return check
    count = layout.call_info.arguments
    readable = args_readable(a.memory, layout)
    if a.may_be_asm:
        return _perhaps_asm(check, f"[L+{WORD}] need not tell how many args there are")
    if readable is False:
        try:
            all_args(a.memory, layout)
        except Unreadable as error:
            return unread(a.memory, check, f"not all of {count} args: {error}", error)
    if readable is None and check.verdict == PASS:
        lines = [*check.evidence, f"{count} args are too many to look at"]
        return replace(check, verdict=UNKNOWN, evidence=lines)
    return held(check, True, f"{count} args can be read")


def _stack_pointer_now(a: Assessment, check: Check) -> Check:
    call = a.facts.call
    if a.call.entry_sp is None or call is None or call.state.sp is None:
        return check
    sp = (a.call.entry_sp + call.state.sp) & MASK64
    text = f"{a.arch.sp} at the call is {sp:#x}"
    if sp % 16:
        return held(check, False, f"{text}, not a multiple of 16")
    return held(check, True, text)


def _anchor_now(a: Assessment, check: Check) -> Check:
    if check.verdict == NOT_APPLICABLE:
        return check
    check = _register_now(a, check, a.arch.fp)
    if not _at_interpreter(a):
        return check
    fp = a.memory.registers().get(a.arch.fp)
    if fp is None or a.call.layout is None:
        return check
    anchored = (fp + ANCHOR) & MASK64
    text = f"{a.arch.fp} + {ANCHOR} is {anchored:#x}"
    if anchored != a.call.layout:
        return held(check, False, f"{text}, the layout is {a.call.layout:#x}")
    return held(check, True, text)
