"""gdb and lldb driven command by command, each at the other end of pipes.

Both are fresh processes that return what a command printed, and know how this debugger
says what every session needs. What a session does stands in `sessions`. THUNK_GDB and
THUNK_LLDB name others than Debian's: `make test-matrix`.
"""

import contextlib
import json
import os
import re
import selectors
import subprocess
import time
from pathlib import Path
from typing import Dict, NamedTuple, Sequence, Type, Union

from programs import DEADLINE, ROOT, SessionError, end, need

NO_DEBUG_FILES = {
    "gdb": "set debug-file-directory",
    "lldb": "settings set symbols.enable-external-lookup false",
}
"""Those of the C library, which not every machine has, take as long to read as all that
a test does beside."""
MARK = "\x1e"
"""Stands around what tells where an answer ends."""


class Answer(NamedTuple):
    """What a command printed, by stream."""

    output: str
    error: str

    @property
    def text(self) -> str:
        return self.output + self.error


def hexadecimal(answer: Answer) -> int:
    """The first hexadecimal number of an answer."""
    found = re.search("0x[0-9a-f]+", answer.output)
    if not found:
        raise SessionError(f"no number: {answer.text}")
    return int(found.group(), 16)


class Pipes:
    """A process whose output is read until it says a word."""

    def __init__(self, command: Sequence[str], env: Dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            bufsize=0,
        )
        self._streams = selectors.DefaultSelector()
        self._seen = {name: bytearray() for name in ("stdout", "stderr")}
        for name in self._seen:
            stream = getattr(self.process, name)
            self._streams.register(stream, selectors.EVENT_READ, name)

    def write(self, text: str) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(text.encode())
        except BrokenPipeError:
            raise SessionError(f"the debugger ended: {self._all()}") from None

    def until(self, word: str, seconds: float) -> Answer:
        """Everything up to the word, which must come in both streams."""
        mark, limit = word.encode(), time.monotonic() + seconds
        while not all(mark in seen for seen in self._seen.values()):
            ready = self._streams.select(max(0.0, limit - time.monotonic()))
            if not ready:
                raise SessionError(f"no answer in {seconds:.0f} s: {self._all()}")
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    raise SessionError(f"the debugger ended: {self._all()}")
                self._seen[key.data] += data
        parts = []
        for seen in self._seen.values():
            before, _, after = bytes(seen).partition(mark)
            parts.append(before.decode(errors="replace"))
            seen[:] = after
        return Answer(*parts)

    def _all(self) -> str:
        return " | ".join(seen.decode(errors="replace") for seen in self._seen.values())

    def close(self) -> None:
        with contextlib.suppress(OSError):
            assert self.process.stdin
            self.process.stdin.close()
        end(self.process)


class Gdb:
    """gdb at the other end of pipes, its prompt and every answer as a user has them."""

    name = "gdb"
    plugin = ROOT / "plugin" / "gdb" / "thunk_inspect_gdb.py"
    load = f"source {plugin}"
    kill = "kill"
    by_port = False

    def __init__(self, folder: Path, arch: str, env: Dict[str, str]) -> None:
        program = "gdb-multiarch" if arch == "aarch64" else "gdb"
        program = os.environ.get("THUNK_GDB", program)
        start = (
            "set prompt",
            "set pagination off",
            "set width 80",
            NO_DEBUG_FILES["gdb"],
            f"python mark = lambda n: [(gdb.write('{MARK}%d{MARK}\\n' % n, s),"
            " gdb.flush(s)) for s in (gdb.STDOUT, gdb.STDERR)]",
        )
        words = [word for line in start for word in ("-iex", line)]
        self._pipes = Pipes([need(program), "-nx", "-q", *words], env)
        self._count = 0
        self.run("set breakpoint pending on")

    def send(self, command: str) -> None:
        """Start a command; `answer` waits for its end."""
        self._count += 1
        self._pipes.write(f"{command}\npython mark({self._count})\n")

    def answer(self, seconds: float = DEADLINE) -> Answer:
        return self._pipes.until(f"{MARK}{self._count}{MARK}\n", seconds)

    def run(self, command: str, seconds: float = DEADLINE) -> Answer:
        self.send(command)
        return self.answer(seconds)

    def open(self, program: str) -> str:
        return f"file {program}"

    def connect(self, address: str) -> str:
        return f"target remote {address}"

    def launch(self, args: Sequence[str], output: Path) -> str:
        return f"run {' '.join(args)} >{output} 2>&1 </dev/null"

    def once(self, place: Union[int, str]) -> str:
        """A breakpoint that goes after its first hit."""
        return f"tbreak *{place:#x}" if isinstance(place, int) else f"tbreak {place}"

    def ignore_signals(self, signals: str) -> None:
        self.run(f"handle {signals} nostop noprint pass")

    def number(self, expression: str) -> int:
        return hexadecimal(self.run(f"output/x (unsigned long){expression}"))

    @property
    def pid(self) -> int:
        return self._pipes.process.pid

    def close(self) -> None:
        self._pipes.close()


