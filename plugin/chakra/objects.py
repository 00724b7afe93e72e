"""From a function object to its stub, its block and its name.

function -> FunctionInfo -> FunctionBody -> m_dynamicInterpreterThunk. The three
offsets are read from a block's header, never assumed; everything else is confirmed
before it is believed. Facts: lib/Runtime/Base/FunctionInfo.h and FunctionBody.h.
"""

from dataclasses import dataclass
from typing import Optional

from ..arch import WORD
from ..proof import Offsets
from ..target import Memory, ThunkError

ENTRY_POINT = 0
"""FunctionInfo::originalEntryPoint, the first field."""
BACK_POINTER = 0x10
"""FunctionProxy::functionInfo: behind the vtable and auxPtrs."""
NAME_FROM_THUNK = 0x38
"""From m_dynamicInterpreterThunk to m_displayName; its length follows."""
MAX_NAME = 256
"""UTF-16 units of a function's name that are read at the most."""
TYPE = 8
"""RecyclableObject::type, behind the vtable."""


@dataclass(frozen=True)
class Function:
    """A function object and what its chain says. Addresses are the target's."""

    address: int
    info: int
    entry_point: int
    body: int
    stub: int
    confirmed: bool
    """Whether the body points back to its FunctionInfo."""
    name: Optional[str]


def read_function(memory: Memory, address: int, offsets: Offsets) -> Function:
    """Walk the chain from a function object. Unreadable when it breaks off."""
    info = memory.word(address + offsets.function_info)
    entry_point = memory.word(info + ENTRY_POINT)
    body = memory.word(info + offsets.function_proxy)
    stub = memory.word(body + offsets.dynamic_thunk)
    confirmed = memory.word(body + BACK_POINTER) == info
    name = read_name(memory, body, offsets) if confirmed else None
    return Function(address, info, entry_point, body, stub, confirmed, name)


def try_function(
    memory: Memory, address: int, offsets: Optional[Offsets]
) -> Optional[Function]:
    """As read_function, or None where there is no function that is confirmed."""
    if offsets is None or not address or address % WORD:
        return None
    try:
        function = read_function(memory, address, offsets)
    except ThunkError:
        return None
    return function if function.confirmed else None


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
