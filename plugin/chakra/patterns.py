"""The headers that the engine's own emitter makes, one per convention, as data.

Used to say what was to be expected, and as the mend of last resort. The bytes and the
places that are filled in at run time: lib/Backend/InterpreterThunkEmitter.cpp.
"""

import struct
from dataclasses import dataclass
from typing import Optional

from ..arch import Arch
from ..proof import Offsets
from .thunk import Thunk, parse


@dataclass(frozen=True)
class Pattern:
    """One emitted header. Places are offsets in it."""

    convention: str
    title: str
    header: bytes
    loads: tuple[int, int, int]
    """Where the three offsets of the chain go."""
    interpreter: int
    """Where the interpreter's address goes (four moves on ARM64)."""
    epilogue: bytes
    block_start: Optional[int] = None
    block_length: Optional[int] = None
    """Where the range check's constants go."""


def _code(text: str) -> bytes:
    return bytes.fromhex(text)


PATTERNS: dict[str, Pattern] = {
    pattern.convention: pattern
    for pattern in (
        Pattern(
            "arm64-registers",
            "ARM64 Windows",
            _code(
                "fd7bbba9 fd030091 e00701a9 e20f02a9 e41703a9 e61f04a9"
                "020040f9 400040f9 030040f9"
                "010080d2 0100a0f2 0100c0f2 0100e0f2 e0430091 60001fd6 cccccccc"
            ),
            (24, 28, 32),
            36,
            _code("fd7bc5a8 c0035fd6"),
        ),
        Pattern(
            "arm64-caller-stack",
            "ARM64 Linux and macOS",
            _code(
                "fd7bbfa9 fd030091 020040f9 400040f9 030040f9"
                "010080d2 0100a0f2 0100c0f2 0100e0f2 e0430091 60001fd6 cccccccc"
            ),
            (8, 12, 16),
            20,
            _code("fd7bc1a8 c0035fd6"),
        ),
        Pattern(
            "x64-windows",
            "x64 Windows",
            _code(
                "4889542410 48894c2408 4c89442418 4c894c2420"
                "488b4100 488b4800 488b5100 4883e2f8 488bca"
                "48b80000000000000000 482bc8 4881f900000000 7609"
                "48c7c105000000 cd29 488d4c2408 4883ec28"
                "48b80000000000000000 ffe2 cccccccccc"
            ),
            (23, 27, 31),
            81,
            _code("4883c428 c3"),
            41,
            55,
        ),
        Pattern(
            "x64-sysv",
            "x64 System V",
            _code(
                "55 4889e5 488b4700 488b4800 488b5100 4883e2f8 4889d1"
                "48b80000000000000000 4829c1 4881f900000000 7609"
                "48c7c105000000 cd29 488d7c2410"
                "48b80000000000000000 ffe2 cc"
            ),
            (7, 11, 15),
            61,
            _code("5d c3"),
            25,
            39,
        ),
    )
}


CALLS = {"aarch64": _code("20003fd6"), "x86_64": _code("ffd0")}
"""How stubs call: blr x1, call rax."""


EXAMPLE, EXAMPLE_SIZE, EXAMPLE_OFFSETS = 0x10000, 4096, Offsets(40, 8, 80)


def fill(
    pattern: Pattern,
    arch: Arch,
    start: int,
    end: int,
    offsets: Offsets,
    interpreter: int,
) -> bytes:
    """The header with its places filled in, for stubs from `start` to `end`."""
    header = bytearray(pattern.header)
    chain = (offsets.function_info, offsets.function_proxy, offsets.dynamic_thunk)
    for place, offset in zip(pattern.loads, chain):
        if arch.lr:
            (word,) = struct.unpack_from("<I", header, place)
            struct.pack_into("<I", header, place, word | (offset // 8) << 10)
        else:
            header[place] = offset
    if arch.lr:
        for n in range(4):
            place = pattern.interpreter + 4 * n
            (word,) = struct.unpack_from("<I", header, place)
            piece = interpreter >> 16 * n & 0xFFFF
            struct.pack_into("<I", header, place, word | piece << 5)
    else:
        struct.pack_into("<Q", header, pattern.interpreter, interpreter)
    if pattern.block_start is not None and pattern.block_length is not None:
        struct.pack_into("<Q", header, pattern.block_start, start)
        struct.pack_into("<I", header, pattern.block_length, end - start)
    return bytes(header)


def emitted(thunk: Thunk, convention: str, offsets: Offsets, interpreter: int) -> bytes:
    """The block that the engine's emitter would have made in this one's place."""
    code = bytearray(thunk.code)
    pattern = PATTERNS[convention]
    fields = (pattern, thunk.arch, thunk.address, thunk.epilogue, offsets, interpreter)
    _write(code, *fields)
    return bytes(code)


def pattern_block(convention: str, arch: Arch) -> Thunk:
    """A block of a pattern on its own, at a made-up address."""
    code = bytearray(EXAMPLE_SIZE)
    end = EXAMPLE_SIZE - 32
    _write(code, PATTERNS[convention], arch, EXAMPLE, end, EXAMPLE_OFFSETS, EXAMPLE)
    thunk = parse(bytes(code), EXAMPLE, arch)
    assert thunk
    return thunk


def _write(
    code: bytearray,
    pattern: Pattern,
    arch: Arch,
    address: int,
    epilogue: int,
    offsets: Offsets,
    interpreter: int,
) -> None:
    """Header, stubs and epilogue into a block's bytes."""
    size, call = len(pattern.header), CALLS[arch.name]
    code[:size] = fill(
        pattern, arch, address + size, address + epilogue, offsets, interpreter
    )
    for at in range(size, epilogue - arch.stub_size + 1, arch.stub_size):
        stub = call + arch.branch_to(at + len(call), epilogue)
        code[at : at + arch.stub_size] = stub.ljust(arch.stub_size, b"\xcc")
    code[epilogue : epilogue + len(pattern.epilogue)] = pattern.epilogue


def pattern_of(convention: str) -> Optional[Pattern]:
    """The pattern of a convention; None for one that the emitter does not know."""
    return PATTERNS.get(convention)
