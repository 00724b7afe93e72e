"""Finds the thunk block from wherever a process is stopped.

Every road ends in the same test: the bytes must have the shape of a block. Roads that
cost least and tell most come first; all of them are bounded.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Callable, NamedTuple, Optional

from ..arch import WORD
from ..target import PAGE, Frame, ThunkError
from .blocks import Blocks
from .scan import like, promising
from .thunk import Thunk

MAX_FRAMES = 256
"""Frames of a frame-pointer chain that are walked at the most."""
MAX_FRAME_STEP = 1 << 20
"""Bytes between two frames; a chain that jumps farther has left the stack."""
MAX_UNWOUND = 32
"""Frames of the debugger's own that are looked at at the most."""
STACK_WORDS = 2048
"""Words above SP that are looked through for return addresses."""
STACK_PIECE = 4096
MAX_CANDIDATES = 32
"""Return addresses on the stack that are kept to be confirmed."""
OBJECT_WORDS = 12
"""Words of a would-be function object in which its FunctionInfo is looked for."""


class Return(NamedTuple):
    """A return address into a stub, and where it was found."""

    slot: Optional[int]
    """Address of the stack word that holds it; None: it is in the link register."""
    frame: Optional[int]
    """Frame pointer of the frame record that holds it; None outside a chain."""
    sure: bool = True
    """False: the word may be left over from an earlier call, and is to be confirmed."""
    sp: Optional[int] = None
    """SP of the frame that it leads to, where the debugger unwound it."""


@dataclass(frozen=True)
class Found:
    """A block and the road that led to it."""

    thunk: Thunk
    by: str
    """One phrase for people: "lr is stub 499 + 4"."""
    at: Optional[int] = None
    """Offset of pc in the block, when the thread is stopped in it."""
    stub: Optional[int] = None
    """The stub that the call in hand uses."""
    back: Optional[Return] = None
    """How the interpreter will return, when it was called already."""
    function: Optional[int] = None
    """The function object that led here."""
    elsewhere: Optional[int] = None
    """The block that the call in hand goes through, where it is another one, or the
    call another function's."""
    others: tuple["Found", ...] = ()
    """Further return addresses, farther out, where this one is not sure."""


class NotFound(ThunkError):
    """No block was found; the message says what was tried and what to do."""


