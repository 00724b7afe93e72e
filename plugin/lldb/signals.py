"""Signals that lldb keeps from a process, and what it takes that it does not."""

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def passing(process: Any, number: int) -> Iterator[None]:
    """Within, the process gets the signal that stopped it as it goes on, if it is this
    one; 0 for none."""
    signals = process.GetUnixSignals()
    suppressed = number and signals.GetShouldSuppress(number)
    if suppressed:
        signals.SetShouldSuppress(number, False)
    try:
        yield
    finally:
        if suppressed:
            signals.SetShouldSuppress(number, True)
