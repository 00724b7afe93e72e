"""JavaScript frames on the stack, innermost first, without calling into the process.

An interpreted frame is known by its return address into a stub, and its layout by the
frame pointer of the header (JavascriptCallStackLayout::FromFramePointer); a jitted one
by the layout at its frame pointer, if that is confirmed. On x64 Windows there is no
chain: return addresses on the stack count where the function they lead to owns the
stub, and are sure where the debugger's own frames have them. Whatever ends the walk is
said.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Callable, NamedTuple, Optional

from ..arch import ANCHOR, WORD
from ..proof import Facts, Offsets
from ..proof.values import Entry
from ..target import MASK64, PAGE, Memory, ThunkError
from .layout import Layout, Words, read_layout
from .locate import MAX_FRAME_STEP, Locator
from .objects import Function
from .stack_words import PIECE, Places, StackReader, Unwound
from .thunk import Thunk

MAX_RECORDS = 1 << 20
"""Frame records that are walked at the most."""
SHOWN_ARGS = 12
STACK_BASE = 8
"""Offset of a Windows thread's stack base in its TEB, to which gs points."""
MAX_STACK = 64 << 20
"""Bytes of a stack that are looked through at the most."""
LEFT_OVER = "left on the stack, may be over"
FIRST_ADDRESS = 0x1000
"""Whatever a program's first function finds in FP, it is no address."""


class Record(NamedTuple):
    """A frame record: the saved frame pointer and the return address behind it."""

    address: int
    saved: int
    back: int


@dataclass(frozen=True)
class JsFrame:
    """One frame. `layout` is None for a native one."""

    kind: str
    """`interpreted`, `jitted` or `native`."""
    pc: int
    """Where the frame goes on, or is: a return address, or pc for the innermost."""
    fp: Optional[int]
    layout: Optional[Layout] = None
    symbol: Optional[str] = None
    """Where pc is in a native one, once it was asked for."""
    doubt: str = ""
    """Why it may be no frame."""

    @property
    def problems(self) -> list[str]:
        return self.layout.problems if self.layout else []


@dataclass
class Walk:
    """What a walk found, and why it ended."""

    frames: list[JsFrame] = field(default_factory=list)
    ended: str = ""


def _astray(record: int, saved: int) -> str:
    """Why a frame record does not lead to another."""
    if saved == record:
        return f"the frame chain loops at {record:#x}"
    if saved < record or saved % WORD:
        return f"the frame chain goes astray at {record:#x}: {saved:#x}"
    return f"the frame chain leaves the stack at {record:#x}: {saved:#x}"


def _leaves_fp(facts: Facts) -> bool:
    """Whether the interpreter gets the caller's frame pointer."""
    fp = facts.thunk.arch.fp
    return facts.call is not None and facts.call.state.get(fp) == Entry(fp)


def _from_slot(facts: Facts) -> Optional[int]:
    """From the stub's return address on the stack to the layout."""
    call, distance = facts.call, facts.layout_from_entry
    if call is None or call.state.sp is None or distance is None:
        return None
    return WORD - call.state.sp + distance


class Proved(NamedTuple):
    """A block as the proof has it, and whether it calls the asm.js interpreter."""

    facts: Facts
    asm: bool


class _Way(NamedTuple):
    """From a frame that returns into a stub to its layout."""

    facts: Facts
    asm: bool
    distance: Optional[int]
    """From the frame pointer; None where the header sets none."""
    stub: Optional[int]


