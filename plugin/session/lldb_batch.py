"""lldb in batch: it starts the program, performs the order and ends.

The session is ours and not the user's: no init files, and settings of our own.
"""

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, Optional

from ..install.wiring import LLDB
from .children import NotRun, Watch, start
from .launch import Launch
from .program import Program, debugger_environment
from .seam import STARTED, STARTING

READY = 60.0
"""Seconds for what lldb does before the program runs: reading large symbols."""


class Lldb:
    """One lldb, which does all by itself once it runs."""

    def __init__(
        self,
        path: str,
        folder: str,
        program: Program,
        order_file: str,
        log: Callable[[str], None],
        launch: Optional[Launch] = None,
        port: str = "",
        sysroot: Optional[str] = None,
    ) -> None:
        """`log` gets every line of text that lldb writes."""
        self._log = log
        self._launch = launch
        self._program = program
        wanted = {
            "program": program.path,
            "has_main": program.has_main,
            "command": launch.command if launch else [],
            "port": port,
            "sysroot": sysroot,
        }
        file = Path(folder, "launch.json")
        file.write_text(json.dumps(wanted), "utf-8")
        lines = (
            LLDB.line,
            "script import thunk_inspect.lldb.start as s;"
            f" s.start(lldb.debugger, {order_file!r}, {str(file)!r})",
            "script import thunk_inspect.lldb.scripted as s;"
            f" s.perform(lldb.debugger, {order_file!r})",
        )
        words = [word for line in lines for word in ("-o", line)]
        self.child = start(
            [path, "--no-lldbinit", "--no-use-colors", "--batch", *words],
            debugger_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.child.stdout
        self._out = self.child.stdout.fileno()
        self._watch = Watch(self.child)
        self._rest = b""
        self.said: list[str] = []

    def wait_for_start(self, seconds: float) -> None:
        """Until the program is stopped at its start."""
        if self._launch:
            self._launch.begin()
        try:
            self._wait_for((STARTING, STARTED), READY, "lldb did not load it in time")
            late = "the program did not come to its start in time"
            self._wait_for((STARTED,), seconds, late)
        finally:
            if self._launch:
                self._launch.close()

    def _wait_for(self, lines: Sequence[str], seconds: float, late: str) -> None:
        limit = time.monotonic() + seconds
        while not any(line in self.said for line in lines):
            self._read(limit, late)

    def wait_for_end(self, seconds: float, done: Callable[[], bool]) -> None:
        """Until the order is done or lldb has ended."""
        limit = time.monotonic() + seconds
        while not done():
            self._read(limit, "lldb did not answer in time")

    def _read(self, limit: float, late: str) -> None:
        remaining = limit - time.monotonic()
        ready = self._watch.wait(min(remaining, 1.0), self._out)
        data = os.read(self._out, 1 << 16) if ready else b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.said.append(line.decode(errors="replace"))
            self._log(self.said[-1])
        if data:
            return
        if self._watch.ended:
            last = next((line for line in reversed(self.said) if line.strip()), "")
            said = f": {last}" if self.child.wait() >= 0 else ""
            raise NotRun(f"lldb {self._watch.epitaph()} before it was done{said}")
        if remaining <= 0:
            raise NotRun(late)
        self._log("")
