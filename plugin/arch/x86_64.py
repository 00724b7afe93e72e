"""x86-64: registers, both conventions and what its thunk blocks look like.

Facts: lib/Backend/InterpreterThunkEmitter.cpp (_M_X64, _WIN32 and not) and
lib/Runtime/Library/amd64/JavascriptFunctionA.{S,asm}.
"""

from typing import Optional

from .model import Arch, Convention, Stub

WINDOWS = Convention(
    name="x64-windows",
    title="rcx, rdx, r8, r9 and 32 bytes of shadow space (x64 Windows)",
    arguments=("rcx", "rdx", "r8", "r9"),
    stack_arguments=40,
    caller_stores=None,
    callee_saved=("rbx", "rbp", "rsi", "rdi", "r12", "r13", "r14", "r15"),
    callee_saved_vectors=tuple(f"xmm{n}" for n in range(6, 16)),
    shadow=32,
    red_zone=0,
    anchored=False,
    lowered_in="lib/Backend/amd64/LowererMDArch.cpp",
)

SYSV = Convention(
    name="x64-sysv",
    title="rdi, rsi and everything at [rsp+8] as well (x64 Linux, macOS)",
    arguments=("rdi", "rsi"),
    stack_arguments=24,
    caller_stores=8,
    callee_saved=("rbx", "rbp", "r12", "r13", "r14", "r15"),
    callee_saved_vectors=(),
    shadow=0,
    red_zone=128,
    anchored=True,
    lowered_in="lib/Backend/amd64/LowererMDArch.cpp",
)


def _call_size(code: bytes) -> int:
    """Length of `call reg` at the start of these bytes, 0 when there is none."""
    if code[0] == 0xFF and code[1] & 0xF8 == 0xD0:
        return 2
    if code[0] == 0x41 and code[1] == 0xFF and code[2] & 0xF8 == 0xD0:
        return 3
    return 0


def _parse_stub(code: bytes, offset: int) -> Optional[Stub]:
    """`call reg; jmp target; int3`."""
    size = _call_size(code)
    if not size or code[size] != 0xE9:
        return None
    distance = int.from_bytes(code[size + 1 : size + 5], "little", signed=True)
    return Stub(code[:size], offset + size + 5 + distance)


def _branch_to(at: int, target: int) -> bytes:
    distance = (target - at - 5) & 0xFFFFFFFF
    return b"\xe9" + distance.to_bytes(4, "little")


def _is_padding(code: bytes) -> bool:
    return not code.strip(b"\xcc\x00\x90")


ARCH = Arch(
    name="x86_64",
    registers=(
        *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
        *(f"r{n}" for n in range(8, 16)),
        "rip",
    ),
    vectors=tuple(f"xmm{n}" for n in range(16)),
    extra=("gs_base",),
    pc="rip",
    sp="rsp",
    fp="rbp",
    lr=None,
    result="rax",
    entry_misalignment=8,
    stub_size=8,
    call_sizes=(2, 3),
    shown=("rsp", "rdi", "rcx", "rdx"),
    stub_words=((0xFFF8FF, 0xE9D0FF), (0xFFF8FFFF, 0xE9D0FF41)),
    parse_stub=_parse_stub,
    branch_to=_branch_to,
    dispatch=("jmp",),
    trap=b"\xcc",
    is_padding=_is_padding,
    conventions=(WINDOWS, SYSV),
    reserved=(),
)
