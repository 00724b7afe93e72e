"""What a register or a piece of stack can hold, symbolically.

Every value stands for the 64-bit number that the place holds in whatever call comes
through the block. Two values that compare equal are the same number in every call.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Callable, Optional, Union

MASK64 = (1 << 64) - 1
MAX_SIZE = 128
"""Values that one value may be made of. A thunk needs a dozen; a loop or a bad block
could make billions."""


@dataclass(frozen=True)
class Entry:
    """What a register held at the header's first instruction."""

    register: str


@dataclass(frozen=True)
class Slot:
    """The word that the caller left on the stack, `offset` bytes from SP at entry."""

    offset: int


@dataclass(frozen=True)
class Const:
    value: int


@dataclass(frozen=True)
class Behind:
    """Where the stub's call returns to, in the stub that is followed for all that are
    alike: in each of the others it is that one's own place."""

    value: int


@dataclass(frozen=True)
class Sum:
    """A value plus a constant, which is never 0."""

    base: "Value"
    offset: int


@dataclass(frozen=True)
class Mask:
    base: "Value"
    mask: int


@dataclass(frozen=True)
class Load:
    """The word of memory (not of the stack) at an address, as it was at entry."""

    address: "Value"
    size: int = field(default=1, compare=False)
    """How many values it is made of; see MAX_SIZE."""


@dataclass(frozen=True)
class Derived:
    """Some other function of values: only what goes into it is known."""

    operation: str
    inputs: tuple["Value", ...]
    size: int = field(default=1, compare=False)


@dataclass(frozen=True)
class Mixed:
    """A word put together from bytes of values: (value, number of the byte)."""

    parts: tuple[tuple["Value", int], ...]


@dataclass(frozen=True, eq=False)
class Garbage:
    """Nobody determines it: it may be any number, but it is the same one wherever it is
    copied to. Two words that nobody stored are two numbers.
    """

    why: str


@dataclass(frozen=True)
class Unknown:
    """The analysis cannot say; `why` is for the user."""

    why: str


Value = Union[
    Entry, Slot, Const, Behind, Sum, Mask, Load, Derived, Mixed, Garbage, Unknown
]


TOO_LONG = Unknown("it is too long a computation to follow")


def add(value: Value, offset: int) -> Value:
    """value + offset, in its simplest form."""
    if isinstance(value, Const):
        return Const((value.value + offset) & MASK64)
    if isinstance(value, Sum):
        return add(value.base, value.offset + offset)
    if isinstance(value, Unknown):
        return value
    offset = (offset + (1 << 63) & MASK64) - (1 << 63)
    return Sum(value, offset) if offset else value


def mask(value: Value, bits: int) -> Value:
    """value & bits."""
    bits &= MASK64
    if isinstance(value, Const):
        return Const(value.value & bits)
    if isinstance(value, Mask):
        return mask(value.base, value.mask & bits)
    if isinstance(value, Derived) and value.operation == "or":
        one, other = value.inputs
        if isinstance(other, Const):
            return combine("or", mask(one, bits), Const(other.value & bits))
    if not bits:
        return Const(0)
    if bits == MASK64 or isinstance(value, Unknown):
        return value
    return Mask(value, bits)


_FOLD = {
    "sub": lambda a, b: a - b,
    "add": lambda a, b: a + b,
    "or": lambda a, b: a | b,
    "and": lambda a, b: a & b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << (b & 63),
    "shr": lambda a, b: a >> (b & 63),
}  # type: dict[str, Callable[[int, int], int]]


def fold(operation: str, numbers: Sequence[Optional[int]]) -> Optional[int]:
    """An operation done on numbers; None where it or one of them is not known."""
    if operation not in _FOLD or len(numbers) != 2 or None in numbers:
        return None
    a, b = numbers
    assert a is not None and b is not None
    return _FOLD[operation](a, b) & MASK64


