"""What a scripted session has lldb do once the program is stopped at its start."""

from typing import Any

from ..dependencies import ready

QUIET = ("SIGUSR1", "SIGUSR2")
"""Signals that an engine uses for itself; a scripted session's lldb is its own."""


def perform(debugger: Any, order: str) -> None:
    """Carry out the order in this file; the answer goes to another file."""
    ready()
    from ..session.inside import perform as carry_out
    from .runner import LldbRunner

    target = debugger.GetSelectedTarget()
    process = target.GetProcess()
    signals = process.GetUnixSignals()
    for name in QUIET:
        number = signals.GetSignalNumberFromName(name)
        signals.SetShouldStop(number, False)
        signals.SetShouldNotify(number, False)
    carry_out(
        order,
        lambda: LldbRunner(debugger, target, process),
        lambda line: print(line, flush=True),
    )
