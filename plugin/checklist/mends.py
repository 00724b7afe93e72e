"""Mends: edits of instructions, each proved again before it is shown."""

from typing import Optional

from ..proof import Facts
from .model import Mend


def layout_offset(facts: Facts) -> Optional[Mend]:
    return None


def alignment(facts: Facts) -> Optional[Mend]:
    return None


def late_store(facts: Facts) -> Optional[Mend]:
    return None


def restore(facts: Facts) -> Optional[Mend]:
    return None
