"""R7 and R8: where the dispatch branch goes, by the chain's own values and the map."""

from dataclasses import replace
from typing import Optional

from ..chakra.locate import Return
from ..target import Region
from .assess import Assessment
from .held import held
from .model import FAIL, PASS, UNKNOWN, Check
from .sections import no_function, unread_function


def target_now(a: Assessment, check: Check) -> Check:
    """The chain's own value decides what offsets alone cannot."""
    function = a.function
    if function is None:
        if check.verdict == PASS:
            why = "nothing shows that the three offsets are right"
            return replace(
                check,
                verdict=UNKNOWN,
                evidence=[*check.evidence, f"{no_function(a)}: {why}"],
                hint="stop in an interpreted call, or inspect a function object",
            )
        return check
    place = f"m_dynamicInterpreterThunk of {function.address:#x} is {function.stub:#x}"
    goal = a.facts.goal(function.stub)
    number = a.thunk.stub_number(goal)
    if number is None:
        return held(check, False, f"{place}, which is no stub of this block")
    check = _branch_now(a, check, goal)
    if check.verdict == FAIL:
        return check
    if a.stub_address is not None and a.stub_address != goal:
        return held(check, False, f"{place}, but stub {a.call.stub} is being run")
    return held(check, True, f"{place}, stub {number}")


def _branch_now(a: Assessment, check: Check, goal: int) -> Check:
    """At the dispatch branch, its register must hold the function's stub."""
    dispatch = a.facts.main.dispatch
    if dispatch is None or a.found.at != dispatch.at:
        return check
    register = dispatch.insn.operands[0].register
    actual = a.memory.registers().get(register)
    if actual is not None and actual != goal:
        return held(check, False, f"{register} is {actual:#x}, should be {goal:#x}")
    return check


def executable(a: Assessment, check: Check) -> Check:
    """By the memory map, or because something was executed in the same page."""
    address = a.thunk.stub_address(a.call.stub or 0)
    if a.function:
        address = a.function.stub
    elif missing := unread_function(a):
        return replace(check, verdict=UNKNOWN, evidence=[f"the target: {missing}"])
    region = a.memory.region_of(address)
    if region:
        text = f"{address:#x} is mapped {region.permissions}"
        verdict = PASS if "x" in region.permissions else FAIL
        if verdict == PASS and _may_be_writing(a, region):
            verdict = UNKNOWN
            text += ", but the thread may have it for writing only: it faulted here"
        return replace(check, verdict=verdict, evidence=[text])
    if a.memory.regions() and a.memory.whole_map:
        return replace(check, verdict=FAIL, evidence=[f"{address:#x} is not mapped"])
    seen = _executed(a)
    if seen and a.thunk.contains(address):
        return replace(check, verdict=PASS, evidence=[seen])
    return replace(
        check,
        verdict=UNKNOWN,
        evidence=["no memory map, and nothing shows that the page was executed"],
        hint="stop in the stub or in the interpreter",
    )


def _may_be_writing(a: Assessment, region: Region) -> bool:
    """A system that has memory written or executed by turns, each thread for itself
    (MAP_JIT on macOS), maps it as both."""
    return "w" in region.permissions and _enters(a) and a.memory.faulted


def _enters(a: Assessment) -> bool:
    """Whether pc is at what control comes to from another page, or from the header."""
    if a.found.at is None:
        return False
    pc = a.thunk.address + a.found.at
    return a.found.at == 0 or a.thunk.stub_number(pc) is not None


def _executed(a: Assessment) -> str:
    """Which address shows that the block's page is executable, if one does.

    A page is executable as a whole: pages of 4 KiB are the smallest here. Where a fault
    stopped the thread, its pc may be what could not be fetched.
    """
    if a.found.at is not None:
        pc = a.thunk.address + a.found.at
        fetched = not (_enters(a) and a.memory.faulted)
        return f"pc {pc:#x} is in the block" if fetched else ""
    back: Optional[Return] = a.found.back
    if back is None or a.call.stub is None:
        return ""
    behind = a.thunk.behind_call(a.call.stub)
    return f"the return address {behind:#x} is behind its stub's call"
