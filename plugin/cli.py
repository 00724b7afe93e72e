"""The `thunk-inspect` command: run a program, replay a snapshot, set up a debugger, and
see what is on this machine.

What it exits with stands in `status.py`. `setup` and `doctor` have to work where the
packages of the others are missing.
"""

import argparse
import os
import sys
from typing import Any, Optional

from .dependencies import FOR_RUN, ready
from .inspection import inspect
from .install.doctor import add_doctor
from .install.setup import add_setup
from .report.as_json import to_json
from .report.page import Style, colourless
from .report.text import Detail, render
from .report.written import add_options, to_stdout, write_files
from .session.arguments import add_run
from .snapshot import load_snapshot
from .status import STATUS, USAGE_ERROR
from .target import ThunkError, one_line
from .version import VERSION


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has gone; the rest of it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(getattr(options, "status", USAGE_ERROR))
    except (ThunkError, ImportError, OSError) as error:
        print(f"thunk-inspect: {one_line(error)}", file=sys.stderr)
        return USAGE_ERROR


class _Command(argparse.ArgumentParser):
    """One command's words. What is too much is told with this command's usage: argparse
    by itself would show the one that names the commands."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return options, rest


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="thunk-inspect",
        description="Judges ChakraCore's dynamic interpreter thunks.",
    )
    version = f"thunk-inspect {VERSION}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, parser_class=_Command
    )
    replay = commands.add_parser("replay", help="judge a snapshot file")
    replay.add_argument("file")
    replay.add_argument("address", nargs="?", help="of a block or a function object")
    replay.add_argument("--json", action="store_true", help="the report as JSON")
    replay.add_argument("--bytes", action="store_true", help="every instruction")
    replay.add_argument("--all", action="store_true", help="every check's evidence")
    add_options(replay, json=False)
    replay.set_defaults(run=_replay)
    add_run(commands).set_defaults(run=_run)
    add_setup(commands)
    add_doctor(commands)
    return parser


def _replay(options: argparse.Namespace) -> int:
    ready()
    target = load_snapshot(options.file)
    report = inspect(target, _number(options.address))
    options.status = STATUS[report.verdict]
    write_files(report, options)
    if options.json:
        print(to_json(report))
    elif not to_stdout(options):
        detail = Detail(options.all, options.bytes, "thunk-inspect replay")
        print(render(report, terminal_style(), detail))
    return int(options.status)


def _run(options: argparse.Namespace) -> int:
    # What only this command needs stays out of the others' way.
    ready(FOR_RUN)
    from .session.run import run

    return run(options, terminal_style())


def _number(text: Optional[str]) -> Optional[int]:
    if text is None:
        return None
    try:
        value = int(text, 0)
    except ValueError:
        raise ThunkError(
            f"{text!r} is no address: give a number such as 0x7f10"
        ) from None
    if not 0 <= value < 1 << 64:
        raise ThunkError(f"{text} is no 64-bit address")
    return value


def terminal_style() -> Style:
    """How output may look here: colour only on a terminal that is to have it."""
    import shutil

    colour = sys.stdout.isatty() and not colourless(os.environ)
    width = shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else 80
    unicode = "UTF" in (sys.stdout.encoding or "").upper()
    return Style(max(40, min(width, 120)), colour, unicode)


if __name__ == "__main__":
    sys.exit(main())
