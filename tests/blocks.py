"""Thunk blocks as bytes, laid out as the engine's FillBuffer lays them out.

Recipes belong here: what an emitter would write, right or wrong, and how a block
is put together from it. Nothing here runs or judges code; `emulator.py` does. The
originals follow lib/Backend/InterpreterThunkEmitter.cpp, `section3` and `section7`
the document that the project started from.
"""

import re
import struct
from dataclasses import dataclass

from thunk_inspect.arch import ARCHES, Arch, Convention

Hops = tuple[int, int, int]
"""function -> info, info -> body, body -> stub."""

BRK_FILL = bytes.fromhex("00003ed4")


@dataclass(frozen=True)
class Recipe:
    """What an emitter writes into a block, instruction by instruction.

    An instruction is a text: assembly or a word like 0xd65f03c0 on arm64, on x64
    hexadecimal bytes, with patch points in braces that are filled in when a block is
    emitted.
    """

    convention: str
    header: tuple[str, ...]
    call: bytes
    """The call instruction of every stub."""
    epilogue: tuple[str, ...]
    unwind: int = 16
    """Bytes of unwind data at the block's end."""
    room: int = 0
    """The header is padded to at least that many bytes."""

    @property
    def machine(self) -> tuple[Arch, Convention]:
        """The machine and the convention that this is for."""
        for arch in ARCHES.values():
            for convention in arch.conventions:
                if convention.name == self.convention:
                    return arch, convention
        raise KeyError(self.convention)

    @property
    def arm(self) -> bool:
        return self.machine[0].lr is not None


