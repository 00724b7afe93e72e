"""gdb as the commands see it: expressions, and how output may look."""

import os
import sys
from typing import Optional

import gdb

from ..report.page import Style, utf8_locale
from ..settings import COLOUR
from ..target import MASK64, ThunkError
from .runner import GdbRunner
from .target import GdbTarget

NO_PROCESS = "no process: start or attach to one, or open a core file"


class GdbSession:
    def target(self) -> GdbTarget:
        if gdb.selected_thread() is None:
            raise ThunkError(NO_PROCESS)
        if gdb.selected_thread().is_running():
            raise ThunkError("the process is running: interrupt it first")
        return GdbTarget()

    def register(self, name: str) -> Optional[int]:
        return self._number(f"${name}")

    def symbol(self, name: str) -> Optional[int]:
        """A name alone can call nothing."""
        return self._number(name)

    def _number(self, name: str) -> Optional[int]:
        try:
            value = gdb.parse_and_eval(name)
            code = value.type.strip_typedefs().code
            if code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_STRUCT):
                value = value.address
            elif code == gdb.TYPE_CODE_ERROR:
                # A symbol without debug information: its address is what is known.
                value = gdb.parse_and_eval(f"&{name}")
            if value is None or code == gdb.TYPE_CODE_VOID:
                return None
            return int(value) & MASK64
        except gdb.error:
            return None

    def style(self) -> Style:
        width = gdb.parameter("width") or 80
        plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
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

    def say(self, line: str) -> None:
        gdb.write(line + "\n")
        gdb.flush()
