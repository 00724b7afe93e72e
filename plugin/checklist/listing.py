"""What `thunk-find` tells of each block: what its code does, and what it calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from ..chakra.locate import Found
from ..chakra.thunk import Thunk
from ..target import Memory
from .assess import fitting


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
    proved for all."""
    known: dict[tuple[int, bytes], Told] = {}
    lines = []
    for found in blocks:
        key = (found.thunk.first_stub, found.thunk.likeness)
        if key not in known:
            known[key] = _told(memory, found.thunk)
        lines.append(Listed(found, known[key]))
    return lines


def _told(memory: Memory, thunk: Thunk) -> Told:
    facts = fitting(memory.os, thunk)
    target = facts.interpreter
    symbol = None if target is None else memory.symbol_at(target)
    name = symbol.name if symbol else None
    return Told(facts.style(), facts.convention.name, target, name)
