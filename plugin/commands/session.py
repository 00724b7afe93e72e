"""What a command asks of the debugger it runs in, beside the Target."""

from contextlib import AbstractContextManager
from typing import Optional, Protocol

from ..report.page import Style
from ..target import Target
from ..trace.points import Runner


class Session(Protocol):
    """A debugger, as commands see it."""

    def target(self) -> Target:
        """The selected thread's process; ThunkError when none is stopped."""

    def register(self, name: str) -> Optional[int]:
        """A register, or a variable of the debugger's own, named without the $."""

    def symbol(self, name: str) -> Optional[int]:
        """A function's address, or a variable's value. Runs nothing in the process."""

    def style(self) -> Style:
        """Width and colour that the user has asked the debugger for."""

    def runner(self) -> Runner:
        """Lets the process run between break points of the caller's own."""

    def heeding(self) -> AbstractContextManager[None]:
        """Within this ^C is a KeyboardInterrupt. Not for what lets the process run."""

    def say(self, line: str) -> None:
        """Show a line now, while a command is at work."""
