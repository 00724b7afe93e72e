"""One instruction at a time, in Unicorn and as an effect on a State.

Assembling, the states before an instruction, the run in the emulator and the number
that a symbolic value is in it belong here. What is compared stands in
test_effects.py, the instructions in effect_forms.py.
"""

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Optional

from unicorn import Uc, arm64_const, unicorn_const, x86_const

from effect_forms import AFTER_TRAP, BRANCHES, FORMS, TRAPS
from thunk_inspect.arch import ARCHES, Arch, Convention
from thunk_inspect.arch.decode import Instruction, decode
from thunk_inspect.proof import values as v
from thunk_inspect.proof.state import State

ASSEMBLERS = {
    "aarch64": ("aarch64-linux-gnu-", "binutils-aarch64-linux-gnu"),
    "x86_64": ("x86_64-linux-gnu-", "binutils-x86-64-linux-gnu"),
}
"""Prefix of the programs, and the Debian package that they come with."""
DIRECTIVES = {
    "aarch64": ".arch armv8.5-a+sve",
    "x86_64": ".intel_syntax noprefix",
}

MASK64 = 2**64 - 1
CODE, OBJECTS, STACK = 0x4F0012340000, 0x5213C6A40000, 0x7FFC5A3D0000
PAGE, STACK_SIZE, OBJECTS_SIZE = 0x1000, 0x2000, 0x1000
WINDOW = range(-0x200, 0x200)
"""The bytes of stack, from SP at entry, that an instruction may write."""
ROOM, BEFORE = 64, 16
"""Bytes for every piece of code, and how many of them stand before it."""


class Piece(NamedTuple):
    """Assembled code; `count` instructions."""

    start: int
    code: bytes
    count: int

    @property
    def end(self) -> int:
        return self.start + len(self.code)


class Program(NamedTuple):
    """Everything that is run on one machine. `image` stands at CODE."""

    image: bytes
    pieces: dict[str, Piece]


@cache
def program(arch: str) -> Program:
    """Each text in a room of its own: its length, then 16 bytes in, its code."""
    texts = [form.text for form in FORMS if form.arch == arch]
    texts += [*BRANCHES[arch], *(trap_text(arch, trap) for trap in TRAPS[arch])]
    lines = [DIRECTIVES[arch]]
    for number, text in enumerate(dict.fromkeys(texts)):
        at = number * ROOM
        lines += [f".org {at}, 0xa5", ".byte 1f - 0f", f".org {at + BEFORE}, 0xa5"]
        lines += ["0:", *text.split(";"), "1:"]
    lines.append(f".org {(number + 1) * ROOM}, 0xa5\n")
    image = _assembled(arch, "\n".join(lines))
    pieces = {}
    for number, text in enumerate(dict.fromkeys(texts)):
        at = number * ROOM + BEFORE
        code = image[at : at + image[number * ROOM]]
        pieces[text] = Piece(CODE + at, code, text.count(";") + 1)
    return Program(image, pieces)


def trap_text(arch: str, trap: str) -> str:
    return f"{trap}; {AFTER_TRAP[arch]}"


def _assembled(arch: str, source: str) -> bytes:
    prefix, package = ASSEMBLERS[arch]
    for tool in (f"{prefix}as", f"{prefix}objcopy"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is missing: apt-get install {package}")
    with tempfile.TemporaryDirectory() as folder:
        built, binary = Path(folder, "forms.o"), Path(folder, "forms.bin")
        _run(f"{prefix}as", "--no-warn", "-o", str(built), text=source)
        _run(f"{prefix}objcopy", "-O", "binary", "-j", ".text", built, binary)
        return binary.read_bytes()


def _run(*command: object, text: str = "") -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stderr}")


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

    def state(self) -> State:
        code = program(self.arch.name).image
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
            value: v.Value = v.Const(noise(random.Random(offset)))
            if offset in (-0x60, -0x50):
                value = v.Entry(special.code[0])
            elif number % 3 == 0:
                value = v.Entry(free[number % len(free)])
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
    """Every convention with every style."""
    machine = ARCHES[arch]
    return [Start(machine, c, style) for style in STYLES for c in machine.conventions]


class Undetermined(Exception):
    """The value is not determined, or is a function that is not known in detail."""


FOLD = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b % 64,
    "shr": lambda a, b: a >> b % 64,
    "sext": lambda a, n: ((a & 256**n - 1) ^ 128 * 256 ** (n - 1)) - 128 * 256 ** (n - 1),
}


@dataclass
class Call:
    """One concrete call: the number that every symbol stands for."""

    start: Start
    registers: dict[str, int]
    stack: bytearray
    objects: bytearray

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
        if isinstance(value, v.Derived):
            return self._derived(value)
        raise Undetermined

    def _derived(self, value: v.Derived) -> int:
        inputs = [self.number(part) for part in value.inputs]
        if value.operation in FOLD:
            return FOLD[value.operation](*inputs) & MASK64
        if value.operation == "vector":
            return inputs[0]
        if value.operation.startswith("load"):
            return self.read(inputs[0], int(value.operation[4:]))
        raise Undetermined

    def read(self, address: int, size: int) -> int:
        """Memory as it was at entry."""
        code = program(self.start.arch.name).image
        places = ((STACK, self.stack), (OBJECTS, self.objects), (CODE, code))
        for base, content in places:
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


