"""One debugger, looked at by starting it: its version, its Python, and whether the
plugin loads and finds its packages there.

It is started in batch mode, without the user's init files and with a time-out; no
program is opened in it.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from .packages import PACKAGES, installs
from .wiring import GDB, LLDB, Wiring

SECONDS = 30.0
"""For one start of a debugger; they take one at the most."""
NAMES = re.compile(
    r"gdb(-multiarch|-\d+)?|(aarch64|x86_64)-[\w-]+-gdb|lldb(-\d+(\.\d+)?)?"
)
MARK = "thunk-inspect-doctor"
HELP = "Usage: thunk-inspect"
"""In what a debugger says of our command, if it has it."""


@dataclass
class Seen:
    """What was seen of a debugger. `problem` and `mend` are empty where all is well."""

    name: str
    path: str
    version: str = ""
    python: str = ""
    packages: "dict[str, str]" = field(default_factory=dict)
    problem: str = ""
    mend: str = ""


def on_path() -> "dict[str, str]":
    """Every debugger that can be started by its name; each program once."""
    found: dict[str, str] = {}
    programs = set()
    for folder in os.get_exec_path():
        for name in _names(folder):
            path = os.path.join(folder, name)
            program = os.path.realpath(path)
            new = name not in found and program not in programs
            if new and os.path.isfile(path) and os.access(path, os.X_OK):
                found[name] = path
                programs.add(program)
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _names(folder: str) -> Iterator[str]:
    with contextlib.suppress(OSError):
        yield from sorted(filter(NAMES.fullmatch, os.listdir(folder)))


def _order(name: str) -> "tuple[str, float]":
    number = re.search(r"[\d.]+$", name)
    return name.rstrip(".0123456789"), float(number[0]) if number else 0.0


def wiring_of(path: str) -> Wiring:
    """lldb's or gdb's, by the program's name."""
    return LLDB if "lldb" in os.path.basename(path) else GDB


def look(name: str, path: str, seconds: float = SECONDS) -> Seen:
    """Start it, load the plugin, and see."""
    seen = Seen(name, path)
    said = output([path, "--version"], seconds)
    if said is None:
        seen.problem, seen.mend = _late(seconds)
        return seen
    seen.version = version_in(said)
    wiring = wiring_of(path)
    said = output(_command(path, wiring), seconds)
    if said is None:
        seen.problem, seen.mend = _late(seconds)
        return seen
    facts = _facts(said)
    seen.python = facts.pop("python", "")
    if not seen.python:
        seen.problem = f"its Python does not start: {_last(said)}"
        seen.mend = _python_for(name, wiring)
    elif HELP not in said:
        seen.problem = f"the plugin does not load: {_last(said)}"
        seen.mend = f"try `{wiring.line}` in it"
    elif "problem" in facts:
        seen.problem, _, seen.mend = facts["problem"].partition(": ")
    else:
        seen.packages = facts
    return seen


def _command(path: str, wiring: Wiring) -> "list[str]":
    gdb = wiring is GDB
    python, order = ("python", "-ex") if gdb else ("script", "-o")
    tell = f"{python} import sys; print('{MARK}', "
    # The last first to fail: lldb in batch does nothing more after an error.
    lines = (
        tell + '\'{"python": "%s"}\' % sys.version.split()[0])',
        wiring.line,
        "help thunk-inspect",
        tell + "__import__('thunk_inspect.dependencies').dependencies.told())",
    )
    start = ["-nx", "-q", "-batch"] if gdb else ["--no-lldbinit", "--batch"]
    return [path, *start, *(word for line in lines for word in (order, line))]


def _facts(said: str) -> "dict[str, str]":
    """What the lines of ours tell."""
    facts: dict[str, Any] = {}
    for line in said.splitlines():
        if line.startswith(MARK):
            with contextlib.suppress(ValueError):
                facts.update(json.loads(line[len(MARK) :]))
    return {str(name): str(value) for name, value in facts.items()}


def _last(said: str) -> str:
    """Its last word, which is what went wrong."""
    lines = (line.strip() for line in said.splitlines())
    told = [
        line
        for line in lines
        if line and not line.startswith((MARK, "(lldb)", "Error while executing"))
    ]
    # gdb goes on after an error, and then knows no such command, nor a module.
    consequences = ("Undefined command", "ModuleNotFoundError", "Traceback", "File ")
    causes = [line for line in told if not line.startswith(consequences)]
    return (causes or told or ["it does not say why"])[-1]


def _late(seconds: float) -> "tuple[str, str]":
    return (
        f"no answer in {seconds:.0f} s",
        "start it by hand, and see what it waits for",
    )


def _python_for(name: str, wiring: Wiring) -> str:
    number = re.search(r"-(\d+)", name)
    if wiring is LLDB and number:
        return f"apt-get install python3-lldb-{number[1]}"
    known = name if name in PACKAGES else wiring.debugger
    return f"{installs(known)}, or another {wiring.debugger} with Python"


def output(command: Sequence[str], seconds: float = SECONDS) -> Optional[str]:
    """What a program says, on both streams; None when time was up."""
    # A file, not a pipe: whatever the program leaves running could hold that open.
    with tempfile.TemporaryFile() as file:
        try:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        try:
            child.wait(seconds)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return None
        file.seek(0)
        return file.read().decode(errors="replace")


def version_in(said: str) -> str:
    """The version in the first line of what `--version` says."""
    line = re.sub(r"\(.*?\)", "", said.partition("\n")[0])
    number = re.search(r"\d+(\.\d+)+", line)
    return number[0] if number else ""


def short(path: str) -> str:
    """A path as people write it."""
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path
