"""What passes between `thunk-inspect run` and the debugger that it drives.

The one outside writes an Order to a file, the one inside answers with an Outcome in
another; both files are in a folder of the session's own. How far it is it prints, one
of the lines below at a time. Inside, this must import with nothing but the standard
library and what a report needs.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..report.model import Report

STOPPED, EXITED, CRASHED = "stopped", "exited", "crashed"
HUNG, FAILED = "hung", "failed"
STATES = (STOPPED, EXITED, CRASHED, HUNG, FAILED)

SAYS = "thunk-run: "
"""Begins each line that is printed inside for the one outside."""
STARTING, STARTED, ENDED = f"{SAYS}starting", f"{SAYS}started", f"{SAYS}ended"
"""The program begins to run; it is stopped at its start; the order is carried out."""


@dataclass(frozen=True)
class Order:
    """What the debugger is to do with a program that is stopped at its start."""

    place: Optional[str]
    """Where to stop and inspect: a function, or a number with 0x. None: trace every
    call until the program ends."""
    hits: int
    """With a place: at which hit of it. Without: calls to trace, 0 for all."""
    timeout: float
    """Seconds that the program may run."""
    result: str
    """The file for the Outcome."""


@dataclass
class Outcome:
    """How it went, and what was found."""

    state: str
    """`stopped` where it was to stop; `exited` or `crashed` by itself; `hung`: stopped
    because time was up; `failed`: nothing could be run."""
    said: str
    """The same in one line for people: `exited with 3`, `SIGSEGV at 0x…`."""
    report: Optional[Report] = None
    """None where there was nothing to inspect; then `said` tells why."""


def read_order(path: str) -> Order:
    return Order(**json.loads(Path(path).read_text("utf-8")))


def write_outcome(order: Order, outcome: Outcome) -> None:
    """Written whole or not at all: whoever waits for it may be killed, or kill."""
    text = json.dumps(dataclasses.asdict(outcome), default=_plain)
    part = Path(f"{order.result}.part")
    part.write_text(text, "utf-8")
    os.replace(part, order.result)


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    return list(value)
