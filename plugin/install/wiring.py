"""The line that loads the commands in a debugger, and the file that it belongs in."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..target import ThunkError

PLUGIN = Path(__file__).resolve().parent.parent
PLAIN = frozenset("/._-+@%=:,")
"""What may stand in a path, beside letters and digits, that lldb takes as it is."""


class Wiring(NamedTuple):
    """How one debugger is told of the plugin."""

    debugger: str
    command: str
    script: Path

    @property
    def line(self) -> str:
        path = str(self.script)
        if not path.isprintable():
            raise ThunkError(
                f"{path!r} cannot stand in an init file: install it in another folder"
            )
        # gdb's `source` takes the rest of the line as it stands, quotes and all.
        return f"{self.command} {path if self is GDB else _quoted(path)}"

    @property
    def usual(self) -> Path:
        """The file that is there, or is made, unless another takes its place."""
        return home() / f".{self.debugger}init"

    @property
    def file(self) -> Path:
        """The one that the debugger reads: of all that there are, only the first."""
        return next((path for path in self._first() if path.exists()), self.usual)

    @property
    def files(self) -> list[Path]:
        """All in which the line may stand."""
        return [*self._first(), self.usual]

    def _first(self) -> Iterator[Path]:
        """What the debugger reads in the place of the usual file, where it is there."""
        if self is LLDB:
            yield home() / ".lldbinit-lldb"
            return
        folder = Path(os.environ.get("XDG_CONFIG_HOME", ""))
        if not folder.is_absolute():
            mac = sys.platform == "darwin"
            folder = home() / ("Library/Preferences" if mac else ".config")
        yield folder / "gdb" / "gdbinit"


GDB = Wiring("gdb", "source", PLUGIN / "gdb" / "thunk_inspect_gdb.py")
LLDB = Wiring(
    "lldb", "command script import", PLUGIN / "lldb" / "thunk_inspect_lldb.py"
)


def home() -> Path:
    """The user's home folder, where the debuggers look for it."""
    try:
        folder = Path.home()
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute():
        raise ThunkError("there is no home folder: set HOME to its path")
    return folder


def _quoted(path: str) -> str:
    """For lldb. Inside double quotes a backslash makes itself and the quote plain, and
    nothing else: not even a backtick needs one."""
    if all(char.isalnum() or char in PLAIN for char in path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
