"""The abstract machine: what every register and every byte of stack holds.

A State is changed by the effects (`aarch64.py`, `x86_64.py`) one instruction after
the other. The stack is byte-exact and addressed relative to SP at entry, so that
overlapping and partial stores come out right. Nothing here knows an instruction.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Optional, Union

from ..arch import WORD, Arch, Convention
from .cells import BELOW_SP, Byte, assemble
from .chain import chain, strip
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
    Unknown,
    Value,
    add,
    bounded,
    combine,
    from_sp,
    inputs,
    loaded,
    mask,
    unknown_in,
)

NEAR = 0x1000
"""How far from a pointer memory is taken to be readable: nothing that a thunk needs
of an object or of its caller's frame lies farther."""


class Hazard(NamedTuple):
    """An access that may fault or do harm."""

    step: int
    """How many instructions were executed before this one."""
    why: str
    certain: bool
    """True: there is a call in which it does. False: it cannot be ruled out."""


class Flags(NamedTuple):
    """What the condition flags were last set from: `sub` (compare), `and`, …"""

    operation: str
    a: Value
    b: Value
    size: int


def any_flags(why: str) -> Flags:
    """Flags that nobody has set: they can be anything, each time anew."""
    return Flags("arbitrary", Garbage(why), Garbage(why), 8)


