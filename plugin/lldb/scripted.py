"""What a scripted session has lldb do once the program is stopped at its start."""

import signal
from typing import Any

from ..dependencies import ready

QUIET = ("SIGUSR1", "SIGUSR2")
"""Signals that an engine uses for itself; a scripted session's lldb is its own."""


def perform(debugger: Any, order: str) -> None:
    """Carry out the order in this file, write the answer to another, wait to be ended.

    An lldb that ends by itself ends the program politely, and qemu remarks on that; one
    that just goes lets qemu run the program on. Nothing may come between: by now the
    session may have read the answer, and removed both files.
    """
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
    signal.pause()
