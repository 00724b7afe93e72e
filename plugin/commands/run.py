"""What the commands do: one small class each, the same in every debugger."""

import shlex
from collections.abc import Sequence
from functools import cache
from typing import Any, Optional

from ..chakra.layout import MAX_SHOWN, Words, read_layout
from ..chakra.locate import Locator, known_blocks
from ..checklist import assess
from ..checklist.assess import is_asm, prove_block
from ..checklist.listing import listed
from ..checklist.walking import walk_calls
from ..inspection import find_thunk, function_at, inspect, locator_for
from ..proof import Offsets
from ..report import backtrace, compare, find, settings
from ..report.as_json import layout_dict, to_json
from ..report.build import build
from ..report.layout import layout_words, render_layout
from ..report.text import Detail, render
from ..report.written import add_options, to_stdout, write_files
from ..settings import ARGUMENTS, SETTINGS
from ..snapshot import MAX_SAVED, save
from ..target import Memory, ThunkError, clean
from . import HELP
from .base import Command, Parser, UsageError, count, uncollected
from .expression import evaluate
from .session import Session
from .trace import Trace

SAVED_CALLS = 256
"""Script calls whose frames are part of a snapshot."""


class Inspect(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("address", nargs="*")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--bytes", action="store_true")
        parser.add_argument("--all", action="store_true")
        add_options(parser, json=False)

    def run(self, options: Any, session: Session) -> str:
        target = session.target()
        address = _address(options.address, session)
        report = inspect(target, address, ARGUMENTS.number)
        write_files(report, options)
        if to_stdout(options):
            return ""
        if options.json:
            return to_json(report)
        detail = Detail(everything=options.all, code=options.bytes)
        return render(report, session.style(), detail)


class Layout(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("expression", nargs="*")
        parser.add_argument("--json", action="store_true")

    def run(self, options: Any, session: Session) -> str:
        memory = Memory(session.target())
        address, words = _address(options.expression, session), None
        if address is None:
            address, words = _layout_here(memory)
        there: Words = words or memory
        there.read(address, 16)
        limit = ARGUMENTS.number or MAX_SHOWN
        locator = locator_for(memory)
        asm = _is_asm(locator, there.word(address))
        offsets = _offsets(locator)
        layout = read_layout(memory, address, offsets, limit, asm, words)
        if options.json:
            import json

            return json.dumps(layout_dict(layout), indent=2)
        return render_layout(layout, layout_words(layout, there), session.style())


def _is_asm(locator: Locator, function: int) -> bool:
    """Whether a function is called through asm.js thunks, whose layouts have no
    callInfo."""
    thunk = locator.of_function(function)
    memory = locator.memory
    return thunk is not None and is_asm(memory, prove_block(memory, thunk))


def _layout_here(memory: Memory) -> "tuple[int, Words]":
    a = assess(memory, find_thunk(memory))
    if a.call.layout is None:
        raise ThunkError(f"{a.call.how}: give an address, such as $x0")
    return a.call.layout, a.words


class Stub(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("expression", nargs="+")

    def run(self, options: Any, session: Session) -> str:
        memory = Memory(session.target())
        address = evaluate(" ".join(options.expression), session)
        function = function_at(memory, address)
        return (
            f"{function.stub:#x}  {clean(function.name or 'a function without a name')}"
        )


class Backtrace(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("-n", type=count, default=None)
        parser.add_argument("--all", action="store_true")
        parser.add_argument("--json", action="store_true")

    @uncollected()
    def run(self, options: Any, session: Session) -> str:
        memory = Memory(session.target())
        assessment = assess(memory, find_thunk(memory))
        shown = ARGUMENTS.number
        walk = walk_calls(assessment, options.n, options.all, shown)
        if options.json:
            return backtrace.to_json(walk)
        return backtrace.render(walk, session.style())


class Find(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("--json", action="store_true")

    def run(self, options: Any, session: Session) -> str:
        memory = Memory(session.target())
        locator = locator_for(memory)
        blocks = listed(memory, known_blocks(locator))
        if not blocks:
            locator.here()
        if options.json:
            return find.to_json(blocks)
        return find.render(blocks, session.style())


class Compare(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("address", nargs="*")
        parser.add_argument("--all", action="store_true")
        parser.add_argument("--json", action="store_true")

    def run(self, options: Any, session: Session) -> str:
        memory = Memory(session.target())
        found = find_thunk(memory, _address(options.address, session))
        assessment = assess(memory, found)
        if options.json:
            return compare.to_json(assessment)
        return compare.render(assessment, session.style(), options.all)


class Snapshot(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("file")
        # With a default argparse does not ask for it.
        parser.add_argument("address", nargs="*", default=())

    def run(self, options: Any, session: Session) -> str:
        memory = Memory(session.target())
        memory.lines = {}  # without what the commands before this one looked at
        found = find_thunk(memory, _address(options.address, session))
        assessment = assess(memory, found)
        build(assessment)
        # The stack too, so that it is there to be looked at.
        walk_calls(assessment, SAVED_CALLS, native=True)
        save(memory, options.file)
        size = min(sum(map(len, memory.lines.values())), MAX_SAVED)
        return f"saved {size} bytes of memory to {clean(options.file)}"


class Settings(Command):
    """The settings, or one of them; or a new value for it."""

    def arguments(self, parser: Parser) -> None:
        names = [setting.name for setting in SETTINGS]
        parser.add_argument("name", nargs="?", choices=names)
        parser.add_argument("value", nargs="?")

    def run(self, options: Any, session: Session) -> str:
        chosen = [one for one in SETTINGS if options.name in (None, one.name)]
        if options.value is not None:
            try:
                chosen[0].set(options.value)
            except ValueError as error:
                raise UsageError(str(error)) from None
        return settings.render(chosen, session.style())


COMMANDS: dict[str, type[Command]] = {
    "thunk-inspect": Inspect,
    "thunk-layout": Layout,
    "thunk-stub": Stub,
    "thunk-bt": Backtrace,
    "thunk-find": Find,
    "thunk-compare": Compare,
    "thunk-snapshot": Snapshot,
    "thunk-trace": Trace,
    "thunk-settings": Settings,
}


def _address(words: Sequence[str], session: Session) -> Optional[int]:
    return evaluate(" ".join(words), session) if words else None


def _offsets(locator: Locator) -> Optional[Offsets]:
    """The chain's offsets from whichever block can be found; None without one."""
    try:
        found = locator.here()
    except ThunkError:
        return None
    return assess(locator.memory, found).facts.offsets


def run_command(name: str, line: str, session: Session) -> str:
    """Run a command line in a debugger. ThunkError carries what went wrong."""
    options = _parser(name).parse_args(_split(line))
    return COMMANDS[name]().run(options, session)


@cache
def _parser(name: str) -> Parser:
    """Kept: argparse looks for translations in sixteen files for each new one."""
    usage = next(help.usage for help in HELP if help.name == name)
    usage = " ".join(usage.split())
    parser = Parser(prog=name, usage=usage, add_help=False, allow_abbrev=False)
    COMMANDS[name]().arguments(parser)
    return parser


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"cannot read this line: {error}") from None


def words_of(name: str) -> list[str]:
    """The words that a command knows, for completion: its options and choices."""
    parser = _parser(name)
    words = [text for action in parser._actions for text in action.option_strings]
    return words + [text for action in parser._actions for text in action.choices or ()]
