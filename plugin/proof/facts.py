"""What the proof hands on: the claims, and the frame that the header builds."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple, Optional

from ..arch import WORD, Convention
from ..arch.decode import Instruction
from ..chakra.thunk import Thunk
from . import claims
from .chain import Offsets, chains_in
from .path import CallSite, Path, Step
from .run import Explorer
from .state import State
from .values import Const, Entry, Value, function_of
from .words import Finding


class Saved(NamedTuple):
    """A register that the header stored; `offset` is from SP at dispatch."""

    register: str
    offset: int
    at: int
    """Offset of the storing instruction in the block."""


class Asked(NamedTuple):
    """What was known to those who wanted the proof; see `prove`."""

    offsets: Optional[Offsets]
    interpreters: frozenset[int]


@dataclass(frozen=True, eq=False)
class Facts:
    """Two are the same if they are one object, as `prove` remembers those that it made.
    What takes long to find out of them is kept with them: a report asks for it again
    and again, and the next report too."""

    thunk: Thunk
    convention: Convention
    paths: tuple[Path, ...]
    claims: dict[str, Finding]
    main: Path
    """The path that most functions take."""
    untaken: dict[int, State]
    """States by offset where no valid call gets, such as at a guard's trap."""
    asked: "Asked"

    def in_stub(self, number: Optional[int]) -> "Facts":
        """The same facts, shown by the instructions of one stub where it is one of
        those that are alike."""
        thunk = self.thunk
        alike = number in range(thunk.stub_count) and number not in thunk.odd
        return prove(thunk, self.convention, *self.asked, number) if alike else self

    @property
    def call(self) -> Optional[CallSite]:
        """The stub's call on the main path."""
        return self.main.calls[0] if self.main.calls else None

    @property
    def layout_value(self) -> Optional[Value]:
        return self.call.state.get(self.convention.arguments[0]) if self.call else None

    @property
    def layout_setter(self) -> Optional[Instruction]:
        """The header's last instruction that changes the layout register."""
        register, steps = self.convention.arguments[0], self.header
        for step, following in reversed(list(zip(steps, steps[1:]))):
            if step.before.get(register) != following.before.get(register):
                return step.insn
        return None

    @property
    def layout_from_entry(self) -> Optional[int]:
        """Where the layout pointer points, from SP at entry."""
        return self.call.layout if self.call else None

    @property
    def sp_at_dispatch(self) -> Optional[int]:
        """SP at the dispatch branch, from SP at entry (0 or less in a sane header)."""
        if self.main.dispatch is None:
            return None
        return self.main.dispatch.state.sp

    @property
    def frame_size(self) -> Optional[int]:
        """Bytes between SP at entry and SP at dispatch."""
        sp = self.sp_at_dispatch
        return None if sp is None else -sp

    @property
    def layout_offset(self) -> Optional[int]:
        """Where the layout pointer points, from SP at dispatch."""
        sp, layout = self.sp_at_dispatch, self.layout_from_entry
        return None if sp is None or layout is None else layout - sp

    @property
    def interpreter(self) -> Optional[int]:
        """The constant that the stub calls."""
        target = self.call.target if self.call else None
        return target.value if isinstance(target, Const) else None

    @property
    def fp_at_call(self) -> Optional[int]:
        """FP at the stub's call, from SP at entry; None when it is no stack address."""
        return self.call.fp if self.call else None

    @cached_property
    def offsets(self) -> Optional[Offsets]:
        """The three offsets as the header's loads have them."""
        if self.main.dispatch is None:
            return None
        target = self.main.dispatch.target
        function = self.convention.arguments[0]
        loads = [path for _, path in chains_in(target, function)]
        longest = max(loads, key=len, default=())
        # A chain of four loads ends in something else than a stub's address.
        return Offsets(*longest) if len(longest) == 3 else None

    @cached_property
    def saved(self) -> tuple[Saved, ...]:
        """What the header stored of the caller's registers, in order of place."""
        dispatch = self.main.dispatch
        sp = self.sp_at_dispatch
        if dispatch is None or sp is None:
            return ()
        found: list[Saved] = []
        for offset, cell in sorted(dispatch.state.stack.items()):
            whole = isinstance(cell.value, Entry) and cell.part == 0
            if (
                whole
                and cell.writer is not None
                and _word_is_whole(dispatch.state, offset)
            ):
                assert isinstance(cell.value, Entry)
                found.append(Saved(cell.value.register, offset - sp, cell.writer))
        return tuple(found)

    @cached_property
    def stored(self) -> frozenset[str]:
        """Registers whose entry values were stored on the way, even if what comes
        later is not known."""
        return frozenset(
            cell.value.register
            for step in self.main.steps
            for cell in step.before.stack.values()
            if isinstance(cell.value, Entry) and cell.writer is not None
        )

    @cached_property
    def header(self) -> tuple[Step, ...]:
        """The header's instructions on the main path, the dispatch included."""
        return tuple(s for s in self.main.steps if s.at < self.thunk.first_stub)

    def lands(self, stub: int) -> Optional[int]:
        """Where the dispatch branch goes for a function with this stub."""
        if self.main.dispatch is None:
            return None
        target = self.main.dispatch.target
        for part, path in chains_in(target, self.convention.arguments[0]):
            goes = function_of(target, part) if len(path) == 3 else None
            if goes:
                return goes(stub)
        return None

    def goal(self, stub: int) -> int:
        """The same; the stub itself where the target is not made of it alone."""
        lands = self.lands(stub)
        return stub if lands is None else lands

    def state_at(self, at: int) -> Optional[State]:
        """The state before the instruction at this offset of the block, so far as all
        paths that come there agree; None if not even SP is the same on them."""
        return self._agreed(self._on(self.main, at) or self.untaken.get(at), at)

    def state_anywhere(self, at: int) -> Optional[State]:
        """As state_at, in any stub: stubs are alike but for their place. Of an odd one
        only what was followed is known."""
        thunk = self.thunk
        own = thunk.stub_around(thunk.address + at)
        if own is None or not self.main.calls:
            return self.state_at(at)
        if own in thunk.odd:
            mine = (self._on(path, at) for path in self.paths if path.numbers == {own})
            return self._agreed(next(mine, None), at)
        proved = (self.main.calls[0].at - thunk.first_stub) // thunk.arch.stub_size
        step = (proved - own) * thunk.arch.stub_size
        return self._agreed(self._on(self.main, at + step), at + step)

    @staticmethod
    def _on(path: Path, at: int) -> Optional[State]:
        return next((step.before for step in path.steps if step.at == at), None)

    def _agreed(self, state: Optional[State], at: int) -> Optional[State]:
        """A loop that ends comes to a place more than once. One without an end is no
        other way to it: who stops in one asks for the rounds."""
        for path in self.paths:
            ways = [step.before for step in path.steps if step.at == at]
            if not ways and self._may_come(path, at):
                return None
            for way in ways[:1] if path.end == "loop" else ways:
                if state is not None and way is not state:
                    state = state.agreeing(way)
        return state

    def _may_come(self, path: Path, at: int) -> bool:
        """Whether a path that was not followed to its end may come to a place."""
        if path.end not in ("limit", "undecoded") or not path.steps:
            return False
        last, first = path.steps[-1].at, self.thunk.first_stub
        return last < first or at >= self.thunk.epilogue

    def style(self) -> str:
        """How arguments reach the layout: homed, caller-stack, pushed or unknown."""
        arguments = self.convention.arguments
        homed = [s for s in self.saved if s.register in arguments]
        if self.layout_from_entry is None:
            return "unknown"
        if self.convention.caller_stores is not None:
            return "caller-stack" if not homed else "unknown"
        if not homed:
            return "unknown"
        found = self.claims["R4"].holds
        return "homed" if found or not self._descending(homed) else "pushed"

    def _descending(self, homed: list[Saved]) -> bool:
        """Pushed pairs put later arguments below earlier ones."""
        places = {s.register: s.offset for s in homed}
        first = places.get(self.convention.arguments[0])
        later = [places[r] for r in self.convention.register_args if r in places]
        return first is not None and any(place < first for place in later)


