"""What a call of the interpreter leaves of a State: it changes whatever its convention
lets it change. Nothing is judged here.
"""

from ..arch import WORD
from .path import RESULT
from .state import State, any_flags
from .values import Garbage, Unknown, Value

WHY = "the interpreter may change it"


def call_interpreter(state: State, back: Value) -> None:
    """Make the state before the stub's call the state behind it. `back`: where the call
    returns to."""
    arch, convention = state.arch, state.convention
    if state.sp is not None:
        # What is called needs a stack there, and so does an x86 call itself.
        state.check_distance(state.sp - WORD)
    kept = {*convention.callee_saved, *convention.callee_saved_vectors}
    kept |= {*convention.reserved, arch.sp, arch.pc}
    for register in (*arch.registers, *arch.vectors):
        if register not in kept:
            state.set(register, Garbage(WHY))
    state.set(arch.result, RESULT)
    if arch.lr:
        state.set(arch.lr, back)
    state.flags = any_flags(f"flags after the call at +{state.at:#04x}")
    state.objects_changed = Unknown("the interpreter may change objects")
    if state.sp is None:
        state.forget("SP at the call is not known")
    else:
        state.drop_below(state.sp, "it lies below SP at the call")
        state.spoil(state.sp, convention.shadow, "it lies in the shadow space")
