"""One thread made of plain values, moved from point to point of a block."""

from typing import Dict, List, Optional, Set

from blocks import RECIPES, emit
from thunk_inspect.arch import WORD
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.proof import prove
from thunk_inspect.trace.follow import Follower, Seen
from thunk_inspect.trace.model import CALL, DISPATCH, ENTERED, INTERPRETER, RETURNED
from thunk_inspect.trace.plan import Watch, watch
from thunk_inspect.trace.points import BACK, Hit, Point

BASE, INTERPRETER_AT, OFFSETS = 0x6515310000, 0x55001234, (0x28, 8, 0x50)
FUNCTION, CALL_INFO, RETURN_TO = 0x7F5000001000, 0x02000003, 0x401000
ARGS = [0x7F5000002000, 1 << 48 | 1, 1 << 48 | 2]
SP = 0x7FFFFFFF0000
SOUND = ["arm64-windows", "arm64-unix", "x64-windows", "x64-sysv"]


def watched(name: str, base: int = BASE, call_info: bool = True) -> Watch:
    recipe = RECIPES[name]
    arch, convention = recipe.machine
    thunk = parse(emit(recipe, base, INTERPRETER_AT, OFFSETS), base, arch)
    assert thunk
    known = frozenset({INTERPRETER_AT})
    return watch(prove(thunk, convention, None, known), not call_info, call_info)


class Process:
    """One thread's registers and stack, moved from point to point."""

    def __init__(self, name: str, thread: int = 1, sp: int = SP) -> None:
        self.name, self.thread = name, thread
        self.watch = watched(name)
        self.arch, self.convention = RECIPES[name].machine
        self.follower = Follower(self.arch)
        self.follower.add(self.watch)
        self.sp = sp - self.arch.return_slot
        self.kept = {n: 0x5A00 + i for i, n in enumerate(self.convention.callee_saved)}

    @property
    def base(self) -> int:
        """Where the layout is, once the header has run."""
        found = self.watch.facts.layout_from_entry
        assert found is not None
        return found

    def hit(
        self, kind: str, address: int, values: Dict[str, int], words: List[int]
    ) -> List[Seen]:
        names = (*self.watch.convention.arguments[:1],)
        point = Point(kind, address, names)
        memory = b"".join(word.to_bytes(WORD, "little") for word in words)
        return self.follower.take(Hit(point, self.thread, values, memory))

    def arguments(self) -> Dict[str, int]:
        return dict(zip(self.convention.arguments, [FUNCTION, CALL_INFO, *ARGS]))

    def entry(self, sp: Optional[int] = None, **other: int) -> List[Seen]:
        """At the block's first instruction; the caller's words are above SP."""
        arch = self.arch
        self.sp = self.sp if sp is None else sp
        values = {**self.kept, **self.arguments(), arch.sp: self.sp}
        words = [] if arch.lr else [RETURN_TO]
        if arch.lr:
            values[arch.lr] = RETURN_TO
        words += [FUNCTION, CALL_INFO, *ARGS]
        return self.hit(ENTERED, self.watch.address, {**values, **other}, words)

    def layout(self) -> List[int]:
        return [FUNCTION, CALL_INFO, *ARGS]

    def dispatch(
        self, words: Optional[List[int]] = None, stub: int = 5, **other: int
    ) -> List[Seen]:
        insn, moved = self.watch.dispatch, self.watch.facts.sp_at_dispatch
        assert insn and moved is not None
        values = {
            self.arch.sp: self.sp + moved,
            self.convention.arguments[0]: self.sp + self.base,
            insn.operands[0].register: self.watch.facts.thunk.stub_address(stub),
        }
        found = self.layout() if words is None else words
        return self.hit(DISPATCH, insn.address, {**values, **other}, found)

    def arrival(self, stub: int = 5, **other: int) -> List[Seen]:
        thunk, moved = self.watch.facts.thunk, self.watch.facts.sp_at_dispatch
        assert moved is not None
        layout = self.sp + self.base
        values = {
            self.arch.sp: self.sp + moved - self.arch.return_slot,
            self.arch.fp: layout - 16,
            self.convention.arguments[0]: layout,
            self.arch.lr or BACK: thunk.behind_call(stub),
        }
        words = self.layout()
        return self.hit(INTERPRETER, INTERPRETER_AT, {**values, **other}, words)

    def leave(self, back: int = RETURN_TO, **other: int) -> List[Seen]:
        insn = self.watch.leaving
        assert insn
        sp = (self.sp + self.watch.leaving_sp) & ((1 << 64) - 1)
        values = {**self.kept, self.arch.sp: sp}
        if self.arch.lr:
            values[self.arch.lr] = back
        words = [] if self.arch.lr else [back]
        return self.hit(RETURNED, insn.address, {**values, **other}, words)

    def call(self) -> List[Seen]:
        """A whole call."""
        return [*self.entry(), *self.dispatch(), *self.arrival(), *self.leave()]


def claims(seen: List[Seen]) -> Set[str]:
    return {problem.split(":")[0] for one in seen for problem in one.problems}


def kinds(seen: List[Seen]) -> List[str]:
    return [one.kind for one in seen]


STEPS = [CALL, ENTERED, DISPATCH, INTERPRETER, RETURNED]
