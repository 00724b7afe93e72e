"""A debugger and a program: sessions that are the same in gdb and in lldb.

`Session` speaks of programs and places; `debuggers` knows the words for them.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from debuggers import DRIVERS, Answer, Gdb, Lldb
from programs import (
    DEADLINE,
    ENGINE,
    ENVIRONMENT,
    SCRIPTS,
    WINE,
    Qemu,
    SessionError,
    Wine,
    fixture,
    need,
    wine_environment,
)
from reports import validated

CALL = {"aarch64": "arm64_CallFunction", "x86_64": "amd64_CallFunction"}
INTERPRETER = (
    "_ZN2Js21InterpreterStackFrame16InterpreterThunkEPNS_25JavascriptCallStackLayoutE"
)
DISPATCH = {"aarch64": "60001fd6", "x86_64": "ffe2"}
"""`br x3` and `jmp rdx`, as every header ends."""
DISPATCH_REGISTER = {"aarch64": "$x3", "x86_64": "$rdx"}

PLACES = ("header", "dispatch", "stub", "interpreter", "depth_5")


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
        self._wine: Optional[Wine] = None

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
        self._debugger = DRIVERS[self.name](
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
        self.run(self.debugger.open(fixture(arch)))
        self._start(args, stop or CALL[arch])

    def load_again(self, *args: str) -> None:
        """Another process of chakra_like, in the same debugger."""
        self.run(self.debugger.kill)
        if self._qemu:
            self._qemu.close()
        self._last = None
        self._start(args, CALL[self.arch])

    def _start(self, args: Sequence[str], function: str) -> None:
        if self.arch == "aarch64":
            command = [fixture(self.arch), *args]
            by_port = self.debugger.by_port
            self._qemu = Qemu(command, self.folder, by_port, self.output)
            self._start_by(self.debugger.connect(self._qemu.address))
            self.go_to(function)
        else:
            self.run(self.debugger.once(function))
            self._start_by(self.debugger.launch(args, self.output))

    def _start_by(self, command: str) -> None:
        """A command after which there must be a process that is stopped."""
        self._must_have_stopped(self.run(command))

    def _must_have_stopped(self, said: Answer) -> int:
        """The pc; it is an error when there is none."""
        try:
            return self.debugger.number("$pc")
        except SessionError:
            raise SessionError(f"no stopped process: {said.text}") from None

    def load_engine(self, script: str, *options: str, stop: str = "main") -> None:
        """The real engine natively, up to a function of the host's or the library's."""
        self.open()
        args = (*options, str(ENGINE / "libChakraCore.so"), str(SCRIPTS / script))
        self.run(self.debugger.open(need(ENGINE / "engine_host")))
        self.run(self.debugger.once("main"))
        self._start_by(self.debugger.launch(args, self.output))
        self.debugger.ignore_signals("SIGSEGV SIGUSR1 SIGUSR2")
        self.go_to(stop)

    def load_wine(self, script: str) -> None:
        """The Windows engine under wine, in gdb, at the script's first print."""
        self._wine = Wine()
        self.open(env=wine_environment())
        args = ("--no-jit", "--trap", str(ENGINE / "ChakraCore.dll"))
        self.run(self.debugger.open(need(WINE)))
        self.debugger.ignore_signals("SIGSEGV SIGUSR1 SIGUSR2")
        host = need(ENGINE / "engine_host.exe")
        words = (host, *args, str(SCRIPTS / script))
        said = self.run(self.debugger.launch(words, self.output))
        assert "SIGTRAP" in said.output, said.text

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
        pc = self._must_have_stopped(said)
        if isinstance(place, int):
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
            code = str(thunk["bytes"])
            return block + code.rindex(DISPATCH[self.arch]) // 2
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
            self._wine.close()
