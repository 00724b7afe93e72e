"""What a straight run of instructions does, told by the effects table: what a function
reads through its first argument, and what a caller stores before a call.

No branches are followed.
"""

from collections.abc import Sequence

from ..arch import Arch, Convention
from ..arch.decode import Instruction, decode
from .cells import BELOW_SP
from .chain import strip
from .run import EXECUTE
from .state import State
from .values import Entry, Load, inputs

MAX_INSTRUCTIONS = 48


def reads_through(
    code: bytes, address: int, arch: Arch, convention: Convention
) -> tuple[frozenset[int], frozenset[int]]:
    """(offsets read through the first argument, offsets added to it), up to the first
    instruction that leads elsewhere or has no known effect."""
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


def stored_by(
    run: Sequence[Instruction], arch: Arch, convention: Convention
) -> frozenset[int]:
    """The bytes of stack that these instructions stored to, by their distance from SP
    behind the last. What stands before one that leads elsewhere, as it may be passed
    over or be for another call, or before one without a known effect, does not count;
    nor does what lies below SP."""
    state = State(arch, convention, b"", 0)
    for insn in run:
        flow = EXECUTE[arch.name](state, insn)
        if flow or insn.leads or state.lost or state.sp is None:
            state = State(arch, convention, b"", 0)
    sp = state.sp or 0
    return frozenset(
        place - sp
        for place, cell in state.stack.items()
        if cell.writer is not None and cell.value is not BELOW_SP
    )
