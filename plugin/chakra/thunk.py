"""The shape of a thunk block: header, call stubs, fill, epilogue.

`parse` takes a block's bytes and says what stands where, or that it is no block. It
looks at shapes only; what the instructions do is for `proof`. Facts:
InterpreterThunkEmitter::FillBuffer and ConvertToEntryPoint,
lib/Backend/InterpreterThunkEmitter.cpp.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ..arch import Arch, Stub
from ..arch.decode import LONGEST, decode

BLOCK_SIZES = (4096, 16384)
"""One page: 16 KiB on arm64 macOS, 4 KiB elsewhere (AutoSystemInfo::PageSize)."""


def page_size(arch: Arch, system: str) -> int:
    """What blocks of an engine that is built for this system have for a size."""
    return BLOCK_SIZES[system == "macos" and arch.name == "aarch64"]


MIN_STUBS = 16
"""Fewer look-alikes in a row are chance; a block holds about five hundred."""

MAX_HEADER = 1024
"""Bytes within which the first stub must begin; emitted headers have 48 to 96."""


@dataclass(frozen=True)
class Thunk:
    """A block and its parts. Offsets are in bytes from the start of the block."""

    arch: Arch
    address: int
    code: bytes
    """The whole block."""
    first_stub: int
    """Also the size of the header, its padding included."""
    stub_count: int
    epilogue: int
    common: Stub
    """What the stubs are, all but odd ones."""
    odd: tuple[int, ...]
    """Numbers of the stubs whose bytes differ from the others'."""
    doubtful: frozenset[int] = frozenset()
    """Those of them that do not even look like stubs, and may be something else."""

    @property
    def size(self) -> int:
        return len(self.code)

    @property
    def header(self) -> bytes:
        return self.code[: self.first_stub]

    def stub_address(self, number: int) -> int:
        """Address of the stub with this number, counted from 0 upwards in memory."""
        return self.address + self.first_stub + number * self.arch.stub_size

    def stub_number(self, address: int) -> Optional[int]:
        """The stub that begins at this address; None when none does."""
        distance = address - self.address - self.first_stub
        number, rest = divmod(distance, self.arch.stub_size)
        return number if not rest and 0 <= number < self.stub_count else None

    @property
    def return_offset(self) -> int:
        """From a stub to the instruction behind its call."""
        return len(self.common.call)

    def returning_stub(self, address: int) -> Optional[int]:
        """The stub whose call returns to this address."""
        return self.stub_number(address - self.return_offset)

    def behind_call(self, number: int) -> int:
        """Address behind a stub's call: what the interpreter returns to."""
        return self.stub_address(number) + self.return_offset

    def contains(self, address: int) -> bool:
        return self.address <= address < self.address + self.size

    @property
    def likeness(self) -> bytes:
        """The block's code without its own place: two blocks that are alike here do
        the same, each in its own page."""
        return _placeless(self.code, self.address, self.size)

    def stub_around(self, address: int) -> Optional[int]:
        """The stub that an address stands in; None outside of them."""
        distance = address - self.address - self.first_stub
        number = distance // self.arch.stub_size
        return number if 0 <= number < self.stub_count else None

    def part(self, address: int) -> str:
        """`header`, `stub 7`, `epilogue` or `fill`, for an address in the block."""
        offset, number = address - self.address, self.stub_around(address)
        if offset < self.first_stub:
            return "header"
        if number is not None:
            return f"stub {number}"
        return "epilogue" if offset >= self.epilogue else "fill"


def parse(code: bytes, address: int, arch: Arch) -> Optional[Thunk]:
    """The block that these bytes hold at this address, or None: wrong shape.

    A block is a header that ends in an indirect jump, a row of stubs that call
    through one register and jump to one epilogue, and that epilogue behind them.
    Some stubs may be odd (that is a finding, not a reason to overlook the block).
    """
    for row in _known_rows:
        if row.fits(code, address, arch):
            return replace(row.known, code=code, address=address)
    thunk = _parsed(code, address, arch)
    if thunk and not thunk.odd and not _stubs(code[thunk.epilogue :], arch):
        _known_rows.append(_Row(thunk))
        del _known_rows[:-MAX_ROWS]
    return thunk


MAX_ROWS = 8
"""Rows that are remembered: a process has blocks of one or two kinds."""


