"""What `thunk-find` tells of each block: what its code does, and what it calls."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

from ..arch.decode import Instruction
from ..chakra.locate import Found
from ..proof import Facts
from ..target import Memory
from .assess import fitting

BY_PLACE = ("adr", "adrp", "ldr", "ldrsw")
"""ARM64's instructions whose immediate is an address near them."""


@dataclass(frozen=True)
class Told:
    """What a block's code says of it."""

    style: str
    convention: str
    interpreter: Optional[int]
    """What its stubs call."""
    name: Optional[str]
    """The symbol there."""


@dataclass(frozen=True)
class Listed:
    """A block of the list."""

    found: Found
    told: Told


def listed(memory: Memory, blocks: Sequence[Found]) -> list[Listed]:
    """The list. Blocks that are alike but for their place do the same: one of them is
    proved for all, unless their place is what tells them the interpreter's."""
    known: dict[tuple[int, bytes], Optional[Told]] = {}
    lines = []
    for found in blocks:
        thunk = found.thunk
        key = (thunk.first_stub, thunk.likeness)
        told = known.get(key)
        if told is None:
            facts = fitting(memory.os, thunk)
            told = _told(memory, facts)
            known[key] = None if _looks_around(facts) else told
        lines.append(Listed(found, told))
    return lines


def _looks_around(facts: Facts) -> bool:
    """Whether an instruction names a place outside of the block by its own place."""
    goals = (
        goal
        for path in facts.paths
        for step in path.steps
        for goal in _named(step.insn)
    )
    return not all(map(facts.thunk.contains, goals))


def _named(insn: Instruction) -> Iterator[int]:
    for operand in insn.operands:
        if operand.base == "rip":
            yield insn.end + operand.displacement
        elif insn.mnemonic in BY_PLACE and operand.kind == "imm":
            yield operand.immediate


def _told(memory: Memory, facts: Facts) -> Told:
    target = facts.interpreter
    symbol = None if target is None else memory.symbol_at(target)
    name = symbol.name if symbol else None
    return Told(facts.style(), facts.convention.name, target, name)
