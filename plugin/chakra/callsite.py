"""The call that led into a block: the instructions before its return address."""

from dataclasses import dataclass, field
from typing import Optional

from ..arch import Arch
from ..arch.decode import Instruction, decode
from ..proof import Facts
from ..proof.values import Entry
from ..target import MASK64, Memory, ThunkError
from .locate import Found

LOOKED_AT = 24
"""ARM64 instructions before the return address that are looked at."""
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
    stores: bool = False
    """Whether something is stored to the stack shortly before."""
    ambiguous: bool = False
    why: str = ""


def return_address(
    memory: Memory, facts: Facts, entry_sp: Optional[int], found: Found
) -> Optional[int]:
    """Where the block will return to: on the stack, or saved by the header."""
    arch = facts.thunk.arch
    if found.at == 0 and arch.lr:
        return memory.registers().get(arch.lr)
    if entry_sp is None:
        return None
    place: Optional[int] = entry_sp
    if arch.lr:
        place = _saved_lr(facts, entry_sp)
    return memory.word(place) if place is not None else None


def _saved_lr(facts: Facts, entry_sp: int) -> Optional[int]:
    call, lr = facts.call, facts.thunk.arch.lr
    if call is None or lr is None:
        return None
    for offset, cell in call.state.stack.items():
        if cell.value == Entry(lr) and cell.part == 0:
            return (entry_sp + offset) & MASK64
    return None


def find_call_site(
    memory: Memory, facts: Facts, entry_sp: Optional[int], found: Found
) -> CallSite:
    """The call instruction and what precedes it."""
    try:
        behind = return_address(memory, facts, entry_sp, found)
    except ThunkError as error:
        return CallSite(why=f"the return address into the caller: {error}")
    if behind is None:
        return CallSite(why="the return address into the caller is not known here")
    arch = facts.thunk.arch
    span = 4 * LOOKED_AT if arch.lr else 64
    try:
        code = memory.read(behind - span, span)
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
        stores=any(_stores_to_stack(insn, arch) for insn in run),
        ambiguous=not arch.lr,
    )


def _stores_to_stack(insn: Instruction, arch: Arch) -> bool:
    """A store through SP or FP, or a push."""
    if insn.mnemonic == "push":
        return True
    writes = insn.mnemonic.startswith("st") or (
        insn.mnemonic.startswith("mov") and insn.operands[:1][0].kind == "mem"
    )
    return writes and any(o.base in (arch.sp, arch.fp) for o in insn.operands)


def _line(insn: Instruction) -> str:
    return f"{insn.address:#x} {insn.code.hex()} {' '.join(insn.text.split())}"


def _backwards(code: bytes, end: int, arch: Arch) -> list[Instruction]:
    """Instructions that end in a call just at `end`: the longest run that decodes."""
    start = end - len(code)
    for skip in range(0, len(code), 4 if arch.lr else 1):
        run = _run(code, start, skip, arch)
        if run and run[-1].mnemonic in ("bl", "blr", "call"):
            return run
    return []


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
