"""A stopped process in one file: a Target read from it, and the writing of one.

The format is in docs/formats.md. What is saved is just what an inspection looked at,
so that a replay sees the same. Files are as untrusted as processes: whatever is wrong
with one becomes a SnapshotError with one line.
"""

import json
from bisect import bisect_right
from itertools import islice
from pathlib import Path
from typing import Any, Optional

from .arch import ARCHES
from .report.files import write_text
from .settings import BLOCK_SIZE
from .target import LINE, MASK64, Frame, Memory, Region, Symbol, ThunkError, Unreadable

FORMAT, VERSION = "thunk-snapshot", 1
SYSTEMS = ("linux", "windows", "macos")
MAX_FILE = 24 << 20
"""Bytes of a file that is read at the most; real ones have some 50 KiB."""
MAX_VALUES = 1 << 19
"""Values in a file at the most: each takes far more memory than its text."""
MAX_CHUNKS = 100_000
MAX_SAVED = 4 << 20
"""Bytes of memory that are saved at the most."""
MAX_NAME = 512
"""Characters of a symbol's name."""
PERMISSIONS = frozenset("rwxps-")


class SnapshotError(ThunkError):
    """A file that is no usable snapshot."""


class Chunk:
    """Saved memory."""

    def __init__(self, address: int, data: bytes, permissions: str, name: str) -> None:
        self.address = address
        self.data = data
        self.permissions = permissions
        self.name = name

    @property
    def end(self) -> int:
        return self.address + len(self.data)


class SnapshotTarget:
    """The Target of a snapshot file."""

    source = "snapshot"

    def __init__(self, document: Any) -> None:
        fields = _object(document, "the file")
        if fields.get("format") != FORMAT:
            raise SnapshotError("this is no thunk-snapshot file")
        if fields.get("version") != VERSION:
            raise SnapshotError("this snapshot's version is not known here")
        self.arch = _choice(fields, "arch", tuple(ARCHES))
        self.os = _choice(fields, "os", SYSTEMS)
        self._registers = {
            str(name): _number(value, f"register {name}")
            for name, value in _object(fields.get("registers"), "registers").items()
        }
        self._chunks = _chunks(fields.get("memory"))
        self._regions = _regions(fields.get("regions"))
        self.whole_map = self._regions is not None
        self.block_size = _block_size(fields.get("block_size"))
        self.code_mask = _number(fields.get("code_mask", MASK64), "code_mask")
        self.faulted = fields.get("faulted") is True
        self.pid = None
        self.kept = None
        self._starts = [chunk.address for chunk in self._chunks]
        self._symbols = _symbols(fields.get("symbols", []))
        self._frames = _frames(fields.get("frames", []))

    def registers(self) -> dict[str, int]:
        return dict(self._registers)

    def read(self, address: int, size: int) -> bytes:
        """From one chunk or from several that follow each other without a gap."""
        data = bytearray()
        while len(data) < size:
            place = address + len(data)
            index = bisect_right(self._starts, place) - 1
            chunk = self._chunks[index] if index >= 0 else None
            if chunk is None or place >= chunk.end:
                raise Unreadable(address, size)
            start = place - chunk.address
            data += chunk.data[start : start + size - len(data)]
        return bytes(data)

    def regions(self) -> Optional[list[Region]]:
        """The map that was saved, or else the chunks whose permissions are known."""
        if self._regions is not None:
            return self._regions
        known = [
            Region(chunk.address, chunk.end, chunk.permissions, chunk.name)
            for chunk in self._chunks
            if chunk.permissions
        ]
        return known or None

    def in_module(self, address: int) -> bool:
        """Not kept: whatever the analysis had to read is there to be read again."""
        return False

    def symbol_at(self, address: int) -> Optional[Symbol]:
        for symbol, size, _ in self._symbols:
            if symbol.address <= address < symbol.address + max(size, 1):
                return symbol
        return None

    def symbol_address(self, name: str) -> Optional[int]:
        for symbol, _, linkage in self._symbols:
            if linkage == name:
                return symbol.address
        return None

    def frames(self, limit: int) -> list[Frame]:
        return self._frames[:limit]


