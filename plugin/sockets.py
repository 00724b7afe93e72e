"""Sockets of processes on this machine, as Linux's tables tell: who listens, and which
emulator is at the other end of a debugger's connection. Elsewhere nothing is found."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

EMULATORS = "qemu-"
"""How the names of processes begin that run a program of another machine."""
UNIX, TCP = ("unix",), ("tcp", "tcp6")
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
            lines = Path(f"/proc/net/{table}").read_text("utf-8", "replace")
        except OSError:
            continue
        for words in map(str.split, lines.splitlines()[1:]):
            listening = words[3] == LISTENS[table]
            if table in TCP:
                here, there = (end.rpartition(":")[2] for end in words[1:3])
                yield Row(words[9], listening, (here, there))
            elif len(words) > 7:
                yield Row(words[6], listening, (words[7], ""))
