"""Debuggers driven command by command, and one session that is the same in both.

`Gdb` and `Lldb` each run a fresh debugger and return what a command printed. `Session`
speaks of programs and places, and leaves the words to them.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Union

from programs import (
    DEADLINE,
    ENGINE,
    ENVIRONMENT,
    ROOT,
    SCRIPTS,
    WINE,
    Qemu,
    SessionError,
    end,
    end_wine,
    fixture,
    need,
    wine_environment,
)
from reports import validated

MARK = "\x1e"
CALL = {"aarch64": "arm64_CallFunction", "x86_64": "amd64_CallFunction"}
INTERPRETER = (
    "_ZN2Js21InterpreterStackFrame16InterpreterThunkEPNS_25JavascriptCallStackLayoutE"
)
DISPATCH = {"aarch64": "60001fd6", "x86_64": "ffe2"}
"""`br x3` and `jmp rdx`, as every header ends."""
DISPATCH_REGISTER = {"aarch64": "$x3", "x86_64": "$rdx"}

PLACES = ("header", "dispatch", "stub", "interpreter", "depth_5")


class Answer(NamedTuple):
    """What a command printed, by stream."""

    output: str
    error: str

    @property
    def text(self) -> str:
        return self.output + self.error


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
    by_port = False

    def __init__(self, folder: Path, arch: str, env: Dict[str, str]) -> None:
        program = "gdb-multiarch" if arch == "aarch64" else "gdb"
        start = (
            "set prompt",
            "set pagination off",
            "set width 80",
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
        text = self.run(f"output/x (unsigned long){expression}").output
        return int(text.strip(), 16)

    def close(self) -> None:
        self._pipes.close()


class Lldb:
    """lldb with a loop of ours inside that takes commands and returns answers."""

    name = "lldb"
    plugin = ROOT / "plugin" / "lldb" / "thunk_inspect_lldb.py"
    load = f"command script import {plugin}"
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
        self._log = (folder / "lldb.log").open("wb")
        self.process = subprocess.Popen(
            [need("lldb-19"), "--no-lldbinit", "--batch", *words],
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
        return f"gdb-remote {address}"

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
        text = self.run(f"register read --format hex {expression.lstrip('$')}").output
        return int(text.split("=")[1].split()[0], 16)

    def close(self) -> None:
        """End of input ends lldb, and with it what it launched."""
        os.close(self._commands)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            end(self.process)
        os.close(self._answers)
        self._log.close()


DEBUGGERS = {"gdb": Gdb, "lldb": Lldb}


class Session:
    """One debugger, one program. Everything in it is the same for gdb and lldb."""

    def __init__(self, debugger: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = debugger
        self.output = folder / "output.txt"
        self.arch = ""
        self._debugger: Optional[Union[Gdb, Lldb]] = None
        self._qemu: Optional[Qemu] = None
        self._last: Optional[Dict[str, Any]] = None
        self._wine = False

    @property
    def debugger(self) -> Union[Gdb, Lldb]:
        assert self._debugger, "open() comes first"
        return self._debugger

    def open(
        self,
        arch: str = "x86_64",
        env: Optional[Dict[str, str]] = None,
        plugin: bool = True,
    ) -> None:
        """The debugger with the plugin loaded, and no program."""
        self.arch = arch
        self._debugger = DEBUGGERS[self.name](
            self.folder, arch, {**ENVIRONMENT, **(env or {})}
        )
        if plugin:
            loaded = self.run(self.debugger.load)
            assert not loaded.text, loaded.text

    def load(
        self,
        *args: str,
        arch: str = "x86_64",
        stop: str = "",
        env: Optional[Dict[str, str]] = None,
    ) -> None:
        """chakra_like, up to its first call of a function, or an earlier stop."""
        self.open(arch, env)
        function = stop or CALL[arch]
        program = fixture(arch)
        self.run(self.debugger.open(program))
        if arch == "aarch64":
            self._qemu = Qemu(
                [program, *args], self.folder, self.debugger.by_port, self.output
            )
            self.run(self.debugger.connect(self._qemu.address))
            self.run(self.debugger.once(function))
            self.run("continue")
        else:
            self.run(self.debugger.once(function))
            self.run(self.debugger.launch(args, self.output))

    def load_engine(self, script: str, *options: str, stop: str = "main") -> None:
        """The real engine natively, up to a function of the host's or the library's."""
        self.open()
        args = (*options, str(ENGINE / "libChakraCore.so"), str(SCRIPTS / script))
        self.run(self.debugger.open(need(ENGINE / "engine_host")))
        self.run(self.debugger.once("main"))
        self.run(self.debugger.launch(args, self.output))
        self.debugger.ignore_signals("SIGSEGV SIGUSR1 SIGUSR2")
        self.go_to(stop)

    def load_wine(self, script: str) -> None:
        """The Windows engine under wine, in gdb, at the script's first print."""
        self._wine = True
        self.open(env=wine_environment())
        args = ("--no-jit", "--trap", str(ENGINE / "ChakraCore.dll"))
        self.run(self.debugger.open(need(WINE)))
        self.debugger.ignore_signals("SIGSEGV SIGUSR1 SIGUSR2")
        host = need(ENGINE / "engine_host.exe")
        words = (host, *args, str(SCRIPTS / script))
        self.run(self.debugger.launch(words, self.output), 2 * DEADLINE)

    def run(self, command: str, seconds: float = DEADLINE) -> Answer:
        return self.debugger.run(command, seconds)

    def json(self, command: str = "thunk-inspect") -> Dict[str, Any]:
        """A command's answer with --json."""
        answer = self.run(f"{command} --json")
        assert not answer.error, answer.error
        return validated(json.loads(answer.output))

    def go_to(self, place: Union[int, str]) -> None:
        """Continue to an address or a function; it is an error not to get there."""
        self.run(self.debugger.once(place))
        said = self.run("continue")
        if isinstance(place, int):
            pc = self.pc()
            assert pc == place, f"stopped at {pc:#x}, not {place:#x}: {said.text}"

    def go_on_to(self, place: str) -> Dict[str, Any]:
        """Continue to one of PLACES, which come in this order; the report of there."""
        self.go_to(self.place(place))
        self._last = self.json()
        return self._last

    def place(self, name: str) -> Union[int, str]:
        """Where one of PLACES is, by what the last report says of the block."""
        if name == "depth_5":
            return name
        self._last = self._last or self.json()
        thunk = self._last["thunk"]
        block = int(thunk["block"], 16)
        if name == "dispatch":
            return block + thunk["bytes"].rindex(DISPATCH[self.arch]) // 2
        if name == "stub":
            assert self.pc() == self.place("dispatch"), "the branch knows where it goes"
            return self.debugger.number(DISPATCH_REGISTER[self.arch])
        return block if name == "header" else int(thunk["interpreter"], 16)

    def pc(self) -> int:
        return self.debugger.number("$pc")

    def interrupt(self) -> None:
        """Continue, and stop the program from outside as a user's ^C does."""
        self.debugger.send("continue")
        self.stop_from_outside()
        self.debugger.answer()

    def stop_from_outside(self) -> None:
        assert self._qemu, "only a program under qemu is interrupted"
        os.kill(self._qemu.pid, signal.SIGINT)

    def stdout(self) -> List[str]:
        """What the program has printed by now."""
        return self.output.read_text().splitlines()

    def close(self) -> None:
        if self._qemu:
            self._qemu.close()
        if self._debugger:
            self._debugger.close()
        if self._wine:
            end_wine()
