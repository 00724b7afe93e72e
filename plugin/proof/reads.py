"""What a function reads through its first argument, told from how it begins.

A straight run of instructions through the effects table: no branches are followed,
and it ends where the table does.
"""

from ..arch import Arch, Convention
from ..arch.decode import decode
from .chain import strip
from .run import EXECUTE
from .state import State
from .values import Entry, Load, inputs

MAX_INSTRUCTIONS = 48


def reads_through(
    code: bytes, address: int, arch: Arch, convention: Convention
) -> tuple[frozenset[int], frozenset[int]]:
    """(offsets read through the first argument, offsets added to it)."""
    argument = Entry(convention.arguments[0])
    state = State(arch, convention, code, address)
    loads: set[int] = set()
    taken: set[int] = set()
    at = 0
    for _ in range(MAX_INSTRUCTIONS):
        insn = decode(code[at : at + 16], address + at, arch)
        if insn is None:
            break
        state.at = at
        flow = EXECUTE[arch.name](state, insn)
        for value in state.registers.values():
            base, offset = strip(value)
            if base == argument:
                taken.add(offset)
            for part in inputs(value):
                if isinstance(part, Load) and strip(part.address)[0] == argument:
                    loads.add(strip(part.address)[1])
        if flow is not None:
            break
        at += len(insn.code)
    return frozenset(loads), frozenset(taken)
