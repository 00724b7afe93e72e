"""Bytes to instructions: the one place that speaks to Capstone.

What leaves here is small and plain, with register names as the rest of the plugin
writes them (x29, not fp), so that effects read like the manual.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Optional

from .model import Arch

OPERAND_SIZE = 0x66
"""The x86 prefix that makes an instruction work on 16 bits."""
RETURNS = ("repz ret", "rep ret", "bnd ret")
"""x86 returns with a prefix that changes nothing of them: compilers write the first for
old processors' sake."""
LEADING = {1, 2, 3, 5, 7}
"""Capstone's groups of what may jump, call or return: CS_GRP_JUMP, CS_GRP_CALL,
CS_GRP_RET, CS_GRP_IRET, CS_GRP_BRANCH_RELATIVE."""
BY_PLACE = ("adr", "adrp", "ldr", "ldrsw")
"""ARM64's instructions whose immediate is an address of data near them."""
LONGEST = 15
"""Bytes of the longest instruction on any machine here."""


@dataclass(frozen=True)
class Operand:
    """A register, an immediate, or memory at base + index * scale + displacement."""

    kind: str
    """`reg`, `imm` or `mem`."""
    size: int
    """Bytes of a register or of the memory, 0 where the instruction fixes it."""
    register: str = ""
    immediate: int = 0
    base: str = ""
    index: str = ""
    scale: int = 1
    displacement: int = 0
    shift: str = ""
    """`lsl`, `lsr` …, applied to a register or an immediate by `amount`."""
    amount: int = 0
    extend: bool = False
    segment: bool = False


@dataclass(frozen=True)
class Instruction:
    address: int
    code: bytes
    mnemonic: str
    text: str
    operands: tuple[Operand, ...]
    writeback: bool
    post: bool
    """Whether the base register changes after the access."""
    narrow: bool = False
    """Whether addresses are of another size than registers."""
    short: bool = False
    """Whether an x86 prefix asks for 16 bits."""
    leads: bool = False
    """Whether it may go elsewhere than to the next instruction."""

    @property
    def end(self) -> int:
        return self.address + len(self.code)

    @property
    def near(self) -> tuple[int, ...]:
        """Addresses of data, or of functions, that it names by their distance."""
        return tuple(
            operand.immediate
            if operand.kind == "imm"
            else self.end + operand.displacement
            for operand in self.operands
            if operand.base == "rip"
            or (operand.kind == "imm" and self.mnemonic in BY_PLACE)
        )


def decode(code: bytes, address: int, arch: Arch) -> Optional[Instruction]:
    """The instruction at the start of these bytes; None when they are none."""
    return _decode(code[:LONGEST], address, arch.name)


@lru_cache(maxsize=4096)
def _decode(code: bytes, address: int, arch: str) -> Optional[Instruction]:
    for insn in _disassembler(arch).disasm(code, address, count=1):
        refused = arch == "x86_64" and _is_refused(insn)
        return None if refused else _plain(insn, arch)
    return None


PREFIXES = b"\xf0\xf2\xf3\x66\x67\x2e\x36\x3e\x26\x64\x65"
"""What may stand before an opcode of x86-64, but for REX."""
REX = bytes(range(0x40, 0x50))


def _is_refused(insn: Any) -> bool:
    """Whether a prefix was read over that makes processors refuse an instruction: lock
    before another one, a repeat before a move of whole vectors."""
    code = bytes(insn.bytes)
    prefixes = code[: len(code) - len(code.lstrip(PREFIXES + REX))]
    if b"\xf0" in prefixes and "lock" not in insn.mnemonic:
        return True
    repeats = b"\xf2" in prefixes or b"\xf3" in prefixes
    return insn.mnemonic in ("movaps", "movups") and repeats


@cache
def _disassembler(arch: str) -> Any:
    from .. import dependencies

    capstone = dependencies.capstone()
    machine = {
        "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
        "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    }[arch]
    disassembler = capstone.Cs(*machine)
    disassembler.detail = True
    return disassembler


def _plain(insn: Any, arch: str) -> Instruction:
    convert = _arm_operand if arch == "aarch64" else _x86_operand
    operands = tuple(convert(insn, operand) for operand in insn.operands)
    on_arm = arch == "aarch64"
    mnemonic = "ret" if insn.mnemonic in RETURNS else insn.mnemonic
    return Instruction(
        address=insn.address,
        code=bytes(insn.bytes),
        mnemonic=mnemonic,
        text=f"{insn.mnemonic:<5} {_readable(insn)}".rstrip(),
        operands=operands,
        writeback=bool(on_arm and insn.writeback),
        post=bool(on_arm and insn.post_index),
        narrow=not on_arm and insn.addr_size != 8,
        short=not on_arm and OPERAND_SIZE in insn.prefix,
        leads=not LEADING.isdisjoint(insn.groups) or mnemonic.startswith("bc."),
    )


_SMALL_NUMBER = re.compile(r"#(-?)0x([0-9a-f]{1,3})\b")


def _readable(insn: Any) -> str:
    """Operands as manuals and the engine's sources have them: small ARM64 offsets in
    decimal, and no size where a register beside it says it."""
    if insn.mnemonic.startswith("mov"):
        return str(insn.op_str).replace("qword ptr ", "")
    text = _SMALL_NUMBER.sub(lambda m: f"#{m[1]}{int(m[2], 16)}", insn.op_str)
    return text.replace("qword ptr ", "")


_ARM_NAMES = {"fp": "x29", "lr": "x30"}
_ARM_SIZES = {"x": 8, "w": 4, "q": 16, "v": 16, "d": 8, "s": 4, "h": 2, "b": 1}
_ARM_SHIFTS = {0: "", 1: "lsl", 2: "msl", 3: "lsr", 4: "asr", 5: "ror"}


def _arm_operand(insn: Any, operand: Any) -> Operand:
    from capstone import arm64

    shift = _ARM_SHIFTS.get(operand.shift.type, "other")
    common = {
        "shift": shift,
        "amount": operand.shift.value,
        "extend": bool(operand.ext),
    }
    if operand.type == arm64.ARM64_OP_REG:
        name = insn.reg_name(operand.reg)
        name = _ARM_NAMES.get(name, name)
        size = 8 if name == "sp" else _ARM_SIZES.get(name[0], 0)
        return Operand("reg", size, register=name, **common)
    if operand.type == arm64.ARM64_OP_IMM:
        return Operand("imm", 0, immediate=operand.imm, **common)
    if operand.type == arm64.ARM64_OP_MEM:
        base, index = (
            _ARM_NAMES.get(name, name)
            for name in (
                insn.reg_name(operand.mem.base) or "",
                insn.reg_name(operand.mem.index) or "" if operand.mem.index else "",
            )
        )
        return Operand(
            "mem", 0, base=base, index=index, displacement=operand.mem.disp, **common
        )
    return Operand("other", 0)


def _x86_operand(insn: Any, operand: Any) -> Operand:
    from capstone import x86

    if operand.type == x86.X86_OP_REG:
        return Operand("reg", operand.size, register=insn.reg_name(operand.reg))
    if operand.type == x86.X86_OP_IMM:
        return Operand("imm", operand.size, immediate=operand.imm)
    memory = operand.mem
    return Operand(
        "mem",
        operand.size,
        base=insn.reg_name(memory.base) or "" if memory.base else "",
        index=insn.reg_name(memory.index) or "" if memory.index else "",
        scale=memory.scale,
        displacement=memory.disp,
        segment=bool(memory.segment),
    )
