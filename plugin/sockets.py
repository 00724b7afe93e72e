"""Sockets of processes on this machine, as Linux's tables tell: who listens, and which
emulator is at the other end of a debugger's connection. Elsewhere nothing is found."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

EMULATORS = "qemu-"
"""How the names of processes begin that run a program of another machine."""
UNIX, TCP = ("unix",), ("tcp", "tcp6")
TCP_WORDS = 10
"""At the least, of a socket's line."""
_UNIX = re.compile(
    r"[0-9a-f]+: [0-9A-F]{8} [0-9A-F]{8} (?P<flags>[0-9A-F]{8}) [0-9A-F]{4} [0-9A-F]{2}"
    r" +(?P<inode>\d+) ?(?P<path>.*)"
)
LISTENS = {"unix": "00010000", "tcp": "0A", "tcp6": "0A"}
"""The word in the column of states or flags."""


class Row(NamedTuple):
    """A socket in the kernel's tables."""

    inode: str
    listens: bool
    ends: tuple[str, str]
    """Ports here and there, in hexadecimal; of a unix socket its path and nothing."""


def listens(pid: int) -> bool:
    """Whether a process has a socket that listens. A trial connection would be taken
    for the debugger's."""
    own = sockets_of(pid)
    return any(row.listens and row.inode in own for row in _rows(UNIX + TCP))


def emulator_behind(pid: int, path: Optional[str] = None) -> Optional[int]:
    """The emulator that a process is connected with, over TCP or by a unix socket at a
    path; None where there is none, or more than one."""
    own, rows = sockets_of(pid), [row for row in _rows(UNIX + TCP) if not row.listens]
    ours = {row.ends[::-1] for row in rows if row.inode in own and row.ends[1]}
    theirs = {row.inode for row in rows if row.ends in ours or row.ends == (path, "")}
    found = [one for one in _emulators() if sockets_of(one) & theirs]
    return found[0] if len(found) == 1 else None


def sockets_of(pid: int) -> set[str]:
    """The inodes of a process' sockets."""
    found = set()
    folder = f"/proc/{pid}/fd"
    try:
        for name in os.listdir(folder):
            link = os.readlink(f"{folder}/{name}")
            if link.startswith("socket:["):
                found.add(link[len("socket:[") : -1])
    except OSError:
        pass
    return found


def _emulators() -> Iterator[int]:
    """Processes of this user that are emulators by their name."""
    try:
        numbers = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return
    for pid in numbers:
        try:
            status = Path(f"/proc/{pid}")
            name = (status / "comm").read_text("utf-8", "replace")
            if name.startswith(EMULATORS) and status.stat().st_uid == os.getuid():
                yield pid
        except OSError:
            continue


def _rows(tables: tuple[str, ...]) -> Iterator[Row]:
    for table in tables:
        try:
            text = Path(f"/proc/net/{table}").read_text("utf-8", "replace")
        except OSError:
            continue
        # Not splitlines: a name may hold what Python takes for a line's end as well.
        for line in text.split("\n"):
            row = _tcp(table, line) if table in TCP else _unix(line)
            if row:
                yield row


def _tcp(table: str, line: str) -> Optional[Row]:
    words = line.split()
    if len(words) < TCP_WORDS or ":" not in words[1]:
        return None
    here, there = (end.rpartition(":")[2] for end in words[1:3])
    return Row(words[9], words[3] == LISTENS[table], (here, there))


def _unix(line: str) -> Optional[Row]:
    """Whoever binds a socket chooses its name, which may hold lines of its own."""
    match = _UNIX.fullmatch(line)
    if not match or not match["path"]:
        return None
    return Row(match["inode"], match["flags"] == LISTENS["unix"], (match["path"], ""))