class Walker:
    """Walks the stack of one stopped thread. `prover` proves blocks when asked."""

    def __init__(
        self,
        memory: Memory,
        locator: Locator,
        offsets: Offsets,
        prover: Callable[[Thunk], Proved],
        shown: Optional[int] = None,
    ) -> None:
        """`shown`: arguments of a call that are decoded."""
        self.memory = memory
        self.locator = locator
        self.offsets = offsets
        self.shown = shown or SHOWN_ARGS
        self.reader = StackReader(memory, locator.local)
        self.places = Places(locator)
        self._prover = prover
        self._proved: dict[int, Proved] = {}
        self._ways: dict[int, _Way] = {}
        """By the return address: a deep stack has but few."""
        self._goals: dict[tuple[int, int], int] = {}

    def proved(self, thunk: Thunk) -> Proved:
        if thunk.address not in self._proved:
            self._proved[thunk.address] = self._prover(thunk)
        return self._proved[thunk.address]

    def chain(self, start: int, skip: Container[int] = ()) -> Iterator[Record]:
        """Frame records upwards from a frame pointer; the last word is `why`.

        `skip`: return addresses whose records are passed over; may grow on the way.
        """
        self.why = "the frame chain ends"
        record, piece, base = start, None, 0
        mask = self.memory.code_mask
        for _ in range(MAX_RECORDS):
            at = (record - base) // WORD
            if piece is None or not 0 <= at < PIECE // WORD - 1 or record % WORD:
                words = self.reader.pair(record)
                piece, base = self.reader.piece(record)
            else:
                words = piece[at], piece[at + 1]
            if words is None:
                self.why = f"the frame record at {record:#x} cannot be read"
                return
            saved, back = words[0], words[1] & mask
            if back not in skip:
                yield Record(record, saved, back)
            if saved < FIRST_ADDRESS:
                return
            if not 0 < saved - record <= MAX_FRAME_STEP or saved % WORD:
                self.why = _astray(record, saved)
                return
            record = saved
        self.why = f"more than {MAX_RECORDS} frames"

    def layout(
        self, address: int, asm: bool = False, words: Optional[Words] = None
    ) -> Layout:
        """`words`: where its words are, if they are not all in memory."""
        place = address & MASK64
        return read_layout(self.memory, place, self.offsets, self.shown, asm, words)

    def _of_stub(self, thunk: Thunk, back: int, fp: int) -> Layout:
        """Of a call that returns into a stub, by the header's frame pointer. A stub is
        one function's alone: the layout of another is not this call's."""
        if back not in self._ways:
            self._ways[back] = self._way(thunk, back)
        facts, asm, distance, number = self._ways[back]
        if distance is None:
            why = "the header sets no frame pointer: the layout is not known here"
            return Layout((fp + ANCHOR) & MASK64, problems=[why])
        layout = self.layout(fp + distance, asm)
        function = layout.function
        if function is None or number is None or self._owns(facts, function, number):
            return layout
        name, stub = function.name or "the function there", thunk.stub_address(number)
        why = f"no layout of this call: {name} has another stub than {stub:#x}"
        return Layout(layout.address, layout.function_address, problems=[why])

    def _way(self, thunk: Thunk, back: int) -> _Way:
        facts, asm = self.proved(thunk)
        at_call, from_entry = facts.fp_at_call, facts.layout_from_entry
        distance: Optional[int] = ANCHOR
        if _leaves_fp(facts):
            distance = None
        elif at_call is not None and from_entry is not None:
            distance = from_entry - at_call
        return _Way(facts, asm, distance, thunk.returning_stub(back))

    def _owns(self, facts: Facts, function: Function, number: int) -> bool:
        key = facts.thunk.address, function.stub
        if key not in self._goals:
            self._goals[key] = facts.goal(function.stub)
        return self._goals[key] == facts.thunk.stub_address(number)

    def frames(self, start: int, native: bool = True) -> Iterator[JsFrame]:
        """Every frame of a chain, from the innermost on; the native ones if wanted.

        The frame that a return address leads into has the record that is saved beside
        it as its own.
        """
        passed: set[int] = set()
        for record in self.chain(start, passed):
            kind, thunk = self.places.kind(record.back)
            if thunk:
                layout = self._of_stub(thunk, record.back, record.saved)
                yield JsFrame("interpreted", record.back, record.saved, layout)
                continue
            if kind == "native" and not native:
                passed.add(record.back)
                continue
            jitted = self._jitted(record) if kind == "code" and record.saved else None
            if jitted:
                yield JsFrame("jitted", record.back, record.saved, jitted)
            elif native:
                yield JsFrame("native", record.back, record.saved)

    def _jitted(self, record: Record) -> Optional[Layout]:
        """The layout of a frame of jitted code; None if it is not confirmed."""
        layout = self.layout(record.saved + ANCHOR)
        return layout if layout.looks_sound else None

    def left_over(self, facts: Facts, sp: int) -> Iterator[JsFrame]:
        """Frames of a stack without chain: slots whose function owns their stub."""
        if _from_slot(facts) is None:
            self.why = "the header's stack frame is not known"
            return
        self.why = "the stack ends"
        unwound = Unwound(self.memory)
        for place, value in self._candidates(sp):
            _, thunk = self.places.kind(value)
            number = thunk.returning_stub(value) if thunk else None
            if thunk is None or number is None:
                continue
            own, asm = self.proved(thunk)
            from_slot = _from_slot(own)
            if from_slot is None:
                continue
            layout = self.layout(place + from_slot, asm)
            if layout.function and self._owns(own, layout.function, number):
                doubt = "" if unwound.has(place, value) else LEFT_OVER
                yield JsFrame("interpreted", value, None, layout, doubt=doubt)

    def _candidates(self, sp: int) -> Iterator[tuple[int, int]]:
        """(place, word) of the stack's words that may be return addresses into stubs:
        behind a call at an 8-byte boundary, in a page that is a block."""
        blocks: dict[int, bool] = {}
        end = self._stack_end(sp)
        place = sp - sp % WORD
        while place < end:
            words = self.reader.words(place, end)
            if not words:
                return
            for n, value in enumerate(words):
                if value % WORD not in self._behind or value < FIRST_ADDRESS:
                    continue
                page = value // PAGE
                if page not in blocks:
                    blocks[page] = self.locator.block_running(value) is not None
                if blocks[page]:
                    yield place + n * WORD, value
            place += len(words) * WORD

    @property
    def _behind(self) -> tuple[int, ...]:
        return self.locator.arch.call_sizes

    def _stack_end(self, sp: int) -> int:
        """Where a Windows thread's stack ends, by its TEB; else by the map."""
        teb = self.memory.registers().get("gs_base")
        try:
            base = self.memory.word(teb + STACK_BASE) if teb else 0
        except ThunkError:
            base = 0
        if sp < base <= sp + MAX_STACK:
            return base
        return self.locator.stack_end(sp, MAX_STACK)
