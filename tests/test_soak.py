"""A bounded share of `make soak`: nothing piles up in a debugger."""

import pytest

from sessions import Session
from soaking import KINDS, soak, start

MOST_KIB = 3072
"""Growth in 1,000 commands: the debuggers' own is up to 1.3 MiB, a few KiB that are
kept for each trace made 15."""
COUNT = {"moves": 200, "error": 100, "trace": 100}


@pytest.mark.parametrize("kind", COUNT)
def test_nothing_piles_up(session: Session, kind: str) -> None:
    start(session)
    found = soak(session, KINDS[kind], COUNT[kind])
    assert found.after.fds <= found.before.fds, "open files"
    assert found.after.threads <= found.before.threads + 1, "threads"
    assert found.growth < MOST_KIB