@dataclass
class State:
    arch: Arch
    convention: Convention
    code: bytes
    base: int
    pointers: Optional[frozenset[tuple[int, ...]]] = None
    """The chains of loads from the function object that lead to objects; None where
    that is not known, and what is followed is noted."""
    followed: set[tuple[int, ...]] = field(default_factory=set)
    """Such chains that an access rests on; one set for all forks."""
    registers: dict[str, Value] = field(default_factory=dict)
    stack: dict[int, Byte] = field(default_factory=dict)
    flags: Optional[Flags] = field(default_factory=lambda: any_flags("at entry"))
    """None: set in a way that is not known."""
    shared: bool = False
    """Whether another state has the same stack, which is copied before it changes."""
    hazards: list[Hazard] = field(default_factory=list)
    lost: Optional[Unknown] = None
    """Set when the whole stack may have changed in an unknown way."""
    objects_changed: Optional[Unknown] = None
    reads: list[tuple[int, int, int]] = field(default_factory=list)
    """Stack words read that the block had not written, or not since its call: (step,
    offset from entry SP, size)."""
    vague_read: Optional[int] = None
    """The last step that read a word of the stack that is not known."""
    never_stored: dict[int, Value] = field(default_factory=dict)
    """Words below entry SP that were read, though nobody is known to have written
    them since a callee ran."""
    given_up: dict[int, Byte] = field(default_factory=dict)
    """What was stored above entry SP, and came to lie below SP."""
    at: int = 0
    """Offset of the instruction that is being executed."""
    step: int = 0
    """How many were executed before it."""

    def fork(self) -> "State":
        other = State(self.arch, self.convention, self.code, self.base, self.pointers)
        other.followed = self.followed
        other.registers = dict(self.registers)
        other.stack = self.stack
        other.shared = self.shared = True
        other.flags = self.flags
        other.hazards = list(self.hazards)
        other.lost, other.objects_changed = self.lost, self.objects_changed
        other.reads = list(self.reads)
        other.given_up = dict(self.given_up)
        other.never_stored = dict(self.never_stored)
        other.vague_read = self.vague_read
        other.at, other.step = self.at, self.step
        return other

    def get(self, register: str) -> Value:
        return self.registers.get(register, Entry(register))

    def set(self, register: str, value: Value) -> None:
        self.registers[register] = bounded(value)
        if register == self.arch.sp:
            self._give_up()

    def _give_up(self) -> None:
        """What lies below SP may be overwritten at any time."""
        sp = self.sp
        if sp is None:
            self.note_hazard("SP may leave the stack: signals write below it", False)
            return
        self.check_distance(sp)
        floor = sp - self.convention.red_zone
        for offset in self.never_stored:
            if offset < floor:
                self.never_stored[offset] = BELOW_SP
        for offset in {*(n for n in self.stack if n < floor), *range(min(floor, NEAR))}:
            cell = self.stack.get(offset)
            if cell and cell.value is BELOW_SP:
                continue
            if cell and offset >= 0:
                self.given_up[offset] = cell
            lost = Byte(BELOW_SP, offset % WORD, cell and cell.writer)
            self._own_stack()[offset] = lost

    def _own_stack(self) -> dict[int, Byte]:
        """The stack, to be changed."""
        if self.shared:
            self.stack, self.shared = dict(self.stack), False
        return self.stack

    def _lasts(self, offset: int) -> bool:
        """Whether what stands there stays until an instruction changes it."""
        sp = self.sp
        return sp is None or offset >= sp - self.convention.red_zone

    @property
    def sp(self) -> Optional[int]:
        """SP relative to SP at entry; None when it is not known."""
        return from_sp(self.get(self.arch.sp), self.arch.sp)

    def from_entry_sp(self, value: Value) -> Optional[int]:
        return from_sp(value, self.arch.sp)

    def bitwise_and(self, a: Value, b: Value) -> Value:
        """a & b. SP at entry is known modulo 16, so aligning it down is exact."""
        offset = self.from_entry_sp(a)
        if offset is not None and isinstance(b, Const):
            low = ~b.value & MASK64
            if low in (0, 1, 3, 7, 15):
                return add(a, -((offset + self.arch.entry_misalignment) & low))
        return combine("and", a, b)

    def forget(self, why: str) -> None:
        """An instruction without a known effect: nothing is certain any more."""
        unknown = Unknown(why)
        names = (*self.arch.registers, *self.arch.vectors)
        self.registers = dict.fromkeys(names, unknown)
        self.stack, self.shared = {}, False
        self.lost = self.objects_changed = unknown
        self.flags = None
        self.note_hazard(why, False)

    def check_alignment(self, address: Value, boundary: int, whose: str) -> None:
        """Note an access that faults where its address is no multiple of `boundary`, at
        most 16: SP at entry is known modulo that."""
        offset = self.from_entry_sp(address)
        if offset is None:
            self.note_hazard(f"{whose} need not be a multiple of {boundary}", False)
        elif (offset + self.arch.entry_misalignment) % boundary:
            self.note_hazard(f"{whose} is not a multiple of {boundary}", False)

    def note_hazard(self, why: str, certain: bool) -> None:
        self.hazards.append(Hazard(self.step, why, certain))

    def store(self, address: Value, value: Value, size: int) -> None:
        offset = self.from_entry_sp(address)
        if offset is None:
            self._store_elsewhere(address)
            return
        self.check_distance(offset)
        value, stack = bounded(value), self._own_stack()
        for index in range(size):
            stack[offset + index] = Byte(value, index, self.at)
        if not self._lasts(offset):
            self._give_up()

    def load(self, address: Value, size: int) -> Value:
        """Memory at an address, zero-extended to 64 bits."""
        offset = self.from_entry_sp(address)
        if offset is not None:
            self.check_distance(offset)
            if any(self.writer(offset + n) is None for n in range(size)):
                self.reads.append((self.step, offset, size))
            return self.read_stack(offset, size)
        if isinstance(address, Unknown):
            self.vague_read = self.step
            self.note_hazard("the address need not be a pointer", False)
            return address
        if isinstance(address, Const) and self._in_block(address.value, size):
            start = address.value - self.base
            return Const(int.from_bytes(self.code[start : start + size], "little"))
        self._check_pointer(address)
        if self._may_be_stack(address):
            self.vague_read = self.step
            return Unknown(f"which address +{self.at:#04x} reads is not known")
        if self.objects_changed:
            return self.objects_changed
        return mask(loaded(address), (1 << 8 * size) - 1)

    def read_stack(self, offset: int, size: int) -> Value:
        """`size` bytes of stack, zero-extended."""
        cells = [self.byte(offset + index) for index in range(size)]
        value = assemble([(cell.value, cell.part) for cell in cells])
        # What is made of it, and stored, is not given up.
        return Unknown(BELOW_SP.why) if value is BELOW_SP else value

    def byte(self, offset: int) -> Byte:
        """One byte of stack, as it is now."""
        if offset in self.stack:
            return self.stack[offset]
        if self.lost:
            return Byte(self.lost, offset % WORD, None)
        if not self._lasts(offset):
            return Byte(BELOW_SP, offset % WORD, None)
        return Byte(self._at_entry(offset - offset % WORD), offset % WORD, None)

    def callers(self, start: int) -> Iterator[tuple[int, Value, Optional[int]]]:
        """The caller's words from an offset on that are not certain to be what they
        were at entry, in order: (offset, what it is, the first writer of a byte). What
        was stored in one does harm even if it was given up after that."""
        words = {offset - offset % WORD for offset in self.stack if offset >= start}
        for word in sorted(words):
            cells = [self._before_given_up(word, n) for n in range(WORD)]
            value = assemble([(cell.value, cell.part) for cell in cells])
            gone = any(self.byte(word + n).value is BELOW_SP for n in range(WORD))
            if value == Slot(word) and gone:
                value = BELOW_SP
            if value != Slot(word):
                writers = (cell.writer for cell in cells)
                yield word, value, next((w for w in writers if w is not None), None)

    def _before_given_up(self, word: int, n: int) -> Byte:
        """A byte of the caller's word as it was before it came to lie below SP. Where
        others of the word were written, those that were not are as at entry."""
        cell = self.byte(word + n)
        if cell.value is not BELOW_SP:
            return cell
        if any(word + other in self.given_up for other in range(WORD)):
            cell = Byte(Slot(word), n, None)
        return self.given_up.get(word + n, cell)

    def writer(self, offset: int) -> Optional[int]:
        """Which instruction (offset in the block) wrote the word's first byte."""
        return self.byte(offset).writer

    def agreeing(self, other: "State") -> Optional["State"]:
        """What holds in either; None if SP is not the same."""
        if self.sp != other.sp:
            return None
        both, unknown = self.fork(), Unknown("it depends on the way here")
        both.lost = self.lost or other.lost
        both.objects_changed = self.objects_changed or other.objects_changed
        for name in self.arch.registers:
            if self.get(name) != other.get(name):
                both.registers[name] = unknown
        for offset in {*self.stack, *other.stack}:
            if self.byte(offset)[:2] != other.byte(offset)[:2]:
                both._own_stack()[offset] = Byte(unknown, offset % WORD, None)
        return both

    def home(self, value: Value) -> Union[str, int, None]:
        """Where a value that the caller had is now: a register's name, or the offset
        of a stack word from SP at entry. Words below SP are dead."""
        own: tuple[str, ...] = (value.register,) if isinstance(value, Entry) else ()
        for name in (*own, *self.arch.registers):
            if name != self.arch.pc and self.get(name) == value:
                return name
        for offset, cell in self.stack.items():
            if cell.value == value and cell.part == 0 and offset >= (self.sp or 0):
                return offset
        return value.offset if isinstance(value, Slot) else None

    def kept(self, value: Value) -> Optional[int]:
        """The lowest stack word that an instruction stored a value to, and that holds
        it yet; from SP at entry."""
        for offset, cell in sorted(self.stack.items()):
            whole = cell.value == value and cell.part == 0
            if whole and self.read_stack(offset, WORD) == value:
                return offset
        return None

    def drop_below(self, floor: int, why: str) -> None:
        """A callee has run: what lay below its caller's SP is gone."""
        kept = {n: byte for n, byte in self.stack.items() if n >= floor}
        self.stack, self.shared = kept, False
        self.spoil(0, min(floor, NEAR), why)
        for offset in [n for n in self.never_stored if n < floor]:
            del self.never_stored[offset]

    def spoil(self, start: int, size: int, why: str) -> None:
        """A callee may have written these bytes."""
        words: dict[int, Garbage] = {}
        for offset in range(start, start + size):
            word = words.setdefault(offset // WORD, Garbage(why))
            self._own_stack()[offset] = Byte(word, offset % WORD, None)

    def _at_entry(self, offset: int) -> Value:
        if offset < 0:
            nothing = Garbage("nothing was stored there")
            return self.never_stored.setdefault(offset, nothing)
        stored = self.convention.caller_stores
        if stored is not None and offset in (stored, stored + WORD):
            return Entry(self.convention.arguments[(offset - stored) // WORD])
        return Slot(offset)

    def _in_block(self, address: int, size: int) -> bool:
        return self.base <= address and address + size <= self.base + len(self.code)

    def check_distance(self, offset: int) -> None:
        if not -NEAR < offset < NEAR:
            why = f"entry SP {offset:+d} may lie outside the stack"
            self.note_hazard(why, False)

    def _store_elsewhere(self, address: Value) -> None:
        self._check_pointer(address)
        why = f"the store at +{self.at:#04x} goes to memory that is not the stack"
        self.objects_changed = Unknown(why)
        self.note_hazard(why, False)
        if self._may_be_stack(address):
            self.stack, self.shared, self.lost = {}, False, Unknown(why)

    def _may_be_stack(self, address: Value) -> bool:
        """Whether an address that is computed somehow can come out on the stack."""
        parts = list(inputs(address))
        if Entry(self.arch.sp) in parts or unknown_in(address):
            return True
        computed = any(isinstance(part, (Derived, Mask, Mixed)) for part in parts)
        return computed and bool(self.stack)

    def _check_pointer(self, address: Value) -> None:
        """Note an access that is not certain to be to readable memory."""
        base, distance = strip(address)
        function = Entry(self.convention.arguments[0])
        if base == function and 0 <= distance < NEAR:
            return
        expected = isinstance(base, Load) and self._expected_pointer(base)
        if expected and 0 <= distance < NEAR:
            return
        name = describe_pointer(base)
        certain = may_be_anything(base, self.arch, self.convention)
        self.note_hazard(f"{name} need not be a pointer", certain)

    def _expected_pointer(self, value: Load) -> bool:
        """Whether this is functionInfo, or functionProxy, of the function passed."""
        path = chain(value, self.convention.arguments[0])
        if path is None or len(path) > 2:
            return False
        if self.pointers is None:
            self.followed.add(path)
            return True
        return path in self.pointers


def may_be_anything(value: Value, arch: Arch, convention: Convention) -> bool:
    """Whether some valid call has a number there that is no address."""
    if isinstance(value, Entry):
        known = (convention.arguments[0], arch.lr, arch.sp)
        return value.register not in (*known, *convention.reserved)
    if isinstance(value, Slot):
        return bool(arch.lr) or value.offset != 0
    return isinstance(value, Garbage)


def describe_pointer(base: Value) -> str:
    if isinstance(base, Entry):
        return f"the caller's {base.register}"
    if isinstance(base, Slot):
        return f"the caller's stack word at entry sp + {base.offset}"
    if isinstance(base, Garbage):
        return f"a value ({base.why})"
    return "the address"
