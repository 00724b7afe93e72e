"""Blocks with one thing wrong, made from the recipes by a seed.

Here belongs what can go wrong with a block, and nothing about whether it matters:
many mutants are still sound, and `emulator.observe` says which. The same name and
seed always give the same mutant.
"""

import random
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import NamedTuple

import capstone

from blocks import RECIPES, Block, Hops, Recipe, resolve
from calls import World


@dataclass(frozen=True)
class Mutant:
    """A block to judge, and what was done to it."""

    recipe: str
    kind: str
    description: str
    code: bytes
    world: World


class Spot(NamedTuple):
    """Where a block stands and what it is patched with."""

    base: int
    interpreter: int
    hops: Hops

    def block(self, recipe: Recipe) -> Block:
        return resolve(recipe, *self)

    def world(self, recipe: Recipe, block: Block) -> World:
        arch, convention = recipe.machine
        return World(
            *(arch, convention, self.base, self.interpreter, self.hops),
            *(block.first_stub, block.stub_count),
        )


Result = tuple[str, bytes, Block]
"""What was done, the block's bytes, and the block whose stubs they hold."""


def sound_spot(seed: int) -> Spot:
    """Some place for a block, with offsets that fit every recipe."""
    rng = random.Random(seed)
    base = rng.choice((0x6515310000, 0x7F4B2C680000, 0x2110000, 0x1A5D3F4000))
    interpreter = rng.choice((0x7F4B1A203600, 0x180013600, 0x5500A11000, 0x10D2F4A7C))
    hops = rng.choice(((40, 8, 80), (40, 8, 112), (48, 16, 88), (32, 24, 120)))
    return Spot(base, interpreter, hops)


def whole(name: str, seed: int = 0) -> Mutant:
    """The recipe as it is, with its world."""
    recipe, spot = RECIPES[name], sound_spot(seed)
    block = spot.block(recipe)
    return Mutant(name, "whole", "unchanged", block.code(), spot.world(recipe, block))


def mutate(name: str, seed: int) -> Mutant:
    """The recipe of that name with one thing changed."""
    rng = random.Random(f"{name} {seed}")
    recipe, spot = RECIPES[name], sound_spot(seed)
    kind = rng.choice(sorted(KINDS))
    description, code, block = KINDS[kind](rng, recipe, spot)
    return Mutant(name, kind, description, code, spot.world(recipe, block))


# --- Instructions moved about ----------------------------------------------------


def _text(code: bytes, arm: bool) -> str:
    """As assembly, for descriptions."""
    found = next(_decoder(arm).disasm(code, 0, 1), None)
    return f"{found.mnemonic} {found.op_str}".strip() if found else code.hex()


def _edit(
    rng: random.Random,
    recipe: Recipe,
    spot: Spot,
    change: Callable[[list[str], int], None],
) -> Result:
    """Change the list of instructions that holds a random one of the block's."""
    before = spot.block(recipe)
    header, epilogue = list(recipe.header), list(recipe.epilogue)
    index = rng.randrange(len(header) + len(epilogue))
    code = _text((before.header + before.epilogue)[index], recipe.arm)
    if index < len(header):
        place = f"header #{index}"
        change(header, index)
    else:
        place = f"epilogue #{index - len(header)}"
        change(epilogue, index - len(header))
    mutated = replace(
        recipe, header=tuple(header), epilogue=tuple(epilogue), room=before.first_stub
    )
    block = spot.block(mutated)
    return f"{place} {code}", block.code(), block


