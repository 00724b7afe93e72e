"""A proxy between a debugger and a gdbserver stub that counts the debugger's packets.

`Packets` takes the stream apart; `Proxy` passes bytes both ways, in a thread.
"""

import selectors
import socket
import threading
from typing import Optional


class Packets:
    """The packets `$…#xx` of one direction, whatever pieces the stream comes in."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Acknowledgements and interrupts stand between packets and are none. An
        escaped byte never is `#`, so that the first one ends a packet."""
        self._rest += data
        while True:
            start = self._rest.find(b"$")
            end = self._rest.find(b"#", start)
            if start < 0:
                self._rest = b""
                return
            if end < 0 or len(self._rest) < end + 3:
                self._rest = self._rest[start:]
                return
            self.seen.append(self._rest[start + 1 : end])
            self._rest = self._rest[end + 3 :]


class Proxy:
    """Listens on a port of its own and connects to the stub's when it is called."""

    def __init__(self, stub: int) -> None:
        self.packets = Packets()
        self._stub = stub
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            debugger, _ = self._server.accept()
        except OSError:
            return
        with debugger, socket.create_connection(("127.0.0.1", self._stub)) as stub:
            for end in (debugger, stub):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass(debugger, stub)

    def _pass(self, debugger: socket.socket, stub: socket.socket) -> None:
        """Counted before it is passed on: an answer then comes after its count."""
        with selectors.DefaultSelector() as both:
            both.register(debugger, selectors.EVENT_READ, stub)
            both.register(stub, selectors.EVENT_READ, debugger)
            while True:
                for key, _ in both.select():
                    data = _received(key.fileobj)
                    if not data:
                        return
                    if key.fileobj is debugger:
                        self.packets.feed(data)
                    key.data.sendall(data)

    def close(self) -> None:
        self._server.close()


def _received(end: object) -> Optional[bytes]:
    assert isinstance(end, socket.socket)
    try:
        return end.recv(1 << 16)
    except OSError:
        return None
