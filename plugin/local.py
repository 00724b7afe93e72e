"""Memory of a process on this machine, read past the debugger.

Looking at a few bytes of every page is all that a search for blocks needs. One call of
process_vm_readv(2) takes a thousand such pieces; /proc/PID/pagemap tells which pages
there are at all, so that looking does not make any. Both only read. Linux only;
anywhere else, or if the kernel forbids it, there is no `Local`, and the debugger's own
reads have to do. Whoever reads code this way sees the debugger's break points in it.
Also the memory map, and what the kernel says of a process whose end the debugger has
yet to hear of.
"""

import ctypes
import errno
import os
import time
from array import array
from collections.abc import Iterator
from functools import lru_cache
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .target import PAGE, Region

PIECES = 1024
"""Pieces that one call takes (IOV_MAX)."""
PIECE_SIZE = 16
"""Bytes of a struct iovec: address and size."""
MOST_KEPT = 256
"""Bytes of a piece whose place is kept for the next of its size."""
ENTRY_SIZE = 8
"""Bytes of the page map for each page."""
ENTRIES = 1 << 14
"""Pages of the page map that are looked at at once."""
ABSENT, THERE = b"01"
_MARKS = bytes([ABSENT] * 0x40 + [THERE] * 0xC0)
"""For each uppermost byte of an entry: bit 63 or 62 is set of a page in memory, or
swapped out."""


@lru_cache(maxsize=1)
def _readv() -> Any:
    """Once: every CDLL makes classes, which stay until Python looks for cycles."""
    call = ctypes.CDLL(None, use_errno=True).process_vm_readv
    list_of_pieces = (ctypes.c_void_p, ctypes.c_ulong)
    call.argtypes = (ctypes.c_int, *list_of_pieces, *list_of_pieces, ctypes.c_ulong)
    call.restype = ctypes.c_ssize_t
    return call


class _Place(NamedTuple):
    """What one piece is read into, and the two lists that say so."""

    buffer: "ctypes.Array[ctypes.c_char]"
    pieces: "array[int]"
    local: int
    remote: int
    """Addresses of the lists."""