def _delete(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    def change(items: list[str], index: int) -> None:
        del items[index]

    return _edit(rng, recipe, spot, change)


def _duplicate(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    def change(items: list[str], index: int) -> None:
        items.insert(index, items[index])

    return _edit(rng, recipe, spot, change)


def _swap(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    def change(items: list[str], index: int) -> None:
        other = index + 1 if index + 1 < len(items) else index - 1
        items[index], items[other] = items[other], items[index]

    return _edit(rng, recipe, spot, change)


def _other_epilogue(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    others = {
        other.epilogue: name
        for name, other in RECIPES.items()
        if other.arm == recipe.arm and other.epilogue != recipe.epilogue
    }
    epilogue = rng.choice(sorted(others))
    block = spot.block(replace(recipe, epilogue=epilogue))
    return f"the epilogue of {others[epilogue]}", block.code(), block


# --- Instructions changed in place -----------------------------------------------


def _nop(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    def changes(code: bytes, arm: bool) -> tuple[bytes, ...]:
        nop = b"\x1f\x20\x03\xd5" if arm else b"\x90"
        return (nop * (len(code) // len(nop)),)

    return _in_place(rng, recipe, spot, changes)


def _immediate(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    return _in_place(rng, recipe, spot, _other_immediates)


def _register(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    return _in_place(rng, recipe, spot, _other_registers)


def _in_place(
    rng: random.Random,
    recipe: Recipe,
    spot: Spot,
    changes: Callable[[bytes, bool], tuple[bytes, ...]],
) -> Result:
    """Put one of its `changes` in the place of a random instruction that has any."""
    block, arm = spot.block(recipe), recipe.arm
    found = [
        (items, index)
        for items in (block.header, block.epilogue)
        for index, code in enumerate(items)
        if changes(code, arm)
    ]
    items, index = rng.choice(found)
    before, after = items[index], rng.choice(changes(items[index], arm))
    items[index] = after
    place = "header" if items is block.header else "epilogue"
    done = f"{place} #{index} {_text(before, arm)} -> {_text(after, arm)}"
    return done, block.code(), block


class Field(NamedTuple):
    """An immediate of the arm64 instructions that `mask` and `value` pick out."""

    mask: int
    value: int
    shift: int
    bits: int
    deltas: tuple[int, ...]


_FIELDS = (
    Field(0x7E000000, 0x28000000, 15, 7, (-8, -4, -2, -1, 1, 2, 4, 8)),  # stp, ldp
    Field(0x3F000000, 0x39000000, 10, 12, (-8, -4, -2, -1, 1, 2, 4, 8)),  # str, ldr
    Field(0x1F800000, 0x11000000, 10, 12, (-64, -32, -16, -8, 8, 16, 32, 64)),  # add
    Field(0x1F800000, 0x12800000, 5, 16, (-0x1000, -16, -8, 8, 16, 0x1000)),  # movz
    Field(0x1F800000, 0x12000000, 10, 6, (-2, -1, 1)),  # and
    Field(0xFF000010, 0x54000000, 5, 19, (-2, -1, 1, 2)),  # b.ls
    Field(0x9F000000, 0x10000000, 5, 19, (-2, -1, 1, 2)),  # adr
)
_DELTAS = (-64, -32, -16, -8, -2, 2, 8, 16, 32, 64)


@lru_cache(maxsize=1 << 14)
def _other_immediates(code: bytes, arm: bool) -> tuple[bytes, ...]:
    """The instruction with its immediate or offset moved to others that look right."""
    found = set()
    if arm:
        word = int.from_bytes(code, "little")
        for mask, value, shift, bits, deltas in _FIELDS:
            limit = (1 << bits) - 1
            for delta in deltas if word & mask == value else ():
                number = ((word >> shift & limit) + delta) & limit
                found.add(struct.pack("<I", word & ~(limit << shift) | number << shift))
        return tuple(sorted(found - {code}))
    decoded = next(_decoder(False).disasm(code, 0, 1))
    places = (
        (decoded.disp_offset, decoded.disp_size),
        (decoded.imm_offset, decoded.imm_size),
    )
    for at, size in places:
        number = int.from_bytes(code[at : at + size], "little")
        for delta in _DELTAS if at and size else ():
            moved = (number + delta) % (1 << 8 * size)
            found.add(code[:at] + moved.to_bytes(size, "little") + code[at + size :])
    return tuple(sorted(found))


@cache
def _decoder(arm: bool) -> capstone.Cs:
    machine = capstone.CS_ARCH_ARM64 if arm else capstone.CS_ARCH_X86
    decoder = capstone.Cs(machine, 0 if arm else capstone.CS_MODE_64)
    decoder.detail = True
    return decoder


_NAMES = re.compile(
    r"\b(?:[xw]\d+|[xw]zr|w?sp|r\d+[dwb]?|[re]?[abcd]x|[re]?[sd]i|[re]?[sb]p)\b"
)


def _shape(code: bytes, arm: bool) -> tuple[str, list[str]]:
    """The assembly without its registers, and these; no text when it is none."""
    found = next(_decoder(arm).disasm_lite(code, 0, 1), None)
    if found is None or found[1] != len(code):
        return "", []
    text = f"{found[2]} {found[3]}"
    return _NAMES.sub("R", text), _NAMES.findall(text)


@lru_cache(maxsize=1 << 14)
def _other_registers(code: bytes, arm: bool) -> tuple[bytes, ...]:
    """The instruction with another register in one of its operands."""
    text, names = _shape(code, arm)
    found = []
    for other in sorted(_relatives(code, arm)):
        their_text, theirs = _shape(other, arm)
        if text == their_text and sum(a != b for a, b in zip(names, theirs)) == 1:
            found.append(other)
    return tuple(found)


def _relatives(code: bytes, arm: bool) -> set[bytes]:
    """The same bytes with another number where a register's number may stand."""
    value, bits = int.from_bytes(code, "little"), 8 * len(code)
    fields = [(shift, 5) for shift in (0, 5, 10, 16)]
    if not arm:
        fields = [(at + shift, 3) for at in range(0, bits, 8) for shift in (0, 3)]
        fields += [(0, 1), (2, 1)] if code[0] & 0xF0 == 0x40 else []
    return {
        (value & ~((1 << size) - 1 << shift) | number << shift).to_bytes(
            len(code), "little"
        )
        for shift, size in fields
        for number in range(1 << size)
    }


# --- Bytes -----------------------------------------------------------------------


def _bit(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    block = spot.block(recipe)
    stub = block.first_stub + 8 * rng.randrange(block.stub_count)
    at, size = rng.choice(
        (
            (0, len(b"".join(block.header))),
            (0, len(b"".join(block.header))),
            (stub, 8),
            (block.epilogue_at, len(b"".join(block.epilogue))),
        )
    )
    at, bit = at + rng.randrange(size), rng.randrange(8)
    code = bytearray(block.code())
    code[at] ^= 1 << bit
    return f"bit {bit} of byte +{at:#x}", bytes(code), block


def _calls(arm: bool) -> set[bytes]:
    """Every call through a register."""
    if arm:
        return {struct.pack("<I", 0xD63F0000 | number << 5) for number in range(31)}
    low = {bytes((0xFF, 0xD0 | number)) for number in range(8)}
    return low | {b"\x41" + code for code in low}


def _stub(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    block = spot.block(recipe)
    call, target = block.call, block.epilogue_at
    first = len(block.epilogue[0])
    if rng.random() < 0.5:
        call = rng.choice(sorted(_calls(recipe.arm) - {call}))
    else:
        near = (first, -first, 4, 8, -8, -16, -target, block.first_stub - target)
        target += rng.choice(near)
    one = rng.randrange(block.stub_count)
    every = rng.random() < 0.5
    code = bytearray(block.code())
    for index in range(block.stub_count) if every else (one,):
        at = block.first_stub + 8 * index
        code[at : at + 8] = block.stub_at(at, call, target)
    which = "every stub" if every else f"stub {one}"
    return f"{which}: {_text(call, recipe.arm)}, on to +{target:#x}", bytes(code), block


def _short(rng: random.Random, recipe: Recipe, spot: Spot) -> Result:
    block = spot.block(recipe)
    size = block.size - block.epilogue_at
    end = rng.choice(
        (block.epilogue_at + rng.randrange(size), rng.randrange(block.size))
    )
    return f"only {end:#x} bytes", block.code()[:end], block


KINDS: dict[str, Callable[[random.Random, Recipe, Spot], Result]] = {
    "deleted": _delete,
    "deleted to nop": _nop,
    "duplicated": _duplicate,
    "swapped": _swap,
    "immediate": _immediate,
    "register": _register,
    "bit": _bit,
    "epilogue": _other_epilogue,
    "stub": _stub,
    "short": _short,
}
