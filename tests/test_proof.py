"""The proof against execution: recipes, faults and mutants, each run as well.

A wrong pass or a wrong fail is a defect whatever the block; what stays undecided is
only counted.
"""

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import pytest

from blocks import RECIPES
from judging import judge, mutant_of, proved
from mutants import mutate, sound_spot, whole
from thunk_inspect.chakra.thunk import Thunk, parse
from thunk_inspect.proof import Facts, prove
from thunk_inspect.proof.run import MAX_ODD_STUBS

FIRST_SEED, MUTANTS, SHARE = 1_000_000, 800, 400
FOUND_BY_FUZZING = Path(__file__).with_name("regressions.json")


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_are_judged_as_they_run(name: str) -> None:
    for seed in range(3):
        assert judge(whole(name, seed)).wrong == []


@pytest.mark.parametrize("name", [n for n in sorted(RECIPES) if n[:7] != "section"])
def test_sound_recipes_are_proved_and_faulty_ones_are_not(name: str) -> None:
    facts = proved(whole(name))
    assert facts
    verdicts = {finding.holds for finding in facts.claims.values()}
    assert verdicts == {True} if "+" not in name else False in verdicts


def test_every_finding_carries_evidence() -> None:
    for name in RECIPES:
        facts = proved(whole(name))
        assert facts
        for claim, finding in facts.claims.items():
            assert finding.evidence and all(finding.evidence), (name, claim)


@pytest.mark.parametrize(
    "first", range(FIRST_SEED, FIRST_SEED + MUTANTS, SHARE), ids=lambda n: f"from-{n}"
)
def test_mutants_are_judged_as_they_run(first: int) -> None:
    undecided: Counter[str] = Counter()
    for seed in range(first, first + SHARE):
        outcome = judge(mutant_of(seed))
        assert outcome.wrong == [], f"seed {seed}, {outcome.description}"
        undecided[outcome.kind] += not outcome.decided
    chosen = sum(count for kind, count in undecided.items() if kind != "bit")
    assert chosen <= 0.03 * SHARE, undecided


def test_any_stub_of_those_alike_tells_the_same() -> None:
    """A report shows the stub of the call in hand, which is not the one that the proof
    followed first."""
    compared = 0
    for seed in range(FIRST_SEED, FIRST_SEED + SHARE):
        facts = proved(mutant_of(seed))
        if facts is None:
            continue
        number = random.Random(seed).randrange(facts.thunk.stub_count)
        other = facts.in_stub(number)
        told = [
            {claim: finding.holds for claim, finding in one.claims.items()}
            for one in (facts, other)
        ]
        assert told[0] == told[1], (seed, number)
        place = other.call.insn.address if other.call else 0
        compared += facts.thunk.stub_around(place) == number
    assert compared > SHARE / 2


ODD = {"arm64-windows": 4, "arm64-unix": 4, "x64-sysv": 1, "x64-windows": 4}
"""Bytes of the epilogue's first instruction, which an odd stub leaves out."""


def with_odd_stubs(name: str, count: int) -> Facts:
    """Stubs from 40 on that jump by way of another one's jump, as is right; and one
    behind them that leaves out the epilogue's first instruction."""
    recipe, mutant = RECIPES[name], whole(name)
    arch, convention = recipe.machine
    block, code = sound_spot(0).block(recipe), bytearray(mutant.code)
    for number in range(40, 40 + count + 1):
        at = block.first_stub + 8 * number
        target = block.first_stub + 8 * 5 + len(block.call)
        if number == 40 + count:
            target = block.epilogue_at + ODD[name]
        code[at : at + 8] = block.stub_at(at, block.call, target)
    thunk = parse(bytes(code), mutant.world.base, arch)
    assert thunk and len(thunk.odd) == count + 1 and not thunk.doubtful
    return prove(thunk, convention)


@pytest.mark.parametrize("name", ODD)
def test_of_many_odd_stubs_none_is_taken_for_right(name: str) -> None:
    """The broken one is found where all are followed, and else nobody knows."""
    few = with_odd_stubs(name, MAX_ODD_STUBS - 1)
    assert few.claims["R9"].holds is False
    many = with_odd_stubs(name, 2 * MAX_ODD_STUBS)
    assert {many.claims[claim].holds for claim in ("R1", "R4", "R9", "R10")} == {None}
    assert "too many odd stubs" in " ".join(many.claims["R9"].evidence)


