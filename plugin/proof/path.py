"""What a walk through a block leaves behind: steps, calls, the dispatch, the end."""

from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from ..arch.decode import Instruction
from .state import State
from .values import Derived, Value

RESULT = Derived("the interpreter's result", ())
"""What the interpreter leaves in the result register."""


class Step(NamedTuple):
    """An instruction and the state before it."""

    at: int
    insn: Instruction
    before: State


class CallSite(NamedTuple):
    """A call, and the state at the call instruction (before any push)."""

    step: int
    at: int
    insn: Instruction
    target: Value
    state: State

    @property
    def sp(self) -> Optional[int]:
        """From SP at entry, as the others are."""
        return self.state.sp

    @property
    def fp(self) -> Optional[int]:
        """None where FP is no stack address."""
        return self.state.from_entry_sp(self.state.get(self.state.arch.fp))

    @property
    def layout(self) -> Optional[int]:
        """Where the layout pointer points; None where that is not on the stack."""
        state = self.state
        return state.from_entry_sp(state.get(state.convention.arguments[0]))


class Dispatch(NamedTuple):
    """The indirect jump of the header. `step` counts instructions from the entry."""

    step: int
    at: int
    insn: Instruction
    target: Value
    state: State


class Guard(NamedTuple):
    """A condition that the header tests before it goes on."""

    at: int
    insn: Instruction
    decided: bool


class Verdict(NamedTuple):
    """What is known of one thing: True, False or None, and why."""

    holds: Optional[bool]
    why: str
    at: Optional[int] = None


@dataclass
class Path:
    """One way through the block."""

    numbers: frozenset[int]
    """The stubs whose functions can take this path."""
    doubt_at: Optional[int] = None
    """The step from which on it is not certain that a valid call takes this path."""
    shown: bool = False
    """Whether a fork on the way rests on an example of a call."""
    steps: list[Step] = field(default_factory=list)
    calls: list[CallSite] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    dispatch: Optional[Dispatch] = None
    own_stub: Verdict = Verdict(None, "no dispatch branch was reached")
    """Whether the dispatch branch goes to the function's own stub."""
    end: str = "limit"
    """`returned`, `trap`, `lost`, `loop`, `limit` or `undecoded`."""
    why: str = ""
    state: Optional[State] = None
    """At the end of the path."""
    loop: tuple[Step, ...] = ()

    def fork(self) -> "Path":
        return Path(
            self.numbers,
            self.doubt_at,
            self.shown,
            list(self.steps),
            list(self.calls),
            list(self.guards),
            self.dispatch,
            self.own_stub,
        )
