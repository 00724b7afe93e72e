"""Holds the proof against the emulator: what a wrong verdict is, in one place.

Used by test_proof.py for a fixed share of mutants and by tools/fuzz.py for any number.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

import mutants
from blocks import RECIPES
from emulator import failures_with, observe
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.proof import Facts, Offsets, prove

NAMES = sorted(name for name in RECIPES if "+" not in name)
"""Sound headers, and the document's two: what is mutated."""

_COUNT = re.compile(r"Count from (\d+) up")


@dataclass
class Outcome:
    """One block judged twice."""

    kind: str
    description: str
    decided: bool = True
    """False: not one claim failed, and not all could be proved."""
    found: bool = True
    """Whether the bytes still have the shape of a block."""
    wrong: list[str] = field(default_factory=list)


def proved(mutant: mutants.Mutant, asked: bool = True) -> Optional[Facts]:
    """The proof of a mutant, which knows what the engine knows; or, as the plugin has
    it, no offsets but those of the header's own loads."""
    world = mutant.world
    thunk = parse(mutant.code, world.base, world.arch)
    if thunk is None:
        return None
    interpreters = frozenset([world.interpreter])
    offsets = Offsets(*world.offsets) if asked else None
    return prove(thunk, world.convention, offsets, interpreters)


def judge(mutant: mutants.Mutant) -> Outcome:
    outcome = Outcome(mutant.kind, f"{mutant.recipe}: {mutant.description}")
    facts = proved(mutant)
    if facts is None:
        outcome.found = False
        return outcome
    verdicts = [finding.holds for finding in facts.claims.values()]
    outcome.decided = False in verdicts or None not in verdicts
    truth = observe(mutant.code, mutant.world)
    outcome.wrong = _wrong(mutant, facts, truth)
    unasked = proved(mutant, asked=False)
    if unasked and unasked.offsets == Offsets(*mutant.world.offsets):
        # With others it is the function in hand that decides.
        outcome.wrong += _wrong(mutant, unasked, truth)
    return outcome


def _wrong(
    mutant: mutants.Mutant, facts: Facts, truth: Mapping[str, bool]
) -> list[str]:
    """Verdicts that are not what the emulator saw."""
    wrong: list[str] = []
    for claim, finding in facts.claims.items():
        if finding.holds is None or finding.holds == truth[claim]:
            continue
        if not (
            finding.holds is False and _later_count(mutant, claim, finding.evidence)
        ):
            what = "pass" if finding.holds else "fail"
            wrong.append(f"wrong {what} of {claim}: {'; '.join(finding.evidence)}")
    return wrong


def _later_count(mutant: mutants.Mutant, claim: str, evidence: Sequence[str]) -> bool:
    """A failure that only a larger Count shows, shown by a call of just that Count."""
    match = _COUNT.search(" ".join(evidence))
    if claim != "R4" or not match:
        return False
    counts = ((int(match.group(1)), 0),)
    return claim in failures_with(counts, mutant.code, mutant.world)


def mutant_of(seed: int) -> mutants.Mutant:
    """The mutant of a seed; headers take turns."""
    return mutants.mutate(NAMES[seed % len(NAMES)], seed)