class Local:
    """A process by its pid. Everything fails softly: None where nothing can be said."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._task = pid
        """The thread that is asked: the first may have ended before the others."""
        self._call = _readv()
        self._places: dict[int, _Place] = {}

    def samples(self, first: int, count: int, size: int) -> Optional[bytes]:
        """`size` bytes at `first` and every PAGE on, side by side. None if any of them
        cannot be read."""
        found = bytearray()
        for done in range(0, count, PIECES):
            start, some = first + done * PAGE, min(PIECES, count - done)
            pieces = self._some(start, some, size)
            if pieces is None:
                return None
            found += pieces
        return bytes(found)

    def _some(self, first: int, count: int, size: int) -> Optional[bytes]:
        remote = array("Q", [size]) * (2 * count)
        remote[0::2] = array("Q", range(first, first + count * PAGE, PAGE))
        buffer = array("Q", bytes(size * count))
        local = array("Q", (buffer.buffer_info()[0], size * count))
        lists = local.buffer_info()[0], remote.buffer_info()[0]
        got = self._transfer(*lists, count)
        return buffer.tobytes() if got == size * count else None

    def read(self, address: int, size: int) -> Optional[bytes]:
        """Exactly these bytes, in one piece; None if any cannot be read."""
        place = self._places.get(size) or self._place(size)
        place.pieces[2] = address
        got = self._transfer(place.local, place.remote, 1)
        return place.buffer.raw if got == size else None

    def _place(self, size: int) -> "_Place":
        """Where so many bytes go. Kept where they are few: the words of a layout are
        read again and again."""
        buffer = ctypes.create_string_buffer(size)
        pieces = array("Q", (ctypes.addressof(buffer), size, 0, size))
        local = pieces.buffer_info()[0]
        place = _Place(buffer, pieces, local, local + PIECE_SIZE)
        if size <= MOST_KEPT:
            self._places[size] = place
        return place

    def _transfer(self, local: int, remote: int, count: int) -> int:
        """From pieces there to one here: where the lists of both begin."""
        got = int(self._call(self._task, local, 1, remote, count, 0))
        if got < 0 and ctypes.get_errno() == errno.ESRCH and self._another():
            return self._transfer(local, remote, count)
        return got

    def _another(self) -> bool:
        """Whether another thread can be asked, which is then done."""
        living = living_thread(self.pid)
        if living is None or living == self._task:
            return False
        self._task = living
        return True

    def regions(self) -> Optional[list[Region]]:
        """The memory map; None where the kernel does not give it."""
        lines = self._maps()
        if not lines and self._another():
            lines = self._maps()
        regions = []
        for line in lines:
            span, permissions, _, _, _, *name = line.split(None, 5)
            start, end = (int(number, 16) for number in span.split("-"))
            regions.append(Region(start, end, permissions[:3], name[0] if name else ""))
        return regions or None

    def _maps(self) -> list[str]:
        """A thread that has ended has no line."""
        maps = Path(f"/proc/{self.pid}/task/{self._task}/maps")
        try:
            text = maps.read_text("utf-8", "replace")
        except OSError:
            return []
        return text.rstrip("\n").split("\n") if text else []

    def present(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) whose pages are there, as (start, end).

        For anonymous memory: a page of a file looks absent until it is resident.
        """
        for piece in range(start, end, ENTRIES * PAGE):
            count = (min(end, piece + ENTRIES * PAGE) - piece) // PAGE
            yield from _runs(piece, self._entries(piece // PAGE, count), count)

    def _entries(self, page: int, count: int) -> bytes:
        """The page map's words; empty where they cannot be read. Opened each time: an
        error that keeps hold of this process would keep the file open."""
        try:
            with FileIO(f"/proc/{self._task}/pagemap") as pages:
                pages.seek(page * ENTRY_SIZE)
                return pages.read(count * ENTRY_SIZE) or b""
        except OSError:
            return b""


def _runs(start: int, entries: bytes, count: int) -> Iterator[tuple[int, int]]:
    if len(entries) < count * ENTRY_SIZE:
        # Nothing known: all of it may be there.
        yield start, start + count * PAGE
        return
    marks = entries[ENTRY_SIZE - 1 :: ENTRY_SIZE].translate(_MARKS)
    first = marks.find(THERE)
    while first >= 0:
        end = marks.find(ABSENT, first)
        end = count if end < 0 else end
        yield start + first * PAGE, start + end * PAGE
        first = marks.find(THERE, end)


def local_process(pid: Optional[int]) -> Optional[Local]:
    """The process, if it is this debugger's own on this machine and can be read.

    A stub may give a pid that means nothing here, so the one who traces it must be the
    debugger that this runs in, or a server that it started. No register or memory is
    asked for: a debugger may be busy unwinding a frame.
    """
    if not pid or os.name != "posix":
        return None
    try:
        tracer = _status(pid, "TracerPid")
        if not tracer or os.getpid() not in (tracer, _status(tracer, "PPid")):
            return None
        return Local(pid)
    except (OSError, AttributeError, ValueError, StopIteration):
        return None


AT_ENTRY = 9
HELD, DEAD = ("t", "T"), ("Z", "X", "")
DYING = 1.0
"""Seconds that a killed process may take to die."""


def thread_state(pid: int, thread: int) -> str:
    """The letter that the kernel has for a thread: one of HELD while a debugger keeps
    it from running, one of DEAD when it is no more."""
    try:
        status = Path(f"/proc/{pid}/task/{thread}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return next(iter(status.rpartition(")")[2].split()), "")


def living_thread(pid: int) -> Optional[int]:
    """The first of a process' threads that has not ended; None: the process has."""
    try:
        numbers = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return None
    return next((one for one in numbers if thread_state(pid, one) not in DEAD), None)


def entry_point(pid: int) -> Optional[int]:
    """Where the program that a 64-bit process executes begins, once it is linked."""
    try:
        words = array("Q", Path(f"/proc/{pid}/auxv").read_bytes())
    except (OSError, ValueError):
        return None
    return dict(zip(words[0::2], words[1::2])).get(AT_ENTRY)


def blocks(pid: int, signal: int) -> bool:
    """Whether every thread of a process keeps this signal waiting."""
    try:
        for name in os.listdir(f"/proc/{pid}/task"):
            lines = Path(f"/proc/{pid}/task/{name}/status").read_text(
                "utf-8", "replace"
            )
            blocked = int(lines.partition("SigBlk:")[2].split()[0], 16)
            if not blocked >> (signal - 1) & 1:
                return False
    except (OSError, ValueError, IndexError):
        return False
    return True


def outlives(pid: int, signal: int) -> bool:
    """Whether a process handles or ignores this signal, which then does not end it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
        masks = (lines.partition(name)[2].split()[0] for name in ("SigIgn:", "SigCgt:"))
        return any(int(mask, 16) >> (signal - 1) & 1 for mask in masks)
    except (OSError, ValueError, IndexError):
        return False


def is_dead(pid: int) -> bool:
    """Whether a process has ended, and only waits for the debugger to hear of it."""
    return thread_state(pid, pid) != "" and living_thread(pid) is None


def is_killed(pid: int) -> bool:
    """Whether a process that a debugger held has been let go of, and dies or is dead:
    what it does when it is killed from outside."""
    limit = time.monotonic() + DYING
    while (living := living_thread(pid)) is not None:
        if thread_state(pid, living) in HELD or time.monotonic() > limit:
            return False
        time.sleep(DYING / 100)
    return True


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))
