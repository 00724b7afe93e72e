"""What a walk over a stack reads: its words, from few large reads; what code addresses
are; where the debugger's own unwinder has return addresses. Nothing is decided here.
"""

from typing import Optional

from ..arch import WORD
from ..local import Local
from ..target import Memory, ThunkError
from .locate import Locator
from .thunk import Thunk

PIECE = 1 << 17
"""Bytes of stack that are read at a time."""
MAX_UNWOUND = 1 << 14
"""Frames of the debugger's own that are asked for at the most."""


class StackReader:
    """Stack words from few large reads, which layouts are then decoded from too."""

    def __init__(self, memory: Memory, local: Optional[Local] = None) -> None:
        """`local`: where so much is read at once, the quicker way counts."""
        self._memory = memory
        self._local = local
        self._pieces: dict[int, Optional[memoryview]] = {}

    def word(self, address: int) -> Optional[int]:
        if address % WORD:
            return None
        number, offset = divmod(address, PIECE)
        if number not in self._pieces:
            self._pieces[number] = self._read(number * PIECE)
        words = self._pieces[number]
        if words is not None:
            return int(words[offset // WORD])
        try:
            return self._memory.word(address)
        except ThunkError:
            return None

    def pair(self, address: int) -> Optional[tuple[int, int]]:
        """The two words of a frame record; None when they cannot be read."""
        saved, back = self.word(address), self.word(address + WORD)
        return None if saved is None or back is None else (saved, back)

    def piece(self, address: int) -> tuple[Optional[memoryview], int]:
        """The piece in which an address lies, if it was read, and where it begins."""
        number = address // PIECE
        return self._pieces.get(number), number * PIECE

    def words(self, address: int, end: int) -> Optional[memoryview]:
        """The words from an address on, as far as one piece and `end` reach."""
        number, offset = divmod(address, PIECE)
        if number not in self._pieces:
            self._pieces[number] = self._read(number * PIECE)
        piece = self._pieces[number]
        if piece is not None:
            return piece[offset // WORD : (end - number * PIECE) // WORD]
        value = self.word(address)
        return None if value is None else memoryview(_packed(value)).cast("Q")

    def _read(self, start: int) -> Optional[memoryview]:
        data = self._local.read(start, PIECE) if self._local else None
        try:
            if data:
                self._memory.keep(start, data)
            return memoryview(data or self._memory.read(start, PIECE)).cast("Q")
        except ThunkError:
            return None


def _packed(value: int) -> bytes:
    return value.to_bytes(WORD, "little")


class Unwound:
    """Where the debugger's own unwinder has return addresses on the stack."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._slots: dict[int, int] = {}
        self._limit = 32
        self._top, self._over = 0, False

    def has(self, place: int, value: int) -> bool:
        """Few are asked for first: each may cost."""
        while self._top <= place and not self._over:
            frames = self._memory.frames(self._limit)
            self._over = len(frames) < self._limit or self._limit >= MAX_UNWOUND
            self._slots = {frame.sp - WORD: frame.pc for frame in frames[1:]}
            self._top = frames[-1].sp if frames else 0
            self._limit *= 4
        return self._slots.get(place) == value


class Places:
    """What code addresses are: in a stub's block, native, or neither."""

    def __init__(self, locator: Locator) -> None:
        self._locator = locator
        self._memory = locator.memory
        self._kinds: dict[int, tuple[str, Optional[Thunk]]] = {}

    def kind(self, address: int) -> tuple[str, Optional[Thunk]]:
        """(`stub` with its block, `native`, or `code` that belongs to no module)."""
        if address not in self._kinds:
            self._kinds[address] = self._look(address)
        return self._kinds[address]

    def _look(self, address: int) -> tuple[str, Optional[Thunk]]:
        thunk = self._locator.returning_to(address)
        if thunk:
            return "stub", thunk
        if self._memory.symbol_at(address):
            return "native", None
        for region in self._memory.regions() or []:
            if region.start <= address < region.end:
                file = region.name.startswith("/") or "\\" in region.name
                return ("native" if file else "code"), None
        return "code", None
