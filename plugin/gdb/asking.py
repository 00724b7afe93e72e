"""What gdb is asked by words, or for a trace: texts, registers at a hit, break points'
counts, names, signals."""

import contextlib
import re
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import gdb

from ..target import MASK64

_RECORD = re.compile(r'^~"((?:[^"\\]|\\.)*)"$', re.M)
"""A line of MI with what is said on the console; in it, C's escapes."""


def said(command: str) -> str:
    """What gdb says. A program's names may be no text in the user's encoding."""
    try:
        text = gdb.execute(command, to_string=True)
    except UnicodeDecodeError as error:
        text = error.object.decode(error.encoding, "replace")
    return plain(text)


def plain(text: str) -> str:
    """Where gdb 18 speaks MI, it gives what it would have written there."""
    records = _RECORD.findall(text) if text.startswith('~"') else []
    if not records:
        return text
    escaped = "".join(records).encode("ascii", "backslashreplace")
    data = escaped.decode("unicode_escape").encode("latin-1", "replace")
    return data.decode("utf-8", "replace")


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
    text = said("info signals SIGINT")
    found = re.search(r"^SIGINT\s+(Yes|No)\s+(?:Yes|No)\s+(Yes|No)\b", text, re.M)
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
