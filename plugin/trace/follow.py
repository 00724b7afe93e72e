"""Follows calls from event to event: which hit belongs to which call.

What is compared on the way, by `judge`, is what one call was seen to carry: function,
callInfo and arguments as the caller passed them, SP, FP and callee-saved registers as
they were at entry, the return address. A hit that cannot be told to belong to a call
is nobody's: calls may have begun before the trace, or left by an exception, or the
thread may have gone over to another stack. Nothing is decoded here: this runs while a
thread waits at a point.
"""

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..arch import Arch
from ..chakra.thunk import BLOCK_SIZES
from ..target import MASK64
from . import judge
from .judge import Call, return_address
from .model import CALL, DISPATCH, ENTERED, GENERATED, INTERPRETER, RETURNED
from .plan import CLOSED, CLOSING, GENERATING, Watch, word_of
from .points import BACK, Hit, Point

ROUNDS = 64
"""Returns of one call in a row, after which it is known to go round for ever."""
MAX_DEPTH = 1 << 16
"""Calls in progress on one thread that are remembered."""


class Seen(NamedTuple):
    """A hit and what it means; the words for it are made later."""

    kind: str
    hit: Hit
    call: Optional[Call]
    depth: int
    problems: tuple[str, ...]
    site: Optional[int] = None
    """For a call that was told by its return address: that address."""
    body: Optional[int] = None
    """For a generated thunk: the FunctionBody."""


class Wanted(NamedTuple):
    """What has to be set up before the process goes on."""

    returns: Optional[int] = None
    """A point where GenerateDynamicInterpreterThunk returns to."""
    stub: Optional[int] = None
    """The block of this stub or return address is not under watch yet."""
    freed: Optional[int] = None
    """Blocks are about to be freed, by what returns there."""
    settled: bool = False
    """They have been."""


