"""The words of `thunk-inspect run`."""

import argparse
from typing import Any

from ..commands.base import count, seconds
from ..report.written import add_options
from ..trace.model import KINDS

DESCRIPTION = """\
Starts PROGRAM in a debugger of its own, traces every interpreted call until it ends,
and judges the thunk; with --break stops at WHERE and judges there. Options come before
PROGRAM. Its standard input is empty; its output goes where it always goes."""


def add_run(commands: Any) -> argparse.ArgumentParser:
    """The parser of `run`, among those of the other commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run", help="run a program and judge its thunks", description=DESCRIPTION
    )
    parser.add_argument(
        "--debugger", default="gdb", help="gdb (the default), lldb, or the path of one"
    )
    parser.add_argument("--qemu", action="store_true", help="run it under qemu-user")
    parser.add_argument("--sysroot", metavar="DIR", help="its libraries, for qemu")
    parser.add_argument(
        "--break",
        dest="place",
        metavar="WHERE",
        help="stop and judge there: a function, an address with 0x, or a kind of"
        f" event ({', '.join(KINDS)})",
    )
    parser.add_argument(
        "--hits",
        type=count,
        metavar="N",
        help="stop at the Nth hit of WHERE (1); else trace N calls (all)",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60.0,
        metavar="S",
        help="seconds that it may run (60)",
    )
    parser.add_argument("--all", action="store_true", help="every check's evidence")
    add_options(parser)
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS")
    return parser
