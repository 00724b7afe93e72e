"""The proof against execution: recipes, faults and mutants, each run as well.

A wrong pass or a wrong fail is a defect whatever the block; what stays undecided is
only counted.
"""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from blocks import RECIPES
from judging import judge, mutant_of, proved
from mutants import mutate, whole

FIRST_SEED, MUTANTS, SHARE = 1_000_000, 2400, 400
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


@pytest.mark.parametrize("case", json.loads(FOUND_BY_FUZZING.read_text()), ids=str)
def test_what_fuzzing_has_found_stays_mended(case: "dict[str, Any]") -> None:
    outcome = judge(mutate(case["recipe"], case["seed"]))
    assert outcome.wrong == [], case["why"]
