"""What `thunk-find` tells of each block: what its code does, and what it calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ..chakra.locate import Found
from ..proof import Facts
from ..target import Memory
from .assess import fitting, steps_of

MOST_STEPS = 1 << 15
"""Instructions on all paths of the blocks that are proved for the list."""


@dataclass(frozen=True)
class Told:
    """What a block's code says of it."""

    style: str
    convention: str
    interpreter: Optional[int]
    """What its stubs call."""
    name: Optional[str]
    """The symbol there."""


NOT_TOLD = Told("unknown", "unknown", None, None)


@dataclass(frozen=True)
class Listed:
    """A block of the list."""

    found: Found
    told: Told


def listed(memory: Memory, blocks: Sequence[Found]) -> list[Listed]:
    """The list. Blocks that are alike but for their place do the same: one of them is
    proved for all, unless their place is what tells them the interpreter's."""
    known: dict[tuple[int, bytes], Optional[Told]] = {}
    lines, steps = [], 0
    for found in blocks:
        thunk = found.thunk
        key = (thunk.first_stub, thunk.likeness)
        told = known.get(key)
        if told is None and steps > MOST_STEPS:
            why = f"{found.by}; not looked into: so many are damaged, each otherwise"
            lines.append(Listed(replace(found, by=why), NOT_TOLD))
            continue
        if told is None:
            facts = fitting(memory.os, thunk)
            steps += steps_of(facts)
            told = _told(memory, facts)
            known[key] = None if _looks_around(facts) else told
        lines.append(Listed(found, told))
    return lines


def _looks_around(facts: Facts) -> bool:
    """Whether an instruction names a place outside of the block by its own place."""
    steps = (step for path in facts.paths for step in path.steps)
    return not all(facts.thunk.contains(at) for step in steps for at in step.insn.near)


def _told(memory: Memory, facts: Facts) -> Told:
    target = facts.interpreter
    symbol = None if target is None else memory.symbol_at(target)
    name = symbol.name if symbol else None
    return Told(facts.style(), facts.convention.name, target, name)
