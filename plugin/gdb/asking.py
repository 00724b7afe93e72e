"""What a trace asks of gdb: registers, break points' counts, names, signals."""

import contextlib
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import gdb

from ..target import MASK64


def stops(point: Any) -> int:
    """How often gdb has meant to stop there, but for a number that does not matter. A
    hit is counted where the condition holds, or is one of those to be ignored. The
    condition itself is not for us to evaluate: it may count, or call a function."""
    return int(point.hit_count) + int(point.ignore_count)


def asked(names: Sequence[str], known: Mapping[str, int]) -> dict[str, int]:
    """Registers by name: those that are not known by gdb's words for them. Where one
    cannot be read the others still are. Not by a frame: gdb would unwind it, over a
    remote connection packet by packet."""
    if known:
        return {name: known[name] for name in names if name in known}
    values = {}
    for name in names:
        with contextlib.suppress(gdb.error):
            values[name] = int(gdb.parse_and_eval(f"${name}")) & MASK64
    return values


def is_known(name: str) -> bool:
    """Whether gdb knows a function of this linkage name. Not by a command: one that is
    executed within `continue`, as libraries are loaded, makes gdb forget to wait."""
    try:
        gdb.decode_line(name)
    except gdb.error:
        return False
    return True


def can_interrupt() -> bool:
    """Whether gdb stops at SIGINT, and keeps it from the process."""
    said = gdb.execute("info signals SIGINT", to_string=True)
    found = re.search(r"^SIGINT\s+(Yes|No)\s+(?:Yes|No)\s+(Yes|No)\b", said, re.M)
    return not found or found.groups() == ("Yes", "No")


def go_on(signal_name: str) -> None:
    """With a signal that gdb had kept, or with what it passes by itself."""
    if signal_name == "SIGINT":
        gdb.execute("signal SIGINT")
    elif signal_name == "SIGTRAP":
        gdb.execute("signal SIGTRAP")
    else:
        gdb.execute("continue")


def exit_signal() -> str:
    """The one that ended the process. gdb has its number as the program's system does;
    another may have come before, and done nothing."""
    number = gdb.convenience_variable("_exitsignal")
    try:
        return "a signal" if number is None else signal.Signals(int(number)).name
    except ValueError:
        return f"signal {int(number)}"
