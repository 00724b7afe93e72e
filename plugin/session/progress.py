"""One line on the terminal that says how far the program is, and then goes away."""

import os
import re
import sys
import time
from typing import Optional

from .seam import SAYS

_SAID = re.compile(f"^{SAYS}(.*)$", re.MULTILINE)
INTERVAL = 0.2
"""Seconds between two rewritings at the least."""


class Progress:
    def __init__(self) -> None:
        terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._on = terminal
        self._begun: Optional[float] = None
        self._shown = 0.0
        self._text = ""

    def begin(self) -> None:
        """The program runs from now on."""
        self._begun = time.monotonic()
        self._text = ""

    def show(self, text: str) -> None:
        """Take what a debugger wrote, which may be nothing; time goes on anyway."""
        for said in _SAID.findall(text):
            self._text = f", {said.strip()}"
        now = time.monotonic()
        if not self._on or self._begun is None or now - self._shown < INTERVAL:
            return
        self._shown = now
        line = f"running … {now - self._begun:.0f} s{self._text}"
        if "UTF" not in (sys.stderr.encoding or "").upper():
            line = line.replace("…", "...")
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._on and self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._on = False
