"""`thunk-inspect doctor`: what is on this machine, if it works, and what mends it."""

import argparse
import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .. import dependencies
from ..status import USAGE_ERROR
from ..target import ThunkError
from . import debugger, files, lines
from .packages import installs
from .wiring import GDB, LLDB, Wiring

GOOD, BAD, ABSENT = "✓", "✗", "–"
ASCII = {GOOD: "ok", BAD: "NO", ABSENT: "-"}
NAME = "thunk-inspect"
PACKAGE = "thunk_inspect"
FIRM = "\N{NO-BREAK SPACE}"
WHAT, WIDTH = 30, 79
"""Columns of what was looked at, and of a line."""
OPTIONAL = {
    "qemu-aarch64": "for `run` with arm64 programs",
    "aarch64-linux-gnu-gcc": "for the test programs for arm64",
}
DESCRIPTION = """\
Looks at what thunk-inspect works with on this machine: this Python and its packages;
each debugger on PATH, which is started to see whether the plugin loads in it and finds
its packages; the debuggers' init files; qemu and the cross compiler for arm64. What
does not work comes with the command that mends it."""
STATUS = f"""\
exit status: 0 all that is needed is there, and works; {USAGE_ERROR} something does not
(its line begins with a cross, or NO): a package of this Python is missing, there is no
debugger, or one that is there cannot load the plugin. What is only absent (a dash)
changes nothing."""


class Finding(NamedTuple):
    mark: str
    what: str
    text: str
    mend: str = ""


def add_doctor(commands: Any) -> None:
    """The parser of `doctor`, among those of the other commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="check debuggers, packages and tools",
        description=DESCRIPTION,
        epilog=STATUS,
    )
    parser.add_argument(
        "debuggers",
        nargs="*",
        metavar="DEBUGGER",
        help="name or path: only these, not all on PATH",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print each finding as it is made: a debugger may take its time."""
    good = True
    for finding in _findings(options.debuggers):
        good = good and finding.mark != BAD
        print(_shown(finding), flush=True)
    return 0 if good else USAGE_ERROR


def _findings(given: Sequence[str]) -> Iterator[Finding]:
    yield this_python()
    chosen = {name: shutil.which(name) or "" for name in given} or debugger.on_path()
    for name, path in chosen.items():
        yield of_debugger(name, path)
    if given:
        return
    kinds = {debugger.wiring_of(path) for path in chosen.values()}
    for wiring in (GDB, LLDB):
        if wiring not in kinds:
            # One of the two will do.
            mark = ABSENT if kinds else BAD
            yield _absent(wiring.debugger, "", mark)
    for wiring in (GDB, LLDB):
        yield of_init_file(wiring)
    for name, purpose in OPTIONAL.items():
        yield of_tool(name, purpose)


def this_python() -> Finding:
    """The Python that runs this, and what `replay` and `run` need of it."""
    what = f"Python {sys.version.split()[0]}"
    try:
        found = dependencies.versions(dependencies.FOR_RUN)
    except (ThunkError, ImportError) as error:
        problem, _, mend = str(error).partition(": ")
        return Finding(BAD, what, problem, mend)
    return Finding(GOOD, what, _list(found))


def of_debugger(name: str, path: str) -> Finding:
    if not path:
        return Finding(BAD, name, "no such debugger on PATH")
    seen = debugger.look(name, path)
    what = f"{name} {seen.version}".strip()
    if seen.problem:
        python = f"Python {seen.python}: " if seen.python else ""
        return Finding(BAD, what, python + seen.problem, seen.mend)
    return Finding(
        GOOD, what, f"the plugin loads; Python {seen.python}, {_list(seen.packages)}"
    )


def of_init_file(wiring: Wiring) -> Finding:
    """Whether the debugger loads the commands when it starts."""
    try:
        path = wiring.file
        what = debugger.short(str(path))
        content = files.read(files.resolved(path))
    except ThunkError as error:
        return Finding(ABSENT, f"{wiring.debugger}'s init file", str(error))
    if content and lines.has(content.data, os.fsencode(wiring.line)):
        return Finding(GOOD, what, "loads the commands")
    return Finding(
        ABSENT,
        what,
        "does not load the commands",
        f"{command()} setup --{wiring.debugger} --write",
    )


def command() -> str:
    """What has to be typed for this very command: as it was, where it is not the one
    that PATH leads to, or was started by its folder or as a module."""
    typed = Path(sys.argv[0])
    if typed.name == NAME:
        found = shutil.which(NAME)
        same = found is not None and os.path.realpath(found) == os.path.realpath(typed)
        return NAME if same else shlex.quote(str(typed))
    python = sys.executable
    if shutil.which(Path(python).name) == python:
        python = Path(python).name
    if getattr(sys.modules.get("__main__"), "__package__", "") == PACKAGE:
        return f"{shlex.quote(python)} -m {PACKAGE}"
    return f"{shlex.quote(python)} {shlex.quote(str(typed))}"


def of_tool(name: str, purpose: str) -> Finding:
    path = shutil.which(name) or shutil.which(f"{name}-static")
    if not path:
        return _absent(name, f", {purpose}", ABSENT)
    version = debugger.version_in(debugger.output([path, "--version"]) or "")
    return Finding(GOOD, f"{name} {version}".strip(), purpose)


def _absent(name: str, purpose: str, mark: str) -> Finding:
    return Finding(mark, name, f"not found{purpose}", installs(name))


def _list(found: "dict[str, str]") -> str:
    """Lines break between two of them."""
    return ", ".join(
        f"{name}{FIRM}{version}".strip() for name, version in found.items()
    )


def _shown(finding: Finding) -> str:
    """What was found, and below it the mend, a line to be typed, in what the terminal
    can show."""
    encoding = sys.stdout.encoding or "ascii"
    mark = finding.mark
    if "UTF" not in encoding.upper():
        mark = f"{ASCII[mark]:2}"
    head = f"{mark} {finding.what:{WHAT}} "
    indent = " " * len(head)
    text = textwrap.fill(head + finding.text, WIDTH, subsequent_indent=indent)
    text = text.replace(FIRM, " ")
    if finding.mend:
        text += f"\n{indent}mend: {finding.mend}"
    return text.encode(encoding, "backslashreplace").decode(encoding)
