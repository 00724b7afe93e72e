"""JavascriptCallStackLayout: what the interpreter reads through its one pointer.

    +0   functionObject
    +8   callInfo: Count 24 bits, Flags 8 bits, 32 bits unused
    +16  args[0] = this, args[1] … and one more with ExtraArg or NewTarget

Facts: lib/Runtime/Language/JavascriptStackWalker.h, lib/Runtime/Base/CallInfo.h.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import unpack
from typing import Optional, Protocol

from ..arch import WORD
from ..proof import Offsets
from ..target import Memory, ThunkError
from .heap import heap_of
from .objects import Function, try_function, unread_of
from .values import JsValue, decode

FLAGS = (
    (1, "New"),
    (2, "Value"),
    (4, "Eval"),
    (8, "ExtraArg"),
    (0x10, "NotUsed"),
    (0x20, "Wrapped"),
    (0x40, "NewTarget"),
    (0x80, "InternalFrame"),
)
EXTRA = 8 | 0x40
"""Flags with which one argument more follows that is not counted."""

ARGS = 2 * WORD
"""Offset of args[0] in the layout."""

PLAUSIBLE_COUNT = 4096
"""More arguments than calls commonly carry; the field could hold 16 million."""

MAX_LOOKED_AT = 1 << 16
"""Arguments whose words are read at the most."""
MAX_SHOWN = 64
"""Arguments that are decoded at the most."""


@dataclass(frozen=True)
class CallInfo:
    """How many arguments a call has, and what kind of call it is, in one word.

    Facts: lib/Runtime/Base/CallInfo.h.
    """

    raw: int

    @property
    def count(self) -> int:
        """Arguments, `this` included and an extra one not."""
        return self.raw & 0xFFFFFF

    @property
    def flags(self) -> list[str]:
        bits = self.raw >> 24 & 0xFF
        return [name for bit, name in FLAGS if bits & bit]

    @property
    def arguments(self) -> int:
        """Arguments that stand in memory, the extra one included."""
        return self.count + bool(self.raw >> 24 & EXTRA)

    @property
    def problem(self) -> Optional[str]:
        """Why this is no callInfo that the engine makes; None when it may be one."""
        if self.raw >> 32:
            return f"callInfo is garbage: the upper half is {self.raw >> 32:#x}, not 0"
        return None

    @property
    def doubt(self) -> Optional[str]:
        """Why it is unlikely, though a call may have it."""
        if self.count > PLAUSIBLE_COUNT:
            return f"callInfo may be garbage: count {self.count}"
        if self.raw >> 24 & 0x40 and not self.raw >> 24 & 8:
            return "callInfo has NewTarget without ExtraArg"
        return None


class Words(Protocol):
    """Where a layout's words are: memory, or what will be there."""

    def word(self, address: int) -> int: ...
    def read(self, address: int, size: int) -> bytes: ...


@dataclass
class Layout:
    """A decoded layout. What could not be read is None, and said in `problems`.

    Facts: lib/Runtime/Language/JavascriptStackWalker.h (JavascriptCallStackLayout).
    """

    address: int
    function_address: Optional[int] = None
    function: Optional[Function] = None
    """Only where the object's chain confirms it."""
    call_info: Optional[CallInfo] = None
    args: list[JsValue] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def looks_sound(self) -> bool:
        return not self.problems and self.function is not None

    @property
    def call_text(self) -> str:
        """The call as JavaScript would write it, `this` left out."""
        name = (self.function and self.function.name) or "?"
        shown = [value.text for value in self.args[1:]]
        if self.call_info and self.call_info.arguments > len(self.args):
            shown.append(f"… {self.call_info.arguments - len(self.args)} more")
        return f"{name}({', '.join(shown)})"


