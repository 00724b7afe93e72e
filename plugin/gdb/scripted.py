"""What a scripted session has gdb do once the program is stopped at its start."""

import gdb

from ..dependencies import ready


def perform(order: str) -> None:
    """Carry out the order in this file; the answer goes to another file."""
    ready()
    from ..session.inside import perform as carry_out
    from .runner import GdbRunner

    # Signals that an engine uses for itself; a scripted session's gdb is its own.
    gdb.execute("handle SIGUSR1 SIGUSR2 nostop noprint pass", to_string=True)
    carry_out(order, GdbRunner, _say)


def _say(line: str) -> None:
    gdb.write(line + "\n")
    gdb.flush()
