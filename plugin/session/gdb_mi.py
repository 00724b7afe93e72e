"""gdb driven through MI: each command has a token, and is done when its answer comes.

The session is ours and not the user's: no init files, and settings of our own.
"""

import re
import shlex
import subprocess
import time
from typing import Any, Callable, Optional

from pygdbmi.IoManager import IoManager

from ..install.wiring import GDB
from .children import NotRun, Watch, start
from .launch import Launch
from .program import Program, debugger_environment
from .seam import ENDED

SETTINGS = (
    "set pagination off",
    "set confirm off",
    "set width 0",
    "set auto-load off",
    "set debuginfod enabled off",
    "set breakpoint pending on",
    "set startup-with-shell on",
    "set print thread-events off",
    "set print inferior-events off",
)
"""One that a version does not know is no loss."""
READY = 60.0
"""Seconds for anything that gdb does without the program: reading large symbols."""
MAX_SIGNALS = 1000
_ENTRY = re.compile(r"AT_ENTRY\b.*?0x([0-9a-f]+)")


class Gdb:
    """One gdb and the program in it."""

    def __init__(self, path: str, log: "Callable[[str], None]") -> None:
        """`log` gets every line of text that gdb writes meanwhile."""
        # gdb starts the program by a shell of this name, whatever the user's is.
        env = {**debugger_environment(), "SHELL": "/bin/sh"}
        command = [path, "-nx", "-q", "--interpreter=mi3"]
        self.child = start(
            command,
            env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self.child.stdin and self.child.stdout
        self._watch = Watch(self.child)
        self._out = self.child.stdout.fileno()
        self._io = IoManager(self.child.stdin, self.child.stdout, None)
        self._log = log
        self._token = 0
        self._said = ""
        self._stopped: Optional[dict[str, Any]] = None

    def load(self) -> None:
        """Our settings, and the plugin."""
        for line in SETTINGS:
            self.console(line, may_fail=True)
        self.console(GDB.line)

    def launch(self, program: Program, launch: Launch, seconds: float) -> None:
        """Start the program and stop it at main, or where it begins."""
        self._command(f"-file-exec-and-symbols {_quoted(program.path)}")
        wrapper = " ".join(map(shlex.quote, launch.command))
        self.console(f"set exec-wrapper {wrapper}")
        limit = time.monotonic() + seconds
        launch.begin()
        try:
            if program.has_main:
                self._command("-break-insert -t main")
                self._run("-exec-run", limit)
            else:
                self._run('-interpreter-exec console "starti"', limit)
                entry = _ENTRY.search(self.console("info auxv"))
                if not entry:
                    raise NotRun("gdb does not tell where the program starts")
                self._command(f"-break-insert -t *0x{entry[1]}")
                self._run("-exec-continue", limit)
        except NotRun as error:
            launch.close()
            if launch.problem:
                text = f"{program.path} cannot be started: {launch.problem}"
                raise NotRun(text) from None
            raise error
        launch.close()

    def connect(self, program: Program, place: str, sysroot: str) -> None:
        """To a program that waits in qemu."""
        self._command(f"-file-exec-and-symbols {_quoted(program.path)}")
        # Else gdb would ask qemu for every library, and qemu does not serve files.
        self.console(f"set sysroot {sysroot}")
        self.console(f"target remote {place}")

    def perform(self, line: str, seconds: float) -> None:
        """Have gdb do one line of Python, however long it takes, up to a limit.

        The answer to it comes when the program runs, so its end has a mark.
        """
        self._said = ""
        line = f"python {line}; print({ENDED!r})"
        self._command(
            f"-interpreter-exec console {_quoted(line)}", False, seconds, ENDED
        )

    def console(self, line: str, may_fail: bool = False, seconds: float = READY) -> str:
        """A console command's text."""
        self._said = ""
        command = f"-interpreter-exec console {_quoted(line)}"
        self._command(command, may_fail, seconds)
        return self._said

    def _run(self, command: str, limit: float) -> None:
        """Until it stops at our breakpoint; signals on the way are the program's."""
        for _ in range(MAX_SIGNALS):
            self._stopped = None
            self._command(command, seconds=limit - time.monotonic())
            while self._stopped is None:
                self._read(limit, "the program did not come to its start in time")
            reason = self._stopped.get("reason", "")
            if reason.startswith("exited"):
                raise NotRun(f"the program {_exit(self._stopped)} before its start")
            if reason != "signal-received" or "starti" in command:
                return
            command = "-exec-continue"
        raise NotRun("the program gets one signal after the other before its start")

    def _command(
        self,
        command: str,
        may_fail: bool = False,
        seconds: float = READY,
        mark: str = "",
    ) -> None:
        """Until its own answer, or until it prints the mark, or fails."""
        self._token += 1
        limit = time.monotonic() + seconds
        try:
            line = f"{self._token}{command}"
            self._io.write(line, seconds, read_response=False)
        except OSError:
            raise self._gone() from None
        late = "gdb did not answer in time"
        while True:
            for answer in self._read(limit, late):
                if answer["type"] != "result" or answer["token"] != self._token:
                    continue
                if mark and answer["message"] == "running":
                    continue
                if answer["message"] == "error" and not may_fail:
                    raise NotRun(f"gdb: {self._why(answer)}")
                return
            if mark and mark in self._said:
                return

    def _why(self, answer: dict[str, Any]) -> str:
        """The error's text; for Python's, the exception that gdb printed before."""
        text = str((answer["payload"] or {}).get("msg", "it does not say why"))
        said = [line for line in self._said.splitlines() if line.strip()]
        if "Python" in text and said:
            return said[-1] if "Error" in said[-1] else f"{text} {said[-1]}"
        return text

    def _read(self, limit: float, late: str) -> list[dict[str, Any]]:
        """What gdb says next. NotRun when it has ended, or time is up."""
        remaining = limit - time.monotonic()
        ready = self._watch.wait(min(remaining, 1.0), self._out)
        # With a time of 0 this takes what is there and does not wait for silence.
        answers = self._io.get_gdb_response(0, False) if ready else []
        for answer in answers:
            payload = answer["payload"]
            if answer["type"] in ("console", "log", "output"):
                self._said += str(payload or "")
            elif answer["type"] == "notify" and answer["message"] == "stopped":
                self._stopped = payload or {}
            if answer["type"] == "console" and payload:
                self._log(str(payload))
        if not answers:
            if self._watch.ended:
                raise self._gone()
            if time.monotonic() >= limit:
                raise NotRun(late)
            self._log("")
        return answers

    def _gone(self) -> NotRun:
        return NotRun(f"gdb {self._watch.epitaph()} before it was done")


def _exit(stopped: dict[str, Any]) -> str:
    if "signal-name" in stopped:
        return f"was ended by {stopped['signal-name']}"
    return f"exited with {int(stopped.get('exit-code', '0'), 8)}"


def _quoted(text: str) -> str:
    """As a C string, which is how MI takes any argument."""
    marked = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{marked}"'
