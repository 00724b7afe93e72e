"""Where a trace's break points go: from blocks and symbols to Points.

Everything that a point needs is worked out before the process runs, so that a hit
costs one read of registers and one of memory. The engine's functions are those of
lib/Runtime/Base/FunctionBody.cpp and lib/Runtime/Library/<machine>.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from ..arch import WORD, Arch, Convention
from ..arch.decode import LONGEST, Instruction, decode
from ..chakra.interpreter import ASM_INTERPRETER, INTERPRETER
from ..chakra.layout import ARGS
from ..proof import Facts
from ..target import MASK64, Memory, ThunkError
from .model import CALL, DISPATCH, ENTERED, GENERATED, RETURNED
from .model import INTERPRETER as ARRIVED
from .points import Piece, Point

GENERATE = "_ZN2Js12FunctionBody31GenerateDynamicInterpreterThunkEv"
GENERATING = "generating"
"""Kind of the point where GenerateDynamicInterpreterThunk starts; the event is at its
end."""
CLOSE = "_ZN23InterpreterThunkEmitter5CloseEv"
"""Frees all blocks of a script's context."""
CLOSING, CLOSED = "closing", "closed"
"""Kinds of the points where it starts, and where it returns to; no events."""
NAMES = (
    "Js::FunctionBody::GenerateDynamicInterpreterThunk",
    "Js::InterpreterStackFrame::InterpreterThunk",
)
"""What an engine that is yet to be loaded is awaited by."""
DELAY = (
    "_ZN2Js21InterpreterStackFrame28DelayDynamicInterpreterThunk"
    "EPNS_16RecyclableObjectENS_8CallInfoEz"
)
"""Generates a function's thunk at its first call, and jumps there with everything as it
was."""
HELPERS = {"aarch64": "arm64_CallFunction", "x86_64": "amd64_CallFunction"}
HELPER_SIZE = 256
"""Bytes of a call helper in which its calls are looked for."""
ARGS_KEPT = 12
"""Words of args that an event records."""
LAYOUT_BYTES = ARGS + WORD * ARGS_KEPT
CALLS = ("call", "blr")


@dataclass(frozen=True)
class Watch:
    """A block under watch: what the proof says of it, and where its points are."""

    facts: Facts
    asm: bool
    """Whether it calls the asm.js interpreter, whose layout has no callInfo."""
    call_info: bool
    """Whether the layout is known to have one."""
    dispatch: Optional[Instruction]
    leaving: Optional[Instruction]
    """The epilogue's return."""
    leaving_sp: int
    """SP there, from SP at entry: 0 unless the proof says otherwise."""
    called: Optional[str]
    """The register that a stub calls through."""

    @property
    def address(self) -> int:
        return self.facts.thunk.address

    @property
    def convention(self) -> Convention:
        return self.facts.convention


def watch(facts: Facts, asm: bool, call_info: bool) -> Watch:
    leaving = _leaving(facts)
    state = facts.state_at(leaving.address - facts.thunk.address) if leaving else None
    moved = state.sp if state else None
    called = facts.call.insn.operands[0].register if facts.call else None
    dispatch = _dispatch(facts)
    return Watch(facts, asm, call_info, dispatch, leaving, moved or 0, called)


def _dispatch(facts: Facts) -> Optional[Instruction]:
    return facts.main.dispatch.insn if facts.main.dispatch else None


def _leaving(facts: Facts) -> Optional[Instruction]:
    """The first return from the epilogue on."""
    thunk, at = facts.thunk, facts.thunk.epilogue
    while at < thunk.size:
        insn = decode(thunk.code[at : at + LONGEST], thunk.address + at, thunk.arch)
        if insn is None:
            return None
        if insn.mnemonic == "ret":
            return insn
        at += len(insn.code)
    return None


def block_points(watched: Watch) -> Iterator[Point]:
    """A block's own points: its first instruction, the dispatch branch, the return."""
    convention, arch = watched.convention, watched.facts.thunk.arch
    back = (arch.lr,) if arch.lr else ()
    kept = convention.callee_saved
    stack = Piece(arch.sp, 0, WORD)
    entered = Piece(arch.sp, 0, (convention.caller_stores or 0) + LAYOUT_BYTES)
    registers = (arch.sp, arch.fp, *back, *convention.arguments, *kept)
    yield Point(ENTERED, watched.address, _once(registers), entered)
    if watched.dispatch:
        pointer = convention.arguments[0]
        target = watched.dispatch.operands[0].register
        names = (arch.sp, pointer, target, *_doubtful(watched))
        layout = Piece(pointer, 0, LAYOUT_BYTES)
        yield Point(DISPATCH, watched.dispatch.address, _once(names), layout)
    if watched.leaving:
        names = (arch.sp, arch.fp, *back, *kept)
        piece = None if arch.lr else stack
        yield Point(RETURNED, watched.leaving.address, _once(names), piece)


