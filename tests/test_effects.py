"""What instructions do to a State, held against Unicorn one instruction at a time.

Every register, flag and byte of stack that an effect determines must be what the
emulator makes of it, in many concrete calls. effect_forms.py says which forms there
are and which of them may leave something open.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

import pytest

from effect_forms import AFTER_TRAP, BRANCHES, FORMS, TRAPS, Form
from entry_states import STACK, Call, Start, Undetermined, starts
from single_step import (
    After,
    Piece,
    emulator,
    instructions,
    program,
    scene,
    state_of,
    trap_text,
    twin_scene,
)
from thunk_inspect.arch import ARCHES
from thunk_inspect.proof import aarch64, x86_64
from thunk_inspect.proof import values as v
from thunk_inspect.proof.flow import Branch, Condition, Flow, Jump, Return, Trap
from thunk_inspect.proof.flow import Call as CallFlow
from thunk_inspect.proof.run import _TESTS as TESTS
from thunk_inspect.proof.run import EXECUTE
from thunk_inspect.proof.state import State
from unicorn import UcError

EFFECTS = {"aarch64": aarch64.EFFECTS, "x86_64": x86_64.EFFECTS}
CALLS, CALLS_WITH_FLAGS, TWINS = 3, 16, 3
WINDOW = range(-0x200, 0x200)
"""The bytes of stack, from SP at entry, that a form may write."""


class Effect(NamedTuple):
    """A state before and behind a piece of code, and where control goes."""

    start: Start
    piece: Piece
    state: State
    flow: Flow

    @property
    def forgotten(self) -> bool:
        return any("no known effect" in hazard.why for hazard in self.state.hazards)

    @property
    def sets_flags(self) -> bool:
        return self.state.flags is not state_of(self.start).flags


def effect_of(start: Start, piece: Piece) -> Effect:
    state, flow = state_of(start).fork(), None
    for insn in instructions(start.arch, piece):
        assert flow is None
        state.at = insn.address - state.base
        flow = EXECUTE[start.arch.name](state, insn)
        state.step += 1
    if isinstance(flow, CallFlow) and start.arch.lr is None:
        # `run` does this push, because it judges SP as it is before it.
        top = v.add(state.get(start.arch.sp), -8)
        state.store(top, v.Const(piece.end), 8)
        state.set(start.arch.sp, top)
    return Effect(start, piece, state, flow)


class Comparison:
    """One effect and what the emulator did in one call."""

    def __init__(self, effect: Effect, call: Call, after: After) -> None:
        self.effect, self.call, self.after = effect, call, after
        self.wrong: list[str] = []
        self.open: list[tuple[v.Value, str]] = []
        """Values that are not determined, each with the place that holds it."""

    def all(self) -> "Comparison":
        for name, actual in self.after.registers.items():
            self.same(name, self.effect.state.get(name), actual)
        self.stack()
        self.memory()
        self.next()
        return self

    def same(self, place: str, value: v.Value, actual: int) -> None:
        try:
            expected = self.call.number(value)
        except Undetermined:
            self.open.append((value, place))
            return
        self.equal(place, value, expected, actual)

    def equal(self, place: str, value: object, expected: int, actual: int) -> None:
        if expected != actual:
            self.wrong.append(f"{place} is {actual:#x}, not {expected:#x} = {value}")

    def stack(self) -> None:
        """Every byte near SP at entry is what the State says, all others are as they
        were. What nobody has stored below SP at entry may be anything."""
        before = scene_stack(self.call, self.effect.start)
        base = self.call.sp - STACK
        near = slice(base + WINDOW.start, base + WINDOW.stop)
        assert self.effect.state.stack.keys() <= set(WINDOW)
        if before[: near.start] + before[near.stop :] != (
            self.after.stack[: near.start] + self.after.stack[near.stop :]
        ):
            self.wrong.append("stack is written far from SP")
