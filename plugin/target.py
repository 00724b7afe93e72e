"""What the core asks of a stopped process, and nothing more.

`Target` is the narrow protocol that gdb, lldb and snapshots implement; an adapter
answers, it never decides. `Memory` stands between: it fetches each piece of memory
once, so that the rest may read word by word. Addresses and register values are
unsigned 64-bit numbers of the target's address space.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple, Optional, Protocol

MASK64 = (1 << 64) - 1


class ThunkError(Exception):
    """Something a user can read in one line and act on. The message is the line."""


class Unreadable(ThunkError):
    """Memory that could not be read."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__(f"cannot read {size} bytes at {address:#x}")
        self.address = address
        self.size = size


class NoAnswer(Exception):
    """Nobody answers at the other end of a connection. Not one read's failure, so that
    nothing tries the next one: each would wait as long. The message is the line."""


class Region(NamedTuple):
    """A mapped range, [start, end), with permissions such as "r-x"."""

    start: int
    end: int
    permissions: str
    name: str = ""


class Symbol(NamedTuple):
    """A symbol of the target: demangled name without its parameters."""

    name: str
    address: int

    def at(self, address: int) -> str:
        """The name with the distance from its start, as debuggers write it."""
        distance = address - self.address
        return f"{self.name}+{distance}" if distance else self.name


def plain_name(demangled: str) -> str:
    """A demangled name without its parameters, the same from every debugger."""
    depth = 0
    if not demangled.endswith((")", ") const")):
        return demangled
    for place in range(len(demangled) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(demangled[place], 0)
        if demangled[place] == "(" and not depth:
            return demangled[:place] or demangled
    return demangled


def clean(text: str) -> str:
    """Text from the target without anything that a terminal or a browser would obey:
    control characters, marks that turn the direction of text, halves of surrogates."""
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() else f"\\x{ord(ch):02x}" for ch in text)


def one_line(error: BaseException) -> str:
    """An error as one plain line, whatever it names."""
    text = clean(" ".join(str(error).split()))
    # What cannot be imported is not there: that is the installation's.
    if isinstance(error, (ThunkError, NoAnswer, ImportError)):
        return text
    return f"internal error, please report it: {type(error).__name__}: {text}"


class Frame(NamedTuple):
    """A frame as the debugger's own unwinder sees it."""

    pc: int
    sp: int


class Target(Protocol):
    """A stopped thread of a process, live or saved."""

    @property
    def arch(self) -> str:
        """`aarch64` or `x86_64`."""

    @property
    def os(self) -> str:
        """`linux`, `windows` or `macos`."""

    @property
    def source(self) -> str:
        """`gdb`, `lldb` or `snapshot`."""

    def registers(self) -> dict[str, int]:
        """General registers of the innermost frame; one that is not known is absent."""

    def read(self, address: int, size: int) -> bytes:
        """Exactly `size` bytes, or Unreadable."""

    def regions(self) -> Optional[list[Region]]:
        """The memory map in order of address; None when it is not known."""

    @property
    def pid(self) -> Optional[int]:
        """The process' number, as the debugger has it; None where there is none. It
        may mean nothing on this machine."""

    @property
    def kept(self) -> Optional[dict[int, bytes]]:
        """Lines of memory that were read since the process stopped, by their number;
        emptied when it goes on or is written to. None where nothing says when."""

    @property
    def code_mask(self) -> int:
        """The bits of a pointer to code that are its address, as the debugger knows
        them: a return address on the stack may carry an authentication code in the
        others (arm64 PAC). MASK64 where there is none."""

    @property
    def block_size(self) -> Optional[int]:
        """Bytes of a thunk block, where the user has said so; None: to be found out."""

    def in_module(self, address: int) -> bool:
        """Whether the debugger knows, for less than a read, that an address is in a
        section of the program or a library. False proves nothing."""

    @property
    def whole_map(self) -> bool:
        """Whether what `regions` leaves out is certain not to be mapped."""

    def symbol_at(self, address: int) -> Optional[Symbol]:
        """The symbol that covers the address."""

    def symbol_address(self, name: str) -> Optional[int]:
        """Where the symbol with this linkage name stands."""

    def frames(self, limit: int) -> list[Frame]:
        """The innermost frames, as far as the debugger unwinds them."""


PAGE = 4096
"""Bytes: the least that a system maps or protects at a time."""
MAX_UNREAD = 64
ADDRESS_BITS = {"aarch64": 52, "x86_64": 56}
"""Bits of the largest address that a process has at the most."""
TAG_BITS = {"aarch64": 8}
"""Uppermost bits of a pointer that loads and stores do not look at."""
LINE = 512
"""Bytes fetched at a time: a stub's page costs few packets, a stack word one."""


class Memory:
    """A Target whose memory, symbols and map are each fetched once.

    What was fetched stays visible (`lines`, `symbols`), because a snapshot is just
    that: everything that the analysis looked at.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        kept = target.kept
        self.lines: dict[int, bytes] = {} if kept is None else kept
        self.symbols: dict[int, Optional[Symbol]] = {}
        self.named: dict[str, Optional[int]] = {}
        self.derived: dict[object, Any] = {}
        """What the rooms above worked out from this memory; it goes with it."""
        self.unread: dict[int, Unreadable] = {}
        """What was looked for and could not be read, the first of it."""
        self._unreadable: dict[int, bool] = {}
        self._registers: Optional[dict[str, int]] = None
        self._regions: tuple[bool, Optional[list[Region]]] = (False, None)
        self._frames: dict[int, list[Frame]] = {}

    @property
    def arch(self) -> str:
        return self._target.arch

    @property
    def os(self) -> str:
        return self._target.os

    @property
    def source(self) -> str:
        return self._target.source

    @property
    def pid(self) -> Optional[int]:
        return self._target.pid

    @property
    def kept(self) -> Optional[dict[int, bytes]]:
        return self.lines

    @cached_property
    def code_mask(self) -> int:
        return self._target.code_mask

    @cached_property
    def faulted(self) -> bool:
        """Whether the thread stands where a fault stopped it: the instruction at pc may
        not have been fetched even. False of a Target that cannot tell."""
        return bool(getattr(self._target, "faulted", False))

    @property
    def block_size(self) -> Optional[int]:
        return self._target.block_size

    def in_module(self, address: int) -> bool:
        return self._target.in_module(address)

    @property
    def whole_map(self) -> bool:
        return self._target.whole_map

    def registers(self) -> dict[str, int]:
        if self._registers is None:
            self._registers = self._target.registers()
        return self._registers

    def regions(self) -> Optional[list[Region]]:
        if not self._regions[0]:
            self._regions = (True, self._target.regions())
        return self._regions[1]

    def symbol_at(self, address: int) -> Optional[Symbol]:
        if address not in self.symbols:
            self.symbols[address] = self._target.symbol_at(address)
        return self.symbols[address]

    def symbol_address(self, name: str) -> Optional[int]:
        if name not in self.named:
            self.named[name] = self._target.symbol_address(name)
        return self.named[name]

    def frames(self, limit: int) -> list[Frame]:
        if limit not in self._frames:
            self._frames[limit] = self._target.frames(limit)
        return self._frames[limit]

    @property
    def asked_frames(self) -> list[Frame]:
        """The frames that were asked for, if any were."""
        return max(self._frames.values(), key=len, default=[])

    def read(self, address: int, size: int) -> bytes:
        # Nearly every read is of a word in a line that is there already.
        line = self.lines.get(address // LINE)
        start = address % LINE
        if line is not None and 0 < size <= len(line) - start:
            return line[start : start + size]
        return self._read(address, size)

    def _read(self, address: int, size: int) -> bytes:
        if address < 0 or size < 0 or address + size > MASK64 + 1:
            raise Unreadable(address & MASK64, size)
        if not size:
            return b""
        first, last = address // LINE, (address + size - 1) // LINE
        self._fetch([n for n in range(first, last + 1) if n not in self.lines])
        try:
            data = b"".join(self.lines[n] for n in range(first, last + 1))
        except KeyError:
            # A saved chunk may begin or end within a line.
            try:
                return self._exactly(address, size)
            except Unreadable as error:
                if len(self.unread) < MAX_UNREAD:
                    # As it is raised it would hold this Memory, in a ring.
                    kept = Unreadable(error.address, error.size)
                    self.unread.setdefault(error.address, kept)
                raise
        start = address - first * LINE
        return data[start : start + size]

    def keep(self, address: int, data: bytes) -> None:
        """Remember memory that was read in another way, from a line's start."""
        first = address // LINE
        for n in range(len(data) // LINE):
            self.lines[first + n] = data[n * LINE : (n + 1) * LINE]

    def peek(self, address: int, size: int) -> bytes:
        """As read, but nothing is kept: for looking at very much memory."""
        return self._exactly(address, size)

    def _exactly(self, address: int, size: int) -> bytes:
        """What the target gives, if it is just as much as was asked for."""
        data = self._target.read(address, size)
        if len(data) != size:
            raise Unreadable(address, size)
        return data

    def region_of(self, address: int) -> Optional[Region]:
        """What is mapped there; None where that is not known, or nothing is."""
        for region in self.regions() or []:
            if region.start <= address < region.end:
                return region
        return None

    def lacks(self, address: int, size: int = 1) -> bool:
        """Whether some of what cannot be read is certain not to be there: by the map,
        or because no process has such an address. A core file may leave out what the
        process had, and a debugger may fail."""
        address &= MASK64 >> TAG_BITS.get(self.arch, 0)
        if address < PAGE or address + size > 1 << ADDRESS_BITS.get(self.arch, 64):
            return True
        regions = self.regions() if self.whole_map else None
        if not regions:
            return False
        end = address + size
        for region in regions:
            if region.start <= address < region.end and "r" in region.permissions:
                address = region.end
        return address < end

    def word(self, address: int) -> int:
        """The little-endian 64-bit word at this address."""
        return int.from_bytes(self.read(address, 8), "little")

    def _fetch(self, missing: Sequence[int]) -> None:
        """Fetch each run of missing lines in one go."""
        for start, count in runs([n for n in missing if n not in self._unreadable]):
            self._fetch_run(start, count)

    def _fetch_run(self, start: int, count: int) -> None:
        """A run of lines; one that fails is halved until what can be read is found."""
        try:
            data = self._exactly(start * LINE, count * LINE)
        except Unreadable:
            if count == 1:
                self._unreadable[start] = True
                return
            half = count // 2
            self._fetch_run(start, half)
            self._fetch_run(start + half, count - half)
            return
        self.keep(start * LINE, data)


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (start, length) of their unbroken runs."""
    runs: list[tuple[int, int]] = []
    for n in numbers:
        if runs and n == runs[-1][0] + runs[-1][1]:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((n, 1))
    return runs
