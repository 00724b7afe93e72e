"""What a broken process may hold: counts without end, layouts where no memory is,
chains that loop, blocks in odd places and in thousands.
"""

import copy
import json
import struct
from typing import Callable, Dict, List, Tuple

import pytest

from content import (
    FREE,
    SHORT,
    WINDOWS,
    Case,
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
from faulty import (
    Faulty,
    checks,
    saved,
    unreadable,
)
from reports import Document
from thunk_inspect.inspection import inspect
from thunk_inspect.report.model import Report
from thunk_inspect.target import PAGE, ThunkError

pytestmark = pytest.mark.xdist_group("sweep")


class Endless(Faulty):
    """Memory without end above a place."""

    start = 0

    def right(self, address: int, size: int) -> bytes:
        return bytes(size)

    def read(self, address: int, size: int) -> bytes:
        try:
            return super().read(address, size)
        except ThunkError:
            if not self.start <= address < self.start + (1 << 30):
                raise
            return bytes(size)


COUNTS = (0xFFFFFF, 0x2FFFFFF, 0x4AFFFFFF, 0x2010000, 0x2001001, 1 << 63, (1 << 64) - 1)


@pytest.mark.parametrize("raw", COUNTS, ids=hex)
def test_a_count_without_end(case: Case, raw: int) -> None:
    """Nobody passed so many: with memory behind it or without, it is no sound call."""
    document, report = case
    place = layout_of(report) + 8
    bare = Faulty(document, word(place, raw))
    assert inspect(bare.again(bare.fault)).verdict != "sound"
    say_all(bare)
    say(bare, f"thunk-layout {layout_of(report):#x}")
    deep = Endless(document, word(place, raw))
    deep.start = place & ~(PAGE - 1)
    assert inspect(deep.again(deep.fault)).verdict != "sound"
    say_all(deep)
    assert len(say(deep, f"thunk-layout {layout_of(report):#x}")) < 20_000


ADDRESSES = (0, 1, 8, PAGE - 8, 1 << 47, 1 << 63, (1 << 64) - 16, (1 << 64) - 8)


def test_layouts_where_none_is(case: Case) -> None:
    document, report = case
    here = layout_of(report)
    end = here - here % PAGE + PAGE
    target = Faulty(document)
    for address in (*ADDRESSES, (1 << 64) - 1, end - 8, end - 16, here + 1, here + 4):
        for words in (f"{address:#x}", f"--json {address:#x}"):
            text = say(target, f"thunk-layout {words}")
            assert "0x1000000000000000" not in text
        say(target, f"thunk-inspect {address:#x}")
        say(target, f"thunk-stub {address:#x}")


def test_a_layout_at_the_end_of_a_page(case: Case) -> None:
    """Its words are read as far as they go, and the first that is missing is named."""
    document, report = case
    page = FREE + PAGE
    assert report.layout and report.layout.function_address
    head = struct.pack("<2Q", report.layout.function_address, 0x2000004)
    for known in (2, 3):
        data = (head + struct.pack("<2Q", 1 << 48, 2 | 1 << 48))[: 8 * known]
        begin = page - len(data)
        held = Faulty(with_memory(document, (begin, data)))
        text = say(held, f"thunk-layout {begin:#x}")
        assert f"args[{known - 2}]: cannot read 8 bytes at {page:#x}" in text


# Chains that loop, or lead where they should not.


@pytest.mark.parametrize(
    "link", ["function", "type", "info", "entry", "body", "stub", "back", "name"]
)
def test_chains_that_lead_astray(case: Case, link: str) -> None:
    """Into itself, into the block, to the end of memory, to an odd address."""
    document, report = case
    assert report.thunk and report.layout and report.layout.function
    places = chain_of(Faulty(document), report)
    block, goals = report.thunk.block, list(places.values())
    for goal in (*goals, block, block + 8, block + 2048, 0, (1 << 64) - 8, block + 1):
        target = Faulty(document, word(places[link], goal))
        before = target.right(places[link], 8)
        judged = inspect(target.again(target.fault))
        changed = before != struct.pack("<Q", goal & (1 << 64) - 1)
        if changed and link in ("function", "info", "body", "stub", "back"):
            assert judged.verdict != "sound", hex(goal)
            assert checks(judged)["R7"].verdict != "pass", hex(goal)
        say_all(target, SHORT[1:])


def test_frames_that_loop(case: Case) -> None:
    """The stack walk says why it ends, wherever frame records point."""
    document, report = case
    fp = report.registers["x29" if report.arch == "aarch64" else "rbp"]
    target = Faulty(document)
    records = [fp]
    while len(records) < 6 and (
        following := struct.unpack("<Q", target.right(records[-1], 8))[0]
    ):
        records.append(following)
    assert report.thunk
    for record in records:
        for goal in (record, fp, record + 16, record + 1, report.thunk.block, FREE):
            astray = Faulty(document, word(record, goal))
            text = say(astray, "thunk-bt --all")
            assert text.strip().splitlines()[-1].strip().startswith("(")
            say_all(astray, SHORT[:1])


# Blocks in odd places, and very many.


def mapped(document: Document, *regions: Tuple[int, int, str]) -> Document:
    told = [
        {"start": hex(a), "end": hex(b), "permissions": p, "name": ""}
        for a, b, p in regions
    ]
    return {**document, "regions": told}


def code_of(document: Document, report: Report) -> bytes:
    assert report.thunk
    return Faulty(document).right(report.thunk.block, report.thunk.block_size)


def elsewhere(document: Document, pieces: List[Tuple[int, bytes]]) -> Document:
    """A thread that is in no block; and these pieces of code."""
    copied = copy.deepcopy(document)
    copied["registers"] = {name: "0x0" for name in copied["registers"]}
    copied["memory"], copied["frames"], copied["symbols"] = [], [], []
    return with_memory(copied, *pieces)


def found(document: Document) -> List[str]:
    text = say(Faulty(document), "thunk-find --json")
    return (
        [block["block"] for block in json.loads(text)["blocks"]]
        if text[0] == "{"
        else []
    )


ODD: Dict[str, Callable[[bytes], "Tuple[List[Tuple[int, bytes]], int, int]"]] = {
    "at a region's end": lambda code: ([(FREE, code)], FREE, FREE + PAGE),
    "half unmapped": lambda code: ([(FREE, code[:2048])], FREE, FREE + 2048),
    "half unreadable": lambda code: ([(FREE, code[:2048])], FREE, FREE + PAGE),
    "without its start": lambda code: ([(FREE + 2048, code[2048:])], FREE, FREE + PAGE),
    "between two pages": lambda code: ([(FREE + 2048, code)], FREE, FREE + 2 * PAGE),
    "over another": lambda code: (
        [(FREE, code[:2048] + code + code[2048:])],
        FREE,
        FREE + 2 * PAGE,
    ),
    "at the end of memory": lambda code: (
        [((1 << 64) - PAGE, code)],
        (1 << 64) - PAGE,
        (1 << 64) - 1,
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_blocks_in_odd_places(case: Case, what: str) -> None:
    document, report = case
    pieces, start, end = ODD[what](code_of(document, report))
    held = mapped(elsewhere(document, pieces), (start, end, "r-x"))
    blocks = found(held)
    assert blocks == ([hex(FREE)] if what == "at a region's end" else [])
    for address in (start, start + 2048, (start + PAGE - 8)):
        for command in ("thunk-inspect --all", "thunk-compare"):
            say(Faulty(held), f"{command} {address:#x}")


def test_thousands_of_blocks(case: Case) -> None:
    """All alike, and all different: each is listed, in time."""
    document, report = case
    code, count = code_of(document, report), 1500
    assert report.thunk
    alike = [(FREE, code * count)]
    region = (FREE, FREE + count * PAGE, "r-x")
    assert len(found(mapped(elsewhere(document, alike), region))) == count
    last = report.thunk.epilogue - report.thunk.block
    several = [
        code[: last - 4] + struct.pack("<I", n) + code[last:] for n in range(100)
    ]
    different = [(FREE, b"".join(several))]
    region = (FREE, FREE + 100 * PAGE, "r-x")
    listed = found(mapped(elsewhere(document, different), region))
    assert len(listed) >= 90


def test_a_windows_stack_full_of_returns(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Without a frame chain every word may be a return address: all of them are."""
    document = saved(WINDOWS, tmp_path_factory)
    report = inspect(Faulty(document))
    sp = report.registers["rsp"]
    assert report.thunk
    back = report.thunk.first_stub + 2 * report.thunk.stub_size
    words = struct.pack("<Q", back + 5) * (PAGE // 8 * 64)
    start = sp & ~(PAGE - 1)
    memory = [p for p in document["memory"] if int(p["address"], 16) < start]
    full = with_memory({**document, "memory": memory}, (start, words))
    for command in ("thunk-bt --all", "thunk-inspect --all", "thunk-find"):
        say(Faulty(full), command)
    say(Faulty(full, unreadable(start + PAGE, PAGE)), "thunk-bt --all")
