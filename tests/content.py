"""A sound call in a process whose content is changed for a test, and commands on it."""

import json
import struct
import time
from typing import Dict, Sequence, Tuple

import pytest

from faulty import (
    CALLS,
    SWEEP_ALL,
    Fault,
    Faulty,
    TargetSession,
    other,
    plain,
    saved,
)
from reports import Document, validated
from thunk_inspect.commands.run import run_command
from thunk_inspect.inspection import inspect
from thunk_inspect.report.model import Report
from thunk_inspect.target import ThunkError

SOUND, LINUX, WINDOWS = CALLS[0], CALLS[4], CALLS[5]
LONGEST = 10.0
"""Seconds for one command, whatever it meets; nearly all take some milliseconds."""
FREE = 0x7000_0000_0000
"""Where nothing of the process is."""
Case = Tuple[Document, Report]


@pytest.fixture(scope="module", params=(SOUND, LINUX), ids=("arm64", "x64"))
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Case:
    """A sound call at the interpreter's first instruction."""
    document = saved(request.param, tmp_path_factory)
    report = inspect(Faulty(document))
    assert report.verdict == "sound"
    return document, report


COMMANDS = (
    "thunk-inspect --all --bytes",
    "thunk-inspect --json",
    "thunk-bt --all",
    "thunk-bt --json",
    "thunk-compare --all",
    "thunk-find",
    "thunk-layout",
)


def say(target: Faulty, command: str) -> str:
    """What a command says, in time: plain lines, or one that says why not."""
    name, _, words = command.partition(" ")
    fresh = target.again(target.fault)
    fresh.remembers = False
    started = time.monotonic()
    try:
        text = run_command(name, words, TargetSession(fresh))
    except ThunkError as error:
        text = str(error)
        assert text and "\n" not in text
    assert time.monotonic() - started < LONGEST, command
    assert plain(text), command
    if "--json" in command and text.startswith("{"):
        validated(json.loads(text))
    return text


SHORT = ("thunk-inspect --all", "thunk-bt --all", "thunk-layout")
"""For what is tried often; `THUNK_SWEEP=all` tries all of them there too."""


def say_all(target: Faulty, commands: Sequence[str] = COMMANDS) -> None:
    for command in COMMANDS if SWEEP_ALL else commands:
        say(target, command)


def both(*faults: Fault) -> Fault:
    def fault(address: int, n: int, data: bytes, size: int) -> bytes:
        for one in faults:
            data = one(address, n, data, size)
        return data

    return fault


def word(address: int, value: int) -> Fault:
    return other(address, struct.pack("<Q", value & (1 << 64) - 1))


def layout_of(report: Report) -> int:
    assert report.layout
    return report.layout.address


def with_memory(document: Document, *pieces: Tuple[int, bytes]) -> Document:
    more = [{"address": hex(a), "bytes": data.hex()} for a, data in pieces]
    return {**document, "memory": [*document["memory"], *more]}


def chain_of(target: Faulty, report: Report) -> Dict[str, int]:
    """The places of the words that lead from the layout to the stub."""
    assert report.layout and report.layout.function and report.thunk
    function, offsets = report.layout.function, report.thunk.offsets
    assert offsets
    return {
        "function": layout_of(report),
        "type": function.address + 8,
        "info": function.address + offsets["function_info"],
        "entry": function.info,
        "body": function.info + offsets["function_proxy"],
        "stub": function.body + offsets["dynamic_thunk"],
        "back": function.body + 0x10,
        "name": function.body + offsets["dynamic_thunk"] + 0x38,
    }
