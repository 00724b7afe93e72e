"""A layout on its own, for `thunk-layout`: its words, and their looks."""

from collections.abc import Sequence

from ..arch import WORD
from ..chakra.layout import ARGS, Layout, Words, words
from ..checklist.model import FAIL
from .model import StackWord
from .page import INDENT, Page, Style
from .text import COLOURS


def layout_words(layout: Layout, memory: Words) -> list[StackWord]:
    """function, callInfo and the args that were decoded, each with what it is."""
    found: list[StackWord] = []
    count = 1 if _is_asm(layout) else 2 + len(layout.args)
    for address, value in words(memory, layout.address, count):
        place = address - layout.address
        role, comment, wrong = _describe(layout, place)
        found.append(StackWord(place, address, value, role, "", comment, wrong))
    return found


def _is_asm(layout: Layout) -> bool:
    """Nothing is wrong, and there is no callInfo: there is none to be had."""
    return layout.call_info is None and layout.looks_sound


def _describe(layout: Layout, place: int) -> "tuple[str, str, bool]":
    if place == 0:
        name = layout.function.name if layout.function else None
        return "function", name or "not confirmed", layout.function is None
    info = layout.call_info
    if place == WORD:
        if info is None:
            return "callInfo", "", True
        text = f"count {info.count} {'|'.join(info.flags)}".rstrip()
        return "callInfo", info.problem or text, bool(info.problem)
    index = (place - ARGS) // WORD
    value = layout.args[index]
    wrong = value.kind in ("unreadable", "null-pointer")
    return ("this" if index == 0 else f"args[{index}]"), value.text, wrong


def render_layout(layout: Layout, words: Sequence[StackWord], style: Style) -> str:
    """A layout alone, for `thunk-layout`."""
    page = Page(style)
    good = layout.looks_sound
    verdict = layout.call_text if good else "this is no sound layout"
    if _is_asm(layout):
        verdict = f"{verdict[:-2]}(…)  asm.js: no callInfo, args are not decoded"
    page.wrapped("layout", f"{layout.address:#x}  {verdict}")
    for problem in layout.problems:
        page.wrapped("", problem)
    for word in words:
        value = "unreadable" if word.value is None else f"{word.value:#018x}"
        row = f"{word.place:+4d}  {value:<18}  {word.role:<9} "
        colour = COLOURS[FAIL] if word.wrong else ""
        page.noted("", row, word.comment, colour, INDENT + 6)
    return page.render()
