"""The states before an instruction: symbolic ones, and concrete calls that are in them.

How a State is filled before an effect is applied, and the number that a symbolic value
is in one concrete call, belong here. It shares no arithmetic with the proof, or it
could not judge it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from thunk_inspect.arch import ARCHES, Arch, Convention
from thunk_inspect.proof import values as v
from thunk_inspect.proof.state import State

MASK64 = 2**64 - 1
CODE, OBJECTS, STACK = 0x4F0012340000, 0x5213C6A40000, 0x7FFC5A3D0000
STACK_SIZE, OBJECTS_SIZE = 0x2000, 0x1000
ROOM, BEFORE = 64, 16
"""Bytes for every piece of code, and how many of them stand before it."""


class Special(NamedTuple):
    """Registers that hold no random number: see effect_forms."""

    objects: tuple[str, ...]
    code: tuple[str, ...]
    small: str
    numbers: dict[str, int]
    stack: dict[str, int]
    vectors: tuple[str, ...]

    @property
    def all(self) -> set[str]:
        fixed = {*self.objects, *self.code, self.small}
        return fixed | self.numbers.keys() | self.stack.keys()


SPECIAL = {
    "aarch64": Special(
        ("x0",),
        ("x17", "x30"),
        "x11",
        {"x9": 6, "x10": -2},
        {"x29": 0x28, "x12": -0x75, "sp": -0x60},
        tuple(f"v{n}" for n in range(4)),
    ),
    "x86_64": Special(
        ("rdi", "rcx"),
        ("r15",),
        "r11",
        {"r9": 6, "r10": -2},
        {"rbp": 0x28, "rbx": -0x75, "rsp": -0x60},
        tuple(f"xmm{n}" for n in range(4)),
    ),
}

POOL = (0, 1, 2**63, 2**63 - 1, MASK64, 1 << 31, (1 << 31) - 1, 1 << 32, 0xFFFFFFFF)


def noise(rng: random.Random) -> int:
    """A 64-bit number, often one at which something changes its sign or its width."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(POOL)
    if kind == 1:
        return rng.choice((0x80, 0x8000, 0xFF, 0xFFFF)) | rng.getrandbits(8) << 56
    return rng.getrandbits(64)