@dataclass
class Block:
    """A recipe with every patch point filled in. Change it, then ask `code`."""

    header: list[bytes]
    call: bytes
    epilogue: list[bytes]
    first_stub: int
    """Offset in the block, as all places here."""
    epilogue_at: int
    size: int
    fill: bytes
    unwind: int

    @property
    def stub_count(self) -> int:
        """FillBuffer stops one stub short of the epilogue."""
        return (self.epilogue_at - self.first_stub) // 8 - 1

    def stub(self, index: int) -> bytes:
        """The eight bytes of that stub."""
        return self.stub_at(self.first_stub + 8 * index, self.call, self.epilogue_at)

    def stub_at(self, at: int, call: bytes, target: int) -> bytes:
        """`call register; jump target`, for that offset of the block."""
        if self.fill == BRK_FILL:
            jump = 0x14000000 | (target - at - 4) // 4 & 0x3FFFFFF
            return call + struct.pack("<I", jump)
        distance = target - at - len(call) - 5
        return (call + b"\xe9" + struct.pack("<i", distance)).ljust(8, b"\xcc")

    def code(self) -> bytes:
        """The whole block."""
        header, epilogue = b"".join(self.header), b"".join(self.epilogue)
        end = self.epilogue_at + len(epilogue)
        parts = [header.ljust(self.first_stub, b"\xcc")]
        parts += [self.stub(index) for index in range(self.stub_count)]
        parts += [self.fill * (8 // len(self.fill)), epilogue]
        rest = self.size - self.unwind - end
        parts += [(self.fill * rest)[-rest:] if rest else b""]
        parts += [struct.pack("<II", 0, end).ljust(self.unwind, b"\0")]
        return b"".join(parts)


def resolve(
    recipe: Recipe, base: int, interpreter: int, offsets: Hops, block_size: int = 4096
) -> Block:
    """Fill in the patch points, as the emitter does for one block."""
    arm = recipe.arm
    epilogue = [_assemble(text, arm) for text in recipe.epilogue]
    epilogue_at = block_size - recipe.unwind + -len(b"".join(epilogue)) // 16 * 16
    holes = _arm_holes if arm else _x64_holes

    def written(first_stub: int) -> list[bytes]:
        limit = epilogue_at - first_stub
        values = holes(base, first_stub, limit, interpreter, offsets)
        header: list[bytes] = []
        here = 0
        for text in recipe.header:
            values["near"] = str(first_stub - here)
            header.append(_assemble(text.format(**values), arm))
            here += len(header[-1])
        return header

    length = max(recipe.room, len(b"".join(written(0))))
    first_stub = -(-length // 8) * 8
    fill = BRK_FILL if arm else b"\xcc"
    return Block(
        *(written(first_stub), recipe.call, epilogue, first_stub, epilogue_at),
        *(block_size, fill, recipe.unwind),
    )


def emit(
    recipe: Recipe, base: int, interpreter: int, offsets: Hops, block_size: int = 4096
) -> bytes:
    """The block's bytes."""
    return resolve(recipe, base, interpreter, offsets, block_size).code()


# --- From texts to bytes ---------------------------------------------------------


def _arm_holes(
    base: int, first: int, size: int, interpreter: int, offsets: Hops
) -> dict[str, str]:
    """Decimal numbers: i0 … i3 and s0 … s3 are 16-bit parts of the interpreter's and
    the first stub's address, `low` the latter's in its page; a, b, c the offsets."""
    values = dict(zip("abc", map(str, offsets)), size=str(size), low=str(first % 4096))
    for part in range(4):
        values[f"i{part}"] = str(interpreter >> 16 * part & 0xFFFF)
        values[f"s{part}"] = str(base + first >> 16 * part & 0xFFFF)
    return values


def _x64_holes(
    base: int, first: int, size: int, interpreter: int, offsets: Hops
) -> dict[str, str]:
    """Hexadecimal bytes: a, b, c as bytes, size as four, addresses as eight."""
    values = {name: f"{value:02x}" for name, value in zip("abc", offsets)}
    values["size"] = struct.pack("<I", size).hex()
    values["start"] = struct.pack("<Q", base + first).hex()
    values["interpreter"] = struct.pack("<Q", interpreter).hex()
    return values


_D, _N, _M, _T2 = (0, 5, 1), (5, 5, 1), (16, 5, 1), (10, 5, 1)
_I7, _I12, _U12, _I16 = (15, 7, 8), (10, 12, 8), (10, 12, 1), (5, 16, 1)
_NONE = (0, 0, 1)
_FORMS: dict[str, tuple[int, tuple[tuple[int, int, int], ...]]] = {
    "stp x,x,[x,#]": (0xA9000000, (_D, _T2, _N, _I7)),
    "stp x,x,[x,#]!": (0xA9800000, (_D, _T2, _N, _I7)),
    "ldp x,x,[x,#]": (0xA9400000, (_D, _T2, _N, _I7)),
    "ldp x,x,[x],#": (0xA8C00000, (_D, _T2, _N, _I7)),
    "str x,[x,#]": (0xF9000000, (_D, _N, _I12)),
    "ldr x,[x,#]": (0xF9400000, (_D, _N, _I12)),
    "add x,x,#": (0x91000000, (_D, _N, _U12)),
    "sub x,x,#": (0xD1000000, (_D, _N, _U12)),
    "cmp x,#": (0xF100001F, (_N, _U12)),
    "sub x,x,x": (0xCB000000, (_D, _N, _M)),
    "cmp x,x": (0xEB00001F, (_N, _M)),
    "mov x,x": (0xAA0003E0, (_D, _M)),
    "and x,x,#-": (0x927DF000, (_D, _N, _NONE)),
    "movz x,#,lsl #": (0xD2800000, (_D, _I16, (21, 2, 16))),
    "movk x,#,lsl #": (0xF2800000, (_D, _I16, (21, 2, 16))),
    "adr x,#": (0x10000000, (_D, (5, 19, 4))),
    "adrp x,#": (0x90000000, (_D, (5, 19, 4))),
    "b.ls #": (0x54000009, ((5, 19, 4),)),
    "brk #": (0xD4200000, (_I16,)),
    "br x": (0xD61F0000, (_N,)),
    "blr x": (0xD63F0000, (_N,)),
    "ret": (0xD65F03C0, ()),
}
"""Shape -> opcode, and for each number in the text its (shift, bits, scale).
`and` knows the mask -8 only, `adr` multiples of 4, `adrp` the page it stands in."""


def _assemble(text: str, arm: bool) -> bytes:
    if not arm:
        return bytes.fromhex(text)
    if text.startswith("0x"):
        return struct.pack("<I", int(text, 16))
    names = {"fp": "x29", "lr": "x30", "sp": "x31"}
    plain = re.sub(r"\b(fp|lr|sp)\b", lambda found: names[found[0]], text)
    numbers = [int(number) for number in re.findall(r"-?\d+", plain)]
    shape = re.sub(r"-8$", "-", plain) if plain.startswith("and") else plain
    opcode, fields = _FORMS[re.sub(r"-?\d+", "", shape)]
    for number, (shift, bits, scale) in zip(numbers, fields):
        opcode |= (number // scale & (1 << bits) - 1) << shift
    return struct.pack("<I", opcode)


# --- ARM64 -----------------------------------------------------------------------


def _chain(first: int, second: int, target: int) -> str:
    return (
        f"ldr x{first},[x0,#{{a}}]; ldr x{second},[x{first},#{{b}}];"
        f"ldr x{target},[x{second},#{{c}}]"
    )


def _address(to: int, order: str = "0123", value: str = "i") -> str:
    parts = [f"x{to},#{{{value}{part}}},lsl #{16 * int(part)}" for part in order]
    return "movz " + "; movk ".join(parts)


def _homes(at: int) -> str:
    return ";".join(f"stp x{n},x{n + 1},[sp,#{at + 8 * n}]" for n in range(0, 8, 2))


def _framed(size: int, at: int) -> str:
    return f"sub sp,sp,#{size}; stp fp,lr,[sp,#{at}]; add fp,sp,#{at}"


def _unframed(size: int, at: int) -> str:
    return f"ldp fp,lr,[sp,#{at}]; add sp,sp,#{size}; ret"


_CHAIN = _chain(2, 0, 3)
_CHAIN_X19 = _chain(19, 19, 3)
_GO = f"{_address(1)}; add x0,sp,#16; br x3"
_GO_24 = f"{_address(1)}; add x0,sp,#24; br x3"
_FRAME = "stp fp,lr,[sp,#-16]!; add fp,sp,#0"
_HOMING = f"stp fp,lr,[sp,#-80]!; add fp,sp,#0; {_homes(16)}"
_UNSAVED = f"sub sp,sp,#80; add fp,sp,#0; {_homes(16)}"
_TRAP = "movz x0,#5,lsl #0; brk #41"
_SIZE = "movz x2,#{size},lsl #0; cmp x1,x2; b.ls #12"
_CHECK = (
    f"and x3,x3,#-8; {_address(5, value='s')}; sub x4,x3,x5; movz x6,#{{size}},lsl #0;"
    f"cmp x4,x6; b.ls #12; {_TRAP}"
)
_SINGLES = ";".join(f"str x{n},[sp,#{16 + 8 * n}]" for n in range(7, -1, -1))
_PUSHES = ";".join(f"stp x{n},x{n + 1},[sp,#-16]!" for n in (6, 4, 2, 0))
_DOCUMENT = "stp fp,lr,[sp,#-16]!; stp x0,x1,[sp,#-16]!; stp x2,x3,[sp,#-16]!"
_REST = "stp x4,x5,[sp,#-16]!; stp x6,x7,[sp,#-16]!; ldr x0,[sp,#48]"
_MASK = "and x3,x3,#-8; mov x1,x3"

_HOMED = {
    "arm64-windows": f"{_HOMING}; {_CHAIN}; {_GO} | x1 | ldp fp,lr,[sp],#80; ret",
    "arm64-windows-variant-sub-first": f"sub sp,sp,#80; {_SINGLES}; stp fp,lr,[sp,#0];"
    f"add fp,sp,#0; {_chain(9, 10, 11)}; {_address(16)}; add x0,fp,#16; br x11"
    f"| x16 | {_unframed(80, 0)}",
    "arm64-windows-variant-big-frame": f"{_framed(112, 32)}; stp x19,x20,[sp,#0];"
    f"{_homes(48)}; {_chain(19, 20, 3)}; {_address(1)}; add x0,fp,#16; br x3"
    f"| x1 | ldp x19,x20,[sp,#0]; {_unframed(112, 32)}",
    "arm64-windows-variant-pushes": f"{_PUSHES}; {_FRAME}; {_chain(12, 12, 9)};"
    f"add x0,sp,#16; {_address(17, '3021')}; br x9"
    "| x17 | ldp fp,lr,[sp],#16; add sp,sp,#64; ret",
    "arm64-windows-variant-range-check": f"{_HOMING}; {_CHAIN}; {_CHECK}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#80; ret",
    "arm64-windows+wrong-offset": f"{_framed(96, 16)}; {_homes(32)}; {_CHAIN}; {_GO}"
    f"| x1 | {_unframed(96, 16)}",
    "arm64-windows+misaligned-sp": f"{_framed(88, 8)}; {_homes(24)}; {_CHAIN}; {_GO_24}"
    f"| x1 | {_unframed(88, 8)}",
    "arm64-windows+frame-not-saved": f"{_UNSAVED}; {_CHAIN}; {_GO}"
    "| x1 | add sp,sp,#80; ret",
    "arm64-windows+callinfo-lost": f"{_address(1)}; {_HOMING}; {_CHAIN}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#80; ret",
    "arm64-windows+epilogue-mismatch": f"{_HOMING}; {_CHAIN}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#64; ret",
    "arm64-windows+saved-scratch": f"{_HOMING}; {_CHAIN_X19}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#80; ret",
    "section3": f"{_DOCUMENT}; {_chain(1, 2, 3)}; {_MASK}; adr x0,#{{near}};"
    f"sub x1,x1,x0; {_SIZE}; {_TRAP}; add x0,sp,#16; {_address(1)}; br x3"
    "| x1 | add sp,sp,#32; ldp fp,lr,[sp],#16; ret",
    "section7": f"{_DOCUMENT}; {_REST}; {_chain(1, 2, 3)}; {_MASK};"
    f"adrp x0,#0; add x0,x0,#{{low}}; sub x1,x1,x0; {_SIZE}; {_TRAP};"
    "add x0,sp,#48; br x3 | x1 | add sp,sp,#64; ldp fp,lr,[sp],#16; ret",
}

_CALLER_STACK = {
    "arm64-unix": f"{_FRAME}; {_CHAIN}; {_GO} | x1 | ldp fp,lr,[sp],#16; ret",
    "arm64-unix-variant-other-scratch": "stp fp,lr,[sp,#-16]!;"
    f"{_address(17, '3210')}; add fp,sp,#0; {_chain(8, 8, 16)}; add x0,fp,#16; br x16"
    "| x17 | ldp fp,lr,[sp],#16; ret",
    "arm64-unix-variant-big-frame": f"{_framed(64, 48)}; stp x20,x21,[sp,#16];"
    f"{_chain(21, 20, 7)}; add x0,sp,#64; {_address(1, '2130')}; br x7"
    f"| x1 | ldp x20,x21,[sp,#16]; {_unframed(64, 48)}",
    "arm64-unix-variant-range-check": f"{_FRAME}; {_CHAIN}; {_CHECK}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#16; ret",
    "arm64-unix-variant-stored-again": f"{_FRAME}; stp x0,x1,[fp,#16]; {_CHAIN}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#16; ret",
    "arm64-unix+wrong-offset": f"{_framed(32, 16)}; {_CHAIN}; {_GO}"
    f"| x1 | {_unframed(32, 16)}",
    "arm64-unix+misaligned-sp": f"{_framed(24, 8)}; {_CHAIN}; {_GO_24}"
    f"| x1 | {_unframed(24, 8)}",
    "arm64-unix+frame-not-saved": f"sub sp,sp,#16; add fp,sp,#0; {_CHAIN}; {_GO}"
    "| x1 | add sp,sp,#16; ret",
    "arm64-unix+callinfo-lost": f"{_FRAME}; {_CHAIN}; {_address(1)}; str x1,[fp,#24];"
    "add x0,sp,#16; br x3 | x1 | ldp fp,lr,[sp],#16; ret",
    "arm64-unix+epilogue-mismatch": f"{_FRAME}; {_CHAIN}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#32; ret",
    "arm64-unix+saved-scratch": f"{_FRAME}; {_CHAIN_X19}; {_GO}"
    "| x1 | ldp fp,lr,[sp],#16; ret",
}

# --- x64: a comment says what the bytes beside it do -----------------------------

_RDX = "488b41{a}; 488b48{b}; 488b51{c}"  # rdx = the stub, from rcx by way of rax
_RDX_RBX = "488b59{a}; 488b4b{b}; 488b51{c}"  # by way of rbx
_LIMITS = "48b8{start}; 482bc8; 4881f9{size}; 7609; 48c7c105000000; cd29"
_CHECK_RDX = f"4883e2f8; 488bca; {_LIMITS}"  # and rdx,-8; mov rcx,rdx; range; int 29h
_HOME = "4889542410; 48894c2408; 4c89442418; 4c894c2420"  # [rsp+8…20h]
_LEA, _SUB, _JUMP = "488d4c2408", "4883ec28", "48b8{interpreter}; ffe2"
_BODY = f"{_RDX}; {_CHECK_RDX}; {_LEA}; {_SUB}; {_JUMP}"
_ADD_RET = "| ffd0 | 4883c428; c3"

_WINDOWS = {
    "x64-windows": f"{_HOME}; {_BODY} {_ADD_RET}",
    # homes from r9 down, chain in r10, r11, no check, call r10
    "x64-windows-variant-r10": "4c894c2420; 4c89442418; 48894c2408; 4889542410;"
    "4c8b51{a}; 4d8b5a{b}; 498b53{c}; 49ba{interpreter}; 4883ec28; 488d4c2430; ffe2"
    "| 41ffd2 | 4883c428; c3",
    # push rbp; mov rbp,rsp; homes by rbp; lea rcx,[rbp+10h]; sub rsp,20h … leave
    "x64-windows-variant-leave": "55; 4889e5; 48894d10; 48895518; 4c894520; 4c894d28;"
    f"{_RDX}; {_CHECK_RDX}; 488d4d10; 4883ec20; {_JUMP} | ffd0 | c9; c3",
    # pop r10; add rsp,20h; push r9, r8, rdx, rcx, r10; … lea rcx,[rsp+30h]
    "x64-windows-variant-pushes": "415a; 4883c420; 4151; 4150; 52; 51; 4152;"
    f"{_RDX}; {_SUB}; 488d4c2430; {_JUMP} {_ADD_RET}",
    "x64-windows+wrong-offset": f"{_HOME}; {_RDX}; {_CHECK_RDX}; 488d4c2410; {_SUB};"
    f"{_JUMP} {_ADD_RET}",
    "x64-windows+misaligned-sp": f"{_HOME}; {_RDX}; {_CHECK_RDX}; {_LEA}; 4883ec20;"
    f"{_JUMP} | ffd0 | 4883c420; c3",
    "x64-windows+frame-not-saved": f"{_HOME}; 4889e5; {_BODY} {_ADD_RET}",
    "x64-windows+callinfo-lost": f"31d2; {_HOME}; {_BODY} {_ADD_RET}",
    "x64-windows+epilogue-mismatch": f"{_HOME}; {_BODY} | ffd0 | 4883c420; c3",
    "x64-windows+saved-scratch": f"{_HOME}; {_RDX_RBX}; {_CHECK_RDX}; {_LEA}; {_SUB};"
    f"{_JUMP} {_ADD_RET}",
    # sub rsp,8: SP is aligned, but the shadow space reaches the layout
    "x64-windows+no-shadow": f"{_HOME}; {_RDX}; {_CHECK_RDX}; {_LEA}; 4883ec08; {_JUMP}"
    "| ffd0 | 4883c408; c3",
}

_PUSH_RBP = "55; 4889e5"  # push rbp; mov rbp,rsp
_UNIX_RDX = "488b47{a}; 488b48{b}; 488b51{c}"
_UNIX = f"{_UNIX_RDX}; 4883e2f8; 4889d1; {_LIMITS.replace('482bc8', '4829c1')}"
_RDI_10, _RDI_RBP = "488d7c2410", "488d7d10"  # lea rdi,[rsp+10h]; lea rdi,[rbp+10h]
_POP_RET = "| ffd0 | 5d; c3"

_SYSV = {
    "x64-sysv": f"{_PUSH_RBP}; {_UNIX}; {_RDI_10}; {_JUMP} {_POP_RET}",
    "x64-sysv-variant-leave": f"{_PUSH_RBP}; 4883ec20; {_UNIX}; {_RDI_RBP}; {_JUMP}"
    "| ffd0 | c9; c3",
    # push rbx; push r12; the chain in them; call r11
    "x64-sysv-variant-saved-rbx": f"{_PUSH_RBP}; 53; 4154; 488b5f{{a}}; 4c8b63{{b}};"
    f"498b5424{{c}}; 49bb{{interpreter}}; {_RDI_RBP}; ffe2 | 41ffd3 | 415c; 5b; 5d; c3",
    # everything in rax, jmp r8, call rcx
    "x64-sysv-variant-jmp-r8": f"{_PUSH_RBP}; 488b47{{a}}; 488b40{{b}}; 4c8b40{{c}};"
    f"48b9{{interpreter}}; {_RDI_10}; 41ffe0 | ffd1 | 5d; c3",
    "x64-sysv+wrong-offset": f"{_PUSH_RBP}; 4883ec10; {_UNIX}; {_RDI_10}; {_JUMP}"
    "| ffd0 | 4883c410; 5d; c3",
    "x64-sysv+misaligned-sp": f"{_PUSH_RBP}; 4883ec08; {_UNIX}; {_RDI_RBP}; {_JUMP}"
    "| ffd0 | 4883c408; 5d; c3",
    "x64-sysv+frame-not-saved": f"4883ec08; 4889e5; {_UNIX}; {_RDI_10}; {_JUMP}"
    "| ffd0 | 4883c408; c3",
    # xor esi,esi; mov [rbp+18h],rsi
    "x64-sysv+callinfo-lost": f"{_PUSH_RBP}; 31f6; 48897518; {_UNIX}; {_RDI_10};"
    f"{_JUMP} {_POP_RET}",
    "x64-sysv+epilogue-mismatch": f"{_PUSH_RBP}; {_UNIX}; {_RDI_10}; {_JUMP}"
    "| ffd0 | 4883c408; 5d; c3",
    "x64-sysv+saved-scratch": f"{_PUSH_RBP}; 488b5f{{a}}; 488b4b{{b}}; 488b51{{c}};"
    f"{_RDI_10}; {_JUMP} {_POP_RET}",
}


def _recipe(convention: str, text: str, unwind: int) -> Recipe:
    """`header | call (its register on arm64) | epilogue`, instructions apart by ;"""
    header, call, epilogue = (
        tuple(item.strip() for item in part.split(";")) for part in text.split("|")
    )
    arm = convention.startswith("arm64")
    code = _assemble(f"blr {call[0]}" if arm else call[0], arm)
    return Recipe(convention, header, code, epilogue, unwind)


RECIPES: dict[str, Recipe] = {
    name: _recipe(convention, text, unwind)
    for convention, unwind, texts in (
        ("arm64-registers", 16, _HOMED),
        ("arm64-caller-stack", 16, _CALLER_STACK),
        ("x64-windows", 32, _WINDOWS),
        ("x64-sysv", 64, _SYSV),
    )
    for name, text in texts.items()
}
