"""The list of blocks that `thunk-find` prints."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..chakra.locate import Found
from ..checklist.assess import fitting
from ..target import Memory
from .as_json import hexed
from .page import Page, Style


@dataclass(frozen=True)
class Listed:
    """A block, and what its code says of it."""

    found: Found
    style: str
    convention: str
    interpreter: Optional[int]


def listed(memory: Memory, blocks: Sequence[Found]) -> list[Listed]:
    """What the list says of each. Blocks that are alike but for their place do the
    same: one of them is proved for all."""
    known: dict[tuple[int, bytes], tuple[str, str, Optional[int]]] = {}
    lines = []
    for found in blocks:
        key = (found.thunk.first_stub, found.thunk.likeness)
        if key not in known:
            facts = fitting(memory.os, found.thunk)
            known[key] = (facts.style(), facts.convention.name, facts.interpreter)
        lines.append(Listed(found, *known[key]))
    return lines


def _entry(one: Listed) -> dict[str, Any]:
    thunk = one.found.thunk
    return {
        "block": hexed(thunk.address),
        "block_size": thunk.size,
        "stubs": thunk.stub_count,
        "convention": one.style,
        "calling_convention": one.convention,
        "interpreter": hexed(one.interpreter),
        "found_by": one.found.by,
    }


def to_json(blocks: Sequence[Listed]) -> str:
    return json.dumps({"blocks": [_entry(one) for one in blocks]}, indent=2)


def render(blocks: Sequence[Listed], memory: Memory, style: Style) -> str:
    page = Page(style)
    for one in blocks:
        thunk = one.found.thunk
        size = f"{thunk.size // 1024} KiB"
        page.text(
            "block",
            f"{thunk.address:#x}  {size}, {thunk.stub_count} stubs, {one.style}",
        )
        page.wrapped("", f"found by: {one.found.by}")
        if one.interpreter is not None:
            symbol = memory.symbol_at(one.interpreter)
            name = symbol.name if symbol else "no symbol"
            page.wrapped("", f"calls {one.interpreter:#x} {name}")
    return page.render()
