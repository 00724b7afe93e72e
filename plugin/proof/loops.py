"""Whether a path through a block goes round for ever."""

from ..arch import Arch
from ..arch.decode import Instruction
from .path import Path, Step
from .state import State
from .values import Behind, Const


def goes_round(path: Path, state: State, first: int, arch: Arch) -> bool:
    """Whether the state has come back to where it was the last time here.

    A stack pointer that creeps on does not matter in a loop that reads nothing.
    """
    before = path.steps[first].before
    sp, lr = arch.sp, arch.lr
    body = path.steps[first:]
    held = state.get(lr) if lr else None
    if isinstance(held, (Const, Behind)) and _hangs_on_lr(body):
        # Control hangs on the link register alone, which nothing in here sets.
        assert lr
        if all(step.before.get(lr) == held for step in body):
            path.loop = tuple(body)
            return True
    places = {step.at for step in body}
    if before.flags != state.flags and any(g.at in places for g in path.guards):
        return False
    names = {*before.registers, *state.registers} - {sp}
    if any(before.get(name) != state.get(name) for name in names):
        return False
    still = before.get(sp) == state.get(sp) and before.stack == state.stack
    guarded = any(guard.at in places for guard in path.guards)
    if not still and (guarded or any(_touches_memory(step.insn) for step in body)):
        return False
    path.loop = tuple(body)
    return True


def _hangs_on_lr(body: list[Step]) -> bool:
    """Whether a loop on ARM64 has no other way than plain `b` and `ret`, and nothing in
    it reads or sets the link register by name."""
    for step in body:
        insn = step.insn
        if any(operand.register in ("x30", "w30") for operand in insn.operands):
            return False
        plain = insn.mnemonic == "b" or (insn.mnemonic == "ret" and not insn.operands)
        if insn.mnemonic.startswith(("b", "cb", "tb", "ret")) and not plain:
            return False
    return True


def _touches_memory(insn: Instruction) -> bool:
    implicit = insn.mnemonic in ("push", "pop", "leave", "call")
    return implicit or any(operand.kind == "mem" for operand in insn.operands)
