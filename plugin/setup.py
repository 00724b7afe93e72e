"""The one line in .gdbinit and .lldbinit that loads the commands.

Written whole-file and atomically, with a backup of what was there; no other line is
touched, and taking the line away restores the file byte for byte.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from .target import ThunkError

HERE = Path(__file__).resolve().parent


class Wiring(NamedTuple):
    file: str
    """In the user's home folder."""
    command: str
    script: Path
    quotes: bool
    """Whether the debugger splits the line at spaces: gdb's `source` does not."""

    @property
    def line(self) -> str:
        path = str(self.script)
        quoted = f'"{path}"' if " " in path and self.quotes else path
        return f"{self.command} {quoted}"

    @property
    def path(self) -> Path:
        return Path.home() / self.file


GDB = Wiring(".gdbinit", "source", HERE / "gdb" / "thunk_inspect_gdb.py", False)
LLDB = Wiring(
    ".lldbinit", "command script import", HERE / "lldb" / "thunk_inspect_lldb.py", True
)


def write(wiring: Wiring) -> str:
    """Add the line unless it is there; says what was done."""
    before = _read(wiring.path)
    line = wiring.line.encode()
    if line in before.splitlines():
        return f"{wiring.path}: the line is there already"
    whole = not before or before.endswith(b"\n")
    # A last line without an end gets one, and ours goes without: `remove` sees that.
    added = line + b"\n" if whole else b"\n" + line
    _replace(wiring.path, before, before + added)
    return f"{wiring.path}: added `{wiring.line}`"


def remove(wiring: Wiring) -> str:
    """Take the line away; says what was done."""
    before = _read(wiring.path)
    line = wiring.line.encode()
    if before.endswith(b"\n" + line):
        after = before[: -len(line) - 1]
    else:
        lines = before.splitlines(keepends=True)
        after = b"".join(text for text in lines if text.rstrip() != line)
    if after == before:
        return f"{wiring.path}: the line is not there"
    _replace(wiring.path, before, after)
    return f"{wiring.path}: removed `{wiring.line}`"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ThunkError(f"cannot read {path}: {error.strerror}") from None


def _replace(path: Path, before: bytes, after: bytes) -> None:
    """Through a link to the file it names, as init files often are linked."""
    real = Path(os.path.realpath(path))
    try:
        if before:
            shutil.copy2(real, real.with_name(real.name + ".thunk-backup"))
        handle, partial = tempfile.mkstemp(dir=real.parent, prefix=".thunk-")
        with os.fdopen(handle, "wb") as file:
            file.write(after)
        if real.exists():
            shutil.copymode(real, partial)
        Path(partial).replace(real)
    except OSError as error:
        raise ThunkError(f"cannot write {path}: {error.strerror}") from None
