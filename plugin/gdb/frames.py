"""How a script frame looks in gdb's backtrace: its function's name and arguments."""

from typing import Any, NamedTuple, Optional

import gdb
from gdb.FrameDecorator import FrameDecorator

from ..arch import WORD
from ..chakra.layout import Layout, read_layout
from ..chakra.values import JsValue
from ..settings import ARGUMENTS
from ..target import MASK64, Memory, clean
from .target import GdbTarget

SHOWN_ARGS = 8


class Argument(NamedTuple):
    """An argument as gdb asks for it."""

    name: str
    shown: Any

    def symbol(self) -> str:
        return self.name

    def value(self) -> Any:
        return self.shown


class ScriptFrame(FrameDecorator):  # type: ignore[misc]  # untyped
    def __init__(self, decorator: Any, layout: Layout) -> None:
        super().__init__(decorator)
        self._layout = layout

    def function(self) -> Any:
        function = self._layout.function
        if function is None or not function.name:
            return super().function()
        return _sayable(function.name)

    def frame_args(self) -> "list[Argument]":
        args = self._layout.args[1:]
        return [Argument(f"a{n}", _value(value)) for n, value in enumerate(args, 1)]

    def filename(self) -> str:
        return "JavaScript"


def script_frame(decorator: Any, place: Any) -> Optional[ScriptFrame]:
    """A decorator for the call of a thunk frame; None if it is not confirmed."""
    facts, state = place.facts, place.state
    distance = facts.layout_from_entry
    if distance is None or not _is_stored(place):
        return None
    sp = int(decorator.inferior_frame().read_register(facts.thunk.arch.sp)) & MASK64
    address = (sp - state.sp + distance) & MASK64
    shown = ARGUMENTS.number or SHOWN_ARGS
    layout = read_layout(Memory(GdbTarget()), address, facts.offsets, shown)
    return ScriptFrame(decorator, layout) if layout.function else None


def _is_stored(place: Any) -> bool:
    """Whether the layout has its function by now, and yet."""
    call, distance = place.facts.call, place.facts.layout_from_entry
    if call is None:
        return False
    word = call.state.read_stack(distance, WORD)
    return bool(place.state.read_stack(distance, WORD) == word)


def _value(value: JsValue) -> Any:
    """Numbers and strings as gdb's own; anything else as the pointer that it is."""
    if value.kind == "int":
        return gdb.Value(int(value.text))
    if value.kind == "double" and value.text not in ("NaN", "-0"):
        return gdb.Value(float(value.text.replace("Infinity", "inf")))
    if value.text.startswith('"') and value.text.endswith('"'):
        return gdb.Value(_sayable(value.text[1:-1]))
    return gdb.Value(value.raw).cast(gdb.lookup_type("void").pointer())


def _sayable(text: str) -> str:
    """Text as gdb can print it: gdb passes on marks that turn the direction of text,
    and in a C locale it raises for what is not ASCII."""
    text = clean(text)
    try:
        gdb.Value(text)
    except UnicodeError:
        return text.encode("ascii", "backslashreplace").decode()
    return text
