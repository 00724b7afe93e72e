"""ARM64: registers, conventions and what its thunk blocks look like.

Facts: lib/Backend/InterpreterThunkEmitter.cpp (_M_ARM64) and
lib/Runtime/Library/arm64/arm64_CallFunction.{S,asm}.
"""

import struct
from typing import Optional

from .model import Arch, Convention, Stub

_CALLEE_SAVED = tuple(f"x{n}" for n in range(19, 30))
_VECTORS = tuple(f"v{n}" for n in range(8, 16))
_ARGUMENTS = tuple(f"x{n}" for n in range(8))

REGISTERS = Convention(
    name="arm64-registers",
    title="first eight in x0-x7, the rest at [sp] (Windows arm64)",
    arguments=_ARGUMENTS,
    stack_arguments=0,
    caller_stores=None,
    callee_saved=_CALLEE_SAVED,
    callee_saved_vectors=_VECTORS,
    shadow=0,
    red_zone=16,
    red_zone_on=("windows",),
    anchored=True,
    lowered_in="lib/Backend/arm64/LowerMD.cpp",
)

CALLER_STACK = Convention(
    name="arm64-caller-stack",
    title="x0, x1 and everything at [sp] as well (Linux, macOS arm64)",
    arguments=_ARGUMENTS[:2],
    stack_arguments=16,
    caller_stores=0,
    callee_saved=_CALLEE_SAVED,
    callee_saved_vectors=_VECTORS,
    shadow=0,
    red_zone=0,
    anchored=True,
    lowered_in="lib/Backend/arm64/LowerMD.cpp",
)

_BLR, _REGISTER_BRANCH = 0xD63F0000, 0xFFFFFC1F
_B, _B_MASK, _B_RANGE = 0x14000000, 0xFC000000, 0x03FFFFFF
_BRK, _BRK_MASK, _NOP = 0xD4200000, 0xFFE0001F, 0xD503201F


def _parse_stub(code: bytes, offset: int) -> Optional[Stub]:
    """`blr xN; b target`."""
    call, jump = struct.unpack("<II", code)
    if call & _REGISTER_BRANCH != _BLR or jump & _B_MASK != _B:
        return None
    words = jump & _B_RANGE
    words -= (words & 0x02000000) << 1
    return Stub(code[:4], offset + 4 + 4 * words)


def _branch_to(at: int, target: int) -> bytes:
    return struct.pack("<I", _B | ((target - at) >> 2 & _B_RANGE))


def _words(code: bytes) -> "tuple[int, ...]":
    return struct.unpack(f"<{len(code) // 4}I", code[: len(code) // 4 * 4])


def _is_padding(code: bytes) -> bool:
    """brk #…, nop, zeros, or the 0xCC bytes with which the emitter pads the header."""
    return all(
        word & _BRK_MASK == _BRK or word in (0, _NOP, 0xCCCCCCCC)
        for word in _words(code)
    )


ARCH = Arch(
    name="aarch64",
    registers=tuple(f"x{n}" for n in range(31)) + ("sp", "pc"),
    vectors=tuple(f"v{n}" for n in range(32)),
    extra=(),
    pc="pc",
    sp="sp",
    fp="x29",
    lr="x30",
    result="x0",
    entry_misalignment=0,
    stub_size=8,
    call_sizes=(4,),
    shown=("sp", "x0", "x3"),
    stub_words=((_B_MASK << 32 | _REGISTER_BRANCH, _B << 32 | _BLR),),
    parse_stub=_parse_stub,
    branch_to=_branch_to,
    dispatch=("br",),
    trap=struct.pack("<I", _BRK),
    is_padding=_is_padding,
    conventions=(REGISTERS, CALLER_STACK),
    reserved=(("macos", ("x18",)), ("windows", ("x18",))),
)
