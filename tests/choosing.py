"""Of a test's many cases the few that have between them what each is there for.

Cases are products: a debugger, a machine, a convention, a fault. A defect shows with
one of these, or with two that meet, and seldom only where three do. So `make test` runs
as few cases as have what the test names, and `make sweep` runs all:

    @pytest.mark.cover("session arch", "fault")

is each debugger on each machine, and each fault somewhere. What is new in a list is in
a case that runs, whichever that is.
"""

from collections import Counter, defaultdict
from typing import Dict, FrozenSet, List, Sequence, Set, Tuple

import pytest

Values = Dict[str, str]
"""Of a case, by the names of its parameters."""
Combination = Tuple[str, ...]


def leave_the_rest(items: "List[pytest.Item]") -> None:
    """What is not chosen of the tests that are marked so is `long`."""
    tests: Dict[str, List[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("cover") and not item.get_closest_marker("long"):
            tests[item.nodeid.partition("[")[0]].append(item)
    for cases in tests.values():
        mark = cases[0].get_closest_marker("cover")
        assert mark
        chosen = few([_values(item) for item in cases], mark.args)
        for number, item in enumerate(cases):
            if number not in chosen:
                item.add_marker(pytest.mark.long)


def _values(item: pytest.Item) -> Values:
    given = vars(item)["callspec"].params
    return {name: str(value) for name, value in given.items()}


def few(cases: Sequence[Values], wanted: Sequence[str]) -> Set[int]:
    """Numbers of cases that have all of it between them: always the one that adds most,
    and of those the one whose values were chosen least."""
    has = [_combinations(case, wanted) for case in cases]
    missing: Set[Combination] = set().union(*has)
    met: Counter[Tuple[str, str]] = Counter()

    def adds(number: int) -> Tuple[int, int]:
        often = sum(met[pair] for pair in cases[number].items())
        return len(has[number] & missing), -often

    chosen: Set[int] = set()
    while missing:
        best = max(range(len(cases)), key=adds)
        missing -= has[best]
        met.update(cases[best].items())
        chosen.add(best)
    return chosen


def _combinations(case: Values, wanted: Sequence[str]) -> FrozenSet[Combination]:
    return frozenset(
        (names, *(case[name] for name in names.split())) for names in wanted
    )