def image(rng: random.Random, size: int) -> bytearray:
    return bytearray().join(noise(rng).to_bytes(8, "little") for _ in range(size // 8))


STYLES = ("entry", "numbers", "values", "fog")
"""What the other registers hold: what they held at entry, numbers, values that were
computed, or partly what nobody knows."""


@dataclass(frozen=True)
class Start:
    """A symbolic state before the instruction."""

    arch: Arch
    convention: Convention
    style: str

    def __str__(self) -> str:
        return f"{self.convention.name}, {self.style}"

    @property
    def special(self) -> Special:
        return SPECIAL[self.arch.name]

    @property
    def exact(self) -> bool:
        """Whether everything is determined before."""
        return self.style != "fog"

    def state(self, code: bytes) -> State:
        """With this code as the block."""
        state = State(self.arch, self.convention, code, CODE)
        special, sp = self.special, v.Entry(self.arch.sp)
        free = [name for name in self.arch.registers if name not in special.all]
        free.remove(self.arch.pc)
        for number, name in enumerate(free):
            state.set(name, self._value(number, name, free))
        for name, distance in special.stack.items():
            state.set(name, v.Sum(sp, distance))
        for name, constant in special.numbers.items():
            state.set(name, v.Const(constant & MASK64))
        for number, offset in enumerate(range(-0xA0, 0, 8)):
            value: v.Value = v.Entry(free[number % len(free)])
            if offset in (-0x60, -0x50):
                value = v.Entry(special.code[0])
            elif offset % 32 == 8:
                value = v.Const(noise(random.Random(offset)))
            state.store(v.Sum(sp, offset), value, 8)
        return state

    def _value(self, number: int, name: str, free: list[str]) -> v.Value:
        rng = random.Random(name)
        other = v.Entry(free[(number + 1) % len(free)])
        if self.style == "numbers":
            return v.Const(noise(rng))
        if self.style == "values":
            word = v.Const(rng.getrandbits(64))
            choices: tuple[v.Value, ...] = (
                v.Sum(other, rng.randrange(1, 1 << 40)),
                v.Mask(other, 0xFFFFFFFF),
                v.Derived("or", (v.Mask(other, MASK64 ^ 0xFF00), v.Const(0x3400))),
                v.Slot(0x40 + 8 * number),
                v.Load(v.Sum(v.Entry(self.special.objects[0]), 8 * number)),
                v.Derived("xor", (other, word)),
            )
            return choices[number % len(choices)]
        if self.style == "fog":
            return (v.Garbage("fog"), v.Unknown("fog"), v.Entry(name))[number % 3]
        return v.Entry(name)


@cache
def starts(arch: str) -> list[Start]:
    """Every convention with every style. No signal comes: what lies below SP stays."""
    machine = ARCHES[arch]
    calm = [replace(c, red_zone=1 << 64) for c in machine.conventions]
    return [Start(machine, c, style) for style in STYLES for c in calm]


class Undetermined(Exception):
    """The value is not determined, or is a function that is not known in detail."""


def _sign_extended(number: int, size: int) -> int:
    low = (number % 256**size).to_bytes(size, "little")
    return int.from_bytes(low, "little", signed=True)


FOLD: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b % 64,
    "shr": lambda a, b: a >> b % 64,
    "sext": _sign_extended,
}


@dataclass
class Call:
    """One concrete call: the number that every symbol stands for."""

    start: Start
    registers: dict[str, int]
    stack: bytearray
    objects: bytearray
    code: bytes

    @property
    def sp(self) -> int:
        return self.registers[self.start.arch.sp]

    def number(self, value: v.Value) -> int:
        """The number that the value is in this call; Undetermined."""
        if isinstance(value, v.Const):
            return value.value
        if isinstance(value, v.Entry):
            return self.registers[value.register]
        if isinstance(value, v.Slot):
            return self.read(self.sp + value.offset, 8)
        if isinstance(value, v.Sum):
            return (self.number(value.base) + value.offset) & MASK64
        if isinstance(value, v.Mask):
            return self.number(value.base) & value.mask
        if isinstance(value, v.Load):
            return self.read(self.number(value.address), 8)
        if isinstance(value, v.Mixed):
            numbers = [self.number(part) >> 8 * at & 0xFF for part, at in value.parts]
            return int.from_bytes(bytes(numbers), "little")
        if isinstance(value, v.Derived):
            return self._derived(value)
        raise Undetermined

    def _derived(self, value: v.Derived) -> int:
        inputs = [self.number(part) for part in value.inputs]
        if value.operation in FOLD:
            return FOLD[value.operation](*inputs) & MASK64
        if value.operation == "vector":
            return inputs[0]
        raise Undetermined

    def read(self, address: int, size: int) -> int:
        """Memory as it was at entry."""
        memory = ((STACK, self.stack), (OBJECTS, self.objects), (CODE, self.code))
        for base, content in memory:
            if base <= address <= base + len(content) - size:
                at = address - base
                return int.from_bytes(content[at : at + size], "little")
        raise LookupError(f"nothing is at {address:#x}")

    def settle(self) -> None:
        """Put in place what the convention and the forms ask for."""
        convention, special = self.start.convention, self.start.special
        code = self.registers[special.code[0]].to_bytes(8, "little")
        at = self.sp - STACK
        self.stack[at : at + 8] = code
        if convention.caller_stores is not None:
            words = b"".join(
                self.registers[name].to_bytes(8, "little")
                for name in convention.arguments[:2]
            )
            at += convention.caller_stores
            self.stack[at : at + 16] = words
        for name in special.objects:
            at = self.registers[name] + 0x18 - OBJECTS
            self.objects[at : at + 8] = code


def make_call(start: Start, number: int, code: bytes) -> Call:
    """The concrete call of that number."""
    rng = random.Random(f"{start.convention.name} {number}")
    arch, special = start.arch, start.special
    common = noise(rng)
    registers = {name: noise(rng) for name in arch.registers if name != arch.pc}
    registers.update((name, common) for name in registers if not rng.randrange(4))
    registers.update((name, rng.getrandbits(128)) for name in special.vectors)
    registers[arch.sp] = STACK + 0x1000 + 16 * rng.randrange(16)
    registers[arch.sp] += arch.entry_misalignment
    for number, name in enumerate(special.objects):
        registers[name] = OBJECTS + 0x300 * (number + 1) + 16 * rng.randrange(16)
    for name in special.code:
        registers[name] = CODE + ROOM * rng.randrange(64) + BEFORE
    registers[special.small] = rng.randrange(0x40)
    stack, objects = image(rng, STACK_SIZE), image(rng, OBJECTS_SIZE)
    call = Call(start, registers, stack, objects, code)
    call.settle()
    return call


def twin(call: Call, value: v.Value, number: int) -> Call:
    """Another call, in which everything that goes into a value is the same."""
    other = make_call(call.start, number, call.code)
    other.objects = bytearray(call.objects)
    for part in v.inputs(value):
        if isinstance(part, v.Entry):
            other.registers[part.register] = call.registers[part.register]
    for name in (*call.start.special.objects, *call.start.special.code):
        other.registers[name] = call.registers[name]
    other.settle()
    for part in v.inputs(value):
        if isinstance(part, v.Slot):
            word = call.number(part).to_bytes(8, "little")
            at = other.sp + part.offset - STACK
            other.stack[at : at + 8] = word
    return other
