"""The call that led into a block: the instructions before its return address."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Optional

from ..arch import WORD, Arch
from ..arch.decode import LONGEST, Instruction, decode
from ..proof import Facts
from ..proof.reads import stored_by, straight
from ..proof.values import Entry, Slot
from ..target import MASK64, Memory, ThunkError
from .call import lasting
from .entry import states_at_calls
from .locate import Found

LOOKED_AT = 192
"""Bytes of code before the return address that are looked at."""
LEAST = 64
"""The same where code begins in between."""
SHOWN = 6
"""Instructions before the call that are shown."""


@dataclass(frozen=True)
class CallSite:
    """What stands before the return address; `why` when nothing can be told."""

    return_address: Optional[int] = None
    call: Optional[str] = None
    """The call instruction: address, bytes, text."""
    target: Optional[int] = None
    """Where a direct call goes."""
    lines: list[str] = field(default_factory=list)
    run: tuple[Instruction, ...] = ()
    """The call and what stands before it, so far as it was looked at."""
    ambiguous: bool = False
    why: str = ""


def return_address(
    memory: Memory, facts: Facts, entry_sp: Optional[int], found: Found
) -> Optional[int]:
    """Where the block will return to: on the stack, or still in the link register. One
    that is signed is given without its signature."""
    arch, state = facts.thunk.arch, lasting(facts, found)
    if not arch.lr:
        states = [state] if state else states_at_calls(facts, found.stub)
        places = {one.home(Slot(0)) for one in states}
        place = places.pop() if len(places) == 1 else None
        if entry_sp is None or not isinstance(place, int):
            return None
        return memory.word((entry_sp + place) & MASK64)
    if state is None:
        return None
    if found.at is not None and state.get(arch.lr) == Entry(arch.lr):
        value = memory.registers().get(arch.lr)
        return None if value is None else value & memory.code_mask
    place = state.kept(Entry(arch.lr))
    if place is None or entry_sp is None:
        return None
    return memory.word((entry_sp + place) & MASK64) & memory.code_mask


def find_call_site(
    memory: Memory, facts: Facts, entry_sp: Optional[int], found: Found
) -> CallSite:
    """The call instruction and what precedes it."""
    try:
        behind = return_address(memory, facts, entry_sp, found)
    except ThunkError as error:
        return CallSite(why=f"the return address into the caller: {error}")
    if behind is None:
        return CallSite(why=_no_return_address(facts, entry_sp, found))
    arch = facts.thunk.arch
    try:
        code = _code_before(memory, behind)
    except ThunkError as error:
        return CallSite(behind, why=f"the caller's code: {error}")
    run = _backwards(code, behind, arch)
    if not run:
        return CallSite(behind, why=f"no call stands before {behind:#x}")
    call = run[-1]
    operand = call.operands[0]
    return CallSite(
        behind,
        call=_line(call),
        target=operand.immediate & MASK64 if operand.kind == "imm" else None,
        lines=[_line(insn) for insn in run[-SHOWN - 1 :]],
        run=tuple(run),
        ambiguous=not arch.lr,
    )


def _code_before(memory: Memory, behind: int) -> bytes:
    """As much as can be read: code may begin right before."""
    with suppress(ThunkError):
        return memory.read(behind - LOOKED_AT, LOOKED_AT)
    return memory.read(behind - LEAST, LEAST)


def _no_return_address(facts: Facts, entry_sp: Optional[int], found: Found) -> str:
    text = "the return address into the caller is not known here"
    lr, state = facts.thunk.arch.lr, lasting(facts, found)
    if entry_sp is None or not lr or not state or facts.claims["R9"].holds is not False:
        return text
    if state.home(Entry(lr)) is not None:
        return text
    why = f"{lr} was overwritten, and nothing saved it"
    return f"the return address into the caller is lost: {why}"


def stores_args(run: "tuple[Instruction, ...]", count: int, facts: Facts) -> bool:
    """Whether instructions right before a call store where its args go: all of them, as
    SP is at the call, or at places by SP that they compute."""
    arch, convention = facts.thunk.arch, facts.convention
    stored = (convention.caller_stores or 0) - arch.return_slot
    # A call without args has function and callInfo: the latter is no left-over.
    first = stored + (2 * WORD if count else WORD)
    end = stored + (2 + count) * WORD
    own = straight(run)
    if any(_by_index(insn, arch.sp) for insn in own):
        return True
    return stored_by(own, arch, convention).issuperset(range(first, end))


def _by_index(insn: Instruction, sp: str) -> bool:
    """Whether an instruction stores by SP and another register."""
    memory = [o for o in insn.operands if o.kind == "mem"]
    moves = insn.mnemonic.startswith("mov") and insn.operands[:1] == tuple(memory)
    stores = moves or insn.mnemonic.startswith("st")
    return stores and any(o.base == sp and o.index for o in memory)


def _line(insn: Instruction) -> str:
    return f"{insn.address:#x} {insn.code.hex()} {' '.join(insn.text.split())}"


def _backwards(code: bytes, end: int, arch: Arch) -> list[Instruction]:
    """Instructions that end in a call just at `end`: the longest run that decodes. On
    x86, where it may begin in the midst of one, only what other runs have as well."""
    start, sure = end - len(code), 0
    runs = []
    for skip in range(0, len(code), 4 if arch.lr else 1):
        run = _run(code, start, skip, arch)
        if run and run[-1].mnemonic in ("bl", "blr", "call"):
            runs.append(run)
        if runs and (arch.lr or skip >= LONGEST):
            break
    for run in runs[1:]:
        sure = max(sure, _meet(runs[0], run))
    return [insn for insn in runs[0] if insn.address >= sure] if runs else []


def _meet(one: list[Instruction], other: list[Instruction]) -> int:
    """Where two runs that end alike have become the same."""
    first = one[-1].address
    for a, b in zip(reversed(one), reversed(other)):
        if a.address != b.address:
            break
        first = a.address
    return first


def _run(code: bytes, start: int, skip: int, arch: Arch) -> list[Instruction]:
    """Instructions from `skip` to the end; none if they do not end just there."""
    run: list[Instruction] = []
    at = skip
    while at < len(code):
        insn = decode(code[at:], start + at, arch)
        if insn is None or at + len(insn.code) > len(code):
            return []
        run.append(insn)
        at += len(insn.code)
    return run
