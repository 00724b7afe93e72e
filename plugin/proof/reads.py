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


def straight(run: Sequence[Instruction]) -> Sequence[Instruction]:
    """The instructions before the last of a run that are executed right before it, so
    far as the run itself shows: nothing in it leads past one of them."""
    landings = {
        operand.immediate
        for insn in run
        for operand in insn.operands
        if insn.leads and operand.kind == "imm"
    }
    start = 0
    for n, insn in enumerate(run):
        if insn.address in landings or (n and run[n - 1].leads):
            start = n
    return run[start:-1]


def stored_by(
    run: Sequence[Instruction], arch: Arch, convention: Convention
) -> frozenset[int]:
    """The bytes of stack that these instructions stored to, by their distance from SP
    behind the last. What stands before one without a known effect does not count, nor
    does what lies below SP."""
    state = State(arch, convention, b"", 0)
    for insn in run:
        EXECUTE[arch.name](state, insn)
        if state.lost or state.sp is None:
            state = State(arch, convention, b"", 0)
    sp = state.sp or 0
    return frozenset(
        place - sp
        for place, cell in state.stack.items()
        if cell.writer is not None and cell.value is not BELOW_SP
    )
