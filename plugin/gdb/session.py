"""gdb as the commands see it: expressions, and how output may look."""

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable, Optional

import gdb

from ..answering import now
from ..local import is_dead
from ..report.page import Style, colourless, utf8_locale
from ..settings import COLOUR
from ..target import MASK64, ThunkError
from .connection import LINE
from .native import native_process
from .runner import GdbRunner
from .target import GdbTarget, address_of, forget_remote_memory

NO_PROCESS = "no process: start or attach to one, or open a core file"
KILLED = "the process was killed, which gdb has yet to hear of: start it again"


class GdbSession:
    def target(self) -> GdbTarget:
        if gdb.selected_thread() is None:
            raise ThunkError(NO_PROCESS)
        if gdb.selected_thread().is_running():
            raise ThunkError("the process is running: interrupt it first")
        pid = native_process()
        if pid and is_dead(pid):
            raise ThunkError(KILLED)
        forget_remote_memory()
        return GdbTarget()

    def register(self, name: str) -> Optional[int]:
        """Not by an expression, which would make a variable of a name without one."""
        if name.isdigit():
            return _number(lambda: gdb.history(int(name)))
        value = _number(lambda: gdb.selected_frame().read_register(name))
        if value is None:
            value = _number(lambda: gdb.convenience_variable(name))
        return value

    def symbol(self, name: str) -> Optional[int]:
        """Not by an expression: a name in it may be a macro, and that a call."""
        found = _symbol(name)
        if found is None:
            return address_of(name)
        frame = found.needs_frame
        return _number(lambda: found.value(*[gdb.selected_frame()] if frame else []))

    def style(self) -> Style:
        width = gdb.parameter("width") or 80
        plain = colourless(os.environ) or not sys.stdout.isatty()
        colour = bool(gdb.parameter("style enabled")) and not plain
        charset = str(gdb.parameter("host-charset"))
        unicode = "UTF" in charset.upper() or utf8_locale(os.environ)
        return Style(
            width=max(40, min(int(width), 120)),
            colour=COLOUR.wanted(colour),
            unicode=unicode,
        )

    def runner(self) -> GdbRunner:
        return GdbRunner()

    def heeding(self) -> AbstractContextManager[None]:
        """It always is."""
        return nullcontext()

    def say(self, line: str) -> None:
        gdb.write(line + "\n")
        gdb.flush()


def _symbol(name: str) -> Any:
    try:
        found = gdb.lookup_symbol(name)[0]
    except gdb.error:
        found = None  # without a frame
    return found or gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)


def _number(give: Callable[[], Any]) -> Optional[int]:
    """A value as a number; what is not one by itself, by its address."""
    since = now()
    try:
        value = give()
        if isinstance(value, gdb.Value):
            value = _plain(value)
        return None if value is None else int(value) & MASK64
    except (gdb.error, TypeError, ValueError):
        LINE.failed(since)
        return None


def _plain(value: Any) -> Any:
    """An array's address is its first element's. Of one that is not in memory, such as
    $s = "text", gdb would call malloc in the process to put it there."""
    kind, inner = value.type.strip_typedefs(), False
    while kind.code == gdb.TYPE_CODE_ARRAY:
        value, inner = value[kind.range()[0]], True
        kind = value.type.strip_typedefs()
    if inner or kind.code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_STRUCT):
        return value.address
    return None if kind.code == gdb.TYPE_CODE_VOID else value
