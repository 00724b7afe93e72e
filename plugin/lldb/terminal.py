"""Whether lldb has made a terminal for the program, which it does if it launches one
without a word of where its input and output go."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Union


def deaf_to_interrupts(pid: int) -> Sequence[str]:
    """What to tell of ^C: lldb gives it to the terminal that it has made for a program,
    and reads nothing from that while a command of ours runs."""
    if not _has_our_terminal(pid):
        return ()
    return (
        "lldb does not hear ^C while it keeps a terminal for the program: say"
        f" `kill -INT {pid}` elsewhere, or launch it with -i, -o and -e",
    )


def _has_our_terminal(pid: int) -> bool:
    """Whether an open file of the process is a terminal that this one has made."""
    ours = set()
    for number, target in _open_files("self"):
        if target.endswith("/ptmx"):
            with suppress(OSError):
                told = Path(f"/proc/self/fdinfo/{number}").read_text("utf-8", "replace")
                found = re.search(r"tty-index:\s*(\d+)", told)
                ours |= {f"/dev/pts/{found[1]}"} if found else set()
    return any(target in ours for _, target in _open_files(pid))


def _open_files(process: Union[int, str]) -> "Iterator[tuple[str, str]]":
    """(number, what it is) of those that can be told."""
    with suppress(OSError):
        for number in os.listdir(f"/proc/{process}/fd"):
            with suppress(OSError):
                yield number, os.readlink(f"/proc/{process}/fd/{number}")
