"""A process that lies: every read that an inspection makes fails, comes back short or
long, changes, or gives garbage, one after the other; in every command.

Whatever it meets, it answers in one line or with a report, and takes nothing for right
that is not. `THUNK_SWEEP=all` tries every place in more calls; else a fixed choice.
"""

import json
import time
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from faulty import (
    CALLS,
    MORE_CALLS,
    SWEEP_ALL,
    Call,
    Fault,
    Faulty,
    TargetSession,
    checks,
    cut,
    dying,
    garbage,
    grown,
    longer,
    other,
    plain,
    refused,
    saved,
    short,
    shorter,
    some,
    unproved,
    unreadable,
    untold,
    untrue,
)
from reports import validated
from thunk_inspect.commands.run import run_command
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.report.model import Report
from thunk_inspect.report.text import Detail, render
from thunk_inspect.snapshot import load_snapshot
from thunk_inspect.target import LINE, PAGE, ThunkError

LONGEST = 5.0
"""Seconds of the processor for one command; all take far less."""
Case = Tuple[str, Fault]
pytestmark = pytest.mark.xdist_group("sweep")


class Known:
    """A call, what is said of it when all goes well, and what that was read from."""

    def __init__(self, target: Faulty) -> None:
        self.target = target
        self.base = inspect(target)
        self.reads = len(target.reads)
        self.words = sorted({place // 8 * 8 for place in target.told})
        self.lines = sorted({place // LINE * LINE for place in target.told})
        self.pages = sorted({place // PAGE * PAGE for place in target.told})
        assert self.base.thunk and grown(self.base, self.base) == []

    @property
    def telling(self) -> List[int]:
        """Words that are no stub's, of which there are hundreds; and a few that are."""
        thunk = self.base.thunk
        assert thunk
        end = thunk.epilogue - 4 * thunk.stub_size
        return [
            word
            for n, word in enumerate(self.words)
            if not thunk.first_stub <= word < end or n % 61 == 0
        ]


@pytest.fixture(
    scope="module",
    params=[*CALLS, *(MORE_CALLS if SWEEP_ALL else ())],
    ids=lambda call: str(call.name),
)
def known(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Known:
    call: Call = request.param
    return Known(Faulty(saved(call, tmp_path_factory)))


def failing_reads(known: Known) -> Iterator[Case]:
    for n in range(known.reads):
        yield f"read {n} fails", refused(n)
        yield f"all fail from {n} on", dying(n)
        yield f"all are short from {n} on", shorter(n)
        yield f"read {n} is long", longer(n)
        for length in (0, 1, 7, 8, 100, LINE):
            yield f"read {n} gives {length}", short(n, length)


def missing_memory(known: Known) -> Iterator[Case]:
    for word in known.telling:
        yield f"no word {word:#x}", unreadable(word, 8)
    for line in known.lines:
        yield f"no line {line:#x}", unreadable(line, LINE)
        yield f"reads end at {line + 200:#x}", cut(line + 200)
    for page in known.pages:
        yield f"no page {page:#x}", unreadable(page, PAGE)


def other_memory(known: Known) -> Iterator[Case]:
    sizes = ((8, known.telling), (LINE, known.lines), (PAGE, known.pages))
    for size, places in sizes:
        for place in places:
            for kind, content in garbage(place, size):
                yield f"{kind} in {size} bytes at {place:#x}", other(place, content)


def changing_memory(known: Known) -> Iterator[Case]:
    for line in known.lines:
        for n in range(known.reads):
            for kind, content in garbage(line, LINE):
                yield f"{kind} at {line:#x} from read {n} on", other(line, content, n)


def reported(known: Known, case: Case) -> "Tuple[Report, Faulty] | None":
    """The report; None if it was refused, in one line."""
    name, fault = case
    target = known.target.again(fault)
    started = time.process_time()
    try:
        report = inspect(target)
    except ThunkError as error:
        assert str(error) and plain(str(error)) and "\n" not in str(error), name
        return None
    finally:
        assert time.process_time() - started < LONGEST, name
    assert all(check.evidence and all(check.evidence) for check in report.claims), name
    return report, target


def test_looks_that_fail_decide_nothing(known: Known) -> None:
    """Neither a pass nor a fail comes of a read that fails, and what is missing is
    named."""
    cases = [*some([*failing_reads(known)], 25), *some([*missing_memory(known)], 40)]
    for case in cases:
        done = reported(known, case)
        if done:
            report, target = done
            assert grown(report, known.base) == [], case[0]
            assert untold(report, target) == [], case[0]
            assert report.verdict in (known.base.verdict, "undecided"), case[0]


def test_what_passes_is_what_was_read(known: Known) -> None:
    """In memory full of garbage: claims of the instructions are proved by the bytes
    that were read, and those of the call are true of its words."""
    for number, case in enumerate(some([*other_memory(known)], 40)):
        done = reported(known, case)
        if done:
            report, target = done
            wrong = untold(report, target) + untrue(report, target)
            if number % 3 == 0 or SWEEP_ALL:
                wrong += unproved(report, target)
            assert wrong == [], case[0]


def test_memory_that_changes_under_the_look(known: Known) -> None:
    for number, case in enumerate(some([*changing_memory(known)], 10)):
        done = reported(known, case)
        if done and number % 5 == 0:
            validated(json.loads(json.dumps(to_dict(done[0]))))
            assert plain(render(done[0], detail=Detail(True, True))), case[0]


def test_registers_that_are_missing_or_wild(known: Known) -> None:
    registers = known.target.registers()
    values = (None, 0, 1, 8, (1 << 64) - 1, (1 << 64) - 8, 1 << 63)
    cases = [(name, value) for name in registers for value in values]
    for name, value in some(cases, 9):
        target = known.target.again(None)
        changed = {**registers, name: value}
        target._registers = {n: v for n, v in changed.items() if v is not None}
        for command in COMMANDS[1:5]:
            answer(target, command, f"{name} = {value}")


COMMANDS = (
    "thunk-inspect --all --bytes --html {file} --junit {file}x --markdown {file}m",
    "thunk-inspect --json",
    "thunk-bt --all",
    "thunk-bt --json",
    "thunk-compare --all",
    "thunk-compare --json",
    "thunk-find",
    "thunk-find --json",
    "thunk-layout {layout}",
    "thunk-layout --json {layout}",
    "thunk-layout",
    "thunk-stub {function}",
    "thunk-snapshot {file}",
)


def answer(target: Faulty, command: str, case: str) -> str:
    """What a command says: plain lines, or one that says why there are none."""
    name, _, words = command.partition(" ")
    started = time.process_time()
    try:
        text = run_command(name, words, TargetSession(target))
    except ThunkError as error:
        text = str(error)
        assert text and "\n" not in text, (command, case)
    assert time.process_time() - started < LONGEST, (command, case)
    assert plain(text), (command, case)
    return text


def test_every_command_through_it(known: Known, tmp_path: Path) -> None:
    layout = known.base.layout
    places = {
        "file": tmp_path / "file",
        "layout": f"{layout.address if layout else 0:#x}",
        "function": f"{layout.function_address or 0 if layout else 0:#x}",
    }
    cases = [
        ("all is well", unreadable(0, 0)),
        *some([*failing_reads(known)], 1),
        *some([*missing_memory(known)], 1),
        *some([*other_memory(known)], 2),
        *some([*changing_memory(known)], 1),
    ]
    for name, fault in cases:
        for command in COMMANDS:
            target = known.target.again(fault)
            said = answer(target, command.format(**places), name)
            if "--json" in command and said.startswith("{"):
                validated(json.loads(said))
            if "snapshot" in command and said.startswith("saved"):
                validated(json.loads(places["file"].read_text()))  # type: ignore[attr-defined]
                load_snapshot(str(places["file"]))


def test_a_stack_with_a_hole(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whichever word of the stack is missing, no copy of the call's words farther in
    is taken for the call."""
    known = Known(Faulty(saved(MORE_CALLS[0], tmp_path_factory)))
    sp = known.base.registers["sp"]
    words = [word for word in known.words if sp <= word < sp + PAGE]
    assert len(words) > 50
    for word in words:
        done = reported(known, (f"no word {word:#x}", unreadable(word, 8)))
        assert done and grown(done[0], known.base) == [], hex(word)


def test_a_chain_that_is_lost(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A stub outside the block fails; without the chain that leads to it, the block's
    own last stub is not judged in its place."""
    known = Known(Faulty(saved(MORE_CALLS[2], tmp_path_factory)))
    assert checks(known.base)["A5"].verdict == "fail"
    for number in range(known.reads):
        done = reported(known, (f"all fail from {number} on", dying(number)))
        assert done is None or grown(done[0], known.base) == [], number