def load_snapshot(path: str) -> SnapshotTarget:
    """Read a snapshot file, of 64 MiB at the most. SnapshotError, with one line, for
    whatever is wrong: no such file, no snapshot, a damaged one."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise SnapshotError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise SnapshotError(f"{path} is larger than any snapshot")
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise SnapshotError(f"{path} has too many entries for a snapshot")
    try:
        document = json.loads(data.decode("utf-8"), parse_int=_whole)
    except (ValueError, RecursionError):
        raise SnapshotError(f"{path} is no JSON: cut short, or no snapshot") from None
    del data
    return SnapshotTarget(document)


def _whole(digits: str) -> int:
    """A number of a file: nobody needs one whose reading takes long."""
    if len(digits) > 20:
        raise ValueError
    return int(digits)


def save(memory: Memory, path: str) -> None:
    """Write everything that an inspection has looked at. Replaces a file whole."""
    write_text(path, json.dumps(to_dict(memory), indent=1) + "\n")


def to_dict(memory: Memory) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "arch": memory.arch,
        "os": memory.os,
        "block_size": memory.block_size,
        "code_mask": f"{memory.code_mask:#x}",
        "faulted": memory.faulted,
        "registers": {name: f"{v:#x}" for name, v in memory.registers().items()},
        "memory": _saved_memory(memory),
        "regions": _saved_regions(memory),
        "symbols": _saved_symbols(memory),
        "frames": [
            {"pc": f"{frame.pc:#x}", "sp": f"{frame.sp:#x}"}
            for frame in memory.asked_frames
        ],
    }


def _saved_memory(memory: Memory) -> list[dict[str, str]]:
    """Fetched lines, joined where they touch and share a region. The first ones, if
    there are very many: what was judged by comes before what was only shown."""
    saved: list[dict[str, str]] = []
    regions = memory.regions() or []
    chunk, before, home = bytearray(), -2, None
    for number in sorted(islice(memory.lines, MAX_SAVED // LINE)):
        region = _region_of(number * LINE, regions)
        if number != before + 1 or region != home:
            chunk = bytearray()
            entry = {"address": f"{number * LINE:#x}", "bytes": ""}
            if region:
                entry["permissions"] = region.permissions
                entry["name"] = region.name
            saved.append(entry)
        chunk += memory.lines[number]
        saved[-1]["bytes"] = chunk.hex()
        before, home = number, region
    return saved


def _saved_regions(memory: Memory) -> Optional[list[dict[str, str]]]:
    regions = memory.regions()
    if regions is None or not memory.whole_map:
        return None
    return [
        {
            "start": f"{region.start:#x}",
            "end": f"{region.end:#x}",
            "permissions": region.permissions,
            "name": region.name,
        }
        for region in regions
    ]


def _region_of(address: int, regions: list[Region]) -> Optional[Region]:
    for region in regions:
        if region.start <= address < region.end:
            return region
    return None


def _saved_symbols(memory: Memory) -> list[dict[str, Any]]:
    """Symbols that were asked for, by address and by linkage name."""
    saved: list[dict[str, Any]] = []
    for address, symbol in memory.symbols.items():
        if symbol:
            size = address - symbol.address + 1
            saved.append(
                {"name": symbol.name, "address": f"{symbol.address:#x}", "size": size}
            )
    for name, place in memory.named.items():
        if place is not None:
            saved.append(
                {"name": name, "linkage": name, "address": f"{place:#x}", "size": 0}
            )
    return saved


# Reading: every field of the file is checked before it is used.


def _object(value: Any, what: str) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise SnapshotError(f"bad snapshot: {what} is no object")
    return value


def _choice(fields: dict[Any, Any], name: str, known: "tuple[str, ...]") -> str:
    value = fields.get(name)
    if value not in known:
        raise SnapshotError(f"bad snapshot: {name} is none of {', '.join(known)}")
    return str(value)


def _number(value: Any, what: str) -> int:
    """A hex string, or a whole number, of at most 64 bits."""
    try:
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError
        if isinstance(value, str) and len(value) > 20:
            raise ValueError
        number = int(value, 16) if isinstance(value, str) else value
        if not 0 <= number <= MASK64:
            raise ValueError
    except ValueError:
        raise SnapshotError(f"bad snapshot: {what} is no 64-bit number") from None
    return number


def _block_size(value: Any) -> Optional[int]:
    """As the user had set it; null or absent where it was to be found out."""
    sizes = [None, *(int(size) for size in BLOCK_SIZE.choices[1:])]
    if value not in sizes or isinstance(value, float):
        raise SnapshotError("bad snapshot: block_size is none that a block can have")
    return None if value is None else int(value)


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise SnapshotError(f"bad snapshot: {what} is no list")
    if len(value) > MAX_CHUNKS:
        raise SnapshotError(f"bad snapshot: {what} has too many entries")
    return value


def _described(fields: dict[Any, Any], what: str) -> "tuple[str, str]":
    """Permissions and name."""
    permissions, name = fields.get("permissions", ""), fields.get("name", "")
    known = isinstance(permissions, str) and PERMISSIONS.issuperset(permissions)
    if not known or not isinstance(name, str):
        raise SnapshotError(f"bad snapshot: {what} is ill described")
    return permissions, name


def _chunks(value: Any) -> list[Chunk]:
    chunks: list[Chunk] = []
    for entry in _list(value, "memory"):
        fields = _object(entry, "a piece of memory")
        address = _number(fields.get("address"), "an address of memory")
        try:
            data = bytes.fromhex(fields["bytes"])
        except (KeyError, TypeError, ValueError):
            raise SnapshotError(
                f"bad snapshot: memory at {address:#x} is no hex"
            ) from None
        if address + len(data) > MASK64 + 1:
            raise SnapshotError(f"bad snapshot: memory at {address:#x} is too long")
        permissions, name = _described(fields, f"memory at {address:#x}")
        if data:
            chunks.append(Chunk(address, data, permissions, name))
    chunks.sort(key=lambda chunk: chunk.address)
    for one, other in zip(chunks, chunks[1:]):
        if one.end > other.address:
            raise SnapshotError(f"bad snapshot: memory at {other.address:#x} overlaps")
    return chunks


def _regions(value: Any) -> Optional[list[Region]]:
    if value is None:
        return None
    found: list[Region] = []
    for entry in _list(value, "regions"):
        fields = _object(entry, "a region")
        start, end = (
            _number(fields.get(name), f"a region's {name}") for name in ("start", "end")
        )
        permissions, name = _described(fields, f"the region at {start:#x}")
        if end < start:
            raise SnapshotError(f"bad snapshot: the region at {start:#x} ends before")
        found.append(Region(start, end, permissions, name))
    return found


def _symbols(value: Any) -> "list[tuple[Symbol, int, str]]":
    symbols = []
    for entry in _list(value, "symbols"):
        fields = _object(entry, "a symbol")
        address = _number(fields.get("address"), "a symbol's address")
        size = _number(fields.get("size", 0), "a symbol's size")
        name, linkage = fields.get("name"), fields.get("linkage", "")
        if not isinstance(name, str) or not isinstance(linkage, str):
            raise SnapshotError(f"bad snapshot: no name for a symbol at {address:#x}")
        symbols.append((Symbol(name[:MAX_NAME], address), size, linkage[:MAX_NAME]))
    # A symbol asked for by name only must not hide one that covers an address.
    return sorted(symbols, key=lambda entry: entry[1] == 0)


def _frames(value: Any) -> list[Frame]:
    frames = []
    for entry in _list(value, "frames"):
        fields = _object(entry, "a frame")
        pc, sp = (
            _number(fields.get(name), f"a frame's {name}") for name in ("pc", "sp")
        )
        frames.append(Frame(pc, sp))
    return frames
