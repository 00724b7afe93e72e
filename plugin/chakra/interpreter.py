"""Which address is the interpreter's: by symbol, or by what the code there does.

Js::InterpreterStackFrame::InterpreterThunk takes one pointer and begins by reading
function, callInfo and the args' address through it
(lib/Runtime/Language/InterpreterStackFrame.cpp). A stripped engine is known by that.
"""

from typing import Optional

from ..arch import WORD, Arch, Convention
from ..proof.reads import reads_through
from ..target import Memory, ThunkError
from .layout import ARGS

INTERPRETER = (
    "_ZN2Js21InterpreterStackFrame16InterpreterThunkEPNS_25JavascriptCallStackLayoutE"
)
ASM_INTERPRETER = (
    "_ZN2Js21InterpreterStackFrame19InterpreterAsmThunkEPNS_20AsmJsCallStackLayoutE"
)

LOOKED_AT = 256
"""Bytes of a would-be interpreter's beginning that are looked at."""


def known_interpreters(
    memory: Memory, arch: Arch, convention: Convention, target: Optional[int]
) -> frozenset[int]:
    """Addresses of the interpreters, as far as they are known.

    The stub's own call target counts too, if the code there does what the
    interpreter does: an engine may have no symbols, or an interpreter of another name.
    """
    symbols = {memory.symbol_address(name) for name in (INTERPRETER, ASM_INTERPRETER)}
    known: set[Optional[int]] = {address for address in symbols if address}
    if target is not None and target not in known:
        behaves = behaves_like_interpreter(memory, arch, convention, target)
        if behaves is None:
            return frozenset()
        if behaves:
            known.add(target)
    return frozenset(address for address in known if address)


def behaves_like_interpreter(
    memory: Memory, arch: Arch, convention: Convention, address: Optional[int]
) -> Optional[bool]:
    """Whether the code at an address reads [arg], [arg + 8] and takes arg + 16; None
    where too little of it can be read to tell."""
    if address is None:
        return False
    code = _beginning(memory, address)
    loads, taken = reads_through(code, address, arch, convention)
    if {0, WORD} <= loads and ARGS in taken:
        return True
    whole = len(code) == LOOKED_AT or memory.lacks(address, LOOKED_AT)
    return False if whole else None


def _beginning(memory: Memory, address: int) -> bytes:
    """As much of it as can be read: it may be the last function of its section."""
    size = LOOKED_AT
    while size >= WORD:
        try:
            return memory.read(address, size)
        except ThunkError:
            size //= 2
    return b""