class Follower:
    """All threads of a trace. `take` judges a hit and says what was seen."""

    def __init__(self, arch: Arch) -> None:
        self.arch = arch
        self.watches: dict[int, Watch] = {}
        self.by_place: dict[int, Watch] = {}
        self.returns: set[int] = set()
        self.wanted: list[Wanted] = []
        self.round_for_ever: Optional[Watch] = None
        """The block in which a thread goes round."""
        self.faithful: frozenset[int] = frozenset()
        """Code that hands a call on to its entry point as it is."""
        self.strangers = 0
        """Returns of calls that nothing was seen of before."""
        self.missed = 0
        """Calls that were seen in the interpreter, but not to enter."""
        self.calls = 0
        self._stacks: dict[int, list[Call]] = {}
        self._missed: dict[int, list[int]] = {}
        """By thread: SP of those when they came there."""
        self._about_to: dict[int, Hit] = {}
        self._generating: dict[int, list[tuple[int, Optional[int]]]] = {}
        self._rounds: dict[int, int] = {}
        self._last: dict[int, Hit] = {}
        self._twice = False
        """Whether a hit is just as the last one of its thread. Some lldb tell one twice
        where several threads hit at once."""

    def add(self, watch: Watch) -> None:
        """Under watch from now on, in the place of what was at its address before."""
        self.forget(watch.address)
        self.watches[watch.address] = watch
        for insn in (watch.dispatch, watch.leaving):
            if insn:
                self.by_place[insn.address] = watch

    def forget(self, address: int) -> None:
        """No longer under watch: of calls that are in it nothing more is judged."""
        before = self.watches.pop(address, None)
        for place in [at for at, one in self.by_place.items() if one is before]:
            del self.by_place[place]

    def take(self, hit: Hit) -> list[Seen]:
        """What a hit shows, in order; nothing when it is none of ours."""
        kind, thread = hit.point.kind, hit.thread
        if kind != RETURNED:
            self._rounds[thread] = 0
        self._twice = self._last.get(thread) == hit
        self._last[thread] = hit
        if kind == GENERATING:
            return self._generates(hit)
        if kind == GENERATED:
            return self._generated(hit)
        if kind in (CLOSING, CLOSED):
            return self._closes(hit)
        if kind == CALL:
            return self._calls(hit)
        if kind == ENTERED:
            return self._entered(hit)
        if kind == DISPATCH:
            return self._dispatched(hit)
        if kind == INTERPRETER:
            return self._arrived(hit)
        return self._returned(hit)

    @property
    def in_progress(self) -> int:
        """Calls that have not come back so far."""
        return sum(map(len, self._stacks.values()))

    def held(self, thread: int, sp: Optional[int]) -> int:
        """Calls that a thread is in: those that an exception took away lie below SP."""
        calls = self._stacks.get(thread, [])
        return sum(sp is None or call.entry_sp >= sp for call in calls)

    def _stack(self, hit: Hit) -> list[Call]:
        return self._stacks.setdefault(hit.thread, [])

    def _seen(
        self,
        hit: Hit,
        call: Optional[Call],
        problems: Sequence[str] = (),
        kind: str = "",
        site: Optional[int] = None,
    ) -> Seen:
        """Each claim that breaks is told once for a call: where it broke first."""
        told: tuple[str, ...] = tuple(problems)
        if call and told:
            told = tuple(p for p in problems if p.split(":")[0] not in call.judged)
            call.judged.update(problem.split(":")[0] for problem in told)
            call.failed = call.failed or bool(told)
        depth = len(self._stack(hit))
        return Seen(kind or hit.point.kind, hit, call, depth, told, site)

    # Thunks that come into being.

    def _generates(self, hit: Hit) -> list[Seen]:
        arch = self.arch
        this = next(n for n in hit.point.registers if n not in (arch.sp, arch.lr))
        back = hit.values.get(arch.lr) if arch.lr else word_of(hit.memory, 0)
        body, sp = hit.values.get(this), hit.values.get(arch.sp)
        behind = None if sp is None else sp + arch.return_slot
        self.generating(hit.thread, body, back, behind)
        return []

    def _closes(self, hit: Hit) -> list[Seen]:
        """Between the two no point is in any block: what other threads are at is not
        known in the end."""
        back = return_address(hit, self.arch)
        if hit.point.kind == CLOSED:
            for thread in [one for one in self._stacks if one != hit.thread]:
                del self._stacks[thread]
            self.wanted.append(Wanted(settled=True))
        elif back is not None:
            self.wanted.append(Wanted(freed=back))
        return []

    def generating(
        self,
        thread: int,
        body: Optional[int],
        back: Optional[int],
        sp: Optional[int] = None,
    ) -> None:
        """A thunk is about to be generated for a FunctionBody; `sp`: what it is when
        that is done, where that is known."""
        if back is None or body is None:
            return
        self._generating.setdefault(thread, []).append((body, sp))
        if back not in self.returns:
            self.returns.add(back)
            self.wanted.append(Wanted(returns=back))

    def _generated(self, hit: Hit) -> list[Seen]:
        waiting, sp = self._generating.get(hit.thread, []), hit.values.get(self.arch.sp)
        while waiting:
            body, wanted = waiting.pop()
            if wanted in (None, sp):
                return [self._seen(hit, None)._replace(body=body)]
            # An exception came between; another road leads here as well.
        return []

    # Calls.

    def _calls(self, hit: Hit) -> list[Seen]:
        """Kept until a block is entered: most calls lead elsewhere."""
        self._about_to[hit.thread] = hit
        return []

    def _entered(self, hit: Hit) -> list[Seen]:
        watch = self.watches.get(hit.point.address)
        if watch is None or (self._twice and watch.dispatch):
            return []
        call, stack = self._new_call(hit, watch), self._stack(hit)
        site = self._about_to.pop(hit.thread, None)
        if call is None:
            # Whatever follows on this thread cannot be told apart from its callers'.
            stack.clear()
            return []
        while stack and stack[-1].entry_sp <= call.entry_sp:
            # An exception took these away, or the stack is another.
            stack.pop()
        stack.append(call)
        if len(stack) > MAX_DEPTH:
            del stack[0]
        missing = judge.stored(call, hit, self.arch)
        if site is not None and self._leads_to(site, call):
            first = self._seen(site, call, missing)
            changed = judge.changed(call, site, hit, self.faithful)
            return [first, self._seen(hit, call, changed)]
        first = self._seen(hit, call, missing, kind=CALL, site=call.back)
        return [first, self._seen(hit, call)]

    def _leads_to(self, site: Hit, call: Call) -> bool:
        """Whether this is the call by which the block was entered, be it by way of
        DelayDynamicInterpreterThunk; not one that is over since."""
        at_call = (call.entry_sp + self.arch.return_slot) & MASK64
        behind = [site.point.address + size for size in self.arch.call_sizes]
        return site.values.get(self.arch.sp) == at_call and call.back in behind

    def _new_call(self, hit: Hit, watch: Watch) -> Optional[Call]:
        """None where even the registers that tell a call are missing."""
        self.calls += 1
        values, convention = hit.values, watch.convention
        function, call_info, *_ = convention.arguments
        if not {function, call_info, self.arch.sp} <= values.keys():
            return None
        return Call(
            self.calls,
            watch,
            values[function],
            values[call_info],
            [values.get(name) for name in convention.register_args],
            values[self.arch.sp],
            return_address(hit, self.arch),
            {n: values[n] for n in convention.callee_saved if n in values},
        )

    def _dispatched(self, hit: Hit) -> list[Seen]:
        watch, stack = self.by_place.get(hit.point.address), self._stack(hit)
        if watch is None or self._twice:
            return []
        self._leave(stack, self._entry_sp(watch, hit))
        call = stack[-1] if stack else None
        if call is None or call.watch is not watch or not self._at_dispatch(call, hit):
            return []
        if call.target is not None or call.arrived:
            # Another call is in its place, whose entry was not seen.
            stack.pop()
            return []
        return [self._seen(hit, call, judge.dispatched(call, hit))]

    @staticmethod
    def _leave(stack: "list[Call]", sp: Optional[int]) -> None:
        """An exception took away the calls that entered below this SP."""
        while sp is not None and stack and stack[-1].entry_sp < sp:
            stack.pop()

    def _entry_sp(self, watch: Watch, hit: Hit) -> Optional[int]:
        """SP at the entry of the call that is at its dispatch."""
        moved, sp = watch.facts.sp_at_dispatch, hit.values.get(self.arch.sp)
        return None if moved is None or sp is None else (sp - moved) & MASK64

    def trapped(self, thread: int, pc: int) -> list[Seen]:
        """The process was stopped by itself: where no valid call gets, in the header
        of a call that has not come to its dispatch, that is the header's own check."""
        call = self._stacks[thread][-1] if self._stacks.get(thread) else None
        if call is None or call.target is not None:
            return []
        problems = judge.trapped(call, pc)
        hit = Hit(Point(DISPATCH, pc, ()), thread, {}, b"")
        return [self._seen(hit, call, problems)] if problems else []

    def _at_dispatch(self, call: Call, hit: Hit) -> bool:
        """Whether SP is what the header makes of this call's. If not, it is the branch
        of a call whose entry was not seen."""
        return self._entry_sp(call.watch, hit) in (None, call.entry_sp)

    def _arrived(self, hit: Hit) -> list[Seen]:
        """The interpreter is called without a thunk as well: by
        StaticInterpreterThunk, from below a call through one."""
        stack = self._stack(hit)
        call = stack[-1] if stack else None
        back = hit.values.get(self.arch.lr or BACK)
        ours = call and back is not None and call.comes_from(back)
        if call is None or not ours or call.arrived:
            if ours and self._twice:
                return []
            self._miss(hit, back)
            return [self._seen(hit, None)]
        call.arrived = True
        return [self._seen(hit, call, judge.arrived(call, hit, self.arch))]

    def _miss(self, hit: Hit, back: Optional[int]) -> None:
        """Called by a stub, but by none of a call that is in hand. One that has its
        layout in the same place, or below, is over."""
        sp, stack = hit.values.get(self.arch.sp), self._stack(hit)
        if sp is None or back is None or not self._is_stub(back):
            return
        self._leave(stack, sp)
        if stack and stack[-1].arrived:
            pointer = stack[-1].watch.convention.arguments[0]
            if stack[-1].layout == hit.values.get(pointer):
                stack.pop()
        self.missed += 1
        below = self._missed.setdefault(hit.thread, [])
        self._go_above(below, sp)
        below.append(sp)

    def _is_stub(self, back: int) -> bool:
        found = (self.watches.get(back & -size) for size in BLOCK_SIZES)
        return any(
            watch and watch.facts.thunk.returning_stub(back) is not None
            for watch in found
        )

    @staticmethod
    def _go_above(below: "list[int]", sp: int) -> bool:
        """Whether any of these was at or below this SP, which are over then."""
        before = len(below)
        while below and below[-1] <= sp:
            below.pop()
        return len(below) < before

    # Returns.

    def _returned(self, hit: Hit) -> list[Seen]:
        if self._again(hit):
            return []
        stack, call = self._stack(hit), self._returning(hit)
        if call is None:
            below, sp = self._missed.get(hit.thread, []), hit.values.get(self.arch.sp)
            missed = sp is not None and self._go_above(below, sp)
            self.strangers += not (missed or self._twice)
            return []
        seen = self._seen(hit, call, judge.returned(call, hit, self.arch))
        del stack[stack.index(call) :]
        return [seen]

    def _returning(self, hit: Hit) -> Optional[Call]:
        """The call that returns, told by SP: as at its entry, or where the proof says
        that this block's epilogue leaves it."""
        watch, sp = self.by_place.get(hit.point.address), hit.values.get(self.arch.sp)
        if watch is None or sp is None:
            return None
        entry_sp = (sp - watch.leaving_sp) & MASK64
        for call in reversed(self._stack(hit)):
            if call.watch is watch and call.entry_sp == entry_sp:
                return call
        return None

    def _again(self, hit: Hit) -> bool:
        """Whether this return follows on another one into the block itself, where no
        caller is, with nothing between: the same call returns once more."""
        thread, watch = hit.thread, self.by_place.get(hit.point.address)
        back, rounds = return_address(hit, self.arch), self._rounds.get(hit.thread, 0)
        inside = watch and back is not None and watch.facts.thunk.contains(back)
        self._rounds[thread] = rounds + 1 if inside else 0
        if self._rounds[thread] >= ROUNDS:
            self.round_for_ever = watch
        return rounds > 0
