"""A debugger with a program, in which commands are put on the clock.

The sessions are those of the tests; what runs inside the debugger stands in `inside`.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional

from programs import Qemu, fixture
from sessions import INTERPRETER, Session

from .figures import Sample
from .proxy import Proxy

INSIDE = Path(__file__).with_name("inside")
BUILD = Path(__file__).with_name("programs") / "build"
OTHERS = {"gef": "GEF", "pwndbg": "PWNDBG"}
"""Other plugins of gdb, by the environment variable with the path to source."""
ANSWER = "bench answers "
"""What an answer begins with, in the words of `bench_timing`."""
BARE = "bare"
OURS = "ours"


class Job(NamedTuple):
    """Commands that are timed together, and how the process gets to its stop."""

    commands: "list[str]"
    resume: str = "continue"
    counts: str = ""
    """A text to be counted in the output."""


def others() -> "dict[str, str]":
    """The other plugins whose paths the user gave."""
    found = {name: os.environ.get(variable, "") for name, variable in OTHERS.items()}
    return {name: path for name, path in found.items() if path}


class Side(Session):
    """A Session with the command `bench`, and with the plugin only if it is wanted."""

    def __init__(self, debugger: str, folder: Path, plugin: str = OURS) -> None:
        super().__init__(debugger, folder)
        self._plugin = plugin
        self.proxy: Optional[Proxy] = None

    def open(
        self,
        arch: str = "x86_64",
        env: "Optional[dict[str, str]]" = None,
        plugin: bool = True,
    ) -> None:
        # Others keep files in the home folder.
        home = {"HOME": str(self.folder)}
        super().open(arch, {**home, **(env or {})}, plugin=self._plugin == OURS)
        if self._plugin in OTHERS:
            self.run(f"source {others()[self._plugin]}")
        load = {"gdb": "source", "lldb": "command script import"}[self.name]
        self.run(f"{load} {INSIDE / f'bench_{self.name}.py'}")

    def stop_at(self, function: str) -> None:
        """A breakpoint that stays, and the first stop there."""
        how = {"gdb": "break", "lldb": "breakpoint set --name"}[self.name]
        self.run(f"{how} {function}")
        self.run("continue")

    def start(self, program: str, *args: str, stop: str) -> None:
        """A native program of the benchmarks' own, up to a function."""
        if not self._debugger:
            self.open()
        self.run(self.debugger.open(str(BUILD / program)))
        self.run(self.debugger.once(stop))
        self._start_by(self.debugger.launch(args, self.output))

    def bench(self, **order: Any) -> Any:
        said = self.run(f"bench {json.dumps(order)}", 300)
        for line in said.output.splitlines():
            if line.startswith(ANSWER):
                return json.loads(line[len(ANSWER) :])
        raise RuntimeError(f"{order['do']}: {said.text.strip()[-300:]}")

    def timed(self, jobs: Sequence[Job], rounds: int) -> "list[list[Sample]]":
        """Samples of each job; the jobs take turns."""
        orders = [job._asdict() for job in jobs]
        found = self.bench(do="timed", jobs=orders, rounds=rounds)
        return [[Sample(1000 * c, 1000 * w, n) for c, w, n in one] for one in found]

    def close(self) -> None:
        super().close()
        if self.proxy:
            self.proxy.close()


class Counted(Side):
    """chakra_like under qemu, behind a proxy that counts packets."""

    def _start(self, args: Sequence[str], function: str) -> None:
        command = [fixture(self.arch), *args]
        self._qemu = Qemu(command, self.folder, True, self.output)
        self.proxy = Proxy(int(self._qemu.address))
        address = str(self.proxy.port)
        if not self.debugger.by_port:
            address = f"127.0.0.1:{address}"
        self._start_by(self.debugger.connect(address))
        self.go_to(function)

    def packets(self, do: Sequence[str]) -> "list[bytes]":
        """What the debugger sends while these commands run."""
        assert self.proxy
        before = len(self.proxy.packets.seen)
        for command in do:
            self.bench(do="said", command=command)
        return self.proxy.packets.seen[before:]


@contextmanager
def side(
    debugger: str, plugin: str = OURS, kind: "type[Side]" = Side
) -> "Iterator[Any]":
    """A session that ends whatever happens."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        session = kind(debugger, Path(folder), plugin)
        try:
            yield session
        finally:
            session.close()


@contextmanager
def in_the_interpreter(
    debugger: str,
    arch: str = "x86_64",
    plugin: str = OURS,
    kind: "type[Side]" = Side,
) -> "Iterator[Any]":
    """chakra_like, stopped in its interpreter; `continue` gets to the next call."""
    convention = "sysv" if arch == "x86_64" else "caller-stack"
    with side(debugger, plugin, kind) as session:
        session.load(convention, "none", "3", "--calls", "1000000", arch=arch)
        session.stop_at(INTERPRETER)
        yield session
