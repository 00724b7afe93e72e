"""The words of a layout on its own, for `thunk-layout`."""

from ..arch import WORD
from ..chakra.layout import ARGS, Layout, words
from ..target import Memory
from .model import StackWord


def layout_words(layout: Layout, memory: Memory) -> list[StackWord]:
    """function, callInfo and the args that were decoded, each with what it is."""
    found: list[StackWord] = []
    for address, value in words(memory, layout.address, 2 + len(layout.args)):
        place = address - layout.address
        role, comment, wrong = _describe(layout, place)
        found.append(StackWord(place, address, value, role, "", comment, wrong))
    return found


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