class Locator(Blocks):
    """Looks for blocks in one stopped process."""

    def from_address(self, address: int) -> Found:
        """The block at an address: of code in it, or of a function object."""
        thunk = self.block_at(address)
        if thunk:
            where = thunk.part(address)
            return Found(thunk, f"the address given is in its {where}")
        found = self._led_to(address, "the address given")
        if found:
            return found
        raise NotFound(f"no thunk at {address:#x}: see thunk-find for blocks")

    def here(self) -> Found:
        """The block that matters where the thread is stopped."""
        roads: Sequence[Callable[[], Optional[Found]]] = (
            self.on_stack,
            self._first_argument,
            self._other_registers,
            self._in_modules,
            self._stack,
            self._scan,
        )
        for road in roads:
            found = road()
            if found:
                return found
        tried = "pc, stack or scan" if self.memory.regions() else "pc or stack"
        raise NotFound(f"no thunk by {tried}: stop ChakraCore in a call")

    def _in_modules(self) -> Optional[Found]:
        """A port may have its blocks in its own image."""
        self.skips_modules = False
        return self.on_stack()

    def on_stack(self) -> Optional[Found]:
        """The block that the thread is in, or below: by what costs least."""
        found = self.near()
        return self._inner(found) if found else self._unwound(None)

    def _inner(self, found: Found) -> Found:
        """The frame chain leaves out a function that keeps no frame pointer, or has not
        set it yet: the call that matters may be one that the debugger unwinds first."""
        back = found.back
        if back is None or back.frame is None or back.slot is None:
            return found
        return self._unwound(back.slot) or found

    def near(self) -> Optional[Found]:
        """The same, without the debugger's own unwinder."""
        return self._pc() or self._return_register() or self._frame_chain()

    def _register(self, name: Optional[str]) -> Optional[int]:
        return self.memory.registers().get(name) if name else None

    def _pc(self) -> Optional[Found]:
        pc = self._register(self.arch.pc)
        thunk = self.block_running(pc) if pc is not None else None
        if thunk is None or pc is None:
            return None
        by = f"pc is in its {thunk.part(pc)}"
        at, number = pc - thunk.address, thunk.stub_around(pc)
        return Found(thunk, by, at=at, stub=number)

    def _return_register(self) -> Optional[Found]:
        """At the interpreter's first instruction: lr, or the word at [rsp]."""
        if self.arch.lr:
            value, slot, name = self._register(self.arch.lr), None, "lr"
        else:
            slot = self._register(self.arch.sp)
            value, name = self._word(slot), f"[{self.arch.sp}]"
        if value is None:
            return None
        value &= self.memory.code_mask
        found = self._returns(value, name, Return(slot, None))
        if found and not self.arch.lr and not self._calls_pc(found.thunk):
            # Elsewhere the word at SP may be left over from an earlier call.
            return None
        return found

    def _calls_pc(self, thunk: Thunk) -> bool:
        """Whether the header holds pc as a constant: pc is the interpreter's first."""
        pc = self._register(self.arch.pc)
        if pc is None:
            return False
        size = WORD if pc >> 32 else WORD // 2
        return pc.to_bytes(size, "little") in thunk.header

    def _returns(self, value: int, name: str, back: Return) -> Optional[Found]:
        thunk = self.returning_to(value)
        number = thunk.returning_stub(value) if thunk else None
        if thunk is None or number is None:
            return None
        by = f"{name} is stub {number} + {thunk.return_offset}"
        return Found(thunk, by, stub=number, back=back)

    def _frame_chain(self) -> Optional[Found]:
        for depth, (record, value) in enumerate(self.frame_chain()):
            name = f"the return address of frame {depth}"
            found = self._returns(value, name, Return(record + WORD, record))
            if found:
                return found
        return None

    def frame_chain(self) -> Iterator["tuple[int, int]"]:
        """(address of the frame record, return address) from the innermost frame on.

        A record is the saved frame pointer and the return address behind it, on
        every machine here. Ends where the chain does not ascend; what lies below SP is
        given up.
        """
        record, sp = self._register(self.arch.fp), self._register(self.arch.sp)
        if record is not None and sp is not None and record < sp:
            return
        for _ in range(MAX_FRAMES):
            if record is None or record % WORD:
                return
            value = self._word(record + WORD)
            if value is None:
                return
            yield record, value & self.memory.code_mask
            following = self._word(record)
            if following is None or not 0 < following - record < MAX_FRAME_STEP:
                return
            record = following

    def _unwound(self, end: Optional[int]) -> Optional[Found]:
        """What the debugger's own unwinder finds, up to a place on the stack."""
        for depth, frame in enumerate(self._frames_to(end), 1):
            slot = None if self.arch.lr else frame.sp - WORD
            if slot is not None and self._word(slot) != frame.pc:
                continue
            name = f"the return address into frame {depth}"
            pc = frame.pc & self.memory.code_mask
            found = self._returns(pc, name, Return(slot, None, sp=frame.sp))
            if found:
                return found
        return None

    def _frames_to(self, end: Optional[int]) -> Iterator[Frame]:
        """The frames behind the innermost. Few are asked for first: each may cost."""
        known = 1
        for limit in (2, 8, MAX_UNWOUND):
            frames = self.memory.frames(limit)
            for frame in frames[known:]:
                if end is not None and frame.sp > end:
                    return
                yield frame
            if len(frames) < limit:
                return
            known = limit

    def _first_argument(self) -> Optional[Found]:
        """A function object, or a layout, in the first argument register."""
        for convention in self.arch.conventions:
            register = convention.arguments[0]
            value = self._register(register)
            if value is None:
                continue
            found = self._led_to(value, register)
            if found:
                return found
            inner = self._word(value)
            found = self._led_to(inner, f"[{register}]") if inner else None
            if found:
                return found
        return None

    def _led_to(self, address: int, name: str) -> Optional[Found]:
        """The block that an object leads to. It is a function object if the header's
        own loads read that very word of it: a FunctionBody, say, has one like it."""
        found = None
        for thunk, offset in self._infos(address):
            if offset in self._read_by(thunk):
                by = f"{name} is a function object of it"
                return Found(thunk, by, function=address)
            found = found or Found(thunk, f"{name} is an object that leads to it")
        return found

    def _read_by(self, thunk: Thunk) -> frozenset[int]:
        """The offsets at which a header reads the object that it is called with."""
        # Where there is no thunk the proof is not needed.
        from ..proof.reads import reads_through

        code, at, arch = thunk.header, thunk.address, self.arch
        known = (reads_through(code, at, arch, c)[0] for c in arch.conventions)
        return frozenset().union(*known)

    def of_function(self, address: int) -> Optional[Thunk]:
        """The block of a function object, or of another object that leads to it."""
        return next((thunk for thunk, _ in self._infos(address)), None)

    def _infos(self, address: int) -> Iterator["tuple[Thunk, int]"]:
        """Words of an object that are a FunctionInfo, by their offsets: its first word
        is the entry point, which is the block."""
        if address % WORD:
            return
        for offset in range(WORD, WORD * OBJECT_WORDS, WORD):
            info = self._word(address + offset)
            if info is None:
                return
            entry = self._word(info) if info and info % WORD == 0 else None
            if not entry or entry % PAGE:
                continue
            thunk = self.block_at(entry)
            if thunk and thunk.address == entry:
                yield thunk, offset

    def _other_registers(self) -> Optional[Found]:
        for name, value in self.memory.registers().items():
            if value % self.arch.stub_size or name == self.arch.sp:
                continue
            thunk = self.block_at(value)
            if thunk and thunk.stub_number(value) is not None:
                number = thunk.stub_number(value)
                return Found(thunk, f"{name} is stub {number}", stub=number)
        return None

    def _stack(self) -> Optional[Found]:
        """Words above SP that are return addresses into stubs. Where frames have no
        chain, earlier calls leave such words behind: none of them is sure."""
        candidates: list[Found] = []
        for slot, value in self._stack_words():
            name = f"the word at {slot:#x} on the stack"
            found = self._returns(value, name, Return(slot, None, sure=False))
            if found:
                candidates.append(found)
            if len(candidates) == MAX_CANDIDATES:
                break
        if not candidates:
            return None
        return replace(candidates[0], others=tuple(candidates[1:]))

    def _stack_words(self) -> Iterator["tuple[int, int]"]:
        sp = self._register(self.arch.sp)
        if sp is None:
            return
        place, mask = sp - sp % WORD, self.memory.code_mask
        end = self.stack_end(sp, STACK_WORDS * WORD)
        while place < end:
            data = self._piece(
                place, min(STACK_PIECE - place % STACK_PIECE, end - place)
            )
            for n in range(len(data) // WORD):
                value = int.from_bytes(data[WORD * n : WORD * n + WORD], "little")
                yield place + WORD * n, value & mask
            if not data:
                return
            place += len(data)

    def _piece(self, address: int, size: int) -> bytes:
        try:
            return self.memory.read(address, size)
        except ThunkError:
            return b""

    def _scan(self) -> Optional[Found]:
        for thunk in self.scan():
            return Found(thunk, "a scan of executable memory")
        return None

    @property
    def can_scan(self) -> bool:
        """Whether a scan sees every block that there is."""
        return bool(self.memory.whole_map and self.memory.regions())

    def scan(self) -> Iterator[Thunk]:
        """Every block in executable memory, where there is a memory map."""
        regions = self.memory.regions()
        if not regions:
            return
        known: Optional[Thunk] = None
        for page in promising(self.memory, regions, self.arch, self.local):
            thunk = like(known, page, self.local) or self._at(page)
            if thunk and thunk.address == page:
                known = thunk
                yield thunk

    def _at(self, page: int) -> Optional[Thunk]:
        """The block at a page that is likely one's, in one read."""
        with suppress(ThunkError):
            self.memory.read(page, PAGE)
        return self.block_at(page)

    def _word(self, address: Optional[int]) -> Optional[int]:
        if address is None:
            return None
        try:
            return self.memory.word(address)
        except ThunkError:
            return None


def known_blocks(locator: Locator) -> list[Found]:
    """Every block that can be found: from here, and in executable memory."""
    blocks: dict[int, Found] = {}
    with suppress(NotFound):
        found = locator.near() if locator.can_scan else locator.here()
        if found:
            blocks[found.thunk.address] = found
    for record, value in locator.frame_chain():
        thunk = locator.returning_to(value)
        if thunk:
            by = f"the return address at {record + WORD:#x} is in a stub"
            blocks.setdefault(thunk.address, Found(thunk, by))
    for thunk in locator.scan():
        blocks.setdefault(thunk.address, Found(thunk, "a scan of executable memory"))
    return sorted(blocks.values(), key=lambda found: found.thunk.address)