class _Row:
    """The stubs of a whole block and what fills up to its epilogue. The blocks of a
    process are alike there, so that only the first of them need be taken apart."""

    def __init__(self, known: Thunk) -> None:
        self.known = known
        self._code = known.code[known.first_stub : known.epilogue]
        self._header = _placeless(known.header, known.address, known.size)

    def fits(self, code: bytes, address: int, arch: Arch) -> bool:
        """Whether taking this block apart would give the same parts."""
        first, end, size = self.known.first_stub, self.known.epilogue, self.known.size
        if arch is not self.known.arch or len(code) != size:
            return False
        if code[first:end] != self._code or _stubs(code[end:], arch):
            return False
        return _placeless(code[:first], address, size) == self._header


_known_rows: list[_Row] = []


def _placeless(code: bytes, address: int, size: int) -> bytes:
    """Code with its addresses within its own block as offsets, and behind it where
    these are: jumps are relative, what is left are words with such an address."""
    high, at, places = (address >> 16).to_bytes(6, "little"), 1, b""
    while (at := code.find(high, at + 1)) >= 0:
        start = at - 2
        distance = int.from_bytes(code[start : start + 8], "little") - address
        if 0 <= distance < size:
            own = distance.to_bytes(8, "little")
            code = code[:start] + own + code[start + 8 :]
            places += start.to_bytes(4, "little")
    return code + places


def _parsed(code: bytes, address: int, arch: Arch) -> Optional[Thunk]:
    stubs = _stubs(code, arch)
    if len(stubs) < MIN_STUBS:
        return None
    common, count = Counter(stubs.values()).most_common(1)[0]
    alike = [offset for offset, stub in stubs.items() if stub == common]
    first, last = alike[0], alike[-1]
    span = (last - first) // arch.stub_size + 1
    end = last + arch.stub_size
    if count < MIN_STUBS or count * 2 < span or not end <= common.target < len(code):
        return None
    if common.target < BLOCK_SIZES[0] < len(code):
        # A block of one page, and whatever comes behind it.
        return None
    header_end = _dispatch_end(code[:first], arch)
    if header_end is None or first > MAX_HEADER:
        return None
    first = _before(code, header_end, first, arch)
    end = _behind(code, end, common.target, arch)
    total = (end - first) // arch.stub_size
    odd = tuple(
        n for n in range(total) if stubs.get(first + n * arch.stub_size) != common
    )
    doubtful = frozenset(n for n in odd if first + n * arch.stub_size not in stubs)
    return Thunk(
        arch, address, code, first, total, common.target, common, odd, doubtful
    )


def _stubs(code: bytes, arch: Arch) -> dict[int, Stub]:
    """Everything in the block that reads as a stub, by offset."""
    found: dict[int, Stub] = {}
    step = arch.stub_size
    for offset in range(0, len(code) - step + 1, step):
        stub = arch.parse_stub(code[offset : offset + step], offset)
        if stub:
            found[offset] = stub
    return found


def _dispatch_end(header: bytes, arch: Arch) -> Optional[int]:
    """Where the header's indirect jump ends, rounded up to a stub's place."""
    at = 0
    while at < len(header):
        insn = decode(header[at : at + LONGEST], at, arch)
        if insn is None:
            return None
        at += len(insn.code)
        through = insn.operands[:1]
        if insn.mnemonic in arch.dispatch and through and through[0].kind != "imm":
            return -(-at // arch.stub_size) * arch.stub_size
    return None


def _before(code: bytes, header_end: int, first: int, arch: Arch) -> int:
    """The row may begin with stubs that were damaged: what stands between the
    header and the first whole stub is a stub unless it is padding."""
    start = first
    while start - arch.stub_size >= header_end:
        if arch.is_padding(code[start - arch.stub_size : start]):
            break
        start -= arch.stub_size
    return start


def _behind(code: bytes, end: int, epilogue: int, arch: Arch) -> int:
    """Likewise at the row's end: between it and the epilogue there is only padding."""
    step = arch.stub_size
    while end + step <= epilogue and not arch.is_padding(code[end : end + step]):
        end += step
    return end


def block_starts(
    address: int, sizes: Sequence[int] = BLOCK_SIZES
) -> list[tuple[int, int]]:
    """(start, size) of every block that an address may lie in, likeliest first.

    InterpreterThunkEmitter::ConvertToEntryPoint masks with the block size.
    """
    return [(address & ~(size - 1), size) for size in sizes]
