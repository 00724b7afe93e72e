"""Whether the other end of a debugger's connection still answers.

A debugger waits for a silent stub, perhaps asks again, and then says of memory that it
cannot be read. That is what it says of an address that is not there as well, so that
whoever goes on to the next read waits again, and again. Only the time tells the two
apart. An adapter has one `Line` and tells it of each failure.
"""

import time
from typing import Callable, Optional

from .target import PAGE, NoAnswer

now = time.monotonic
LEAST = 0.5
"""Seconds within which any failure is the memory's own."""


class Line:
    def __init__(
        self,
        setting: str,
        patience: Callable[[], Optional[float]],
        reads: Callable[[int], bool],
        asked: int = 1,
    ) -> None:
        """`patience`: for how many seconds the debugger waits for one answer, by the
        setting of this name; None where it waits for nobody. `reads`: whether it reads
        a byte there. `asked`: how often it asks for the same."""
        self._setting = setting
        self._patience = patience
        self._reads = reads
        self._asked = asked

    def failed(self, since: float, address: int = 0, size: int = 0) -> None:
        """Something that was asked for then could not be had: NoAnswer if that was the
        connection's fault. Much memory comes in many packets, which take their time."""
        if not self._waited(since, self._asked):
            return
        if size > PAGE:
            self.slow(since, address)
            return
        raise NoAnswer(
            f"the stub does not answer ({self._setting} is {self._patience():g} s): see"
            " whether it still runs, or connect again"
        )

    def slow(self, since: float, address: int) -> None:
        """Something took as long as a failure that was not told would. NoAnswer if a
        byte at this address cannot be read either."""
        if self._waited(since, self._asked):
            again = now()
            if not self._reads(address):
                self.failed(again)

    def _waited(self, since: float, times: int) -> bool:
        waited = now() - since
        if waited < LEAST:
            return False
        seconds = self._patience()
        return seconds is not None and waited >= times * seconds
