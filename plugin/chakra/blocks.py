"""Tells whether a block is at an address, by as few and as short looks as that takes.

Where to look is for `locate`; what a block is, for `thunk`.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Optional

from ..arch import Arch
from ..local import Local, local_process
from ..target import PAGE, Memory, ThunkError
from .scan import MIDDLE
from .thunk import BLOCK_SIZES, Thunk, block_starts, parse

HALF = PAGE // 2
LOOK = 512
"""Bytes in which a stub is looked for."""


class Blocks:
    """The blocks of one stopped process, by any address in them."""

    def __init__(self, memory: Memory, arch: Arch) -> None:
        self.memory = memory
        self.arch = arch
        self.skips_modules = True
        """Whether code of modules is taken for no block's: blocks are generated, and
        to look at native callers costs a remote read each."""
        self._sizes: Sequence[int] = BLOCK_SIZES
        if memory.block_size is not None:
            self._sizes = (memory.block_size,)
        self._blocks: dict[tuple[int, int], Optional[Thunk]] = {}

    def block_at(self, address: int) -> Optional[Thunk]:
        """The block that an address lies in."""
        for start, size in block_starts(address, self._sizes):
            thunk = self._block(start, size)
            if thunk and thunk.contains(address):
                return thunk
        return None

    def block_running(self, pc: int) -> Optional[Thunk]:
        """The block that runs at a pc, or will when it is returned to."""
        return None if self._skipped(pc) else self.block_at(pc)

    def _block(self, start: int, size: int) -> Optional[Thunk]:
        key = start, size
        if key not in self._blocks:
            try:
                code = self.memory.read(start, size) if self._has_stub(start) else b""
                self._blocks[key] = parse(code, start, self.arch)
            except ThunkError:
                self._blocks[key] = None
        return self._blocks[key]

    def stack_end(self, sp: int, most: int) -> int:
        """Where the stack that SP is on ends at the latest: with its mapping, so far as
        there is a map. Behind it lies another thread's, and a debugger reads across the
        page that guards it."""
        end = sp
        for region in sorted(self.memory.regions() or []):
            if region.start <= end < region.end and "w" in region.permissions:
                end = region.end
        return min(end, sp + most) if end > sp else sp + most

    @cached_property
    def local(self) -> Optional[Local]:
        """The process, where it can be read past the debugger."""
        return local_process(self.memory.pid)

    def _has_stub(self, start: int) -> bool:
        """Whether the first page has stubs in its middle, as every block does: a look
        at half of it, before it is fetched, or four. Some of them may be damaged."""
        if self._absent(start):
            return False
        words = memoryview(self._half(start + MIDDLE)[:LOOK]).cast("Q")
        return any(
            word & mask == value
            for mask, value in self.arch.stub_words
            for word in words
        )

    def _half(self, address: int) -> bytes:
        """The half page with an address: what a remote target gives in one packet, and
        one of the two that make up a block."""
        return self.memory.read(address - address % HALF, HALF)

    def _skipped(self, address: int) -> bool:
        return self.skips_modules and self.memory.in_module(address)

    def _absent(self, page: int) -> bool:
        """Whether a page is reserved, and not there: a look would make it so."""
        local = self.local
        if local is None or any(local.present(page, page + PAGE)):
            return False
        regions = self.memory.regions() or []
        return any(r.start <= page < r.end and not r.name for r in regions)

    def returning_to(self, address: int) -> Optional[Thunk]:
        """The block one of whose stubs' calls returns to an address."""
        if self._skipped(address):
            return None
        for size in self.arch.call_sizes:
            stub = address - size
            if stub % self.arch.stub_size or stub <= 0:
                continue
            try:
                code = self._half(stub)[stub % HALF :][: self.arch.stub_size]
            except ThunkError:
                return None
            thunk = self.block_at(stub) if self.arch.parse_stub(code, 0) else None
            if thunk and thunk.returning_stub(address) is not None:
                return thunk
        return None
