"""All that the sections of the checklist judge by, gathered once.

`assess` picks the calling convention, has the block proved, works out the call in
hand and decodes the layout; nothing is judged here.
"""

from dataclasses import dataclass, replace
from typing import Optional

from ..arch import Arch, Convention
from ..chakra.call import CallInHand, call_in_hand
from ..chakra.coming import words_of
from ..chakra.entry import at_interpreter
from ..chakra.interpreter import ASM_INTERPRETER, known_interpreters
from ..chakra.layout import Layout, Words, read_layout
from ..chakra.locate import Found, Return
from ..chakra.objects import Function, try_function
from ..chakra.thunk import Thunk
from ..proof import Facts, prove
from ..target import MASK64, Memory, ThunkError

MOST_STEPS = 1 << 14
"""Instructions on all paths of the blocks that are proved to confirm a call: a sound
one has twenty, one that has lost its stubs thousands, and takes a second."""


@dataclass(frozen=True)
class Assessment:
    memory: Memory
    found: Found
    facts: Facts
    call: CallInHand
    layout: Optional[Layout]
    words: Words
    """Where the layout's words are read: what the header has yet to store is not in
    memory."""
    function: Optional[Function]
    """The function called, confirmed by its chain: from the layout or a register."""
    left_over: bool = False
    """Whether what led to the call may be left on the stack from one that is over."""

    @property
    def thunk(self) -> Thunk:
        return self.found.thunk

    @property
    def arch(self) -> Arch:
        return self.found.thunk.arch

    @property
    def convention(self) -> Convention:
        return self.facts.convention

    @property
    def asm(self) -> bool:
        """Whether the block calls the asm.js interpreter, whose layout is another."""
        return is_asm(self.memory, self.facts)

    @property
    def may_be_asm(self) -> bool:
        """As asm, or nothing says which interpreter the block calls."""
        return self.asm or not self.facts.asked.interpreters

    @property
    def stub_address(self) -> Optional[int]:
        """The stub that the call in hand uses."""
        if self.call.stub is None:
            return None
        return self.thunk.stub_address(self.call.stub)


def assess(memory: Memory, found: Found) -> Assessment:
    """Prove the block, and work out which call the thread is in."""
    facts = prove_block(memory, found.thunk)
    sure = not found.back or (found.back.sure and facts.convention.anchored)
    # A return address right at SP is no left-over there.
    if sure or at_interpreter(memory, found, facts):
        return _with_call(memory, found, facts)
    why = "no call that it belongs to could be confirmed"
    proved = {found.thunk.address: facts}
    for candidate in (found, *found.others):
        own = proved.get(candidate.thunk.address)
        if own is None and sum(map(steps_of, proved.values())) > MOST_STEPS:
            why += f" among {len(proved)} blocks that were proved, of more"
            break
        own = own or prove_block(memory, candidate.thunk)
        proved[candidate.thunk.address] = own
        assessed = _with_call(memory, candidate, own)
        function, back = assessed.function, candidate.back
        if function and own.goal(function.stub) == assessed.stub_address:
            if not back or not _doubtful(memory, back):
                return assessed
            by = f"{candidate.by}; it may be left over from a call that is over"
            found = replace(candidate, by=by)
            return replace(assessed, found=found, left_over=True)
    return _with_call(memory, Found(found.thunk, f"{found.by}; {why}"), facts)


def _doubtful(memory: Memory, back: Return) -> bool:
    """Windows has no frame chain: a register that looks like one is no proof either."""
    return not back.sure or (memory.os == "windows" and back.sp is None)


def _with_call(memory: Memory, found: Found, facts: Facts) -> Assessment:
    call = call_in_hand(memory, found, facts)
    layout, words = None, words_of(memory, found, facts, call)
    if call.layout is not None:
        asm = is_asm(memory, facts)
        layout = read_layout(memory, call.layout, facts.offsets, asm=asm, words=words)
    if layout and call.given_up and not layout.looks_sound:
        how = "the epilogue has given up the words of the layout"
        call, layout = replace(call, layout=None, how=how), None
    function = _function(memory, facts, call, layout)
    if function is None and found.function is not None:
        function = try_function(memory, found.function, facts.offsets)
    number = call.stub
    if number is None and function is not None:
        number = found.thunk.stub_number(function.stub)
    own = facts.in_stub(number)
    return Assessment(memory, found, own, call, layout, words, function)


def _function(
    memory: Memory, facts: Facts, call: CallInHand, layout: Optional[Layout]
) -> Optional[Function]:
    """The function called: as it was passed, or where caller or header stored it."""
    if call.passed_function is not None:
        return try_function(memory, call.passed_function, facts.offsets)
    if layout and layout.function and facts.claims["R2"].holds is not False:
        return layout.function
    stored = facts.convention.caller_stores
    if stored is None or call.entry_sp is None:
        return None
    try:
        address = memory.word((call.entry_sp + stored) & MASK64)
    except ThunkError:
        return None
    return try_function(memory, address, facts.offsets)


def is_asm(memory: Memory, facts: Facts) -> bool:
    target = facts.interpreter
    return target is not None and target == memory.symbol_address(ASM_INTERPRETER)


def prove_block(memory: Memory, thunk: Thunk) -> Facts:
    """Prove the block under the convention that its own code fits best."""
    facts = fitting(memory.os, thunk)
    target = facts.interpreter
    known = known_interpreters(memory, thunk.arch, facts.convention, target)
    return prove(thunk, facts.convention, None, known)


def steps_of(facts: Facts) -> int:
    """How much there was to follow in a block: what its proof costs."""
    return sum(len(path.steps) for path in facts.paths)


def fitting(system: str, thunk: Thunk) -> Facts:
    """Facts under the convention that a block's own code fits best.

    The convention is read from the header: which registers it reads and saves.

    A header that saves argument registers takes them from there. One that saves none
    relies on its caller, unless the system is one on which callers never store them.
    """
    nobody: frozenset[int] = frozenset()
    tried = [prove(thunk, c, None, nobody) for c in thunk.arch.conventions_on(system)]
    return max(tried, key=lambda facts: _fit(facts, system))


def _reads_callers(facts: Facts, stored: frozenset[str]) -> bool:
    """Whether what a header saves is for itself: function and callInfo at the most,
    and the layout is just where the caller stored them too."""
    convention = facts.convention
    own = stored <= set(convention.arguments[:2])
    return own and facts.layout_from_entry == convention.caller_stores


def _fit(facts: Facts, system: str) -> "tuple[int, int]":
    """Points for what sets the kinds of convention apart; then, among those of a kind,
    how few registers the header saves too many or too few."""
    convention = facts.convention
    stored = facts.stored & set(convention.arguments)
    by_caller = convention.caller_stores is not None
    homes = bool(stored) and not (by_caller and _reads_callers(facts, stored))
    points = 8 * (facts.offsets is not None)
    points += 4 * (system == "windows" and not by_caller)
    points += 2 * (homes != by_caller)
    points += by_caller != (system == "windows")
    return points, -len(facts.stored ^ set(convention.arguments))
