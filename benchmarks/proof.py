"""CPU time of the proof of one block: first sight, and bytes that were seen before.

Run with `.venv/bin/python benchmarks/proof.py`; medians over all sound headers.
"""

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from blocks import RECIPES
from mutants import whole
from thunk_inspect.arch import decode
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.proof import Offsets, prove

ROUNDS = 40


def main() -> None:
    names = [name for name in RECIPES if "+" not in name]
    print(f"{'header':34} {'first ms':>9} {'again ms':>9}")
    firsts, agains = [], []
    for name in names:
        first, again = measure(name)
        firsts.append(first)
        agains.append(again)
        print(f"{name:34} {first:9.2f} {again:9.4f}")
    print(
        f"{'median':34} {statistics.median(firsts):9.2f}"
        f" {statistics.median(agains):9.4f}"
    )


def measure(name: str) -> "tuple[float, float]":
    """(first sight, seen before) in ms of CPU, medians; Capstone is loaded already."""
    mutant = whole(name)
    world = mutant.world
    known = (world.convention, Offsets(*world.offsets), frozenset([world.interpreter]))
    first, again = [], []
    for _ in range(ROUNDS):
        prove.cache_clear()
        decode._decode.cache_clear()
        start = time.process_time()
        thunk = parse(mutant.code, world.base, world.arch)
        assert thunk
        prove(thunk, *known)
        between = time.process_time()
        prove(thunk, *known)
        end = time.process_time()
        first.append(1000 * (between - start))
        again.append(1000 * (end - between))
    return statistics.median(first), statistics.median(again)


if __name__ == "__main__":
    main()
