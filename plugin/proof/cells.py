"""Bytes of the stack, and the words that they make."""

from typing import NamedTuple, Optional

from .values import Const, Mask, Mixed, Unknown, Value, bounded, mask

BELOW_SP = Unknown("it lay below SP, where the handler of a signal may write")


class Byte(NamedTuple):
    """One byte of stack: byte `part` of `value`, put there by the instruction at
    offset `writer` of the block (None: it was there at entry)."""

    value: Value
    part: int
    writer: Optional[int]


def assemble(parts: list[tuple[Value, int]]) -> Value:
    """Bytes, lowest first, as one zero-extended value."""
    parts = [_unwrapped(*part) for part in parts]
    number = field = 0
    places = set()
    for n, (value, index) in enumerate(parts):
        if isinstance(value, Const):
            number |= (value.value >> 8 * index & 0xFF) << 8 * n
        else:
            field |= 0xFF << 8 * n
            places.add((value, index - n))
    if not places:
        return Const(number)
    whole, distance = next(iter(places))
    if len(places) == 1 and not distance and not number:
        return mask(whole, field)
    for value, _ in parts:
        if isinstance(value, Unknown):
            return value
    return bounded(Mixed(tuple(parts)))


def _unwrapped(value: Value, part: int) -> tuple[Value, int]:
    """A byte of a value as that of what the value is made of."""
    if isinstance(value, Mixed):
        return _unwrapped(*value.parts[part]) if value.parts[part:] else (Const(0), 0)
    if isinstance(value, Mask):
        bits = value.mask >> 8 * part & 0xFF
        if bits in (0, 0xFF):
            return _unwrapped(value.base, part) if bits else (Const(0), 0)
    return value, part
