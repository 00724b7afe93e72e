"""Evidence in the user's words: instructions, places on the stack, and values."""

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..arch import WORD, Convention
from ..arch.decode import Instruction
from ..chakra.thunk import Thunk
from .path import RESULT, CallSite, Path
from .values import (
    Behind,
    Const,
    Entry,
    Garbage,
    Load,
    Mask,
    Mixed,
    Slot,
    Sum,
    Unknown,
    Value,
)


class Finding(NamedTuple):
    """A claim's verdict: True, False or None, with what decides it."""

    holds: Optional[bool]
    evidence: Sequence[str]
    """Each an instruction (address, bytes, text) and what it shows."""
    at: Optional[int] = None
    """Offset in the block of the instruction that decides it."""
    early: bool = False
    """Whether it was decided before the path became uncertain."""


def cite(insn: Instruction, what: str = "") -> str:
    """An instruction as evidence: address, bytes, text, and what it shows."""
    text = " ".join(insn.text.split())
    line = f"{insn.address:#x} {insn.code.hex()} {text}"
    return f"{line}: {what}" if what else line


def worst(findings: Sequence[Finding]) -> Finding:
    """The first that fails, else the first that is not known, else the first."""
    for wanted in (False, None):
        for finding in findings:
            if finding.holds is wanted:
                return finding
    return findings[0]


class Words:
    """How things are called under one block's convention."""

    def __init__(self, thunk: Thunk, convention: Convention) -> None:
        self.thunk = thunk
        self.arch = thunk.arch
        self.convention = convention

    def place(self, offset: int) -> str:
        sp = self.arch.sp
        return f"entry {sp} {'+' if offset >= 0 else '-'} {abs(offset)}"

    def name(self, value: Value) -> str:
        """A value in the user's words."""
        convention, arch = self.convention, self.arch
        if isinstance(value, Entry):
            if value.register in convention.arguments:
                return self.argument(convention.arguments.index(value.register))
            if value.register == arch.fp:
                return f"the caller's {arch.fp} (frame pointer)"
            if value.register == arch.lr:
                return f"the caller's {arch.lr} (return address)"
            if value.register == arch.sp:
                return f"entry {arch.sp}"
            return f"the caller's {value.register}"
        if isinstance(value, Slot):
            if not arch.lr and value.offset == 0:
                return "the return address"
            index, rest = divmod(value.offset - convention.stack_arguments, WORD)
            if index >= 0 and not rest:
                number = index + len(convention.register_args)
                return f"args[{number}] ({self.place(value.offset)})"
            return f"the caller's stack word at {self.place(value.offset)}"
        if isinstance(value, (Const, Behind)):
            return f"{value.value:#x}"
        if isinstance(value, Sum):
            sign = "+" if value.offset >= 0 else "-"
            return f"{self.name(value.base)} {sign} {abs(value.offset)}"
        if isinstance(value, Load):
            return f"[{self.name(value.address)}]"
        if isinstance(value, Mask):
            return f"{self.name(value.base)} & {value.mask:#x}"
        if isinstance(value, (Garbage, Unknown)):
            return f"something unknown ({value.why})"
        if isinstance(value, Mixed):
            return "bytes of " + ", ".join(
                dict.fromkeys(self.name(part) for part, _ in value.parts)
            )
        if value == RESULT:
            return value.operation
        return " ".join(value.operation.split())

    def argument(self, index: int) -> str:
        """function, callInfo or args[i], with the register that carries it."""
        names = ("function", "callInfo")
        text = names[index] if index < 2 else f"args[{index - 2}]"
        return f"{text} ({self.convention.arguments[index]})"


def writer_of(path: Path, register: str, call: CallSite) -> Instruction:
    """The instruction that gave a register its value at a call; the call if none."""
    return last_writer(path, register, call) or call.insn


def last_writer(
    path: Path, register: str, call: Optional[CallSite] = None
) -> Optional[Instruction]:
    """The last instruction after which the register was not what it was before."""
    steps = list(path.steps)
    after = [step.before for step in steps[1:]]
    if call:
        steps, after = steps[: call.step], after[: call.step]
    elif path.state:
        after.append(path.state)
    for step, state in reversed(list(zip(steps, after))):
        if step.before.get(register) != state.get(register):
            return step.insn
    return None