def _word_is_whole(state: State, offset: int) -> bool:
    first = state.stack[offset]
    return all(
        (cell := state.stack.get(offset + n)) is not None
        and cell.value == first.value
        and cell.part == n
        for n in range(WORD)
    )


def _main_path(paths: tuple[Path, ...]) -> Path:
    """The path that tells most: most stubs, then farthest."""
    return max(
        paths,
        key=lambda p: (
            bool(p.calls),
            len(p.numbers),
            p.end == "returned",
            len(p.steps),
        ),
    )


@lru_cache(maxsize=1024)
def prove(
    thunk: Thunk,
    convention: Convention,
    offsets: Optional[Offsets] = None,
    interpreters: frozenset[int] = frozenset(),
    stub: Optional[int] = None,
) -> Facts:
    """Prove what can be proved of a block under a calling convention.

    `offsets`: the three offsets of the chain, when they are known from elsewhere than
    the header itself. `interpreters`: addresses of InterpreterThunk and
    InterpreterAsmThunk, when they are known. `stub`: the one that is shown for all that
    are like it; else it is the last.
    """
    explorer = Explorer(thunk, convention, offsets, stub)
    paths = tuple(explorer.explore())
    found = claims.judge(thunk, convention, interpreters, offsets, paths)
    main = _main_path(paths)
    asked = Asked(offsets, interpreters)
    return Facts(thunk, convention, paths, found, main, explorer.untaken, asked)


__all__ = ["Facts", "Instruction", "Saved", "prove"]
