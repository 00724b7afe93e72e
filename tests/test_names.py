"""Names and strings that mean harm or have no end: shown as they are, or not at all."""

import json
import struct

import pytest

from content import (
    FREE,
    SHORT,
    Case,
    both,
    chain_of,
    layout_of,
    say,
    say_all,
    with_memory,
    word,
)
from content import (
    case as case,
)
from faulty import Faulty, other
from hostile import HOSTILE
from reports import Document
from thunk_inspect.inspection import inspect
from thunk_inspect.report.model import Report

pytestmark = pytest.mark.xdist_group("sweep")
NAMES = [
    *HOSTILE,
    "\x9b31mred\x9c",
    "a\u200bb\u200dc\ufeff",
    *(chr(mark) + "x" for mark in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))),
    "\u2028line\u2029",
    "[red]x[/red]",
    "../../x",
    "{0}{1!r}%s%n",
    "\ud83d\ude00",
]


def units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def named(document: Document, report: Report, name: str, length: int = -1) -> Faulty:
    place = chain_of(Faulty(document), report)["name"]
    text = units(name)
    count = len(text) // 2 if length < 0 else length
    told = word(place, FREE), other(place + 8, struct.pack("<I", count & 0xFFFFFFFF))
    return Faulty(with_memory(document, (FREE, text + b"\0\0")), both(*told))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_that_command(case: Case, name: str) -> None:
    """Shown as it is, or not at all: never obeyed by a terminal."""
    document, report = case
    target = named(document, report, name)
    say_all(target, SHORT)
    judged = inspect(target.again(target.fault))
    assert judged.layout and judged.layout.function and judged.verdict == "sound"
    shown = judged.layout.function.name
    assert shown is None or shown.isprintable()


@pytest.mark.parametrize("length", (0, 1, 200, 256, 257, 1 << 31, (1 << 32) - 1))
def test_names_without_end(case: Case, length: int) -> None:
    document, report = case
    target = named(document, report, "x" * 200, length)
    say_all(target)
    judged = inspect(target.again(target.fault))
    assert judged.layout and judged.layout.function
    assert judged.layout.function.name == ("x" * 200 if length == 200 else None)


def with_string(document: Document, report: Report, text: bytes, length: int) -> Faulty:
    """The same call with a string as its first argument."""
    assert report.layout and report.layout.function_address
    right = Faulty(document)
    kind = struct.unpack("<Q", right.right(report.layout.function_address + 8, 8))[0]
    library = struct.unpack("<Q", right.right(kind + 8, 8))[0]
    thing = struct.pack("<4Q", 0, FREE + 0x100, FREE + 0x200, length)
    data = thing.ljust(0x100, b"\0") + struct.pack("<2Q", 7, library)
    piece = (FREE, data.ljust(0x200, b"\0") + text)
    fault = word(layout_of(report) + 24, FREE)
    return Faulty(with_memory(document, piece), fault)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_strings_that_command(case: Case, name: str) -> None:
    document, report = case
    text = units(name)
    target = with_string(document, report, text, len(text) // 2)
    layout = json.loads(say(target, f"thunk-layout --json {layout_of(report):#x}"))
    value = layout["args"][1]
    assert value["kind"] == "object" and value["text"].startswith('"'), value
    say_all(target, SHORT)


@pytest.mark.parametrize("length", (0, 1000, (1 << 31) - 1, 1 << 31, (1 << 32) - 1))
def test_strings_without_end(case: Case, length: int) -> None:
    document, report = case
    target = with_string(document, report, units("x" * 60), length)
    say_all(target)
    say(target, f"thunk-layout {layout_of(report):#x}")