def make_call(start: Start, number: int) -> Call:
    """The concrete call of that number."""
    rng = random.Random(f"{start.convention.name} {number}")
    arch, special = start.arch, start.special
    registers = {name: noise(rng) for name in arch.registers if name != arch.pc}
    registers.update((name, rng.getrandbits(128)) for name in special.vectors)
    registers[arch.sp] = STACK + 0x1000 + 16 * rng.randrange(16)
    registers[arch.sp] += arch.entry_misalignment
    for number, name in enumerate(special.objects):
        registers[name] = OBJECTS + 0x300 * (number + 1) + 16 * rng.randrange(16)
    for name in special.code:
        registers[name] = CODE + ROOM * rng.randrange(64) + BEFORE
    registers[special.small] = rng.randrange(0x40)
    call = Call(start, registers, image(rng, STACK_SIZE), image(rng, OBJECTS_SIZE))
    call.settle()
    return call


def twin(call: Call, value: v.Value, number: int) -> Call:
    """Another call, in which everything that goes into a value is the same."""
    other = make_call(call.start, number)
    other.objects = call.objects
    for part in v.inputs(value):
        if isinstance(part, v.Entry):
            other.registers[part.register] = call.registers[part.register]
    for name in call.start.special.objects:
        other.registers[name] = call.registers[name]
    other.settle()
    for part in v.inputs(value):
        if isinstance(part, v.Slot):
            word = call.number(part).to_bytes(8, "little")
            at = other.sp + part.offset - STACK
            other.stack[at : at + 8] = word
    return other


class After(NamedTuple):
    """The concrete state behind an instruction. `flags` is the register with them."""

    registers: dict[str, int]
    next: int
    flags: int
    stack: bytes
    objects: bytes


class Before(NamedTuple):
    """The concrete state before it, to be put back into the emulator."""

    context: Any
    flags: int
    stack: bytes
    objects: bytes


class Emulator:
    """Unicorn with the program of one machine."""

    def __init__(self, name: str) -> None:
        self.arch = ARCHES[name]
        self.arm = self.arch.lr is not None
        machine = (
            (unicorn_const.UC_ARCH_ARM64, unicorn_const.UC_MODE_ARM)
            if self.arm
            else (unicorn_const.UC_ARCH_X86, unicorn_const.UC_MODE_64)
        )
        self.uc = Uc(*machine)
        code = program(name).image
        size = -(-len(code) // PAGE) * PAGE
        access = unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_EXEC
        self.uc.mem_map(CODE, size, access)
        self.uc.mem_write(CODE, code)
        self.uc.mem_map(STACK, STACK_SIZE)
        self.uc.mem_map(OBJECTS, OBJECTS_SIZE)
        names = [*self.arch.registers, *SPECIAL[name].vectors]
        self.ids = {register: self._id(register) for register in names}
        self.flags = self._id("nzcv" if self.arm else "eflags")
        self.shown = 0xF0000000 if self.arm else 0x8D5
        self.pc = self.ids.pop(self.arch.pc)

    def _id(self, name: str) -> int:
        constants: Any = arm64_const if self.arm else x86_const
        prefix = "UC_ARM64_REG_" if self.arm else "UC_X86_REG_"
        name = name.replace("v", "q") if name[1:].isdigit() else name
        number: int = getattr(constants, prefix + name.upper())
        return number

    def prepare(self, call: Call, state: State, number: int) -> Before:
        """The concrete state that the symbolic one is in a call."""
        rng = random.Random(number)
        for name, identity in self.ids.items():
            try:
                concrete = call.number(state.get(name))
            except Undetermined:
                concrete = noise(rng)
            self.uc.reg_write(identity, concrete)
        flags = rng.getrandbits(32) & self.shown
        self.uc.reg_write(self.flags, flags if self.arm else flags | 2)
        stack = bytearray(call.stack)
        for offset, byte in state.stack.items():
            number = call.number(byte.value) >> 8 * byte.part & 0xFF
            stack[call.sp + offset - STACK] = number
        context = self.uc.context_save()
        return Before(context, flags, bytes(stack), bytes(call.objects))

    def run(self, piece: Piece, before: Before) -> After:
        uc = self.uc
        uc.context_restore(before.context)
        uc.mem_write(STACK, before.stack)
        uc.mem_write(OBJECTS, before.objects)
        uc.emu_start(piece.start, piece.end, count=piece.count)
        return After(
            {name: uc.reg_read(identity) for name, identity in self.ids.items()},
            uc.reg_read(self.pc),
            uc.reg_read(self.flags) & self.shown,
            bytes(uc.mem_read(STACK, STACK_SIZE)),
            bytes(uc.mem_read(OBJECTS, OBJECTS_SIZE)),
        )

    def branches(self, piece: Piece) -> bool:
        """Whether a conditional branch is taken with the flags as they are now."""
        self.uc.emu_start(piece.start, 0, count=1)
        return bool(self.uc.reg_read(self.pc) != piece.end)


emulator = cache(Emulator)


def instructions(arch: Arch, piece: Piece) -> Iterator[Instruction]:
    """The instructions of a piece, as the effects see them."""
    at = 0
    while at < len(piece.code):
        found = decode(piece.code[at : at + 16], piece.start + at, arch)
        assert found, f"{piece.code[at:].hex()} is not decoded"
        yield found
        at += len(found.code)


@cache
def scene(start: Start, number: int) -> tuple[Call, Before]:
    """A call of a start, ready for the emulator."""
    call = make_call(start, number)
    return call, emulator(start.arch.name).prepare(call, state_of(start), number)


@cache
def state_of(start: Start) -> State:
    """To be forked before anything is done to it."""
    return start.state()


def twin_run(call: Call, value: v.Value, piece: Piece, number: int) -> After:
    """What a piece does in another call with the same inputs of a value."""
    other, machine = twin(call, value, number), emulator(call.start.arch.name)
    before = machine.prepare(other, state_of(call.start), number)
    return machine.run(piece, before)


