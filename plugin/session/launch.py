"""The other end of `launcher`: what a native program gets, and whether it started."""

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

LAUNCHER = Path(__file__).resolve().with_name("launcher.py")


class Launch:
    """Waits for the launcher in a thread, as nobody knows when a debugger starts it."""

    def __init__(
        self, folder: str, program: str, arguments: Sequence[str], output: int
    ) -> None:
        """`output`: the file that becomes the program's standard output."""
        self.problem = ""
        """Why the program could not be started."""
        self._output = output
        self._wanted = {
            "program": _exact(os.path.abspath(program)),
            "arguments": [_exact(text) for text in (program, *arguments)],
            "environment": {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in os.environb.items()
            },
            "folder": _exact(os.getcwd()),
        }
        self._place = os.path.join(folder, "launch")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._place)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def command(self) -> list[str]:
        """What a debugger is to start in the program's place."""
        # Isolated, so that nothing of the program's environment changes it.
        return [os.path.realpath(sys.executable), "-IS", str(LAUNCHER), self._place]

    def begin(self) -> None:
        """After the debugger was started: a fork and a thread do not go together."""
        self._thread.start()

    def close(self) -> None:
        """Wait until the launcher has become the program, or told why not."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            place, _ = self._listener.accept()
            with place, open(os.devnull, "rb") as nothing:
                files = [nothing.fileno(), self._output, sys.stderr.fileno()]
                socket.send_fds(place, [b"x"], files)
                place.sendall(json.dumps(self._wanted).encode())
                place.shutdown(socket.SHUT_WR)
                self.problem = place.recv(1000).decode(errors="replace")


def _exact(text: str) -> str:
    """Any bytes, as text that JSON can carry."""
    return os.fsencode(text).decode("latin-1")
