"""lldb as the commands see it: expressions, and how output may look."""

import ctypes
import os
import sys
from contextlib import AbstractContextManager
from typing import Any, Optional

import lldb

from ..answering import now
from ..report.page import Style, colourless, utf8_locale
from ..settings import COLOUR
from ..target import MASK64, ThunkError
from .connection import line_to
from .heed import heeding
from .registers import register_value
from .runner import LldbRunner
from .target import LldbTarget, symbol_start

NO_PROCESS = "no process: start or attach to one, or open a core file"
IN_HOOK = (
    "lldb lets no process run from a break point's commands or a stop hook: type it at"
    " the prompt"
)
EVENT_HANDLERS = ("dbg.evt-handler", "lldb.debugger.event-handler")
"""lldb's names, short and long, for the thread that runs those. It waits there for what
only it could tell, for ever."""


class LldbSession:
    def __init__(
        self, debugger: Any, context: Any, names: "Optional[dict[str, Any]]" = None
    ) -> None:
        """`names`: those of the debugger's Python."""
        self._debugger = debugger
        self._context = context
        self._names = names

    def target(self) -> LldbTarget:
        process = self._context.process
        if not process or not process.IsValid():
            raise ThunkError(NO_PROCESS)
        state = process.GetState()
        if state in (lldb.eStateRunning, lldb.eStateStepping):
            raise ThunkError("the process is running: interrupt it first")
        if state in (lldb.eStateExited, lldb.eStateDetached, lldb.eStateUnloaded):
            raise ThunkError(NO_PROCESS)
        thread = self._context.thread or process.GetSelectedThread()
        if not thread or not thread.IsValid():
            raise ThunkError(NO_PROCESS)
        return LldbTarget(self._context.target, process, thread)

    def register(self, name: str) -> Optional[int]:
        frame, since = self._context.frame, now()
        if not frame or not frame.IsValid():
            return None
        value = register_value(frame, name)
        if value is None:
            line_to(self._context.target, self._context.process).failed(since)
        return value

    def symbol(self, name: str) -> Optional[int]:
        """A local or global variable's value, or a symbol's address.

        lldb's expression evaluator is not used: it may run code in the process.
        """
        frame, target = self._context.frame, self._context.target
        if frame and frame.IsValid():
            value = frame.FindVariable(name)
            if value.IsValid() and value.GetValue() is not None:
                return int(value.GetValueAsUnsigned()) & MASK64
        if not target or not target.IsValid():
            return None
        value = target.FindFirstGlobalVariable(name)
        if value.IsValid():
            if value.GetValue() is not None:
                return int(value.GetValueAsUnsigned()) & MASK64
            return int(value.GetLoadAddress()) & MASK64
        return symbol_start(target, name)

    def style(self) -> Style:
        plain = colourless(os.environ) or not sys.stdout.isatty()
        colour = bool(self._debugger.GetUseColor()) and not plain
        width = int(self._debugger.GetTerminalWidth() or 80)
        return Style(
            width=max(40, min(width, 120)),
            colour=COLOUR.wanted(colour),
            unicode=utf8_locale(os.environ),
        )

    def runner(self) -> LldbRunner:
        if _handles_events():
            raise ThunkError(IN_HOOK)
        context = self._context
        return LldbRunner(self._debugger, context.target, context.process, self._names)

    def heeding(self) -> AbstractContextManager[None]:
        return heeding(self._debugger.GetCommandInterpreter())

    def say(self, line: str) -> None:
        print(line, flush=True)


def _handles_events() -> bool:
    """Whether this is that thread. Python has no name for one that it did not make."""
    name, python = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    try:
        python.pthread_self.restype = ctypes.c_void_p
        python.pthread_getname_np(ctypes.c_void_p(python.pthread_self()), name, 64)
    except AttributeError:
        return False
    return name.value.decode("ascii", "replace") in EVENT_HANDLERS
