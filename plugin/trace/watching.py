"""Puts break points where calls go through: at symbols, and in every block that comes
to light. Used while the process stands still."""

from typing import Optional

from ..arch import WORD
from ..chakra.interpreter import INTERPRETER, behaves_like_interpreter
from ..chakra.locate import Locator, known_blocks
from ..checklist.assess import is_asm, prove_block
from ..proof import Facts, Offsets
from ..target import MASK64, PAGE, Memory, ThunkError, Unreadable
from . import plan
from .follow import Follower, Wanted
from .model import INTERPRETER as ARRIVED
from .points import Point, Runner

BODY_WORDS = 64
"""Words of a FunctionBody in which m_dynamicInterpreterThunk is looked for, as long as
no header tells its offset."""
MAX_BROKEN = 64
"""Broken blocks that are remembered."""
PIECE = 64
"""Bytes of a block that are compared at once; where they differ, one by one."""


class Watching:
    """The points of one trace."""

    def __init__(self, runner: Runner, follower: Follower, calls: bool) -> None:
        """`calls`: whether they are to be watched, or only what is generated."""
        self._runner = runner
        self._follower = follower
        self._calls = calls
        self._told = False
        """Whether the engine's symbols tell when a thunk is generated."""
        self._freeing = 0
        """Threads that are freeing blocks."""
        self._refused: set[int] = set()
        self.broken: list[plan.Watch] = []
        """Blocks that are proved to be broken, be they freed since."""
        self.new: list[plan.Watch] = []
        """Blocks that came under watch and are yet to be told."""
        self.awaited = False
        """Whether the engine is yet to be loaded, and awaited by its names."""

    def start(self, locator: Locator) -> None:
        """Everything that can be watched now; else wait for the engine's functions."""
        memory = locator.memory
        for found in known_blocks(locator):
            self.block(memory, found.thunk.address)
        self.new.clear()
        self.symbols(memory)
        if not self._follower.watches and not memory.symbol_address(INTERPRETER):
            self._runner.add_names(plan.NAMES)
            self.awaited = True

    def symbols(self, memory: Memory) -> None:
        """Points that need no block: they go where the engine's symbols are."""
        arch, watches = self._follower.arch, list(self._follower.watches.values())
        delay = memory.symbol_address(plan.DELAY)
        self._follower.faithful = frozenset((delay,) if delay else ())
        generating = plan.generating_point(memory, arch)
        if generating:
            self._told = True
            self._runner.add(generating)
        closing = plan.closing_point(memory, arch)
        if closing and self._calls:
            self._runner.add(closing)
        for point in plan.interpreter_points(memory, watches, arch):
            self._add(point)

    def _add(self, point: Point) -> None:
        # Where nothing tells of generated thunks, a block is met in the interpreter.
        if self._calls or (point.kind == ARRIVED and not self._told):
            self._runner.add(point)

    def block(self, memory: Memory, address: int) -> Optional[plan.Watch]:
        """The block that an address lies in, under watch from now on."""
        arch = self._follower.arch
        # Before it is read: lldb shows what stood below its break points once.
        for gone in self._forget_what_is_gone(address):
            self._refuse_what_is_not_shown(gone)
        thunk = Locator(memory, arch).block_at(address)
        if thunk is None:
            self._refused.add(address & -PAGE)
            return None
        known = self._follower.watches.get(thunk.address)
        if known and known.facts.thunk == thunk:
            return known
        facts = prove_block(memory, thunk)
        asm, call_info = is_asm(memory, facts), _has_call_info(memory, facts)
        watched = plan.watch(facts, asm, call_info)
        first = not self._follower.watches
        wrong = any(found.holds is False for found in facts.claims.values())
        if wrong and len(self.broken) < MAX_BROKEN:
            self.broken.append(watched)
        self._follower.add(watched)
        self.new.append(watched)
        if not self._freeing:
            self._set(watched)
        for point in plan.interpreter_points(memory, [watched], arch):
            self._add(point)
        if first:
            for point in plan.call_points(memory, watched.convention, arch):
                self._add(point)
        return watched

    def _set(self, watched: plan.Watch) -> None:
        for point in plan.block_points(watched):
            self._add(point)

    def _unset(self, watched: plan.Watch) -> None:
        for point in plan.block_points(watched):
            self._runner.remove(point)

    def _refuse_what_is_not_shown(self, gone: plan.Watch) -> None:
        """lldb may go on showing what once stood below its traps, where something else
        is by now: nothing that is read there is worth a verdict."""
        thunk = gone.facts.thunk
        try:
            data = self._runner.past_debugger(thunk.address, thunk.size)
            shown = self._runner.read(thunk.address, thunk.size)
        except Unreadable:
            return
        if data is not None and not _same_code(data, shown, thunk.arch.trap):
            raise ThunkError(
                f"another block is at {thunk.address:#x} by now, and the debugger shows"
                " bytes of the one before: its calls cannot be judged without the"
                " engine's symbols"
            )

    def _forget_what_is_gone(self, address: Optional[int] = None) -> list[plan.Watch]:
        """The blocks under watch, or the one that an address lies in, of which there is
        something else by now: the engine frees blocks, and memory is used again."""
        gone = []
        for watch in list(self._follower.watches.values()):
            here = address is None or watch.facts.thunk.contains(address)
            if here and not self._stands(watch):
                self._follower.forget(watch.address)
                self._unset(watch)
                gone.append(watch)
        return gone

    def _stands(self, watch: plan.Watch) -> bool:
        thunk = watch.facts.thunk
        try:
            data = self._runner.past_debugger(thunk.address, thunk.size)
        except Unreadable:
            return False
        return data is None or _same_code(data, thunk.code, thunk.arch.trap)

    def renew(self) -> None:
        """Before the process goes on: points where blocks are, and nowhere else. A
        debugger would put its traps into whatever is there now, or believe that those
        are still there which went with the block that they were in."""
        self._forget_what_is_gone()
        for watch in self._follower.watches.values():
            for point in plan.block_points(watch):
                self._runner.renew(point)

    def stranger(self, back: Optional[int]) -> bool:
        """Whether a return address leads into a page that is not under watch yet."""
        if back is None or back & -PAGE in self._refused:
            return False
        watches = self._follower.watches.values()
        if any(watch.facts.thunk.contains(back) for watch in watches):
            return False
        self._follower.wanted.append(Wanted(stub=back))
        return True

    def settle(self, memory: Memory) -> None:
        """Set up all that was asked for while the process ran."""
        for wanted in self._follower.wanted:
            if wanted.returns is not None:
                self._runner.add(
                    plan.generated_point(wanted.returns, self._follower.arch)
                )
            if wanted.stub is not None:
                self.block(memory, wanted.stub)
            if wanted.freed is not None:
                self._before_freeing(wanted.freed)
            if wanted.settled:
                self._after_freeing()
        self._follower.wanted.clear()

    def _before_freeing(self, back: int) -> None:
        """No traps in any block, as long as it is not known which ones stay: gdb does
        not look what it is that it puts back for a trap, at the next stop."""
        self._freeing += 1
        for watch in self._follower.watches.values():
            self._unset(watch)
        self._runner.add(plan.closed_point(back, self._follower.arch))

    def _after_freeing(self) -> None:
        self._freeing = max(0, self._freeing - 1)
        self._forget_what_is_gone()
        if not self._freeing:
            for watch in self._follower.watches.values():
                self._set(watch)

    def loaded(self, memory: Memory) -> None:
        """The engine was loaded: one of its functions has just been called."""
        self._runner.drop_names()
        self.awaited = False
        self.symbols(memory)
        frames = memory.frames(2)
        if len(frames) < 2:
            return
        start = memory.symbol_at(frames[0].pc)
        generating = plan.generating_point(memory, self._follower.arch)
        if generating and start and start.address == generating.address:
            this = memory.registers().get(generating.registers[1], 0)
            self._follower.generating(self._runner.thread(), this, frames[1].pc)
        else:
            self.stranger(frames[1].pc)

    def offsets(self) -> Optional[Offsets]:
        """The chain's offsets, from whichever block tells them."""
        for watch in self._follower.watches.values():
            if watch.facts.offsets:
                return watch.facts.offsets
        return None

    def stub_of(self, memory: Memory, body: int) -> Optional[int]:
        """m_dynamicInterpreterThunk of a FunctionBody: at the offset that the header
        reads, or, before any block is known, the word that leads to a block whose
        header reads it there."""
        known = self.offsets()
        try:
            if known:
                return memory.word(body + known.dynamic_thunk)
            for n in range(BODY_WORDS):
                place = body + WORD * n
                stub = memory.word(place)
                if stub % WORD == 0 and stub >= PAGE and self._leads(memory, stub, n):
                    return stub
        except ThunkError:
            return None
        return None

    def _leads(self, memory: Memory, stub: int, index: int) -> bool:
        thunk = Locator(memory, self._follower.arch).block_at(stub & MASK64)
        if thunk is None or thunk.stub_number(stub) is None:
            return False
        offsets = prove_block(memory, thunk).offsets
        return offsets is not None and offsets.dynamic_thunk == WORD * index


def _has_call_info(memory: Memory, facts: Facts) -> bool:
    """Whether a block's layouts begin with function and callInfo for certain: in an
    engine without symbols the asm.js interpreter is told by what it reads."""
    target, thunk = facts.interpreter, facts.thunk
    if target is not None and target == memory.symbol_address(INTERPRETER):
        return True
    if facts.claims["R6"].holds is False:
        return True
    if is_asm(memory, facts):
        return False
    return bool(behaves_like_interpreter(memory, thunk.arch, facts.convention, target))


def _same_code(data: bytes, code: bytes, trap: bytes) -> bool:
    """Whether memory has this code, but for what break points stand on."""
    for at in range(0, len(code), PIECE):
        if data[at : at + PIECE] != code[at : at + PIECE] and not all(
            data[n : n + len(trap)] in (code[n : n + len(trap)], trap)
            for n in range(at, at + PIECE, len(trap))
        ):
            return False
    return True
