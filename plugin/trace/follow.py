"""Follows calls from event to event, and says which value went wrong on the way.

What is compared is what one call was seen to carry: function, callInfo and arguments
as the caller passed them, SP, FP and callee-saved registers as they were at entry, the
return address. Nothing is decoded here: this runs while a thread waits at a point.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

from ..arch import ANCHOR, WORD, Arch
from ..chakra.layout import ARGS, CallInfo
from ..proof.words import cite, last_writer
from ..target import MASK64
from .model import CALL, DISPATCH, ENTERED, GENERATED, INTERPRETER, RETURNED
from .plan import GENERATING, Watch, word_of
from .points import Hit

ROUNDS = 64
"""Returns of one call in a row, after which it is known to go round for ever."""
MAX_DEPTH = 1 << 16
"""Calls in progress on one thread that are remembered."""


@dataclass
class Call:
    """A call in progress, as it was when it entered the block."""

    number: int
    watch: Watch
    function: int
    call_info: int
    args: list[int]
    """Those that came in registers."""
    entry_sp: int
    back: Optional[int]
    """The return address."""
    kept: dict[str, int]
    """Callee-saved registers at entry."""
    layout: Optional[int] = None
    """The layout pointer as last seen."""
    stub: Optional[int] = None
    failed: bool = False
    judged: set[str] = field(default_factory=set)
    """Claims that were found broken: each is told where it went wrong first."""


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


class Follower:
    """All threads of a trace. `take` judges a hit and says what was seen."""

    def __init__(self, arch: Arch, first_call: int = 1) -> None:
        self.arch = arch
        self.watches: dict[int, Watch] = {}
        self.by_place: dict[int, Watch] = {}
        self.returns: set[int] = set()
        self.wanted: list[Wanted] = []
        self.round_for_ever: Optional[Call] = None
        self.older_calls = False
        """Whether calls were in progress before: returns that match none are theirs."""
        self.calls = 0
        self._stacks: dict[int, list[Call]] = {}
        self._about_to: dict[int, Hit] = {}
        self._generating: dict[int, list[int]] = {}
        self._rounds: dict[int, int] = {}
        self._last: dict[int, Optional[Call]] = {}

    def add(self, watch: Watch) -> None:
        self.watches[watch.address] = watch
        for insn in (watch.dispatch, watch.leaving):
            if insn:
                self.by_place[insn.address] = watch

    def take(self, hit: Hit) -> list[Seen]:
        """What a hit shows, in order; nothing when it is none of ours."""
        kind, thread = hit.point.kind, hit.thread
        if kind != RETURNED:
            self._rounds[thread] = 0
        if kind == GENERATING:
            return self._generates(hit)
        if kind == GENERATED:
            return self._generated(hit)
        if kind == CALL:
            return self._calls(hit)
        if kind == ENTERED:
            return self._entered(hit)
        if kind == DISPATCH:
            return self._dispatched(hit)
        if kind == INTERPRETER:
            return self._arrived(hit)
        return self._returned(hit)

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
        if call:
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
        self.generating(hit.thread, hit.values.get(this, 0), back)
        return []

    def generating(self, thread: int, body: int, back: Optional[int]) -> None:
        """A thunk is about to be generated for a FunctionBody."""
        if back is None:
            return
        self._generating.setdefault(thread, []).append(body)
        if back not in self.returns:
            self.returns.add(back)
            self.wanted.append(Wanted(returns=back))

    def _generated(self, hit: Hit) -> list[Seen]:
        bodies = self._generating.get(hit.thread)
        if not bodies:
            return []
        return [self._seen(hit, None)._replace(body=bodies.pop())]

    # Calls.

    def _calls(self, hit: Hit) -> list[Seen]:
        """Kept until a block is entered: most calls lead elsewhere."""
        self._about_to[hit.thread] = hit
        return []

    def _entered(self, hit: Hit) -> list[Seen]:
        watch = self.watches[hit.point.address]
        call = self._new_call(hit, watch)
        stack = self._stack(hit)
        while stack and stack[-1].entry_sp <= call.entry_sp:
            # An exception took these away, or the stack is another.
            stack.pop()
        if len(stack) < MAX_DEPTH:
            stack.append(call)
        site = self._about_to.pop(hit.thread, None)
        if site is not None and self._leads_to(site, call):
            first = self._seen(site, call, self._stored(call, hit))
            changed = self._changed(call, site, hit)
            return [first, self._seen(hit, call, changed)]
        problems = self._stored(call, hit)
        first = self._seen(hit, call, problems, kind=CALL, site=call.back)
        return [first, self._seen(hit, call)]

    def _leads_to(self, site: Hit, call: Call) -> bool:
        """Whether this is the call by which the block was entered, be it by way of
        DelayDynamicInterpreterThunk; not one that is over since."""
        at_call = (call.entry_sp + self.arch.return_slot) & MASK64
        behind = [site.point.address + size for size in self.arch.call_sizes]
        return site.values.get(self.arch.sp) == at_call and call.back in behind

    def _new_call(self, hit: Hit, watch: Watch) -> Call:
        self.calls += 1
        values, arch = hit.values, self.arch
        names = watch.convention.arguments
        back = values.get(arch.lr) if arch.lr else word_of(hit.memory, 0)
        return Call(
            self.calls,
            watch,
            values.get(names[0], 0),
            values.get(names[1], 0),
            [values[name] for name in names[2:] if name in values],
            values.get(arch.sp, 0),
            back,
            {n: values[n] for n in watch.convention.callee_saved if n in values},
        )

    def _stored(self, call: Call, hit: Hit) -> list[str]:
        """R12: the words that the header will read, against the registers."""
        stored = call.watch.convention.caller_stores
        if stored is None:
            return []
        wanted = [("the function", call.function)]
        if not call.watch.asm:
            wanted.append(("callInfo", call.call_info))
        problems = []
        for n, (what, value) in enumerate(wanted):
            found = word_of(hit.memory, stored + WORD * n)
            place = (call.entry_sp + stored + WORD * n) & MASK64
            if found != value:
                problems.append(
                    f"[{place:#x}] {_is(found)}, should be {what} {value:#x}"
                )
        if not problems:
            return []
        text = f"{'; '.join(problems)}: the caller did not store it"
        return [f"R12: {text}{self._before(call)}"]

    def _before(self, call: Call) -> str:
        """The call site, as the return address tells it."""
        if call.back is None:
            return ""
        if self.arch.lr:
            return f" before its call at {call.back - self.arch.call_sizes[0]:#x}"
        return f" before its call, which returns to {call.back:#x}"

    def _changed(self, call: Call, site: Hit, hit: Hit) -> list[str]:
        names = call.watch.convention.arguments
        return [
            f"R2: {name} was {site.values[name]:#x} at the call and is"
            f" {hit.values[name]:#x} at the block's first instruction"
            for name in names[:2]
            if name in site.values and site.values[name] != hit.values.get(name)
        ]

    def _dispatched(self, hit: Hit) -> list[Seen]:
        watch = self.by_place[hit.point.address]
        stack = self._stack(hit)
        call = stack[-1] if stack and stack[-1].watch is watch else None
        if call is None:
            return []
        problems = self._judge_layout(call, hit)
        target = watch.dispatch and watch.dispatch.operands[0].register
        if target and target in hit.values:
            problems += self._judge_target(call, hit.values[target])
        return [self._seen(hit, call, problems)]

    def _judge_target(self, call: Call, target: int) -> list[str]:
        thunk = call.watch.facts.thunk
        number = thunk.stub_number(target)
        if number is None:
            first = thunk.stub_address(0)
            text = f"R7: the branch goes to {target:#x}, no stub of {first:#x} and on"
            return [self._blame(call, text, "R7")]
        call.stub = number
        return []

    def _judge_layout(self, call: Call, hit: Hit) -> list[str]:
        """The words at the layout pointer, against what the caller passed."""
        pointer = call.watch.convention.arguments[0]
        address = hit.values.get(pointer, 0)
        call.layout = address
        if address % WORD or len(hit.memory) < ARGS:
            text = f"{pointer} is {address:#x}, no layout that can be read"
            return [self._blame(call, f"R1: {text}", "R1")]
        problems = []
        for claim, offset, value, what in self._passed(call):
            found = word_of(hit.memory, offset)
            if found != value and offset + WORD <= len(hit.memory):
                text = f"[{pointer}+{offset}] {_is(found)}, should be {what} {value:#x}"
                problems.append(self._blame(call, f"{claim}: {text}", claim))
        return problems

    def _passed(self, call: Call) -> "list[tuple[str, int, int, str]]":
        """(claim, place in the layout, value, what it is) of all that is known.

        What the caller did not store is not there to be found: told already.
        """
        if "R12" in call.judged:
            return []
        passed = [("R2", 0, call.function, "the function")]
        if call.watch.asm:
            return passed
        passed.append(("R3", WORD, call.call_info, "callInfo"))
        count = CallInfo(call.call_info).arguments
        for n, value in enumerate(call.args[:count]):
            passed.append(("R4", ARGS + WORD * n, value, f"args[{n}]"))
        return passed

    def _blame(self, call: Call, text: str, claim: str) -> str:
        """With the instruction that did it, where the proof names one."""
        facts = call.watch.facts
        finding = facts.claims.get(claim)
        if finding and finding.holds is False and finding.evidence:
            return f"{text}: {finding.evidence[0]}"
        pointer = facts.convention.arguments[0]
        writer = last_writer(facts.main, pointer, facts.call)
        if claim in ("R1", "R2", "R3", "R4") and writer:
            return f"{text}: {cite(writer, f'gives {pointer} its value')}"
        return text

    def _arrived(self, hit: Hit) -> list[Seen]:
        stack, arch = self._stack(hit), self.arch
        call = stack[-1] if stack else None
        pointer = hit.values.get(hit.point.piece.register, 0) if hit.point.piece else 0
        if call is None or call.watch.facts.interpreter != hit.point.address:
            return [self._seen(hit, None)]
        problems = []
        if call.layout is not None and call.layout != pointer:
            text = f"the layout pointer was {call.layout:#x} at the dispatch branch"
            problems.append(self._blame(call, f"R1: {text}, is {pointer:#x}", "R1"))
        problems += self._judge_layout(call, hit)
        sp, fp = hit.values.get(arch.sp, 0), hit.values.get(arch.fp, 0)
        if sp % 16 != arch.entry_misalignment:
            text = f"R5: {arch.sp} is {sp:#x} at the interpreter's first instruction"
            problems.append(self._blame(call, f"{text}: not aligned", "R5"))
        anchor = (fp + ANCHOR) & MASK64
        if call.watch.convention.anchored and anchor != pointer:
            text = f"R11: {arch.fp} + 16 is {anchor:#x}, not the layout {pointer:#x}"
            problems.append(self._blame(call, text, "R11"))
        return [self._seen(hit, call, problems)]

    # Returns.

    def _returned(self, hit: Hit) -> list[Seen]:
        stack, sp = self._stack(hit), hit.values.get(self.arch.sp, 0)
        known = next((c for c in reversed(stack) if c.entry_sp == sp), None)
        last = self._last.get(hit.thread)
        if known is None and last is not None and self._again(hit, last):
            return []
        call = known
        if call is None and stack and not self.older_calls:
            call = stack[-1]
        if call is None:
            return []
        seen = self._seen(hit, call, self._judge_return(call, hit))
        del stack[stack.index(call) :]
        self._last[hit.thread] = call
        self._rounds[hit.thread] = 0
        return [seen]

    def _again(self, hit: Hit, last: Call) -> bool:
        """Whether a call that has returned does so once more, with nothing between."""
        watch = self.by_place[hit.point.address]
        if watch is not last.watch or not last.failed:
            return False
        self._rounds[hit.thread] = self._rounds.get(hit.thread, 0) + 1
        if self._rounds[hit.thread] >= ROUNDS:
            self.round_for_ever = last
        return True

    def _judge_return(self, call: Call, hit: Hit) -> list[str]:
        arch, values = self.arch, hit.values
        problems = []
        back = values.get(arch.lr) if arch.lr else word_of(hit.memory, 0)
        if call.back is not None and back != call.back:
            text = f"R9: returns to {_hex(back)}{self._stub_text(call, back)},"
            problems.append(self._blame(call, f"{text} should be {call.back:#x}", "R9"))
        sp = values.get(arch.sp, 0)
        if sp != call.entry_sp:
            text = f"R10: {arch.sp} is {sp:#x} at the return, was {call.entry_sp:#x}"
            problems.append(self._blame(call, f"{text} at entry", "R10"))
        wrong = [
            f"{name} {_hex(values.get(name))} (was {value:#x})"
            for name, value in call.kept.items()
            if values.get(name, value) != value
        ]
        if wrong:
            text = f"R10: not as at entry: {', '.join(wrong)}"
            problems.append(self._blame(call, text, "R10"))
        return problems

    def _stub_text(self, call: Call, back: Optional[int]) -> str:
        thunk = call.watch.facts.thunk
        number = None if back is None else thunk.returning_stub(back)
        return "" if number is None else f" (stub {number} + {thunk.return_offset})"


def _is(value: Optional[int]) -> str:
    return "cannot be read" if value is None else f"is {value:#x}"


def _hex(value: Optional[int]) -> str:
    return "what cannot be read" if value is None else f"{value:#x}"
