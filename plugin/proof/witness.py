"""Examples of valid calls, to show that a side of a condition can be taken.

A condition that is not decided for every call may still be shown to go both ways: one
valid call for each side is proof enough. The numbers below are such as engines pass.
"""

from collections.abc import Sequence
from typing import Callable, Optional

from ..arch import Arch, Convention
from ..chakra.thunk import Thunk
from .chain import Offsets, chain, chains_in
from .flow import Condition
from .values import (
    MASK64,
    Const,
    Derived,
    Entry,
    Garbage,
    Load,
    Mask,
    Mixed,
    Slot,
    Sum,
    Unknown,
    Value,
    fold,
)

ANYTHING = (0, 0x0001000000000005, 0x5213C6A40108, MASK64, 0x8000000000000000, 8, 1)
POINTERS = (0x5213C6A40180, 0x7FF7F48C0120, 0x10000040, 0x100020000)
CALL_INFOS = (0x02000004, 0, 0x4B000002, 0x01000001)
STACKS = (0x7FFC5A3D2000, 0x16FDFE000, 0x55007FFE00)
ROUNDS = 7


class Examples:
    """A handful of valid calls of one block."""

    def __init__(
        self,
        convention: Convention,
        offsets: Optional[Offsets],
        arch: Arch,
        stubs: tuple[int, ...],
    ) -> None:
        self._function = convention.arguments[0]
        self._offsets = offsets
        self._calls = [
            _Call(number, convention, offsets, arch, stubs) for number in range(ROUNDS)
        ]

    def sides(
        self,
        condition: Optional[Condition],
        test: Optional[Callable[[int, int, int], bool]],
    ) -> tuple[bool, bool]:
        """(whether some valid call jumps, whether some valid call does not)."""
        if condition is None:
            return False, False
        if condition.operation == "arbitrary":
            return True, True
        if test is None:
            return False, False
        seen = set()
        if self._kept_by_engines(condition.a) or self._kept_by_engines(condition.b):
            return False, False
        for call in self._calls:
            a, b = call.number_of(condition.a), call.number_of(condition.b)
            if a is None or b is None:
                return False, False
            seen.add(test(a, b, 8 * condition.size))
        return True in seen, False in seen

    def _kept_by_engines(self, value: Value) -> bool:
        """Whether it is made of a word of the function's objects that is not known to
        be of the chain: engines may see to it that it is what a header wants."""
        paths = (path for _, path in chains_in(value, self._function))
        known = self._offsets
        return any(not (known and _in_chain(path, known)) for path in paths)

    def differ(self, actual: Value, expected: Value) -> bool:
        """Whether two values are different numbers in some valid call."""
        for call in self._calls:
            a, b = call.number_of(actual), call.number_of(expected)
            if a is not None and b is not None and a != b:
                return True
        return False

    def some(self, value: Value, bad: Callable[[int], bool]) -> bool:
        """Whether a value is a bad number in some valid call."""
        numbers = (call.number_of(value) for call in self._calls)
        return any(number is not None and bad(number) for number in numbers)


class _Call:
    """One example of a call: a number for everything that a value can be made of."""

    def __init__(
        self,
        number: int,
        convention: Convention,
        offsets: Optional[Offsets],
        arch: Arch,
        stubs: tuple[int, ...],
    ) -> None:
        self.round = number
        self.convention = convention
        self.offsets = offsets
        self.arch = arch
        self.stubs = stubs
        self._leaves: dict[Value, int] = {}

    def number_of(self, value: Value) -> Optional[int]:
        if isinstance(value, Const):
            return value.value
        if isinstance(value, Sum):
            base = self.number_of(value.base)
            return None if base is None else (base + value.offset) & MASK64
        if isinstance(value, Mask):
            base = self.number_of(value.base)
            return None if base is None else base & value.mask
        if isinstance(value, Derived):
            numbers = [self.number_of(part) for part in value.inputs]
            return fold(value.operation, numbers)
        if isinstance(value, Mixed):
            return self._mixed(value)
        if isinstance(value, (Entry, Slot, Garbage, Load)):
            return self._leaf(value)
        return None

    def _mixed(self, value: Mixed) -> Optional[int]:
        number = 0
        for n, (part, index) in enumerate(value.parts):
            of_part = self.number_of(part)
            if of_part is None:
                return None
            number |= (of_part >> 8 * index & 0xFF) << 8 * n
        return number

    def _leaf(self, value: Value) -> Optional[int]:
        if value not in self._leaves:
            choice = self._choices(value)
            if choice is None:
                return None
            # Different leaves are different numbers, as in real calls.
            self._leaves[value] = choice[(self.round + len(self._leaves)) % len(choice)]
        return self._leaves[value]

    def _choices(self, value: Value) -> Optional[tuple[int, ...]]:
        arguments = self.convention.arguments
        if isinstance(value, Entry):
            if value.register == arguments[0]:
                return POINTERS
            if value.register == arguments[1]:
                return CALL_INFOS
            if value.register in (self.arch.fp, self.arch.lr):
                return POINTERS
            if value.register in self.convention.reserved:
                return None
            if value.register == self.arch.sp:
                return tuple(n + self.arch.entry_misalignment for n in STACKS)
            return ANYTHING
        if isinstance(value, Load):
            return self._loaded(value)
        if value == Slot(0):
            return POINTERS
        return None if isinstance(value, Unknown) else ANYTHING

    def _loaded(self, value: Load) -> Optional[tuple[int, ...]]:
        """Words of objects: pointers and a stub where the chain has them. What stands
        elsewhere nobody knows."""
        path = chain(value, self.convention.arguments[0])
        known = self.offsets
        if path is None or len(path) > 3 or (known and not _in_chain(path, known)):
            return None
        return self.stubs if len(path) == 3 else POINTERS


def examples_of(
    thunk: Thunk,
    convention: Convention,
    offsets: Optional[Offsets],
    numbers: Optional[Sequence[int]] = None,
) -> Examples:
    """Calls of functions with the last, the first and a middle one of these stubs, of
    all if there are none given."""
    which = range(thunk.stub_count) if numbers is None else numbers
    chosen = (which[-1], which[0], which[len(which) // 2])
    stubs = tuple(thunk.stub_address(n) for n in chosen)
    return Examples(convention, offsets, thunk.arch, stubs)


def _in_chain(path: tuple[int, ...], known: Offsets) -> bool:
    """Whether these loads from the function object are the first of the chain's."""
    hops = (known.function_info, known.function_proxy, known.dynamic_thunk)
    return path == hops[: len(path)]
