"""The list of blocks that `thunk-find` prints."""

import json
from collections.abc import Sequence
from typing import Any

from ..checklist import Assessment
from .as_json import hexed
from .page import Page, Style


def _entry(a: Assessment) -> dict[str, Any]:
    return {
        "block": hexed(a.thunk.address),
        "block_size": a.thunk.size,
        "stubs": a.thunk.stub_count,
        "convention": a.facts.style(),
        "calling_convention": a.convention.name,
        "interpreter": hexed(a.facts.interpreter),
        "found_by": a.found.by,
    }


def to_json(blocks: Sequence[Assessment]) -> str:
    return json.dumps({"blocks": [_entry(a) for a in blocks]}, indent=2)


def render(blocks: Sequence[Assessment], style: Style) -> str:
    page = Page(style)
    for a in blocks:
        size = f"{a.thunk.size // 1024} KiB"
        page.text(
            "block",
            f"{a.thunk.address:#x}  {size}, {a.thunk.stub_count} stubs,"
            f" {a.facts.style()}",
        )
        lines: list[str] = [f"found by: {a.found.by}"]
        if a.facts.interpreter is not None:
            symbol = a.memory.symbol_at(a.facts.interpreter)
            name = symbol.name if symbol else "no symbol"
            lines.append(f"calls {a.facts.interpreter:#x} {name}")
        for line in lines:
            page.wrapped("", line)
    return page.render()
