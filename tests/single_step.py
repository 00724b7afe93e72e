"""One piece of code at a time: assembled, run in Unicorn, decoded for the effects.

Assembling and running belong here. What is compared stands in test_effects.py, the
instructions in effect_forms.py, the states before them in entry_states.py.
"""

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from unicorn import Uc, arm64_const, unicorn_const, x86_const

from effect_forms import AFTER_TRAP, BRANCHES, FORMS, TRAPS
from entry_states import (
    BEFORE,
    CODE,
    OBJECTS,
    OBJECTS_SIZE,
    ROOM,
    SPECIAL,
    STACK,
    STACK_SIZE,
    Call,
    Start,
    Undetermined,
    make_call,
    noise,
    twin,
)
from thunk_inspect.arch import ARCHES, Arch
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

PAGE = 0x1000


class Piece(NamedTuple):
    """Assembled code of so many instructions."""

    start: int
    code: bytes
    steps: int

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
    image = assembled(arch, "\n".join(lines))
    pieces = {}
    for number, text in enumerate(dict.fromkeys(texts)):
        at = number * ROOM + BEFORE
        code = image[at : at + image[number * ROOM]]
        pieces[text] = Piece(CODE + at, code, text.count(";") + 1)
    return Program(image, pieces)


def trap_text(arch: str, trap: str) -> str:
    """The trap, and something behind it that would be seen."""
    return f"{trap}; {AFTER_TRAP[arch]}"


def assembled(arch: str, source: str) -> bytes:
    """The bytes of a whole source; RuntimeError saying what is missing or wrong."""
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
        self.every_id = list(self.ids.values())
        self.taken: dict[tuple[Piece, int], bool] = {}

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
        uc.emu_start(piece.start, piece.end, count=piece.steps)
        return After(
            dict(zip(self.ids, uc.reg_read_batch(self.every_id))),
            uc.reg_read(self.pc),
            uc.reg_read(self.flags) & self.shown,
            bytes(uc.mem_read(STACK, STACK_SIZE)),
            bytes(uc.mem_read(OBJECTS, OBJECTS_SIZE)),
        )

    def branches(self, piece: Piece, flags: int) -> bool:
        """Whether a conditional branch is taken with these flags."""
        if (piece, flags) not in self.taken:
            self.uc.reg_write(self.flags, flags)
            self.uc.emu_start(piece.start, piece.end, count=1)
            self.taken[piece, flags] = self.uc.reg_read(self.pc) != piece.end
        return self.taken[piece, flags]


emulator = cache(Emulator)


def instructions(arch: Arch, piece: Piece) -> Iterator[Instruction]:
    """The instructions of a piece, as the effects see them."""
    at = 0
    while at < len(piece.code):
        found = decode(piece.code[at : at + 16], piece.start + at, arch)
        assert found, f"{piece.code[at:].hex()} is not decoded"
        yield found
        at += len(found.code)


class Scene(NamedTuple):
    """A call, ready for the emulator."""

    call: Call
    before: Before


@cache
def state_of(start: Start) -> State:
    """To be forked before anything is done to it."""
    return start.state(program(start.arch.name).image)


@cache
def scene(start: Start, number: int) -> Scene:
    """The call of that number."""
    call = make_call(start, number, program(start.arch.name).image)
    return Scene(call, _machine_of(start).prepare(call, state_of(start), number))


def twin_scene(call: Call, value: v.Value, number: int) -> Scene:
    """Another call, with the same inputs of a value."""
    start, other = call.start, twin(call, value, number)
    return Scene(other, _machine_of(start).prepare(other, state_of(start), number))


def _machine_of(start: Start) -> Emulator:
    return emulator(start.arch.name)
