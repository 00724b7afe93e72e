"""What is wrong at a hit: values as they are there, against those that one call was
seen to carry.

A register or a word that a hit could not read decides nothing; only R1 says that
something can be read. Runs while a thread waits at a point.
"""

from dataclasses import dataclass, field
from typing import Optional

from ..arch import ANCHOR, WORD, Arch
from ..arch.decode import LONGEST, decode
from ..chakra.layout import ARGS, CallInfo
from ..proof.words import cite, last_writer
from ..target import MASK64
from .plan import Watch, word_of
from .points import Hit


@dataclass
class Call:
    """A call in progress, as it was when it entered the block."""

    number: int
    watch: Watch
    function: int
    call_info: int
    args: list[Optional[int]]
    """Those that came in registers; None for one that could not be read."""
    entry_sp: int
    back: Optional[int]
    """The return address."""
    kept: dict[str, int]
    """Callee-saved registers at entry."""
    layout: Optional[int] = None
    """The layout pointer as last seen."""
    target: Optional[int] = None
    """Where the dispatch branch went."""
    stub: Optional[int] = None
    """The stub's number, where it went to one."""
    stored: bool = False
    """Whether the caller was seen to have stored what the header reads."""
    arrived: bool = False
    name: Optional[str] = None
    """The function's, once it was looked up."""
    failed: bool = False
    judged: set[str] = field(default_factory=set)
    """Claims that were found broken: each is told where it went wrong first."""

    @property
    def stub_address(self) -> Optional[int]:
        """Where its stub stands, which no other function has at the time."""
        return None if self.stub is None else self.target

    def comes_from(self, back: int) -> bool:
        """Whether the interpreter, called to return there, was called by this call's
        stub."""
        if self.target is None:
            return self.watch.facts.thunk.returning_stub(back) is not None
        return back == self.target + self.watch.facts.thunk.return_offset


def return_address(hit: Hit, arch: Arch) -> Optional[int]:
    """At a function's first instruction or its return."""
    return hit.values.get(arch.lr) if arch.lr else word_of(hit.memory, 0)


def stored(call: Call, hit: Hit, arch: Arch) -> list[str]:
    """R12: the words that the header will read, against the registers."""
    start = call.watch.convention.caller_stores
    if start is None:
        return []
    wanted = [("the function", call.function)]
    if call.watch.call_info:
        wanted.append(("callInfo", call.call_info))
    problems = []
    words = [word_of(hit.memory, start + WORD * n) for n in range(len(wanted))]
    call.stored = words == [value for _, value in wanted]
    for n, ((what, value), found) in enumerate(zip(wanted, words)):
        if found is not None and found != value:
            place = (call.entry_sp + start + WORD * n) & MASK64
            problems.append(f"[{place:#x}] is {found:#x}, should be {what} {value:#x}")
    if not problems:
        return []
    text = f"{'; '.join(problems)}: the caller did not store it"
    return [f"R12: {text}{_before(call, arch)}"]


def _before(call: Call, arch: Arch) -> str:
    """The call site, as the return address tells it."""
    if call.back is None:
        return ""
    if arch.lr:
        return f" before its call at {call.back - arch.call_sizes[0]:#x}"
    return f" before its call, which returns to {call.back:#x}"


def changed(call: Call, site: Hit, hit: Hit, faithful: "frozenset[int]") -> list[str]:
    """Function and callInfo, from the call to the block's first instruction.

    Only where nothing stands between but what is known to hand them on as they are:
    other code that jumps to an entry point may well do so for another function.
    """
    if site.values.get(site.point.registers[0]) not in {call.watch.address, *faithful}:
        return []
    return [
        f"R2: {name} was {site.values[name]:#x} at the call and is"
        f" {hit.values[name]:#x} at the block's first instruction"
        for name in call.watch.convention.arguments[:2]
        if name in site.values
        and name in hit.values
        and site.values[name] != hit.values[name]
    ]


def dispatched(call: Call, hit: Hit) -> list[str]:
    """At the dispatch branch: the layout, where it goes, and what the stub calls."""
    problems = layout(call, hit)
    insn, called = call.watch.dispatch, call.watch.called
    target = hit.values.get(insn.operands[0].register) if insn else None
    if target is not None:
        problems += _target(call, target)
    finding = call.watch.facts.claims.get("R6")
    if called in hit.values and finding and finding.holds is False:
        text = f"R6: the stub will call {called}, which is {hit.values[called]:#x}"
        problems.append(_blame(call, text, "R6"))
    return problems


def trapped(call: Call, pc: int) -> list[str]:
    """R7, as the header itself finds it: a range check that lets no valid stub down
    this way."""
    facts = call.watch.facts
    at = pc - facts.thunk.address
    if at not in facts.untaken:
        return []
    insn = decode(facts.thunk.code[at : at + LONGEST], pc, facts.thunk.arch)
    shown = cite(insn) if insn else f"{pc:#x}"
    return [f"R7: the header's own check refuses where the branch would go: {shown}"]


