"""The words in which a machine and a calling convention are described.

Only data types belong here; the machines themselves stand in `aarch64.py` and
`x86_64.py`. Whoever adds a convention adds a value of these types, no code.
"""

from dataclasses import dataclass, replace
from typing import Callable, NamedTuple, Optional

WORD = 8
"""Bytes of a pointer, of a stack word and of a layout slot on every machine here."""

ANCHOR = 16
"""Distance from the frame pointer to the layout that the engine's stack walker
assumes: JavascriptCallStackLayout::FromFramePointer in
lib/Runtime/Language/JavascriptStackWalker.cpp."""


@dataclass(frozen=True)
class Convention:
    """How a caller hands function, callInfo and args to an entry point.

    Offsets are in bytes from SP at the entry point's first instruction.
    """

    name: str
    title: str
    arguments: tuple[str, ...]
    """Registers with function, callInfo, args[0], args[1] … in this order."""
    stack_arguments: int
    """Where the first argument stands that no register carries."""
    caller_stores: Optional[int]
    """Where the caller itself stored function, callInfo and all args; None when
    it leaves them to the header (see CALL_ENTRYPOINT in RuntimeCommon.h)."""
    callee_saved: tuple[str, ...]
    """Registers that a call must leave as they were, the frame pointer included."""
    callee_saved_vectors: tuple[str, ...]
    """Vector registers of which a call must keep some part."""
    shadow: int
    """Bytes above SP at a call that belong to the callee."""
    red_zone: int
    """Bytes below SP that nobody but the running function writes: a handler of a
    signal writes what lies below them."""
    anchored: bool
    """Whether the stack walker needs FP + ANCHOR to be the layout."""
    red_zone_on: tuple[str, ...] = ()
    """The systems that have this red zone; none of them: all have it."""
    reserved: tuple[str, ...] = ()
    """Registers that the system keeps for itself: no code may change them."""
    lowered_in: str = ""
    """The engine's file in which the JIT makes calls this way (LowerCallArgs)."""

    def on(self, system: str, reserved: tuple[str, ...]) -> "Convention":
        """As it is on a system, which keeps these registers for itself."""
        known = not self.red_zone_on or system in self.red_zone_on
        return replace(self, reserved=reserved, red_zone=self.red_zone if known else 0)

    @property
    def register_args(self) -> tuple[str, ...]:
        """The registers that carry args[0], args[1] …"""
        return self.arguments[2:]


class Stub(NamedTuple):
    """One call stub, as its eight bytes say."""

    call: bytes
    """The call instruction through a register."""
    target: int
    """Where the jump behind it goes, as an offset from the block."""


@dataclass(frozen=True)
class Arch:
    """One machine: its registers, its stack, the shapes that an emitter leaves."""

    name: str
    registers: tuple[str, ...]
    """Every general register, and the program counter, by the names used in reports,
    in the order in which a remote stub gives them."""
    vectors: tuple[str, ...]
    """The vector registers, by the names of conventions."""
    extra: tuple[str, ...]
    """Other registers that help to find one's way, where a debugger has them."""
    pc: str
    sp: str
    fp: str
    lr: Optional[str]
    """None where the return address travels on the stack."""
    result: str
    entry_misalignment: int
    """SP modulo 16 at a function's first instruction."""
    stub_size: int
    call_sizes: tuple[int, ...]
    """Bytes that a call through a register takes, likeliest first."""
    shown: tuple[str, ...]
    """Registers of a report's head: layout pointer and dispatch target among them."""
    stub_words: tuple[tuple[int, int], ...]
    """(mask, value) of a stub's eight bytes as a number: what a search looks for."""
    parse_stub: Callable[[bytes, int], Optional[Stub]]
    """(eight bytes, their offset in the block) -> Stub, None when they are none."""
    branch_to: Callable[[int, int], bytes]
    """(where the jump stands, its target), both from the block's start -> its bytes."""
    dispatch: tuple[str, ...]
    """Mnemonics of jumps that can go through a register."""
    trap: bytes
    """What a debugger puts where it has a break point."""
    is_padding: Callable[[bytes], bool]
    """Whether these bytes are only traps that fill a gap."""
    conventions: tuple[Convention, ...]
    reserved: tuple[tuple[str, tuple[str, ...]], ...]
    """(system, registers that it keeps for itself)."""

    def conventions_on(self, system: str) -> list[Convention]:
        """The conventions as they are on a system."""
        reserved = dict(self.reserved).get(system, ())
        return [known.on(system, reserved) for known in self.conventions]

    @property
    def return_slot(self) -> int:
        """Bytes that a call pushes before the callee's first instruction."""
        return 0 if self.lr else WORD

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.registers)

    def convention(self, name: str) -> Convention:
        """The convention of that name; KeyError when this machine has none such."""
        for convention in self.conventions:
            if convention.name == name:
                return convention
        raise KeyError(name)
