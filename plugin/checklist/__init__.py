"""From facts and memory to verdicts: R1-R12, sections A-G, and the six diagnoses."""

from . import (
    section_a,
    section_b,
    section_c,
    section_d,
    section_e,
    section_f,
    section_g,
)
from .assess import Assessment, assess
from .claims import judge_claims, overall
from .model import Check, Diagnosis

SECTIONS = (
    section_a,
    section_b,
    section_c,
    section_d,
    section_e,
    section_f,
    section_g,
)


def judge_items(a: Assessment, claims: dict[str, Check]) -> list[Check]:
    """A1 … G6, in order."""
    return [check for section in SECTIONS for check in section.items(a, claims)]


__all__ = [
    "Assessment",
    "Check",
    "Diagnosis",
    "assess",
    "judge_claims",
    "judge_items",
    "overall",
]