class Lldb:
    """lldb with a loop of ours inside that takes commands and returns answers."""

    name = "lldb"
    program = os.environ.get("THUNK_LLDB", "lldb-19")
    plugin = ROOT / "plugin" / "lldb" / "thunk_inspect_lldb.py"
    load = f"command script import {plugin}"
    kill = "process kill"
    by_port = True

    def __init__(self, folder: Path, arch: str, env: Dict[str, str]) -> None:
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        side = Path(__file__).with_name("lldb_side.py")
        start = (
            f"command script import {side}",
            "script lldb_side.serve(lldb.debugger)",
        )
        words = [word for line in start for word in ("-o", line)]
        if "THUNK_LLDB" not in os.environ:
            # lldb 14 keeps some memory at every stop where that is off.
            words += ["-O", NO_DEBUG_FILES["lldb"]]
        self._log = (folder / "lldb.log").open("wb")
        self.process = subprocess.Popen(
            [need(self.program), "--no-lldbinit", "--batch", *words],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={
                **env,
                "LLDB_SIDE_READ": str(commands),
                "LLDB_SIDE_WRITE": str(answers),
            },
            pass_fds=(commands, answers),
        )
        os.close(commands)
        os.close(answers)
        self._seen = b""

    def send(self, command: str) -> None:
        try:
            os.write(self._commands, (json.dumps(command) + "\n").encode())
        except BrokenPipeError:
            raise SessionError(f"lldb ended: {self._said()}") from None

    def answer(self, seconds: float = DEADLINE) -> Answer:
        limit = time.monotonic() + seconds
        with selectors.DefaultSelector() as stream:
            stream.register(self._answers, selectors.EVENT_READ)
            while b"\n" not in self._seen:
                if not stream.select(max(0.0, limit - time.monotonic())):
                    raise SessionError(f"no answer in {seconds:.0f} s: {self._said()}")
                data = os.read(self._answers, 1 << 16)
                if not data:
                    raise SessionError(f"lldb ended: {self._said()}")
                self._seen += data
        line, _, self._seen = self._seen.partition(b"\n")
        answer = json.loads(line)
        return Answer(answer["output"], answer["error"])

    def _said(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def run(self, command: str, seconds: float = DEADLINE) -> Answer:
        self.send(command)
        return self.answer(seconds)

    def open(self, program: str) -> str:
        return f"target create {program}"

    def connect(self, address: str) -> str:
        return f"gdb-remote 127.0.0.1:{address}"

    def launch(self, args: Sequence[str], output: Path) -> str:
        return (
            f"process launch -i /dev/null -o {output} -e {output} -- {' '.join(args)}"
        )

    def once(self, place: Union[int, str]) -> str:
        how = f"--address {place:#x}" if isinstance(place, int) else f"--name {place}"
        return f"breakpoint set --one-shot true {how}"

    def ignore_signals(self, signals: str) -> None:
        """lldb takes this only when a process is there."""
        self.run(f"process handle -s false -n false -p true {signals}")

    def number(self, expression: str) -> int:
        name = expression.lstrip("$")
        return hexadecimal(self.run(f"register read --format hex {name}"))

    @property
    def pid(self) -> int:
        return self.process.pid

    def close(self) -> None:
        """End of input ends lldb, and with it what it launched."""
        os.close(self._commands)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            end(self.process)
        os.close(self._answers)
        self._log.close()


class NewLldb(Lldb):
    """An lldb with scripted frame providers."""

    program = str(ROOT / ".cache" / "lldb-new" / "bin" / "lldb")


DEBUGGERS: Dict[str, Type[Union[Gdb, Lldb]]] = {"gdb": Gdb, "lldb": Lldb}
DRIVERS = {**DEBUGGERS, "lldb-new": NewLldb}
"""All that a session can be opened with; each of DEBUGGERS has to pass every test."""
