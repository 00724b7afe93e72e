"""JavaScript values as the engine stores them in 64 bits.

Facts: lib/Runtime/Library/TaggedInt.h and JavascriptNumber.inl (FloatTag). What an
object is stands in `heap`.
"""

import struct
from dataclasses import dataclass
from typing import Optional

from ..target import Memory, ThunkError
from .heap import Heap, describe

INT_TAG = 1
"""Upper 16 bits of a tagged int."""
DOUBLE_XOR = 0xFFFC << 48


@dataclass(frozen=True)
class JsValue:
    """A decoded value; `kind` is int, double, object, null-pointer or unreadable.

    Facts: lib/Runtime/Library/TaggedInt.h, lib/Runtime/Library/JavascriptNumber.inl.
    """

    raw: int
    kind: str
    text: str


def decode(raw: int, memory: Memory, heap: Optional[Heap] = None) -> JsValue:
    """A Var as JavaScript shows it, as far as memory and symbols confirm it.

    `heap`: that of a function that was confirmed, which tells objects from garbage
    where there are no symbols, and one type id from another.
    """
    if raw >> 48 == INT_TAG:
        return _tagged_int(raw)
    if raw >> 50:
        return JsValue(raw, "double", format_double(raw ^ DOUBLE_XOR))
    if not raw:
        return JsValue(raw, "null-pointer", "a null pointer, no value")
    if raw % 8:
        return JsValue(raw, "unreadable", f"{raw:#x} is no value")
    key = ("value", raw, heap)
    if key not in memory.derived:
        memory.derived[key] = _object(raw, memory, heap)
    known: JsValue = memory.derived[key]
    return known


def _object(raw: int, memory: Memory, heap: Optional[Heap]) -> JsValue:
    try:
        memory.word(raw)
    except ThunkError:
        return JsValue(raw, "unreadable", f"{raw:#x} cannot be read")
    return JsValue(raw, "object", describe(raw, memory, heap).text)


def _tagged_int(raw: int) -> JsValue:
    number = raw & 0xFFFFFFFF
    number -= (number & 0x80000000) << 1
    if raw >> 32 & 0xFFFF:
        return JsValue(raw, "unreadable", f"{raw:#x} is no value")
    return JsValue(raw, "int", str(number))


def format_double(bits: int) -> str:
    """IEEE 754 bits as JavaScript writes the number; -0 keeps its sign."""
    number: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    if number != number:
        return "NaN"
    if number in (float("inf"), float("-inf")):
        return "Infinity" if number > 0 else "-Infinity"
    if not number:
        return "-0" if bits >> 63 else "0"
    return ("-" if number < 0 else "") + _decimal(repr(abs(number)))


def _decimal(text: str) -> str:
    """Python's shortest digits of a number as Number::toString puts them (ECMA-262)."""
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent or 0)
    digits = (whole + fraction).rstrip("0")
    point -= len(digits) - len(digits.lstrip("0"))
    digits = digits.lstrip("0")
    if len(digits) <= point <= 21:
        return digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if digits[1:] else ""
    return f"{digits[0]}{rest}e{point - 1:+d}"
