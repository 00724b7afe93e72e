"""CPU time of the proof of one block: first sight, and bytes that were seen before.

Over all sound headers, in this Python and no debugger; Capstone is loaded already.
"""

import time

from blocks import RECIPES
from mutants import whole

from .figures import Measured, median

FIRST, AGAIN = 0, 1


def proved(which: int, rounds: int) -> Measured:
    """The median header's figure; the details have every header's."""
    names = [name for name in RECIPES if "+" not in name]
    found = {name: measure(name, rounds)[which] for name in names}
    figure = median(found.values())
    return Measured(figure, figure, 0, "ms", details={"headers": found})


def measure(name: str, rounds: int) -> "tuple[float, float]":
    """(first sight, seen before) in ms of CPU, medians."""
    from thunk_inspect.arch import decode
    from thunk_inspect.chakra.thunk import parse
    from thunk_inspect.proof import Offsets, prove

    mutant = whole(name)
    world = mutant.world
    known = (world.convention, Offsets(*world.offsets), frozenset([world.interpreter]))
    first, again = [], []
    for _ in range(rounds):
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
    return median(first), median(again)
