"""Registers of a frame.

lldb asks its server, or a remote stub, for each by itself. Where many are wanted they
come in one packet `g`, which lldb has a command for, though it uses that packet only if
told to.
"""

import re
import struct
from collections.abc import Sequence
from typing import Any, Optional

import lldb

from ..answering import now
from ..arch import ARCHES, WORD, Arch
from ..local import Local
from ..ptrace import ORDER
from ..target import MASK64
from .connection import line_to

ALIASES = {"x29": "fp", "x30": "lr"}
"""lldb's other names for registers, where a stub does not know the plain ones."""
FEW = 3
"""Registers that are asked for one by one."""
DIGITS = 2 * WORD
WHOLE = f"[0-9a-fA-F]{{{DIGITS}}}"
ASK, ANSWER = "process plugin packet send g", "response: "


class Registers:
    """Those of one process, whose threads are stopped."""

    def __init__(
        self, target: Any, process: Any, local: Optional[Local], arch: str
    ) -> None:
        """`local`: the process, if lldb's own server on this machine has it. That one
        hands out what the kernel has, in its order, of the thread that it is told."""
        self._interpreter = target.GetDebugger().GetCommandInterpreter()
        self._arch = ARCHES.get(arch)
        self._named = local is not None
        order = self._arch.registers if self._arch else ()
        self._order = ORDER.get(arch, ()) if local else order
        self._at_once = process.GetPluginName() == "gdb-remote"
        self._line = line_to(target, process)

    def read(self, frame: Any, names: Sequence[str]) -> "dict[str, int]":
        """Of a thread's innermost frame; those that are not there are left out."""
        known: dict[str, int] = {}
        if self._at_once and self._arch and len(names) > FEW:
            known = self._all(frame, self._arch)
        found: dict[str, int] = {}
        for name in names:
            value, since = known.get(name), now()
            value = self._own(frame, name) if value is None else value
            if value is not None:
                found[name] = value
            else:
                self._line.failed(since)
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
        result = lldb.SBCommandReturnObject()
        context = lldb.SBExecutionContext(frame)
        ask, since = ASK, now()
        if self._named:
            ask += f";thread:{frame.GetThread().GetThreadID():x};"
        self._interpreter.HandleCommand(ask, context, result, False)
        digits = (result.GetOutput() or "").partition(ANSWER)[2].strip()
        found = _words(digits, self._order)
        if not found:
            self._line.failed(since)
            self._at_once = False
        same = (found.get(arch.pc), found.get(arch.sp)) == (
            frame.GetPC(),
            frame.GetSP(),
        )
        return found if same else {}


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


def register_value(frame: Any, name: str) -> Optional[int]:
    """A register of a frame; None where there is no such register."""
    value = frame.FindRegister(name)
    if not value and name in ALIASES:
        value = frame.FindRegister(ALIASES[name])
    # Not GetValue, which takes twenty times as long to make a text.
    error = lldb.SBError()
    number = int(value.GetValueAsUnsigned(error, 0)) & MASK64
    return number if value and error.Success() else None
