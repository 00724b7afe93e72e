"""What the function's own stub decides: where the dispatch goes, and which way a
condition falls, for each of the stubs.

A word is known to be a stub's address because the dispatch goes there. A condition on
a word that other loads lead to says nothing of stubs.
"""

from collections.abc import Collection, Iterator
from typing import Optional

from ..arch import Convention
from ..chakra.thunk import Thunk
from .chain import Offsets, chains_in
from .conditions import TESTS
from .flow import Condition
from .path import Verdict
from .values import Const, Load, Value, computed, function_of, inputs, unknown_in

NOBODY: frozenset[int] = frozenset()


class OwnStub:
    """Decides by the word that leads to the stub. One per walk over a block."""

    def __init__(
        self, thunk: Thunk, convention: Convention, known: Optional[Offsets]
    ) -> None:
        """`known`: the chain's offsets, if they are known from elsewhere."""
        self.thunk = thunk
        self.convention = convention
        self.known = known
        self._chains: Optional[Collection[Offsets]] = [known] if known else None
        """Those that lead to a stub; None where any three loads may."""
        self._guarding: set[Offsets] = set()
        """By which conditions were decided."""
        self._dispatching: set[Offsets] = set()
        """By which a dispatch goes, be it where no call comes."""
        self.pointers = known.pointers if known else None
        """The chains of loads that lead to objects; None where any one or two may."""
        self.followed: set[tuple[int, ...]] = set()
        """Such chains that were taken to lead to objects."""
        self.astray = False
        """Whether some side of a condition was not looked at to its end."""

    def settled(self) -> Optional["OwnStub"]:
        """What is to decide instead, where not all that was decided, or taken to be an
        object, is of one chain, by which a dispatch goes; None if it is."""
        if self._chains is not None:
            return None
        leading = self._dispatching
        one = next(iter(leading)) if len(leading) == 1 else None
        agreed = len(leading) <= 1 and self._guarding <= leading
        if self._guarding and self.astray:
            agreed, one = False, None
        longest = max(self.followed, key=len, default=())
        pointers = one.pointers if one else frozenset([longest[:1], longest])
        if agreed and self.followed <= pointers:
            return None
        other = OwnStub(self.thunk, self.convention, self.known)
        other._chains = [one] if one else ()
        other.pointers = one.pointers if one else frozenset()
        return other

    def decide(
        self, numbers: frozenset[int], condition: Optional[Condition]
    ) -> Optional[tuple[frozenset[int], frozenset[int]]]:
        """(stubs that jump, stubs that do not), if the stub alone decides that."""
        if condition is None:
            return None
        word, offsets = self._word_in(condition.a, condition.b)
        a, b = (function_of(side, word) for side in (condition.a, condition.b))
        test = TESTS.get((condition.operation, condition.test))
        if a is None or b is None or test is None:
            return None
        if offsets:
            self._guarding.add(offsets)
        bits = 8 * condition.size
        address = self.thunk.stub_address
        taken = frozenset(
            n for n in numbers if test(a(address(n)), b(address(n)), bits)
        )
        return taken, numbers - taken

    def judge(
        self, target: Value, numbers: frozenset[int], at: Optional[int]
    ) -> tuple[Verdict, frozenset[int]]:
        """(whether the dispatch at `at` goes to every function's own stub, which of
        these stubs it reaches)."""
        unknown = unknown_in(target)
        if unknown:
            return Verdict(None, unknown.why, at), NOBODY
        word, offsets = self._word_in(target)
        address = self.thunk.stub_address
        if isinstance(target, Const) and {address(n) for n in numbers} == {
            target.value
        }:
            return Verdict(True, "", at), numbers
        if offsets is None:
            return self._other_target(target, at), NOBODY
        number_of = function_of(target, word)
        if number_of is None:
            why = "the branch target depends on more than the function's own stub"
            return Verdict(None, why, at), NOBODY
        self._dispatching.add(offsets)
        good = frozenset(n for n in numbers if number_of(address(n)) == address(n))
        bad = sorted(numbers - good)
        if not bad:
            return Verdict(True, "", at), good
        first = address(bad[0])
        why = f"for stub {bad[0]} ({first:#x}) it goes to {number_of(first):#x} instead"
        holds = None if self.thunk.doubtful.issuperset(bad) else False
        return Verdict(holds, why, at), good

    def _other_target(self, target: Value, at: Optional[int]) -> Verdict:
        """The branch does not follow the chain: certain only if that is known."""
        loads = [path for _, path in self._chains_in(target)]
        if loads and self.known is None:
            steps = " -> ".join(f"+{n:#x}" for n in loads[0])
            why = f"the target is read through function {steps}: unknown what that is"
            return Verdict(None, why, at)
        why = "the branch target is not the function's m_dynamicInterpreterThunk"
        # Code elsewhere may go on to the stub, and words elsewhere may be it.
        vague = isinstance(target, Const) and not self.thunk.contains(target.value)
        vague |= any(isinstance(part, Load) for part in inputs(target)) and not loads
        certain = not vague and not any(computed(part) for part in inputs(target))
        return Verdict(False if certain else None, why, at)

    def dispatches(self, target: Value) -> bool:
        """Whether a jump is a dispatch. One that no call comes to shows all the same
        which word the stub is."""
        word, offsets = self._word_in(target)
        goes = bool(offsets and function_of(target, word))
        if offsets and goes:
            self._dispatching.add(offsets)
        return goes

    def may_be_in(self, value: Value) -> bool:
        """Whether a value may be made of the stub's address."""
        paths = (path for _, path in self._chains_in(value) if len(path) == 3)
        return any(self.known in (None, Offsets(*path)) for path in paths)

    def _word_in(self, *values: Value) -> tuple[Value, Optional[Offsets]]:
        """(the part of the values that is a stub's address, the chain to it)."""
        for value in values:
            for part, path in self._chains_in(value):
                if len(path) == 3:
                    offsets = Offsets(*path)
                    if self._chains is None or offsets in self._chains:
                        return part, offsets
        return Const(-1), None

    def _chains_in(self, value: Value) -> Iterator[tuple[Value, tuple[int, ...]]]:
        return chains_in(value, self.convention.arguments[0])
