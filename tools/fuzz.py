"""Any number of mutants, each proved and run: `make fuzz N=200000`.

Prints every wrong verdict with its seed (add it to tests/regressions.json) and what
stayed undecided. Exit status 1 if there was a wrong one.
"""

import argparse
import importlib.util
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SHARE = 500


def _tests() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    if importlib.util.find_spec("thunk_inspect") is None:
        raise SystemExit("run `make install` first")


def share(first: int, count: int) -> "tuple[Counter[str], list[str]]":
    """Judge `count` seeds from `first`: (counts, wrong verdicts)."""
    _tests()
    from judging import judge, mutant_of

    counts: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in range(first, first + count):
        outcome = judge(mutant_of(seed))
        counts["all"] += 1
        counts["random bit flips"] += outcome.kind == "bit"
        counts["no block any more"] += not outcome.found
        if not outcome.decided:
            counts["undecided bit flips" if outcome.kind == "bit" else "undecided"] += 1
        wrong += [f"seed {seed}, {outcome.description}: {w}" for w in outcome.wrong]
    return counts, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    starts = range(options.first, options.first + options.count, SHARE)
    sizes = [min(SHARE, options.first + options.count - start) for start in starts]
    totals: Counter[str] = Counter()
    failed = False
    with ProcessPoolExecutor(options.workers) as pool:
        for counts, wrong in pool.map(share, starts, sizes):
            totals.update(counts)
            failed = failed or bool(wrong)
            for line in wrong:
                print(line, flush=True)
    for name, count in totals.items():
        print(f"{name}: {count}")
    chosen = totals["all"] - totals["random bit flips"]
    print(
        f"undecided of those that are no bit flips: {totals['undecided'] / chosen:.2%}"
    )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
