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
    Others do that as well (a method of a string reads two words and what follows them):
    if there are symbols it has to have one that says so.
    """
    symbols = {memory.symbol_address(name) for name in (INTERPRETER, ASM_INTERPRETER)}
    known = frozenset(address for address in symbols if address)
    if target is None or target in known:
        return known
    behaves = behaves_like_interpreter(memory, arch, convention, target)
    if behaves is False:
        return known
    symbol = memory.symbol_at(target)
    if symbol is None:
        likely = not known
    else:
        likely = symbol.address == target and "interpreter" in symbol.name.lower()
    return known | {target} if behaves and likely else frozenset()


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