def _target(call: Call, target: int) -> list[str]:
    thunk = call.watch.facts.thunk
    call.target, call.stub = target, thunk.stub_number(target)
    if call.stub is not None:
        return []
    first = thunk.stub_address(0)
    text = f"R7: the branch goes to {target:#x}, no stub of {first:#x} and on"
    return [_blame(call, text, "R7")]


def layout(call: Call, hit: Hit) -> list[str]:
    """The words at the layout pointer, against what the caller passed."""
    pointer = call.watch.convention.arguments[0]
    if pointer not in hit.values:
        return []
    address = call.layout = hit.values[pointer]
    if address % WORD or len(hit.memory) < ARGS:
        text = f"{pointer} is {address:#x}, no layout that can be read"
        return [_blame(call, f"R1: {text}", "R1")]
    problems = []
    for claim, offset, value, what in _passed(call):
        found = word_of(hit.memory, offset)
        if found is not None and value is not None and found != value:
            text = f"[{pointer}+{offset}] is {found:#x}, should be {what} {value:#x}"
            problems.append(_blame(call, f"{claim}: {text}", claim))
    return problems


def _passed(call: Call) -> "list[tuple[str, int, Optional[int], str]]":
    """(claim, place in the layout, value, what it is) of all that is known.

    What the caller did not store is not there to be found: told already.
    """
    if "R12" in call.judged:
        return []
    passed: list[tuple[str, int, Optional[int], str]]
    passed = [("R2", 0, call.function, "the function")]
    if not call.watch.call_info:
        return passed
    passed.append(("R3", WORD, call.call_info, "callInfo"))
    count = CallInfo(call.call_info).arguments
    for n, value in enumerate(call.args[:count]):
        passed.append(("R4", ARGS + WORD * n, value, f"args[{n}]"))
    return passed


def arrived(call: Call, hit: Hit, arch: Arch) -> list[str]:
    """At the interpreter's first instruction."""
    values, convention = hit.values, call.watch.convention
    pointer = values.get(convention.arguments[0])
    problems = []
    if pointer is not None and call.layout not in (None, pointer):
        text = f"the layout pointer was {call.layout:#x} at the dispatch branch"
        problems.append(_blame(call, f"R1: {text}, is {pointer:#x}", "R1"))
    problems += layout(call, hit)
    sp, fp = values.get(arch.sp), values.get(arch.fp)
    if sp is not None and sp % 16 != arch.entry_misalignment:
        text = f"R5: {arch.sp} is {sp:#x} at the interpreter's first instruction"
        problems.append(_blame(call, f"{text}: not aligned", "R5"))
    if not convention.anchored or fp is None or pointer is None:
        return problems
    anchor = (fp + ANCHOR) & MASK64
    if anchor != pointer:
        text = f"R11: {arch.fp} + 16 is {anchor:#x}, not the layout {pointer:#x}"
        problems.append(_blame(call, text, "R11"))
    return problems


def returned(call: Call, hit: Hit, arch: Arch) -> list[str]:
    """At the block's return instruction."""
    values = hit.values
    problems = _back(call, return_address(hit, arch))
    sp = values.get(arch.sp)
    if sp is not None and sp != call.entry_sp:
        text = f"R10: {arch.sp} is {sp:#x} at the return, was {call.entry_sp:#x}"
        problems.append(_blame(call, f"{text} at entry", "R10"))
    wrong = [
        f"{name} {values[name]:#x} (was {value:#x})"
        for name, value in call.kept.items()
        if values.get(name, value) != value
    ]
    if wrong:
        text = f"R10: not as at entry: {', '.join(wrong)}"
        problems.append(_blame(call, text, "R10"))
    return problems


def _back(call: Call, back: Optional[int]) -> list[str]:
    """R9. Where the block is proved to return by the caller's return address, and it
    is another by now, somebody else has written there: the engine does so to have
    jitted code bail out when it is returned to."""
    finding = call.watch.facts.claims.get("R9")
    proved = finding is not None and finding.holds is True
    if proved or None in (back, call.back) or back == call.back:
        return []
    thunk = call.watch.facts.thunk
    number = None if back is None else thunk.returning_stub(back)
    stub = "" if number is None else f" (stub {number} + {thunk.return_offset})"
    text = f"R9: returns to {back:#x}{stub}, should be {call.back:#x}"
    return [_blame(call, text, "R9")]


def _blame(call: Call, text: str, claim: str) -> str:
    """With the instruction that did it, where the proof names one."""
    facts = call.watch.facts.in_stub(call.stub)
    finding = facts.claims.get(claim)
    if finding and finding.holds is False and finding.evidence:
        return f"{text}: {finding.evidence[0]}"
    pointer = facts.convention.arguments[0]
    writer = last_writer(facts.main, pointer, facts.call)
    if claim in ("R1", "R2", "R3", "R4") and writer:
        return f"{text}: {cite(writer, f'gives {pointer} its value')}"
    return text
