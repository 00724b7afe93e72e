"""What does not depend on the machine is held to its target: packets and reads.

They are the benchmark's own rows; what a row measures, it says itself.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Dict, List

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.rows import TABLE
from blocks import RECIPES, emit
from fakes import FakeTarget
from thunk_inspect.chakra.locate import Found, Locator, Return
from thunk_inspect.chakra.thunk import Thunk, parse
from thunk_inspect.checklist import assess, mends
from thunk_inspect.checklist.assess import fitting
from thunk_inspect.checklist.listing import listed
from thunk_inspect.proof import prove
from thunk_inspect.target import Memory

COUNTED = {row.name: row for row in TABLE if row.unit in ("packets", "reads")}
BASE = 0x7000_0000
SP = 0x6000_0000
INTERPRETER = 0x55001234


@pytest.mark.parametrize("name", COUNTED)
def test_a_count_meets_its_target(name: str) -> None:
    row = COUNTED[name]
    measured = row.measure(row.quick)
    assert row.met(measured, 1.0), (measured.figure, measured.failure, measured.details)


class Modules(FakeTarget):
    """With a debugger that knows modules."""

    def __init__(self, name: str, modules: List[range], registers: Dict[str, int]):
        arch, _ = RECIPES[name].machine
        code = emit(RECIPES[name], BASE, INTERPRETER, (0x28, 8, 0x50))
        pieces = {BASE: code, SP: bytes(1 << 16)}
        super().__init__(pieces, registers, arch.name)
        self._modules = modules

    def in_module(self, address: int) -> bool:
        return any(address in module for module in self._modules)


def located(target: FakeTarget, name: str) -> Found:
    return Locator(Memory(target), RECIPES[name].machine[0]).here()


@pytest.mark.parametrize("name", ["arm64-unix", "arm64-windows"])
def test_a_block_takes_two_reads(name: str) -> None:
    """A call that stands in the interpreter, which is the engine's own code."""
    engine = range(INTERPRETER - 0x1000, INTERPRETER + 0x1000)
    registers = {"pc": INTERPRETER, "sp": SP, "x29": SP, "x30": BASE + 0x804}
    target = Modules(name, [engine], registers)
    found = located(target, name)
    assert found.thunk.address == BASE and found.by.startswith("lr is stub")
    assert target.reads == [(BASE + 0x800, 0x800), (BASE, 0x800)]


@pytest.mark.parametrize("name", ["arm64-unix", "x64-sysv"])
def test_a_block_in_a_module_is_found_all_the_same(name: str) -> None:
    """Nobody has made such a port, but nobody is to be told that it has no block."""
    arch, _ = RECIPES[name].machine
    registers = {arch.pc: BASE, arch.sp: SP}
    target = Modules(name, [range(BASE, BASE + 0x1000)], registers)
    found = located(target, name)
    assert (found.thunk.address, found.at, found.by) == (BASE, 0, "pc is in its header")


@pytest.mark.parametrize("lost", [True, False])
def test_no_edit_is_tried_of_a_block_that_is_lost(lost: bool) -> None:
    """Through 512 zero bytes among the stubs each proof takes thousands of steps."""
    recipe = RECIPES["x64-sysv"]
    unsaved = replace(recipe, epilogue=recipe.epilogue[1:])
    code = bytearray(emit(unsaved, BASE, INTERPRETER, (0x28, 8, 0x50)))
    if lost:
        code[0x400:0x600] = bytes(512)
    thunk = parse(bytes(code), BASE, recipe.machine[0])
    assert thunk
    facts = fitting("linux", thunk)
    before = prove.cache_info().misses
    mend = mends.restore(facts)
    tried = prove.cache_info().misses - before
    assert mend and mend.proved
    # The whole block anew is no edit, and is proved all the same.
    assert tried <= 2 if lost else len(mend.steps) == 1


def _damaged(address: int, at: int) -> Thunk:
    """A block that has lost eight stubs, and 300 instructions on all its paths."""
    code = bytearray(emit(RECIPES["x64-sysv"], address, INTERPRETER, (0x28, 8, 0x50)))
    code[at : at + 64] = bytes(64)
    thunk = parse(bytes(code), address, RECIPES["x64-sysv"].machine[0])
    assert thunk
    return thunk


def test_few_damaged_blocks_are_proved_to_confirm_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of twelve words on the stack leads to another one. Where all stubs are lost,
    each proof takes a second."""
    monkeypatch.setitem(assess.__globals__, "MOST_STEPS", 1000)
    blocks = [_damaged(BASE + n * 0x10000, 0x400 + 8 * n) for n in range(12)]
    pieces = {block.address: block.code for block in blocks}
    slots = [SP + 8 + 16 * n for n in range(12)]
    backs = (Return(slot, None, sure=False) for slot in slots)
    first, *others = [
        Found(block, "a word", stub=0, back=back) for block, back in zip(blocks, backs)
    ]
    registers = {"rip": INTERPRETER, "rsp": SP}
    target = FakeTarget({**pieces, SP: bytes(1 << 16)}, registers, "x86_64")
    before = prove.cache_info().misses
    assessed = assess(Memory(target), replace(first, others=tuple(others)))
    # Under each of two conventions, and once more with the interpreters known.
    assert prove.cache_info().misses - before <= 3 * 6
    assert "no call that it belongs to could be confirmed" in assessed.found.by
    assert "of more" in assessed.found.by


def test_few_damaged_blocks_are_proved_for_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(listed.__globals__, "MOST_STEPS", 2000)
    blocks = [_damaged(BASE + n * 0x10000, 0x600 + 8 * n) for n in range(12)]
    found = [Found(block, "a scan of executable memory") for block in blocks]
    before = prove.cache_info().misses
    lines = listed(Memory(FakeTarget(arch="x86_64")), found)
    assert prove.cache_info().misses - before <= 2 * 8
    assert [line.found.thunk for line in lines] == blocks
    assert lines[0].told.interpreter == INTERPRETER and "not" not in lines[0].found.by
    assert lines[-1].told.interpreter is None and "not looked" in lines[-1].found.by
