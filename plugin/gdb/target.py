"""The selected thread in gdb, as a Target."""

import re
from contextlib import suppress
from typing import Optional

import gdb

from ..answering import now
from ..arch import ARCHES, Arch
from ..local import Local
from ..settings import BLOCK_SIZE
from ..target import (
    LINE as SPAN,
)
from ..target import (
    MASK64,
    PAGE,
    Frame,
    Region,
    Symbol,
    Unreadable,
    plain_name,
    runs,
)
from .asking import said
from .connection import LINE
from .native import native_process, registers_at

ARCH_NAMES = {"aarch64": "aarch64", "i386:x86-64": "x86_64"}
_FAULT = re.compile(r"^It stopped with signal SIG(?:SEGV|BUS|ILL),", re.M)
_SYMBOL = re.compile(r"(?P<name>.*?)(?: \+ (?P<offset>\d+))? in section \S+")
_ADDRESS = re.compile(
    r" at (?:address )?(0x[0-9a-f]+)(?: in a file compiled without debugging)?\.\s*$"
)
_MAPPING = re.compile(
    r"\s*0x(?P<start>[0-9a-f]+)\s+0x(?P<end>[0-9a-f]+)\s+0x[0-9a-f]+\s+0x[0-9a-f]+"
    r"\s+(?P<permissions>[-rwxps]{4})\s*(?P<name>.*)"
)

_SEGMENT = re.compile(
    r"0x(?P<start>[0-9a-f]+)->0x(?P<end>[0-9a-f]+) at 0x[0-9a-f]+: load\w+"
    r"(?P<flags>.*)"
)

EVENTS = ("cont", "stop", "exited", "memory_changed", "inferior_call", "new_objfile")
"""Whatever may change memory that was read before. Stops too: nothing is said of a
process that goes on from a break point whose condition does not hold."""


class _Kept:
    """What was learned since the process stopped. gdb itself keeps no memory that is
    read this way, and each read of a remote process is a packet."""

    def __init__(self) -> None:
        self.lines: dict[int, bytes] = {}
        self.modules: dict[int, bool] = {}
        """Pages, and whether they are a module's."""


_kept: dict[tuple[int, int], _Kept] = {}
_listening: list[bool] = []


def _forget(event: object) -> None:
    _kept.clear()


def forget_remote_memory(*event: object) -> None:
    """At each prompt, and before each command of ours: gdb says nothing of what
    `restore` writes, and to compare it would be as many packets as to read it again."""
    if native_process() is None:
        for kept in _kept.values():
            kept.lines.clear()


def _kept_now() -> Optional[_Kept]:
    """None where threads run while another is stopped."""
    if gdb.parameter("non-stop"):
        return None
    if not _listening:
        _listening.append(True)
        for name in EVENTS:
            getattr(gdb.events, name).connect(_forget)
        gdb.events.before_prompt.connect(forget_remote_memory)
    inferior = gdb.selected_inferior()
    return _kept.setdefault((inferior.num, inferior.pid), _Kept())


def _as_it_was(lines: dict[int, bytes], pid: int) -> bool:
    """Whether a process of gdb's own still has this memory, looked at past gdb, which
    says nothing of what `restore` writes."""
    if not lines:
        return True
    local = Local(pid)
    for start, count in runs(sorted(lines)):
        known = b"".join(lines[n] for n in range(start, start + count))
        if local.read(start * SPAN, count * SPAN) != known:
            return False
    return True


