"""qemu-user with a program that waits for a debugger."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence

from ..sockets import listens
from .children import NotRun, how_ended, start
from .program import Emulator, Program

LISTENING = 30.0
"""Seconds for qemu to begin to listen; it takes some milliseconds."""
TRIES = 10


class Qemu:
    """qemu, listening at `place`: a port on this machine, or a socket's path."""

    def __init__(
        self,
        emulator: Emulator,
        program: Program,
        arguments: Sequence[str],
        folder: str,
        by_port: bool,
        output: int,
    ) -> None:
        """`output`: the file that becomes the program's standard output."""
        self.emulator = emulator
        self._output = output
        libraries = ["-L", emulator.sysroot] if emulator.sysroot else []
        rest = [*libraries, os.path.abspath(program.path), *arguments]
        for number in range(TRIES):
            # A port that was free a moment ago may be another's by now: try again.
            self.place = str(free_port()) if by_port else f"{folder}/qemu{number}"
            self.child = self._start(["-g", self.place, *rest])
            if self._listens():
                return
            if not by_port:
                break
        raise NotRun(f"{emulator.name} {how_ended(self.child.wait())} at its start")

    def _start(self, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        return start(
            [self.emulator.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
        )

    def _listens(self) -> bool:
        """Wait until it listens; False when it ends instead."""
        limit = time.monotonic() + LISTENING
        while time.monotonic() < limit:
            if listens(self.child.pid):
                return True
            try:
                self.child.wait(0.005)
                return False
            except subprocess.TimeoutExpired:
                continue
        raise NotRun(f"{self.emulator.name} does not begin to listen")


def free_port() -> int:
    """A port of this machine that nobody has, for now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
