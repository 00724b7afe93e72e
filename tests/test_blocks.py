"""The shape of blocks: what is one, and what only looks like one."""

import random

import pytest

from blocks import RECIPES, emit, resolve
from fakes import FakeTarget
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.locate import Locator, NotFound
from thunk_inspect.chakra.thunk import MIN_STUBS, block_starts, parse
from thunk_inspect.target import Memory

BASE = 0x6515310000
INTERPRETER = 0x55001234
OFFSETS = (0x28, 8, 0x50)
SIZES = (4096, 16384)


def code_of(name: str, size: int = 4096) -> bytes:
    return emit(RECIPES[name], BASE, INTERPRETER, OFFSETS, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_makes_a_block(name: str, size: int) -> None:
    recipe = RECIPES[name]
    block = resolve(recipe, BASE, INTERPRETER, OFFSETS, size)
    arch, _ = recipe.machine
    thunk = parse(block.code(), BASE, arch)
    assert thunk, "no block"
    assert thunk.first_stub == block.first_stub
    assert thunk.stub_count == block.stub_count
    assert thunk.epilogue == block.epilogue_at
    assert thunk.common.call == recipe.call
    assert thunk.size == size and not thunk.odd


@pytest.mark.parametrize("name", RECIPES)
def test_the_other_machine_sees_none(name: str) -> None:
    arch, _ = RECIPES[name].machine
    (other,) = {
        recipe.machine[0].name: recipe.machine[0]
        for recipe in RECIPES.values()
        if recipe.machine[0].name != arch.name
    }.values()
    assert parse(code_of(name), BASE, other) is None


@pytest.mark.parametrize("name", ["arm64-windows", "arm64-unix", "x64-sysv"])
def test_addresses_and_numbers_of_stubs(name: str) -> None:
    arch, _ = RECIPES[name].machine
    thunk = parse(code_of(name), BASE, arch)
    assert thunk
    for number in (0, 1, thunk.stub_count - 1):
        address = thunk.stub_address(number)
        assert thunk.stub_number(address) == number
        assert thunk.returning_stub(thunk.behind_call(number)) == number
        assert thunk.part(address) == thunk.part(address + 7) == f"stub {number}"
        assert thunk.stub_number(address + 1) is None
    assert thunk.stub_number(thunk.stub_address(thunk.stub_count)) is None
    assert thunk.stub_number(thunk.stub_address(-1)) is None
    assert thunk.part(BASE) == "header"
    assert thunk.part(BASE + thunk.epilogue) == "epilogue"
    assert thunk.contains(BASE) and not thunk.contains(BASE + thunk.size)


@pytest.mark.parametrize("name", ["arm64-windows", "x64-windows"])
def test_a_damaged_stub_is_odd(name: str) -> None:
    """One stub overwritten: still a block, and the report can say which it is."""
    arch, _ = RECIPES[name].machine
    code = bytearray(code_of(name))
    thunk = parse(bytes(code), BASE, arch)
    assert thunk
    place = thunk.first_stub + 8 * 7
    code[place : place + 8] = bytes(8)
    damaged = parse(bytes(code), BASE, arch)
    assert damaged and damaged.odd == (7,)
    assert damaged.first_stub == thunk.first_stub


@pytest.mark.parametrize("name", ["arm64-windows", "x64-sysv"])
def test_no_block(name: str) -> None:
    arch, _ = RECIPES[name].machine
    code = code_of(name)
    thunk = parse(code, BASE, arch)
    assert thunk
    headless = bytes(thunk.first_stub) + code[thunk.first_stub :]
    assert parse(headless, BASE, arch) is None, "no dispatch"
    for text in (b"", b"\0", bytes(4096), b"\xff" * 4096, code[: thunk.first_stub]):
        assert parse(text, BASE, arch) is None
    few = thunk.first_stub + 8 * (MIN_STUBS - 1)
    assert parse(code[:few] + bytes(4096 - few), BASE, arch) is None


@pytest.mark.parametrize("name", ["arm64-windows", "x64-sysv"])
def test_random_bytes_are_no_block(name: str) -> None:
    arch, _ = RECIPES[name].machine
    chance = random.Random(7)
    for _ in range(30):
        assert parse(chance.randbytes(4096), BASE, arch) is None


@pytest.mark.parametrize("name", ["arm64-unix", "x64-sysv"])
@pytest.mark.parametrize("behind", ["nothing", "code", "blocks"])
def test_what_lies_behind_a_block_of_one_page(name: str, behind: str) -> None:
    """At a place where one of 16 KiB might begin."""
    arch, _ = RECIPES[name].machine
    rest = {
        "nothing": bytes(3 * 4096),
        "code": b"\x90" * 3 * 4096,
        "blocks": code_of(name) * 3,
    }
    assert parse(code_of(name) + rest[behind], BASE, arch) is None


@pytest.mark.parametrize("name", ["arm64-unix", "x64-sysv"])
@pytest.mark.parametrize("at", [0, 4, 2000])
def test_the_block_beside_is_not_taken_for_a_damaged_one(name: str, at: int) -> None:
    """The second one's header has no dispatch: the first one is another block."""
    arch, _ = RECIPES[name].machine
    first = code_of(name)
    thunk = parse(first, BASE, arch)
    assert thunk
    second = bytes(thunk.first_stub) + first[thunk.first_stub :]
    memory = Memory(FakeTarget({BASE: first + second + bytes(8192)}, arch=arch.name))
    assert Locator(memory, arch).from_address(BASE).thunk.size == 4096
    with pytest.raises(NotFound):
        Locator(memory, arch).from_address(BASE + 4096 + at)


def test_nops_between_the_parts_are_no_stubs() -> None:
    """As compilers and hand-written emitters align code."""
    code = bytearray(code_of("arm64-unix"))
    thunk = parse(bytes(code), BASE, ARCHES["aarch64"])
    assert thunk
    first, last = thunk.first_stub, thunk.first_stub + 8 * (thunk.stub_count - 1)
    for place in (first, first + 8, last):
        code[place : place + 8] = bytes.fromhex("1f2003d5") * 2
    parsed = parse(bytes(code), BASE, ARCHES["aarch64"])
    assert parsed and not parsed.odd
    assert parsed.first_stub == first + 16
    assert parsed.stub_count == thunk.stub_count - 3


def test_where_a_block_may_start() -> None:
    assert block_starts(0x12345) == [(0x12000, 4096), (0x10000, 16384)]
    assert block_starts(0x10000) == [(0x10000, 4096), (0x10000, 16384)]