@pytest.mark.parametrize("name", ODD)
def test_what_depends_on_the_way_here_is_not_known(name: str) -> None:
    """The epilogue behind what one stub leaves out: its SP is another there. In the
    header, in that stub and in all others everything is as it was."""
    facts = with_odd_stubs(name, 0)
    thunk, sound = facts.thunk, prove(thunk_of(name), facts.convention)
    assert facts.state_anywhere(thunk.epilogue + ODD[name]) is None
    assert sound.state_anywhere(thunk.epilogue + ODD[name]) is not None
    for number in (39, 40, 41):
        stub = thunk.stub_address(number) - thunk.address
        for at in (4, stub, stub + thunk.return_offset, thunk.epilogue):
            here, there = facts.state_anywhere(at), sound.state_anywhere(at)
            assert (here and here.sp) == (there and there.sp), (number, at)
    many = with_odd_stubs(name, 2 * MAX_ODD_STUBS)
    last = many.thunk.stub_address(max(many.thunk.odd)) - thunk.address
    assert many.state_anywhere(last) is None


STORED_FIRST, READ_LAST = (
    ("stp fp,lr,[sp,#-16]", "sub sp,sp,#16"),
    ("add sp,sp,#16", "ldp fp,lr,[sp,#-16]"),
)
# mov [rsp-8],rbp; lea rsp,[rsp-8]
PUSHED_LATE = ("48896c24f8", "488d6424f8")
# add rsp,8; sub rsp,8; push rbp
ASIDE = ("4883c408", "4883ec08", "55")


@pytest.mark.parametrize(
    "name, header, epilogue, holds",
    [
        ("arm64-unix", STORED_FIRST, (), None),
        ("arm64-unix", (), READ_LAST, None),
        ("arm64-windows-variant-pushes", (), (), True),
        ("x64-sysv", PUSHED_LATE, (), True),
        ("x64-windows-variant-leave", PUSHED_LATE, (), None),
        ("x64-windows-variant-leave", ASIDE, (), None),
    ],
)
def test_what_lies_below_sp_may_be_overwritten_by_a_signal(
    name: str,
    header: "tuple[str, ...]",
    epilogue: "tuple[str, ...]",
    holds: Optional[bool],
) -> None:
    """Run without a signal it is sound, so the emulator says nothing of it. On x64
    System V the 128 bytes below SP are the function's own."""
    recipe, spot = RECIPES[name], sound_spot(0)
    recipe = replace(
        recipe,
        header=(*header, *recipe.header[1:]) if header else recipe.header,
        epilogue=(*epilogue, *recipe.epilogue[1:]) if epilogue else recipe.epilogue,
    )
    block = spot.block(recipe)
    thunk = parse(block.code(), spot.base, recipe.machine[0])
    assert thunk
    claims = prove(thunk, recipe.machine[1]).claims
    assert claims["R10"].holds is holds
    told = " ".join([*claims["R9"].evidence, *claims["R10"].evidence])
    assert ("of a signal" in told) == (holds is None)


@pytest.mark.parametrize("name", ["arm64-windows", "x64-sysv"])
def test_what_is_stored_in_the_callers_frame_does_harm_below_sp_too(name: str) -> None:
    """SP goes up, a word is stored below it, and SP comes back."""
    recipe, spot = RECIPES[name], sound_spot(0)
    arm = ("add sp,sp,#96", "stp fp,lr,[sp,#-16]", "sub sp,sp,#96")
    # add rsp,60h; mov [rsp-8],rbp; sub rsp,60h
    x64 = ("4883c460", "48896c24f8", "4883ec60")
    header = (*(arm if recipe.arm else x64), *recipe.header)
    thunk = parse(
        spot.block(replace(recipe, header=header)).code(), spot.base, recipe.machine[0]
    )
    assert thunk
    finding = prove(thunk, recipe.machine[1]).claims["R9"]
    assert finding.holds is False and "overwrites" in finding.evidence[0]


def thunk_of(name: str) -> Thunk:
    mutant = whole(name)
    thunk = parse(mutant.code, mutant.world.base, RECIPES[name].machine[0])
    assert thunk
    return thunk


@pytest.mark.parametrize("case", json.loads(FOUND_BY_FUZZING.read_text()), ids=str)
def test_what_fuzzing_has_found_stays_mended(case: "dict[str, Any]") -> None:
    outcome = judge(mutate(case["recipe"], case["seed"]))
    assert outcome.wrong == [], case["why"]
