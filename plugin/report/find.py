"""The list of blocks that `thunk-find` prints."""

import json
from collections.abc import Sequence
from typing import Any

from ..checklist.listing import Listed
from .as_json import hexed
from .page import Page, Style


def _entry(one: Listed) -> dict[str, Any]:
    thunk = one.found.thunk
    return {
        "block": hexed(thunk.address),
        "block_size": thunk.size,
        "stubs": thunk.stub_count,
        "convention": one.told.style,
        "calling_convention": one.told.convention,
        "interpreter": hexed(one.told.interpreter),
        "found_by": one.found.by,
    }


def to_json(blocks: Sequence[Listed]) -> str:
    return json.dumps({"blocks": [_entry(one) for one in blocks]}, indent=2)


def render(blocks: Sequence[Listed], style: Style) -> str:
    page = Page(style)
    for one in blocks:
        thunk = one.found.thunk
        size = f"{thunk.size // 1024} KiB"
        page.text(
            "block",
            f"{thunk.address:#x}  {size}, {thunk.stub_count} stubs, {one.told.style}",
        )
        page.wrapped("", f"found by: {one.found.by}")
        if one.told.interpreter is not None:
            name = one.told.name or "no symbol"
            page.wrapped("", f"calls {one.told.interpreter:#x} {name}")
    return page.render()
