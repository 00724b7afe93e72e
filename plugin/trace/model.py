"""What a trace saw: its events, the calls by function, why it ended. Data only.

Addresses and values are unsigned 64-bit numbers of the target's address space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

ENCODED, GENERATED, CALL, ENTERED = "encoded", "generated", "call", "entered"
DISPATCH, INTERPRETER, RETURNED = "dispatch", "interpreter", "returned"
KINDS = (ENCODED, GENERATED, CALL, ENTERED, DISPATCH, INTERPRETER, RETURNED)
"""Kinds of event, in the order in which one call meets them."""

STRAIGHT, ASIDE, AFTERWARDS = "straight", "aside", "afterwards"


@dataclass(frozen=True)
class Site:
    """Where a call was made, and how that is known."""

    named: bool
    """Whether a symbol covers it, as one does all of an engine's own code that is not
    stripped."""
    how: str
    """`straight`: its call instruction was seen to go to the block; `aside`: to go to
    something else, on the way; `afterwards`: only its return address was seen."""


@dataclass
class Event:
    """One thing that happened, as the process stood at that instruction. Not frozen,
    which would take three times as long to make: there are thousands in a second."""

    number: int
    """From 1, in order of time."""
    kind: str
    """One of KINDS."""
    thread: int
    """The debugger's number of the thread."""
    call: Optional[int]
    """Number of the call that it belongs to; None where there is none."""
    depth: int
    """Calls in progress on this thread, this one included."""
    address: int
    """The pc."""
    function: Optional[int]
    """The function object, where one is known."""
    name: Optional[str]
    """Its JavaScript name, where that is confirmed."""
    text: str
    """What there is to say of it, on one line."""
    values: Mapping[str, int]
    """Registers and words that the event recorded, by name."""
    problems: Sequence[str] = ()
    """What is wrong here that was right before, each with what did it."""
    site: Optional[Site] = None
    """Of a call."""


@dataclass(frozen=True)
class FunctionCalls:
    """How often a function was called, and how often a call of it went wrong."""

    name: Optional[str]
    function: int
    stub: Optional[int]
    """Address of its stub."""
    calls: int
    failures: int


@dataclass(frozen=True)
class Sample:
    """Where a thread was at one look."""

    thread: int
    pc: int
    where: str
    """The pc in words: a symbol, or the place in a block."""
    back: Optional[int]
    """The link register, or the word at SP: where it may return to."""


@dataclass(frozen=True)
class Hang:
    """Where a process that did not end in time spends it."""

    kind: str
    """`thunk`, `interpreter`, `native`, `waiting` (at a system call), or `unknown`."""
    text: str
    """One sentence."""
    instructions: Sequence[str] = ()
    """The instructions of the loop, where it is one through a thunk."""
    samples: Sequence[Sample] = ()


@dataclass
class Trace:
    """A whole trace."""

    events: list[Event] = field(default_factory=list)
    """In order of time; capped, but every event with a problem is kept up to a cap of
    its own."""
    counts: dict[str, int] = field(default_factory=dict)
    """Events by kind, those included that are not kept."""
    functions: list[FunctionCalls] = field(default_factory=list)
    calls: int = 0
    failures: int = 0
    """Calls with a problem."""
    first_failure: Optional[Event] = None
    missing: list[str] = field(default_factory=list)
    """Events that could not be watched, each with why."""
    ended: str = ""
    """Why the trace ended."""
    hang: Optional[Hang] = None
    unjudged: int = 0
    """Calls that were met on their way only."""
    lost: int = 0
    """Calls that did not come back, of a program that a signal ended."""
