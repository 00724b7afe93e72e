"""Registers of a frame.

lldb asks its server, or a remote stub, for each by itself. Where many are wanted they
come in one packet, which lldb has a command for, though it uses it only if told to: a
remote stub's `g`, or what lldb's own server says of a stopped thread, which is half as
long to make as its `g` with all the vector registers.
"""

import contextlib
import os
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Optional

import lldb

from ..answering import now
from ..arch import ARCHES, WORD, Arch
from ..local import Local
from ..target import MASK64
from .connection import line_to

ALIASES = {"x29": "fp", "x30": "lr"}
"""lldb's other names for registers, where a stub does not know the plain ones."""
FEW = 3
"""Registers that are asked for one by one."""
DIGITS = 2 * WORD
WHOLE = f"[0-9a-fA-F]{{{DIGITS}}}"
SEND, ANSWER = "process plugin packet send ", "response: "
NUMBERED = {
    "x86_64": (
        *("rax", "rbx", "rcx", "rdx", "rdi", "rsi", "rbp", "rsp"),
        *(f"r{n}" for n in range(8, 16)),
        "rip",
    ),
}
"""As lldb's own server numbers them (lldb/source/Plugins/Process/Utility), where that
is not the order that a remote stub has."""
LONGEST = 1 << 16
"""Bytes that are read of an answer."""
FORGETS = 19
"""The first lldb that was seen to keep nothing of what a command prints to a file. 14
keeps all of it, for ever; what lies between was not tried."""


class Registers:
    """Those of one process, whose threads are stopped."""

    def __init__(
        self,
        target: Any,
        process: Any,
        local: Optional[Local],
        arch: str,
        often: bool = False,
    ) -> None:
        """`local`: the process, if lldb's own server on this machine has it. That one
        tells of any thread what it tells of one that stops.
        `often`: they will be read so often that what lldb keeps of it counts."""
        self._interpreter = target.GetDebugger().GetCommandInterpreter()
        self._arch = ARCHES.get(arch)
        self._own_server = local is not None
        self._order = self._arch.registers if self._arch else ()
        if local:
            self._order = NUMBERED.get(arch, self._order)
        self._at_once = process.GetPluginName() == "gdb-remote"
        if often and _version() < FORGETS:
            self._at_once = False
        self._context = lldb.SBExecutionContext(process)
        self._printed: Optional[Printed] = None
        self._line = line_to(target, process)

    def read(self, frame: Any, names: Sequence[str]) -> "dict[str, int]":
        """Of a thread's innermost frame; those that are not there are left out."""
        known: dict[str, int] = {}
        if len(names) > FEW and self._at_once and self._arch:
            known = self._all(frame, self._arch)
        found: dict[str, int] = {}
        for name in names:
            value = known.get(name)
            if value is None:
                since = now()
                value = self._own(frame, name)
                if value is None:
                    self._line.failed(since)
                    continue
            found[name] = value
        return found

    def _own(self, frame: Any, name: str) -> Optional[int]:
        """SP and FP come with every stop; to ask for them by name takes ten times as
        long."""
        if self._arch and name in (self._arch.sp, self._arch.fp):
            value = int(frame.GetSP() if name == self._arch.sp else frame.GetFP())
            if value != lldb.LLDB_INVALID_ADDRESS:
                return value
        return register_value(frame, name)

    def _all(self, frame: Any, arch: Arch) -> "dict[str, int]":
        """Empty if they are not this thread's: the stub answers for the one that lldb
        asked it for last, and in an order that another kind of stub may not have."""
        ask, since = SEND + "g", now()
        if self._own_server:
            ask = f"{SEND}qThreadStopInfo{frame.GetThread().GetThreadID():x}"
        self._printed = self._printed or Printed()
        result = self._printed.result()
        self._interpreter.HandleCommand(ask, self._context, result, False)
        said = self._printed.text().partition(ANSWER)[2].strip()
        taken_apart = _numbered if self._own_server else _words
        found = taken_apart(said, self._order)
        if not found:
            self._line.failed(since)
            self._at_once = False
        same = (found.get(arch.pc), found.get(arch.sp)) == (
            frame.GetPC(),
            frame.GetSP(),
        )
        return found if same else {}


class Printed:
    """What a command prints, by way of a file in memory: of what SBCommandReturnObject
    hands out as a text lldb keeps a copy for ever."""

    def __init__(self) -> None:
        self._fd = _memory_file()
        self._end = 0
        """Where the next answer begins: all before it was read."""
        # It closes the file with itself.
        self._file = lldb.SBFile(self._fd, "w", True)
        self._result = lldb.SBCommandReturnObject()
        self._result.SetImmediateOutputFile(self._file)

    def result(self) -> Any:
        """For the next command to print to."""
        if self._end > LONGEST:
            self._end = 0
            os.ftruncate(self._fd, 0)
            os.lseek(self._fd, 0, os.SEEK_SET)
        self._result.Clear()
        return self._result

    def text(self) -> str:
        """What the command printed."""
        said = os.pread(self._fd, LONGEST, self._end)
        self._end += len(said)
        return said.decode("ascii", "replace")


def _memory_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("printed")
    import tempfile  # Only where Linux is not: it takes its time to load.

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _version() -> int:
    """lldb's major one. Apple's, whose numbers are others, counts as new."""
    found = re.match(r"lldb version (\d+)", lldb.SBDebugger.GetVersionString())
    return int(found.group(1)) if found else FORGETS


def _words(digits: str, names: Sequence[str]) -> "dict[str, int]":
    """A stub has `x` for the digits of what it does not know."""
    digits = digits[: DIGITS * len(names)]
    try:
        found = struct.unpack(f"<{len(digits) // DIGITS}Q", bytes.fromhex(digits))
        return dict(zip(names, found))
    except (ValueError, struct.error):
        words = (digits[n : n + DIGITS] for n in range(0, len(digits), DIGITS))
        return {
            name: int.from_bytes(bytes.fromhex(word), "little")
            for name, word in zip(names, words)
            if re.fullmatch(WHOLE, word)
        }


def _numbered(said: str, names: Sequence[str]) -> "dict[str, int]":
    """Of a stop: `T05thread:…;00:f427400000000000;01:…;reason:breakpoint;`."""
    in_order = _in_order(len(names)).search(said)
    if in_order:
        return _words("".join(in_order.groups()), names)
    found: dict[str, int] = {}
    for field in said.split(";"):
        number, _, digits = field.partition(":")
        if len(number) == 2 and len(digits) == DIGITS:
            with contextlib.suppress(ValueError, IndexError):
                word = bytes.fromhex(digits)
                found[names[int(number, 16)]] = int.from_bytes(word, "little")
    return found


@lru_cache
def _in_order(count: int) -> "re.Pattern[str]":
    """All of them as lldb's own server tells them: faster than one by one."""
    return re.compile(";" + "".join(f"{n:02x}:({WHOLE});" for n in range(count)))


def register_value(frame: Any, name: str) -> Optional[int]:
    """A register of a frame; None where there is no such register."""
    for known in (name, ALIASES.get(name)):
        if known:
            # Not GetValue, which takes twenty times as long to make a text; nor is it
            # asked first whether it is valid: where it is not, the error says so.
            error = lldb.SBError()
            number = frame.FindRegister(known).GetValueAsUnsigned(error, 0)
            if error.Success():
                return int(number) & MASK64
    return None
