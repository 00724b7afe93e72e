"""From a function object to its stub, its block and its name.

function -> FunctionInfo -> FunctionBody -> m_dynamicInterpreterThunk. The three
offsets are read from a block's header, never assumed; everything else is confirmed
before it is believed. Facts: lib/Runtime/Base/FunctionInfo.h and FunctionBody.h.
"""

from dataclasses import dataclass
from typing import Optional, Union

from ..arch import WORD
from ..proof import Offsets
from ..target import Memory, ThunkError, Unreadable
from .heap import class_name, has_type

ENTRY_POINT = 0
"""FunctionInfo::originalEntryPoint, the first field."""
BACK_POINTER = 0x10
"""FunctionProxy::functionInfo: behind the vtable and auxPtrs."""
NAME_FROM_THUNK = 0x38
"""From m_dynamicInterpreterThunk to m_displayName; its length follows."""
LINE_FROM_THUNK = 0x30
"""From m_dynamicInterpreterThunk to m_lineNumber, which counts from 0."""
SOURCE_INFO = 0x20
"""FunctionProxy::m_utf8SourceInfo; what it points to is confirmed by its vtable."""
SOURCE_CONTEXT, SOURCE_URL = 0x68, 0x18
"""Utf8SourceInfo to its SourceContextInfo's holder, and that to the URL, as seen in
ChakraCore 1.11."""
MAX_LINE = 1 << 24
MAX_NAME = 256
"""UTF-16 units of a function's name that are read at the most."""
TYPE = 8
"""RecyclableObject::type, behind the vtable."""


@dataclass(frozen=True)
class Function:
    """A function object and what its chain says. Addresses are the target's.

    Facts: lib/Runtime/Base/FunctionBody.cpp (FunctionInfo, FunctionBody).
    """

    address: int
    info: int
    entry_point: int
    body: int
    stub: int
    confirmed: bool
    """Whether the body points back to its FunctionInfo, and the object has a type."""
    name: Optional[str]
    position: Optional[str] = None
    """Script and line, such as `/x/nest.js:12`; only where symbols confirm it."""


def read_function(memory: Memory, address: int, offsets: Offsets) -> Function:
    """Walk the chain from a function object. Unreadable when it breaks off."""
    info = memory.word(address + offsets.function_info)
    entry_point = memory.word(info + ENTRY_POINT)
    body = memory.word(info + offsets.function_proxy)
    stub = memory.word(body + offsets.dynamic_thunk)
    confirmed = memory.word(body + BACK_POINTER) == info and has_type(address, memory)
    name = read_name(memory, body, offsets) if confirmed else None
    place = read_position(memory, body, offsets) if name else None
    return Function(address, info, entry_point, body, stub, confirmed, name, place)


def try_function(
    memory: Memory, address: int, offsets: Optional[Offsets]
) -> Optional[Function]:
    """As read_function, or None where there is no function that is confirmed."""
    known = _looked_at(memory, address, offsets)
    return known if isinstance(known, Function) and known.confirmed else None


def unconfirmed(
    memory: Memory, address: int, offsets: Optional[Offsets]
) -> Optional[Function]:
    """What the header's three loads make of an address of which nothing else says that
    it is a function object."""
    known = _looked_at(memory, address, offsets)
    return known if isinstance(known, Function) and not known.confirmed else None


def unread_of(
    memory: Memory, address: int, offsets: Optional[Offsets]
) -> Optional[Unreadable]:
    """What could not be read of a would-be function's chain: without it, nobody knows
    whether there is one."""
    known = _looked_at(memory, address, offsets)
    return known if isinstance(known, Unreadable) else None


def _looked_at(
    memory: Memory, address: int, offsets: Optional[Offsets]
) -> Union[Function, Unreadable, None]:
    if offsets is None or not address or address % WORD:
        return None
    key = ("function", address, offsets)
    if key not in memory.derived:
        memory.derived[key] = _read_or_not(memory, address, offsets)
    known: Union[Function, Unreadable, None] = memory.derived[key]
    return known


def _read_or_not(
    memory: Memory, address: int, offsets: Offsets
) -> Union[Function, Unreadable]:
    try:
        return read_function(memory, address, offsets)
    except Unreadable as error:
        return error


def read_name(memory: Memory, body: int, offsets: Offsets) -> Optional[str]:
    """The display name: believed when it is UTF-16 of just the length that the body
    gives, ends in NUL there, and holds nothing but characters."""
    place = body + offsets.dynamic_thunk + NAME_FROM_THUNK
    try:
        pointer = memory.word(place)
        length = int.from_bytes(memory.read(place + WORD, 4), "little")
        if not pointer or pointer % 2 or not 0 < length <= MAX_NAME:
            return None
        data = memory.read(pointer, 2 * (length + 1))
        text = data[:-2].decode("utf-16-le")
    except (ThunkError, UnicodeDecodeError):
        return None
    whole = data[-2:] == b"\0\0" and "\0" not in text
    return text if whole and text.isprintable() else None


def read_position(memory: Memory, body: int, offsets: Offsets) -> Optional[str]:
    """Where a function stands in its script. Believed only if what the body points to
    is a Utf8SourceInfo by its vtable's symbol, and the URL is text that ends."""
    try:
        source = memory.word(body + SOURCE_INFO)
        if not source or class_name(source, memory) != "Js::Utf8SourceInfo":
            return None
        place = body + offsets.dynamic_thunk + LINE_FROM_THUNK
        line = int.from_bytes(memory.read(place, 4), "little") + 1
        holder = memory.word(memory.word(source + SOURCE_CONTEXT))
        url = _text_at(memory, memory.word(holder + SOURCE_URL))
    except ThunkError:
        return None
    return f"{url}:{line}" if url and line < MAX_LINE else None


def _text_at(memory: Memory, pointer: int) -> Optional[str]:
    """UTF-16 up to its NUL."""
    if not pointer or pointer % 2:
        return None
    data = b""
    for n in range(MAX_NAME):
        unit = memory.read(pointer + 2 * n, 2)
        if unit == b"\0\0":
            text = data.decode("utf-16-le", "replace")
            return text if text.isprintable() else None
        data += unit
    return None