def read_layout(
    memory: Memory,
    address: int,
    offsets: Optional[Offsets],
    limit: int = MAX_SHOWN,
    asm: bool = False,
    words: Optional[Words] = None,
) -> Layout:
    """Decode the layout at an address; never raises for what it finds there.

    `asm`: an AsmJsCallStackLayout, which has no callInfo; only its function is read.
    `words`: where its own words are read, if that is not memory.
    """
    words = words or memory
    layout = Layout(address)
    if address % WORD:
        layout.problems.append(f"{address:#x} is not 8-byte aligned")
    raw = _read_head(words, layout, asm)
    if layout.function_address is not None:
        layout.function = try_function(memory, layout.function_address, offsets)
        if layout.function is None and offsets is not None:
            layout.problems.append(_no_function(memory, layout, offsets))
    if raw is None:
        return layout
    layout.call_info = CallInfo(raw)
    if layout.call_info.problem:
        layout.problems.append(layout.call_info.problem)
    elif layout.call_info.doubt and not args_readable(words, layout):
        layout.problems.append(layout.call_info.doubt)
    _read_args(memory, words, layout, limit)
    return layout


def _no_function(memory: Memory, layout: Layout, offsets: Offsets) -> str:
    assert layout.function_address is not None
    word = f"[{layout.address:#x}] = {layout.function_address:#x}"
    unread = unread_of(memory, layout.function_address, offsets)
    if unread is None or memory.lacks(unread.address, unread.size):
        return f"{word} is no function object"
    return f"{word}: {unread}"


def _read_head(words: Words, layout: Layout, asm: bool) -> Optional[int]:
    """Function and callInfo; the raw callInfo, None where there is none to be had."""
    address = layout.address
    try:
        layout.function_address, raw = unpack("<2Q", words.read(address, ARGS))
        return None if asm else int(raw)
    except ThunkError:
        pass
    layout.function_address = _word(words, address, "function", layout)
    return None if asm else _word(words, address + WORD, "callInfo", layout)


def _read_args(memory: Memory, words: Words, layout: Layout, limit: int) -> None:
    assert layout.call_info
    function = layout.function
    heap = heap_of(function.address, memory) if function else None
    count = layout.call_info.arguments
    if layout.problems:
        count = min(count, 4)
    for raw in _raw_args(words, layout, min(count, limit)):
        layout.args.append(decode(raw, memory, heap))


def _raw_args(words: Words, layout: Layout, count: int) -> Iterator[int]:
    """The words of args, up to the first that cannot be read."""
    first = layout.address + ARGS
    try:
        yield from unpack(f"<{count}Q", words.read(first, WORD * count))
        return
    except ThunkError:
        pass
    for i in range(count):
        raw = _word(words, first + WORD * i, f"args[{i}]", layout)
        if raw is None:
            return
        yield raw


def args_readable(words: Words, layout: Layout) -> Optional[bool]:
    """Whether every argument's word can be read; None: too many to look."""
    assert layout.call_info
    count = layout.call_info.arguments
    if count > MAX_LOOKED_AT:
        return None
    first = layout.address + ARGS
    try:
        # The last one first: a count that is garbage shows there.
        words.read(first + WORD * max(count - 1, 0), WORD if count else 0)
        words.read(first, WORD * count)
    except ThunkError:
        return False
    return True


def all_args(memory: Memory, layout: Layout) -> list[int]:
    """The raw words of all arguments; Unreadable when one cannot be read."""
    assert layout.call_info
    count = min(layout.call_info.arguments, MAX_LOOKED_AT)
    data = memory.read(layout.address + ARGS, WORD * count)
    return [
        int.from_bytes(data[n : n + WORD], "little") for n in range(0, len(data), WORD)
    ]


def _word(words: Words, address: int, what: str, layout: Layout) -> Optional[int]:
    try:
        return words.word(address)
    except ThunkError as error:
        layout.problems.append(f"{what}: {error}")
        return None


def words(source: Words, address: int, count: int) -> list[tuple[int, Optional[int]]]:
    """Raw words with their addresses; None for one that cannot be read."""
    found: list[tuple[int, Optional[int]]] = []
    for i in range(count):
        try:
            found.append((address + WORD * i, source.word(address + WORD * i)))
        except ThunkError:
            found.append((address + WORD * i, None))
    return found
