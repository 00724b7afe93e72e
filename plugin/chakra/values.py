"""JavaScript values as the engine stores them in 64 bits.

Facts: lib/Runtime/Library/TaggedInt.h, JavascriptNumber.inl (FloatTag) and
RecyclableObject.h. An object's class is known only through its vtable's symbol; what
is not confirmed stays `object`.
"""

import struct
from dataclasses import dataclass
from typing import Optional

from ..target import Memory, ThunkError

INT_TAG = 1
"""Upper 16 bits of a tagged int."""
DOUBLE_XOR = 0xFFFC << 48
VTABLE_PREFIX = "vtable for "


@dataclass(frozen=True)
class JsValue:
    """A decoded value; `kind` is int, double, object, null-pointer or unreadable."""

    raw: int
    kind: str
    text: str


def decode(raw: int, memory: Memory) -> JsValue:
    """A Var as JavaScript shows it, as far as memory and symbols confirm it."""
    if raw >> 48 == INT_TAG:
        return _tagged_int(raw)
    if raw >> 50:
        return JsValue(raw, "double", format_double(raw ^ DOUBLE_XOR))
    if not raw:
        return JsValue(raw, "null-pointer", "null pointer: no JavaScript value")
    if raw % 8:
        return JsValue(raw, "unreadable", f"{raw:#x} is no JavaScript value")
    try:
        memory.word(raw)
    except ThunkError:
        return JsValue(raw, "unreadable", f"{raw:#x} cannot be read")
    name = class_name(raw, memory)
    if name is None:
        return JsValue(raw, "object", f"{{object {raw:#x}}}")
    return JsValue(raw, "object", f"{{{name}}}")


def _tagged_int(raw: int) -> JsValue:
    number = raw & 0xFFFFFFFF
    number -= (number & 0x80000000) << 1
    if raw >> 32 & 0xFFFF:
        return JsValue(raw, "unreadable", f"{raw:#x} is no JavaScript value")
    return JsValue(raw, "int", str(number))


def format_double(bits: int) -> str:
    """IEEE 754 bits as JavaScript writes the number; -0 keeps its sign."""
    number: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    if number == int(number) and abs(number) < 1e21:
        return "-0" if not number and bits >> 63 else str(int(number))
    return repr(number)


def class_name(address: int, memory: Memory) -> Optional[str]:
    """The C++ class of an object, by its vtable's symbol; None when none tells."""
    try:
        vtable = memory.word(address)
    except ThunkError:
        return None
    symbol = memory.symbol_at(vtable)
    if symbol is None or not symbol.name.startswith(VTABLE_PREFIX):
        return None
    # A vtable pointer stands behind offset-to-top and type information.
    if vtable - symbol.address != 16:
        return None
    return symbol.name[len(VTABLE_PREFIX) :]
