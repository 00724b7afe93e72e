"""What `thunk-find` tells of each block: what its code does, and what it calls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    proved for all, unless their place is what tells them the interpreter's."""
    known: dict[tuple[int, bytes], tuple[Thunk, Told]] = {}
    placed: dict[tuple[int, bytes], bool] = {}
    lines = []
    for found in blocks:
        thunk = found.thunk
        key = (thunk.first_stub, thunk.likeness)
        if key not in known:
            known[key] = (thunk, _told(memory, thunk))
        elif key not in placed:
            placed[key] = _is_placed(memory, *known[key])
        told = _told(memory, thunk) if placed.get(key) else known[key][1]
        lines.append(Listed(found, told))
    return lines


def _is_placed(memory: Memory, thunk: Thunk, told: Told) -> bool:
    """Whether the same code calls something else from another place."""
    beside = replace(thunk, address=thunk.address + thunk.size)
    return fitting(memory.os, beside).interpreter != told.interpreter


def _told(memory: Memory, thunk: Thunk) -> Told:
    facts = fitting(memory.os, thunk)
    target = facts.interpreter
    symbol = None if target is None else memory.symbol_at(target)
    name = symbol.name if symbol else None
    return Told(facts.style(), facts.convention.name, target, name)