def combine(operation: str, a: Value, b: Value) -> Value:
    """The value of a two-operand operation, simplified where that is exact."""
    if isinstance(a, Const) and isinstance(b, Const) and operation in _FOLD:
        return Const(_FOLD[operation](a.value, b.value) & MASK64)
    if isinstance(b, Const):
        if operation == "add":
            return add(a, b.value)
        if operation == "sub":
            return add(a, -b.value)
        if operation == "and":
            return mask(a, b.value)
        if not b.value and operation in ("or", "xor", "shl", "shr"):
            return a
    if isinstance(a, Const) and operation in ("add", "and", "or", "xor"):
        return combine(operation, b, a)
    if a == b and not isinstance(a, Unknown):
        if operation in ("or", "and"):
            return a
        if operation in ("sub", "xor"):
            return Const(0)
    return derived(operation, (a, b))


def derived(operation: str, values: tuple[Value, ...]) -> Value:
    """A function of values. Two that are not known may be two numbers though they say
    the same: so is what is made of them."""
    for value in values:
        if isinstance(value, Unknown):
            return value
    return bounded(Derived(operation, values, 1 + sum(map(size_of, values))))


def loaded(address: Value) -> Value:
    """The word at an address."""
    return bounded(Load(address, 1 + size_of(address)))


def bounded(value: Value) -> Value:
    """The value, unless it has become too long a computation to follow."""
    return TOO_LONG if size_of(value) > MAX_SIZE else value


def size_of(value: Value) -> int:
    if isinstance(value, (Load, Derived)):
        return value.size
    if isinstance(value, (Sum, Mask)):
        return 1 + size_of(value.base)
    if isinstance(value, Mixed):
        return 1 + sum(size_of(part) for part, _ in value.parts)
    return 1


def inputs(value: Value) -> Iterator[Value]:
    """The value and everything that it is made of."""
    yield value
    if isinstance(value, (Sum, Mask)):
        yield from inputs(value.base)
    elif isinstance(value, Load):
        yield from inputs(value.address)
    elif isinstance(value, Derived):
        for part in value.inputs:
            yield from inputs(part)
    elif isinstance(value, Mixed):
        for part, _ in value.parts:
            yield from inputs(part)


def unknown_in(value: Value) -> Optional[Unknown]:
    """The first thing in a value that the analysis cannot say."""
    for part in inputs(value):
        if isinstance(part, Unknown):
            return part
    return None


def computed(value: Value) -> bool:
    """Whether a value is made of others in such a way that it may be any of them."""
    made = isinstance(value, Derived) and bool(value.inputs)
    return made or isinstance(value, (Mask, Mixed))


def always(actual: Value, expected: Value) -> Optional[bool]:
    """Whether `actual` is `expected` in every call.

    True or False when that is certain (False: there is a call in which it differs),
    None when the analysis cannot tell.
    """
    if actual == expected and not isinstance(actual, Unknown):
        return True
    if unknown_in(actual) or unknown_in(expected):
        return None
    for part in (*inputs(actual), *inputs(expected)):
        if computed(part):
            # A mask may take away only bits that are always zero.
            return None
    return False


def from_sp(value: Value, sp: str) -> Optional[int]:
    """The distance from SP at entry, when the value is an address on the stack."""
    if value == Entry(sp):
        return 0
    if isinstance(value, Sum) and value.base == Entry(sp):
        return value.offset
    return None


def function_of(value: Value, known: Value) -> Optional[Callable[[int], int]]:
    """The number that a value is as a function of the number that `known` is.

    None when the value depends on anything else.
    """
    if value == known:
        return lambda n: n
    if isinstance(value, Const):
        constant = value.value
        return lambda n: constant
    if isinstance(value, (Sum, Mask)):
        base = function_of(value.base, known)
        if base is None:
            return None
        inner = base
        if isinstance(value, Sum):
            offset = value.offset
            return lambda n: (inner(n) + offset) & MASK64
        bits = value.mask
        return lambda n: inner(n) & bits
    if isinstance(value, Derived) and value.operation in _FOLD:
        a, b = (function_of(part, known) for part in value.inputs)
        if a is not None and b is not None:
            fold, left, right = _FOLD[value.operation], a, b
            return lambda n: fold(left(n), right(n)) & MASK64
    return None
