"""Follows a call through a block: header, stub, interpreter, epilogue, return.

`explore` returns every path that a call can take. Both sides of a condition are
followed unless it is decided for every stub; loops are found, and all is bounded.
"""

from typing import Callable, Optional

from ..arch import Convention
from ..arch.decode import LONGEST, Instruction, decode
from ..chakra.thunk import Thunk
from . import aarch64, x86_64
from .called import call_interpreter
from .chain import Offsets
from .conditions import TESTS
from .flow import Branch, Call, Condition, Flow, Jump, Return, Trap
from .loops import goes_round
from .own_stub import OwnStub
from .path import CallSite, Dispatch, Guard, Path, Step
from .state import State
from .values import (
    Behind,
    Const,
    Entry,
    Load,
    Slot,
    Value,
    always,
    inputs,
    unknown_in,
)
from .witness import examples_of

MAX_PATHS = 48
MAX_STEPS = 1024
MAX_ODD_STUBS = 16
MAX_UNTAKEN = 32
MAX_ALL_STEPS = 16384


EXECUTE: dict[str, Callable[[State, Instruction], Flow]] = {
    "aarch64": aarch64.execute,
    "x86_64": x86_64.execute,
}


class Explorer:
    """The work list. One object per proof."""

    def __init__(
        self,
        thunk: Thunk,
        convention: Convention,
        offsets: Optional[Offsets],
        stub: Optional[int] = None,
    ) -> None:
        """`stub`: of those that are alike, the one that is followed for all of them;
        the last if it is None, or none of them."""
        self.thunk = thunk
        self.convention = convention
        self.offsets = offsets
        self.own_stub = OwnStub(thunk, convention, offsets)
        self.stub = stub
        self.execute = EXECUTE[thunk.arch.name]
        self.examples = examples_of(thunk, convention, offsets)
        self.paths: list[Path] = []
        self.untaken: dict[int, State] = {}
        """States on sides of conditions that no valid call takes."""
        self.pending: list[tuple[Path, State, int]] = []
        self.steps = 0
        """Instructions executed on all paths."""

    def explore(self) -> list[Path]:
        self._walk_all()
        settled = self.own_stub.settled()
        if settled:
            self.own_stub, self.paths, self.untaken = settled, [], {}
            self.steps = 0
            self._walk_all()
        return self.paths

    def _walk_all(self) -> None:
        thunk = self.thunk
        own = self.own_stub
        state = State(
            *(thunk.arch, self.convention, thunk.code, thunk.address),
            *(own.pointers, own.followed),
        )
        path = Path(frozenset(range(thunk.stub_count)))
        self.pending.append((path, state, 0))
        while self.pending:
            if len(self.paths) >= MAX_PATHS or self.steps >= MAX_ALL_STEPS:
                self._finish(*self.pending.pop()[:2], "limit", "too many paths")
                continue
            self._walk(*self.pending.pop())

    def _finish(self, path: Path, state: State, end: str, why: str) -> None:
        path.end, path.why, path.state = end, why, state
        self.paths.append(path)

    def _walk(self, path: Path, state: State, at: int) -> None:
        """Follow a path to its end or to a fork."""
        thunk = self.thunk
        seen: dict[int, int] = {step.at: n for n, step in enumerate(path.steps)}
        while len(path.steps) < MAX_STEPS:
            if not 0 <= at < thunk.size:
                return self._leave(path, state)
            if at in seen and goes_round(path, state, seen[at], thunk.arch):
                return self._finish(path, state, "loop", "it goes round for ever")
            insn = decode(thunk.code[at : at + 16], thunk.address + at, thunk.arch)
            if insn is None:
                why = f"the bytes at +{at:#04x} are no known instruction"
                cut = at + (4 if thunk.arch.lr else LONGEST) > thunk.size
                end = "lost" if cut else "undecoded"
                return self._finish(path, state, end, why)
            seen[at] = len(path.steps)
            state.at, state.step = at, len(path.steps)
            self.steps += 1
            path.steps.append(Step(at, insn, state.fork()))
            flow = self.execute(state, insn)
            following = at + len(insn.code)
            if flow is None and insn.leads:
                # With an effect in the table it would have said where.
                why = f"{insn.text}: no known effect"
                return self._finish(path, state, "limit", why)
            if flow is None:
                at = following
                continue
            moved = self._follow(path, state, insn, flow, following)
            if moved is None:
                return None
            at = moved
        return self._finish(path, state, "limit", "more instructions than a thunk has")

    def _leave(self, path: Path, state: State) -> None:
        """Header and epilogue may go on elsewhere, where nobody has looked; stubs have
        their epilogue in the block."""
        last = path.steps[-1]
        stub = self.thunk.part(last.insn.address).startswith("stub")
        why = "control leaves the block"
        if last.insn.leads and not stub:
            return self._finish(path, state, "limit", f"{why}: nobody has looked there")
        return self._finish(path, state, "lost", why)

    def _follow(
        self, path: Path, state: State, insn: Instruction, flow: Flow, following: int
    ) -> Optional[int]:
        """Where the path goes on; None when it ended or was forked."""
        if isinstance(flow, Trap):
            self._finish(path, state, "trap", flow.text)
        elif isinstance(flow, Branch):
            self._fork(path, state, flow, following)
        elif isinstance(flow, Call):
            return self._call(path, state, insn, flow, following)
        elif isinstance(flow, Return):
            return self._return(path, state, flow.target)
        elif isinstance(flow, Jump):
            return self._jump(path, state, insn, flow.target)
        return None

    def _jump(
        self, path: Path, state: State, insn: Instruction, target: Value
    ) -> Optional[int]:
        if insn.operands[0].kind == "imm":
            assert isinstance(target, Const)
            return target.value - self.thunk.address
        place = self._place_of(target)
        on = place is not None and not self._is_stub(place)
        if path.dispatch is None and not on:
            path.dispatch = Dispatch(state.step, state.at, insn, target, state.fork())
            return self._dispatch(path, state, target)
        if place is not None:
            return place
        self._go_out(path, state, target, "a second indirect jump")
        return None

    def _place_of(self, target: Value) -> Optional[int]:
        """The place in the block that a value is the address of; None outside."""
        if not isinstance(target, (Const, Behind)):
            return None
        here = self.thunk.contains(target.value)
        return target.value - self.thunk.address if here else None

    def _is_stub(self, at: int) -> bool:
        """By its bytes: where the stubs begin is told by the first indirect jump."""
        arch = self.thunk.arch
        there = self.thunk.code[at : at + arch.stub_size]
        return len(there) < arch.stub_size or bool(arch.parse_stub(there, at))

    def _dispatch(self, path: Path, state: State, target: Value) -> Optional[int]:
        """Go to the function's own stub, if that is where the branch goes."""
        judged = self.own_stub.judge(target, path.numbers, state.at)
        path.own_stub, good = judged
        if good and path.numbers - good:
            astray = path.fork()
            astray.numbers = path.numbers - good
            self._finish(astray, state.fork(), "lost", path.own_stub.why)
        if not good:
            place = self._place_of(target)
            if place is None:
                self._finish(path, state, "lost", path.own_stub.why)
            return place
        odd = [n for n in self.thunk.odd if n in good]
        if odd[MAX_ODD_STUBS:]:
            # Nothing is known of these, which may be right or wrong.
            rest = path.fork()
            rest.numbers = frozenset(odd[MAX_ODD_STUBS:])
            self._finish(rest, state.fork(), "limit", "too many odd stubs to follow")
        odd = odd[:MAX_ODD_STUBS]
        alike = sorted(good - set(self.thunk.odd))
        followed = [self.stub] if self.stub in alike else alike[-1:]
        for number in [*odd, *followed]:
            numbers = frozenset([number]) if number in odd else frozenset(alike)
            branch, copy = path.fork(), state.fork()
            branch.numbers = numbers
            at = self.thunk.stub_address(number) - self.thunk.address
            self.pending.append((branch, copy, at))
        return None

    def _fork(self, path: Path, state: State, flow: Branch, following: int) -> None:
        """Follow both sides of a conditional jump, each for the stubs that take it.

        Where the stubs do not decide it, a side is certain if an example shows it,
        once per path: examples for two conditions need not be one call.
        """
        assert isinstance(flow.target, Const)
        taken_at = flow.target.value - self.thunk.address
        decided = self.own_stub.decide(path.numbers, flow.condition)
        shown = (True, True) if decided else self._examples(path, flow.condition)
        sides = decided or (path.numbers, path.numbers)
        for numbers, at, certain in zip(sides, (taken_at, following), shown):
            if not numbers:
                if not self._note_untaken(state.fork(), at):
                    self.own_stub.astray = True
                continue
            branch = path.fork()
            branch.numbers = numbers
            doubtful = not decided and (path.shown or not certain)
            if doubtful and branch.doubt_at is None:
                branch.doubt_at = len(path.steps)
            branch.shown = path.shown or not decided
            insn = path.steps[-1].insn
            branch.guards.append(Guard(state.at, insn, bool(decided)))
            self.pending.append((branch, state.fork(), at))

    def _examples(
        self, path: Path, condition: Optional[Condition]
    ) -> tuple[bool, bool]:
        """Calls of functions that take this path."""
        test, examples = None, self.examples
        if condition:
            test = TESTS.get((condition.operation, condition.test))
        if len(path.numbers) < self.thunk.stub_count:
            examples = examples_of(
                self.thunk, self.convention, self.offsets, sorted(path.numbers)
            )
        return examples.sides(condition, test)

    def _note_untaken(self, state: State, at: int) -> bool:
        """A process may be stopped where no valid call gets, as at a guard's trap. Says
        whether that was followed to a trap or a dispatch."""
        thunk = self.thunk
        for _ in range(MAX_UNTAKEN):
            insn = decode(thunk.code[at : at + 16], thunk.address + at, thunk.arch)
            if insn is None:
                return False
            self.untaken[at] = state.fork()
            state.at = at
            flow = self.execute(state, insn)
            at += len(insn.code)
            if isinstance(flow, Trap):
                return True
            if isinstance(flow, Jump) and isinstance(flow.target, Const):
                at = flow.target.value - thunk.address
            elif flow is not None or insn.leads:
                return isinstance(flow, Jump) and self.own_stub.dispatches(flow.target)
            if not 0 <= at < thunk.size:
                return False
        return False

    def _call(
        self,
        path: Path,
        state: State,
        insn: Instruction,
        flow: Call,
        following: int,
    ) -> Optional[int]:
        """Let the callee change whatever its convention lets it change."""
        stub = self.thunk.part(insn.address).startswith("stub")
        if not stub or path.dispatch is None and not self._is_stub(state.at):
            return self._other_call(path, state, flow.target, following)
        site = CallSite(state.step, state.at, insn, flow.target, state.fork())
        path.calls.append(site)
        back = self.thunk.address + following
        # Each of the stubs that are followed as one has its own.
        several = path.dispatch is not None and len(path.numbers) > 1
        call_interpreter(state, Behind(back) if several else Const(back))
        return following

    def _other_call(
        self, path: Path, state: State, target: Value, following: int
    ) -> Optional[int]:
        """One that is no stub's: what is called need not keep to the convention."""
        if self._place_of(target) is not None:
            why = "a call within the block is not modelled"
            self._finish(path, state, "limit", why)
            return None
        state.forget("what it calls is not modelled")
        return following

    def _go_out(self, path: Path, state: State, target: Value, what: str) -> None:
        """To the caller, or where nobody knows, or certainly to another place."""
        lr = self.thunk.arch.lr
        home = always(target, Entry(lr) if lr else Slot(0))
        # Where words of memory lead, and code elsewhere, nobody has looked.
        vague = isinstance(target, Const)
        vague |= any(isinstance(part, (Behind, Load)) for part in inputs(target))
        if home:
            return self._finish(path, state, "returned", "")
        if home is None or vague:
            unknown = unknown_in(target)
            why = f"where {what} goes is not known"
            why += f": {unknown.why}" if unknown else ""
            return self._finish(path, state, "limit", why)
        return self._finish(path, state, "lost", f"{what} leaves the block")

    def _return(self, path: Path, state: State, target: Value) -> Optional[int]:
        place = self._place_of(target)
        if place is not None:
            return place
        if path.dispatch is None and self.own_stub.may_be_in(target):
            why = "a dispatch by a return is not modelled"
            self._finish(path, state, "limit", why)
        else:
            self._go_out(path, state, target, "the return")
        return None
