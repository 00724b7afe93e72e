"""What a trace asks of a debugger: break points of its own, and to run between them.

Addresses are of the target's address space. A debugger's side is a `Runner`; it
decides nothing, and what it set it takes away again in `close`.
"""

from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional, Protocol

from ..target import PAGE, Target, Unreadable

AT_POINT, INTERRUPTED, TIME_UP = "at a point", "interrupted", "time up"
EXITED, SIGNALLED, ELSEWHERE = "exited", "signalled", "elsewhere"
ANOTHER_PROGRAM = "the process executed another program"
"""In words, of an exit: to what was traced it is one. The process stands at the other
program's start, if it could be stopped there."""
BY_NAME = "name"
"""In words, of a stop at one of `add_names`."""

BACK = "back"
"""In a hit's values: the word at SP, at a function's first instruction where the return
address travels on the stack."""


class Piece(NamedTuple):
    """Memory that a hit reads: `size` bytes at a register's value + `offset`."""

    register: str
    offset: int
    size: int


class Point(NamedTuple):
    """A break point, and what is recorded when a thread hits it."""

    kind: str
    address: int
    registers: tuple[str, ...]
    piece: Optional[Piece] = None
    aside: tuple[str, ...] = ()
    """Registers that are recorded as well, unless the first of `registers` holds the
    address of a point: that is the next instruction, and records them itself."""


class Hit(NamedTuple):
    """A thread at a point."""

    point: Point
    thread: int
    """The debugger's number of the thread."""
    values: dict[str, int]
    memory: bytes
    """The piece; empty when it could not be read."""


class Stop(NamedTuple):
    """Why the process is no longer running."""

    reason: str
    """One of the constants above."""
    said: str
    """The same in words: `exited with 3`, `SIGSEGV`, `break point 2`."""
    normal: bool = True
    """For an exit: by itself, not by a signal."""


def read_piece(read: Callable[[int, int], bytes], address: int, size: int) -> bytes:
    """As much of it as there is: what a layout is followed by may end with a page."""
    for length in (size, min(size, PAGE - address % PAGE)):
        try:
            return read(address, length)
        except Unreadable:
            continue
    return b""


OnHit = Callable[[Hit], bool]
"""Called while the thread stands at a point: whether it is to stay there."""


def unwatched(hit: Hit) -> bool:
    """Where nobody watches, a hit is a stop."""
    return True


class Runner(Protocol):
    """A debugger that lets its process run."""

    def add(self, point: Point) -> None:
        """Set a break point; one at that address and of that kind stays as it is."""

    def remove(self, point: Point) -> None:
        """Take one away again; nothing where it is not set."""

    def renew(self, point: Point) -> None:
        """Set it again where its trap is gone from memory, of which the debugger knows
        nothing: the program put something else there. Before the process goes on."""

    def add_names(self, names: Sequence[str]) -> None:
        """Stop when a function of one of these names, perhaps of a library that is
        yet to be loaded, is called. Its prologue may have run by then."""

    def drop_names(self) -> None:
        """Take those away again."""

    def notes(self) -> Sequence[str]:
        """What a user has to know of this debugger before the process runs."""

    def unknown_names(self) -> Sequence[str]:
        """Those of `add_names` that are no function's, in any library that was loaded
        up to now, or up to the end of the process."""

    def read(self, address: int, size: int) -> bytes:
        """Memory as it is now, or Unreadable."""

    def past_debugger(self, address: int, size: int) -> Optional[bytes]:
        """Memory as it is now, traps of break points and all, or Unreadable. None where
        only the debugger itself can be asked."""

    def holds(self) -> bool:
        """At a hit: whether its thread is still in the debugger's hands. A process that
        is killed is not, and what is read of it from then on, registers too, may be
        anything. True where nobody can tell."""

    def run(self, on_hit: OnHit, deadline: Optional[float]) -> Stop:
        """Let the process run until `on_hit` says stay, or something else stops it.

        `deadline` is a time of `time.monotonic`; past it the process is interrupted.
        """

    def pass_on(self) -> bool:
        """The process gets the signal that stopped it when it goes on, be it one that
        debuggers keep for themselves, as they do SIGINT and SIGTRAP. Whether there is
        one that it would not get otherwise."""

    def target(self) -> Target:
        """The process as it stands, at a hit too; ThunkError when it is gone."""

    def thread(self) -> int:
        """The debugger's number of the thread that stopped."""

    def close(self) -> None:
        """Take away every break point that was set here."""
