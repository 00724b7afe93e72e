"""The Report: everything that a renderer may show, and nothing that it must decide.

Addresses and register values are unsigned 64-bit numbers of the target's address space;
sizes, offsets and places are bytes. What could not be had is None, or left out.
"""

from dataclasses import dataclass, field
from typing import Optional

from ..chakra.layout import Layout
from ..checklist.model import Check, Diagnosis
from ..trace.model import Trace


@dataclass(frozen=True)
class CodeLine:
    """An instruction; `offset` is from the block's start."""

    offset: int
    code: str
    """Bytes as hex."""
    text: str
    note: str
    blamed: bool = False
    """Whether a failing claim names it."""


@dataclass(frozen=True)
class StackWord:
    """A word of the stack, from the layout pointer outwards."""

    place: int
    """Relative to the layout pointer."""
    address: Optional[int]
    value: Optional[int]
    role: str
    """What the interpreter takes it for, or what the frame keeps there."""
    written_by: str
    comment: str
    wrong: bool = False
    holds: str = ""
    """What the instructions put there, in words; empty where that is not known."""
    pending: bool = False
    """Whether the instruction that stores it has yet to run: the value is old."""


@dataclass(frozen=True)
class Pointer:
    """A register that points into the stack at the stub's call."""

    register: str
    place: Optional[int]
    """Where it points, relative to the layout pointer; None: not into this stack."""
    should: Optional[int] = None
    """Where it should point; None where it is right, or where that is not known."""


@dataclass(frozen=True)
class ThunkPart:
    """The block, as it stands in memory.

    Facts: lib/Backend/InterpreterThunkEmitter.cpp (header, stubs, epilogue; a block is
    a page) and lib/Runtime/Base/FunctionBody.cpp (the three offsets, which are read off
    the header's loads and never assumed).
    """

    block: int
    block_size: int
    header_size: int
    header: bytes
    found_by: str
    style: str
    """homed, caller-stack, pushed or unknown."""
    convention: str
    first_stub: int
    stub_count: int
    stub_size: int
    epilogue: int
    interpreter: Optional[int]
    interpreter_name: Optional[str]
    offsets: Optional[dict[str, int]]
    stub: Optional[int]
    """Number of the stub of the call in hand."""
    stub_address: Optional[int]


@dataclass(frozen=True)
class FramePart:
    """What the header makes of the stack, relative to SP at dispatch.

    Facts: lib/Backend/InterpreterThunkEmitter.cpp, the prologues.
    """

    saved: list[dict[str, object]]
    layout_offset: Optional[int]
    frame_size: Optional[int]


@dataclass
class Report:
    """What an inspection found: read it, or hand it to a renderer.

    `verdict` is sound, broken or undecided; `claims` are R1-R12 of docs/formats.md,
    `checklist` the sections A-G, `issues` the six diagnoses. `problems` says what
    could not be had, a line each.
    """

    arch: str
    os: str
    source: str
    pc: Optional[int]
    registers: dict[str, int]
    shown: list[str]
    """Registers for the head of the report."""
    thunk: Optional[ThunkPart] = None
    frame: Optional[FramePart] = None
    layout: Optional[Layout] = None
    claims: list[Check] = field(default_factory=list)
    checklist: list[Check] = field(default_factory=list)
    issues: list[Diagnosis] = field(default_factory=list)
    verdict: str = "undecided"
    problems: list[str] = field(default_factory=list)
    code: list[CodeLine] = field(default_factory=list)
    stack: list[StackWord] = field(default_factory=list)
    pointers: list[Pointer] = field(default_factory=list)
    trace: Optional[Trace] = None
    """What was seen while the process ran, if it was traced."""