def _doubtful(watched: Watch) -> tuple[str, ...]:
    """The register that a stub calls through, where the proof has it wrong."""
    finding = watched.facts.claims.get("R6")
    wrong = finding is not None and finding.holds is False
    return (watched.called,) if wrong and watched.called else ()


def interpreter_points(memory: Memory, watched: list[Watch], arch: Arch) -> list[Point]:
    """Each interpreter's first instruction: by symbol, or as the stubs call it."""
    symbols = (memory.symbol_address(name) for name in (INTERPRETER, ASM_INTERPRETER))
    proved = (one.facts.interpreter for one in watched)
    conventions = [one.convention for one in watched] or [_native(arch, memory.os)]
    pointer = conventions[0].arguments[0]
    names = _once((arch.sp, arch.fp, pointer, *((arch.lr,) if arch.lr else ())))
    layout = Piece(pointer, 0, LAYOUT_BYTES)
    return [
        Point(ARRIVED, address, names, layout)
        for address in dict.fromkeys((*symbols, *proved))
        if address
    ]


def generating_point(memory: Memory, arch: Arch) -> Optional[Point]:
    """GenerateDynamicInterpreterThunk's start, where `this` is the FunctionBody."""
    address = memory.symbol_address(GENERATE)
    if not address:
        return None
    this = _native(arch, memory.os).arguments[0]
    names = (arch.sp, this, *((arch.lr,) if arch.lr else ()))
    return Point(GENERATING, address, names, Piece(arch.sp, 0, WORD))


def closing_point(memory: Memory, arch: Arch) -> Optional[Point]:
    """Where blocks are about to be freed."""
    address = memory.symbol_address(CLOSE)
    if not address:
        return None
    back = (arch.lr,) if arch.lr else ()
    return Point(CLOSING, address, (arch.sp, *back), Piece(arch.sp, 0, WORD))


def closed_point(address: int, arch: Arch) -> Point:
    """Where they are freed."""
    return Point(CLOSED, address, (arch.sp,))


def generated_point(address: int, arch: Arch) -> Point:
    """Where GenerateDynamicInterpreterThunk returns to."""
    return Point(GENERATED, address, (arch.sp,))


def call_points(memory: Memory, convention: Convention, arch: Arch) -> list[Point]:
    """The indirect calls of the engine's helper in assembly."""
    start = memory.symbol_address(HELPERS[arch.name])
    if not start:
        return []
    return [
        call_point(insn, convention, arch)
        for insn in _indirect_calls(memory, start, arch)
    ]


def call_point(insn: Instruction, convention: Convention, arch: Arch) -> Point:
    """Function and callInfo may change on a way that is not straight."""
    target = insn.operands[0].register
    passed = convention.arguments[:2]
    return Point(CALL, insn.address, _once((target, arch.sp)), aside=passed)


def _indirect_calls(memory: Memory, start: int, arch: Arch) -> Iterator[Instruction]:
    try:
        code = memory.read(start, HELPER_SIZE)
    except ThunkError:
        return
    at = 0
    while at < len(code):
        insn = decode(code[at : at + LONGEST], start + at, arch)
        if insn is None or insn.mnemonic == "ret":
            return
        if insn.mnemonic in CALLS and insn.operands[0].kind == "reg":
            yield insn
        at += len(insn.code)


def _native(arch: Arch, system: str) -> Convention:
    """The convention of the engine's own C++ functions."""
    by_system = [c for c in arch.conventions if c.shadow] if system == "windows" else []
    return (by_system or [c for c in arch.conventions if not c.shadow])[0]


def _once(names: "tuple[str, ...]") -> "tuple[str, ...]":
    return tuple(dict.fromkeys(names))


def word_of(data: bytes, offset: int) -> Optional[int]:
    """A word of a piece; None where the piece does not reach."""
    if offset < 0 or offset + WORD > len(data):
        return None
    return int.from_bytes(data[offset : offset + WORD], "little") & MASK64
