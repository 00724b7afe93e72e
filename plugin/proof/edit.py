"""Small edits of a block's instructions, each checked by decoding what it made.

No assembler: an edit changes one field of an instruction that is there, and counts
only if the result decodes to just the instruction that was wanted.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple, Optional

from ..arch import Arch
from ..arch.decode import Instruction, Operand, decode
from ..chakra.thunk import Thunk, parse

_FIELDS = ((10, 12, 1), (10, 12, 8), (15, 7, 8), (0, 5, 1), (5, 5, 1), (10, 5, 1))
"""Fields of ARM64 instructions: (lowest bit, width, unit)."""


class Edit(NamedTuple):
    """New bytes at an offset of the block, and how people write the change."""

    at: int
    code: bytes
    text: str


def with_operands(
    insn: Instruction, wanted: tuple[Operand, ...], arch: Arch
) -> Optional[bytes]:
    """The instruction with other operands, if one field makes the difference."""
    numbers = {
        number
        for new in wanted
        if new not in insn.operands
        for number in (new.immediate, new.displacement, _number(new.register))
    } | {_number(new.base) for new in wanted if new.base}
    for code in _variants(insn.code, numbers, arch):
        made = decode(code, insn.address, arch)
        if made and made.operands == wanted and len(made.code) == len(code):
            return code
    return None


def _number(register: str) -> int:
    digits = register[1:]
    return int(digits) if digits.isdigit() else 0


def _variants(code: bytes, numbers: "set[int]", arch: Arch) -> Iterator[bytes]:
    if arch.lr:
        (word,) = struct.unpack("<I", code)
        for low, width, unit in _FIELDS:
            for number in numbers:
                field = ((1 << width) - 1) << low
                value = (number // unit) << low & field
                yield struct.pack("<I", word & ~field | value)
        return
    for place in range(len(code)):
        for number in numbers:
            yield code[:place] + bytes([number & 0xFF]) + code[place + 1 :]
    # A register is three bits of the ModRM byte, in one of two places.
    for place in range(len(code)):
        for low in (0, 3):
            for register in range(8):
                value = code[place] & ~(7 << low) | register << low
                yield code[:place] + bytes([value & 0xFF]) + code[place + 1 :]


def replaced(insn: Instruction, code: bytes, thunk: Thunk) -> Edit:
    """An edit of one instruction, in words."""
    at = insn.address - thunk.address
    made = decode(code, insn.address, thunk.arch)
    new = " ".join(made.text.split()) if made else code.hex()
    old = " ".join(insn.text.split())
    return Edit(at, code, f"`{old}` at block+{at:#x} -> `{new}`")


def change_number(insn: Instruction, by: int, arch: Arch) -> Optional[bytes]:
    """The instruction with its last number (immediate or displacement) moved.

    An ARM64 `mov xN, sp` counts as `add xN, sp, #0`.
    """
    operands = list(insn.operands)
    if arch.lr and insn.mnemonic == "mov" and len(operands) == 2:
        operands.append(Operand("imm", 0, immediate=by))
        return with_operands(insn, tuple(operands), arch)
    for n in reversed(range(len(operands))):
        operand = operands[n]
        if operand.kind == "imm":
            operands[n] = replace(operand, immediate=operand.immediate + by)
        elif operand.kind == "mem":
            operands[n] = replace(operand, displacement=operand.displacement + by)
        else:
            continue
        return with_operands(insn, tuple(operands), arch)
    return None


def rename(insn: Instruction, old: str, new: str, arch: Arch) -> Optional[bytes]:
    """The instruction with one register in place of another, wherever it stands."""
    operands = tuple(
        replace(
            operand,
            register=new if operand.register == old else operand.register,
            base=new if operand.base == old else operand.base,
        )
        for operand in insn.operands
    )
    code = insn.code
    changed = [n for n, (a, b) in enumerate(zip(insn.operands, operands)) if a != b]
    for count in range(1, len(changed) + 1):
        wanted = tuple(
            operands[n] if n in changed[:count] else insn.operands[n]
            for n in range(len(operands))
        )
        step = decode(code, insn.address, arch)
        made = with_operands(step, wanted, arch) if step else None
        if made is None:
            return None
        code = made
    return code


def apply(thunk: Thunk, edits: list[Edit]) -> Optional[Thunk]:
    """The block with these edits; None if they leave its shape, or its end."""
    code = bytearray(thunk.code)
    for edit in edits:
        if edit.at + len(edit.code) > len(code):
            return None
        code[edit.at : edit.at + len(edit.code)] = edit.code
    return parse(bytes(code), thunk.address, thunk.arch)


def reordered(steps: list[Instruction], moves: dict[int, int]) -> list[Instruction]:
    """Instructions with some moved before others: {address: before address}."""
    order = list(steps)
    for source, before in moves.items():
        moved = next(insn for insn in order if insn.address == source)
        order.remove(moved)
        place = next(n for n, insn in enumerate(order) if insn.address == before)
        order.insert(place, moved)
    return order
