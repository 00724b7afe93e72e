"""Interrupts a process when its time is up, from a thread of its own."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Callable, Optional

AGAIN = 0.2
"""Seconds until an interrupt that was not heeded is sent again."""


@contextlib.contextmanager
def limited(deadline: Optional[float], interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` from the deadline on (a time of `time.monotonic`) until what is
    done within is over. Again and again: one that comes before the process runs may be
    lost."""
    over = threading.Event()

    def watch(wait: float) -> None:
        while not over.wait(max(0.0, wait)):
            interrupt()
            wait = AGAIN

    if deadline is not None:
        wait = deadline - time.monotonic()
        threading.Thread(target=watch, args=(wait,), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def passed(deadline: Optional[float]) -> bool:
    return deadline is not None and time.monotonic() > deadline
