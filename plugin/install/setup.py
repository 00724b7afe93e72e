"""`thunk-inspect setup`: the line that loads the commands, in a debugger's init file.

The file is replaced as a whole, with a backup of what was there; no other line is
touched, and taking the line away restores the file byte for byte.
"""

import argparse
import contextlib
import os
from pathlib import Path
from typing import Any

from ..target import ThunkError
from . import files, lines
from .wiring import GDB, LLDB, Wiring

BACKUP = ".thunk-backup"
"""Ends the name of the file beside it that holds what was there."""
DESCRIPTION = """\
Shows the line that loads the commands in gdb and lldb, and the file that it belongs
in: ~/.gdbinit, or gdb/gdbinit in $XDG_CONFIG_HOME (or ~/.config) where that is there,
because gdb then reads no other; ~/.lldbinit, or ~/.lldbinit-lldb likewise. --write adds
the line and keeps a backup beside the file, --remove restores the file byte for byte.
Exit status: 0 done, or nothing to do; 2 a file cannot be used."""


def add_setup(commands: Any) -> None:
    """The parser of `setup`, among those of the other commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "setup", help="load the commands in gdb and lldb", description=DESCRIPTION
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--gdb", action="store_true", help="gdb only")
    which.add_argument("--lldb", action="store_true", help="lldb only")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--write", action="store_true", help="write the line")
    how.add_argument("--remove", action="store_true", help="take the line away")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    both = not (options.gdb or options.lldb)
    for wiring, wanted in ((GDB, options.gdb), (LLDB, options.lldb)):
        if not (both or wanted):
            continue
        if options.write:
            print(write(wiring))
        elif options.remove:
            for path in wiring.files:
                said = remove(wiring, path)
                if said:
                    print(said)
                    break
            else:
                print(f"{wiring.file}: the line is not there")
        else:
            print(f"{wiring.file}: {wiring.line}{_there(wiring)}{_why(wiring)}")
    return 0


def _there(wiring: Wiring) -> str:
    """A file that cannot be read is told of when it is to be written."""
    with contextlib.suppress(ThunkError):
        content = files.read(files.resolved(wiring.file))
        if content and lines.has(content.data, _bytes(wiring)):
            return "  (there already)"
    return ""


def _why(wiring: Wiring) -> str:
    """Said where the file is not the one that everybody thinks of."""
    if wiring.file == wiring.usual:
        return ""
    return f"\n({wiring.debugger} reads this file, and then no {wiring.usual})"


def write(wiring: Wiring) -> str:
    """Add the line unless it is there; says what was done."""
    path = files.resolved(wiring.file)
    content = files.read(path)
    before, mode = content or (b"", None)
    line = _bytes(wiring)
    if lines.has(before, line):
        return f"{wiring.file}: the line is there already"
    for number, other in _others(wiring, before):
        if os.path.realpath(os.path.expanduser(other)) == os.fsencode(wiring.script):
            return f"{wiring.file}: line {number} loads it already"
        # A second copy would not be loaded, and where its file is gone, the line is an
        # error at every start of the debugger: neither is ours to take away.
        raise ThunkError(
            f"{wiring.file}, line {number}, loads another copy"
            f" ({os.fsdecode(other)}): take that line out, then run this again"
        )
    if before.rstrip(b"\r\n").endswith(b"\\"):
        raise ThunkError(
            f"{wiring.file} ends in a backslash, which would swallow the line: end it"
            " in an empty line"
        )
    if content:
        files.replace(_backup(path), before, mode)
    files.replace(path, lines.added(before, line), mode)
    return f"{wiring.file}: added `{wiring.line}`{_why(wiring)}"


def remove(wiring: Wiring, file: Path) -> str:
    """Take the line away; says what was done, or nothing where it is not there."""
    path = files.resolved(file)
    content = files.read(path)
    after = lines.without(content.data, _bytes(wiring)) if content else b""
    if content is None or after == content.data:
        return ""
    backup = files.read(_backup(path))
    if after or (backup and not backup.data):
        files.replace(path, after, content.mode)
    else:
        files.delete(path)
    if backup and backup.data == after:
        files.delete(_backup(path))
    return f"{file}: removed `{wiring.line}`"


def _others(wiring: Wiring, text: bytes) -> "list[tuple[int, bytes]]":
    """Lines that load a file of this name, in other words than ours."""
    start, ending = f"{wiring.command} ", wiring.script.name
    return lines.alike(text, start.encode(), ending.encode())


def _bytes(wiring: Wiring) -> bytes:
    return os.fsencode(wiring.line)


def _backup(path: Path) -> Path:
    return path.with_name(path.name + BACKUP)
