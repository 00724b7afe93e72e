"""Searching executable memory for blocks, through a debugger and past it."""

import mmap
import os
import platform
import random
import subprocess
import sys
from typing import List, Optional

import pytest

from blocks import RECIPES, emit
from fakes import FakeTarget
from thunk_inspect.chakra import thunk as shapes
from thunk_inspect.chakra.locate import Locator
from thunk_inspect.chakra.scan import MIDDLE
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.local import Local, is_dead, living_thread, local_process
from thunk_inspect.target import PAGE, Memory, Region

START = 0x6515310000
PAGES = 300
NAMES = ("arm64-unix", "arm64-windows", "x64-sysv", "x64-windows")


class Mapped(FakeTarget):
    """A target with a memory map."""

    maps: List[Region] = []

    def regions(self) -> Optional[List[Region]]:
        return self.maps


def memory_with(name: str, places: List[int]) -> Mapped:
    """Random executable pages with blocks at some of them."""
    data = bytearray(random.Random(7).randbytes(PAGES * PAGE))
    for page in places:
        code = emit(RECIPES[name], START + page * PAGE, 0x55001234, (0x28, 8, 0x50))
        data[page * PAGE : (page + 1) * PAGE] = code
    arch, _ = RECIPES[name].machine
    target = Mapped({START: bytes(data)}, arch=arch.name)
    target.maps = [Region(START, START + len(data), "r-x", "")]
    return target


def found(target: FakeTarget, name: str) -> List[int]:
    arch, _ = RECIPES[name].machine
    blocks = Locator(Memory(target), arch).scan()
    return [(block.address - START) // PAGE for block in blocks]


@pytest.mark.parametrize("name", NAMES)
def test_every_block_and_nothing_else(name: str) -> None:
    places = [0, 3, 4, 255, 256, PAGES - 1]
    assert found(memory_with(name, places), name) == places


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stub", [0, 1])
def test_a_stub_in_the_middle_is_damaged(name: str, stub: int) -> None:
    """As by a break point that was read along."""
    target = memory_with(name, [5])
    data = bytearray(target.pieces[START])
    place = 5 * PAGE + MIDDLE + 8 * stub
    data[place : place + 4] = bytes(4)
    target.pieces = {START: bytes(data)}
    assert found(target, name) == [5]


def test_a_page_that_cannot_be_read_hides_no_other() -> None:
    target = memory_with("x64-sysv", [2, 9])
    data = target.pieces.pop(START)
    hole = 6 * PAGE
    target.pieces = {START: data[:hole], START + hole + PAGE: data[hole + PAGE :]}
    assert found(target, "x64-sysv") == [2, 9]


def test_only_executable_memory_is_looked_at() -> None:
    target = memory_with("x64-sysv", [2])
    target.maps = [target.maps[0]._replace(permissions="rw-")]
    assert not found(target, "x64-sysv") and not target.reads


@pytest.mark.parametrize("name", NAMES)
def test_a_block_like_another_has_the_same_parts(name: str) -> None:
    """Taken apart, or recognized: there must be no difference."""
    arch, _ = RECIPES[name].machine
    for number in range(3):
        address = START + number * 0x7000
        code = emit(RECIPES[name], address, 0x55001234, (0x28, 8, 0x50))
        shapes._known_rows.clear()
        alone = parse(code, address, arch)
        parse(emit(RECIPES[name], START, 0x55001234, (0x28, 8, 0x50)), START, arch)
        again = parse(code, address, arch)
        assert alone and again == alone
        known = parse(code, address, arch)
        assert known and again.likeness == known.likeness


@pytest.mark.parametrize("name", NAMES)
def test_a_block_that_differs_anywhere_is_taken_apart(name: str) -> None:
    arch, _ = RECIPES[name].machine
    code = emit(RECIPES[name], START, 0x55001234, (0x28, 8, 0x50))
    rng = random.Random(name)
    for _ in range(200):
        changed = bytearray(code)
        changed[rng.randrange(len(code))] ^= 1 << rng.randrange(8)
        shapes._known_rows.clear()
        alone = parse(bytes(changed), START, arch)
        shapes._known_rows.clear()
        parse(code, START, arch)
        assert parse(bytes(changed), START, arch) == alone


ENDED = """
import ctypes, os, threading
data = ctypes.create_string_buffer(b"still there")
def other():
    while " Z " not in open(f"/proc/{os.getpid()}/stat").read():
        pass
    print(ctypes.addressof(data), flush=True)
    input()
threading.Thread(target=other).start()
ctypes.CDLL(None).syscall(%d, 0)
"""
EXIT = {"x86_64": 60, "aarch64": 93}
"""Ends the thread that calls it, by its number."""


def test_the_first_thread_has_ended() -> None:
    """The kernel gives nothing of the process by that one any more."""
    script = ENDED % EXIT[platform.machine()]
    command = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout
        address = int(process.stdout.readline())
        assert Local(process.pid).read(address, 11) == b"still there"
        local = Local(process.pid)
        regions = local.regions() or []
        assert [one for one in regions if one.start <= address < one.end]
        assert list(local.present(0, PAGE)) == []
        assert living_thread(process.pid) not in (None, process.pid)
        assert not is_dead(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(process.pid) and Local(process.pid).regions() is None


def test_past_the_debugger() -> None:
    """On this very process: words at a stride, and which pages are there."""
    area = mmap.mmap(-1, 64 * PAGE)
    touched = (3, 4, 40)
    for page in touched:
        area[page * PAGE + 8] = page
    import ctypes

    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    local = Local(os.getpid())
    there = [
        (page - start) // PAGE
        for first, last in local.present(start, start + 64 * PAGE)
        for page in range(first, last, PAGE)
    ]
    assert there == list(touched)
    samples = local.samples(start + 3 * PAGE + 8, 2, 8)
    assert samples == bytes([3, *[0] * 7, 4, *[0] * 7])
    assert local.read(start + 40 * PAGE + 8, 1) == b"\x28"
    assert local.samples(0x10, 2, 8) is None and local.read(0x10, 8) is None


def test_a_process_of_somebody_else_is_not_read() -> None:
    assert local_process(None) is None
    assert local_process(1) is None, "nobody traces it"
    assert local_process(os.getpid()) is None