class GdbTarget:
    source = "gdb"

    @property
    def whole_map(self) -> bool:
        """A core file leaves out what is in other files."""
        connection = gdb.selected_inferior().connection
        return not connection or connection.type != "core"

    @property
    def kept(self) -> Optional[dict[int, bytes]]:
        kept, pid = _kept_now(), native_process()
        if kept and pid and not _as_it_was(kept.lines, pid):
            kept.lines.clear()
        return kept.lines if kept else None

    @property
    def arch(self) -> str:
        name = gdb.selected_inferior().architecture().name()
        return ARCH_NAMES.get(name, str(name))

    @property
    def pid(self) -> Optional[int]:
        return native_process()

    @property
    def os(self) -> str:
        """gdb tells the ABI that it decided for only in this sentence."""
        text = said("show osabi")
        for word, system in (
            ("Darwin", "macos"),
            ("Windows", "windows"),
            ("Cygwin", "windows"),
        ):
            if f'"{word}"' in text:
                return system
        return "linux"

    def registers(self) -> dict[str, int]:
        arch = ARCHES.get(self.arch)
        if arch is None:
            return {}
        names, known = (*arch.registers, *arch.extra), self._at_once(arch)
        if known:
            return {name: known[name] for name in names if name in known}
        frame = gdb.newest_frame()
        found: dict[str, int] = {}
        for name in names:
            since = now()
            try:
                found[name] = int(frame.read_register(name)) & MASK64
            except (gdb.error, ValueError):
                LINE.failed(since)
        return found

    def _at_once(self, arch: Arch) -> dict[str, int]:
        """A frame would be had only by unwinding. Not when an outer one is selected."""
        if native_process() is None:
            return {}
        try:
            pc = int(gdb.parse_and_eval(f"${arch.pc}")) & MASK64
        except gdb.error:
            return {}
        return registers_at(gdb.selected_thread(), pc)

    def read(self, address: int, size: int) -> bytes:
        since = now()
        try:
            data = gdb.selected_inferior().read_memory(address, size)
        except (gdb.error, OverflowError, MemoryError):
            LINE.failed(since, address, size)
            raise Unreadable(address, size) from None
        return bytes(data)

    def regions(self) -> Optional[list[Region]]:
        """A local process' own map is read directly; gdb's table serves a remote
        one. Of a core file that table lacks anonymous memory: its segments have it."""
        pid, connection = native_process(), gdb.selected_inferior().connection
        if pid is not None:
            return Local(pid).regions()
        if connection and connection.type == "core":
            return _segments(said("maintenance info sections"))
        since = now()
        try:
            text = said("info proc mappings")
        except gdb.error:
            LINE.failed(since)
            return None
        return _mappings(text)

    @property
    def code_mask(self) -> int:
        """gdb knows the other bits as a register."""
        if self.arch != "aarch64":
            return MASK64
        try:
            return ~int(gdb.newest_frame().read_register("pauth_cmask")) & MASK64
        except (gdb.error, ValueError):
            return MASK64

    @property
    def faulted(self) -> bool:
        try:
            text = said("info program")
        except gdb.error:
            return False
        return bool(_FAULT.search(text))

    @property
    def block_size(self) -> Optional[int]:
        return BLOCK_SIZE.number

    def in_module(self, address: int) -> bool:
        kept, page = _kept_now(), address // PAGE
        if kept is None:
            return self._in_module(address)
        if page not in kept.modules:
            kept.modules[page] = self._in_module(address)
        return kept.modules[page]

    def _in_module(self, address: int) -> bool:
        """gdb tells a section of the program itself only where it has a symbol."""
        with suppress(UnicodeDecodeError):
            if gdb.solib_name(address) is None:
                return self.symbol_at(address) is not None
        return True

    def symbol_at(self, address: int) -> Optional[Symbol]:
        try:
            text = said(f"info symbol {address:#x}")
        except gdb.error:
            return None
        match = _SYMBOL.match(text)
        if not match:
            return None
        start = address - int(match.group("offset") or 0)
        return Symbol(plain_name(match.group("name")), start)

    def symbol_address(self, name: str) -> Optional[int]:
        return address_of(name)

    def frames(self, limit: int) -> list[Frame]:
        found: list[Frame] = []
        frame = gdb.newest_frame()
        arch = ARCHES[self.arch]
        while frame is not None and len(found) < limit:
            since, sp = now(), 0
            try:
                sp = int(frame.read_register(arch.sp)) & MASK64
                found.append(Frame(frame.pc(), sp))
                frame = frame.older()
            except gdb.error:
                frame = None
            # gdb's unwinders go on without what they could not read.
            LINE.slow(since, sp)
        return found


class PassingTarget(GdbTarget):
    """The process at a hit, from which it goes on without a word of gdb's."""

    kept = None

    @property
    def faulted(self) -> bool:
        """A break point stopped it; and gdb would not wait for it any more, once it has
        been asked there."""
        return False


def _segments(text: str) -> Optional[list[Region]]:
    """A core file's memory, with the permissions that it had."""
    found = []
    for match in _SEGMENT.finditer(text.partition("Core file:")[2]):
        start, end = (int(match.group(name), 16) for name in ("start", "end"))
        flags = match.group("flags").split()
        write = "-" if "READONLY" in flags else "w"
        execute = "x" if "CODE" in flags else "-"
        found.append(Region(start, end, f"r{write}{execute}", ""))
    return sorted(found) or None


def address_of(name: str) -> Optional[int]:
    """Where the symbol with this linkage name stands. Not by an expression: gdb reads
    one in the program's language, and in Fortran 'name' is a string, which gdb calls
    malloc in the process for."""
    try:
        text = said(f"info address {name}")
    except gdb.error:
        return None
    match = _ADDRESS.search(text)
    return int(match.group(1), 16) if match else None


def _mappings(text: str) -> Optional[list[Region]]:
    found = []
    for line in text.splitlines():
        match = _MAPPING.match(line)
        if match:
            start, end = (int(match.group(name), 16) for name in ("start", "end"))
            permissions = match.group("permissions")[:3]
            found.append(Region(start, end, permissions, match.group("name").strip()))
    return found or None
