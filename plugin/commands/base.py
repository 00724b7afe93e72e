"""What every command is made of, and how its words are read."""

import argparse
import gc
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, Optional

from ..target import ThunkError
from .session import Session

COLUMNS = 80
"""Of a terminal. lldb puts "error: " before what went wrong."""


class UsageError(ThunkError):
    """The command's words are off; the message is its usage."""


class Parser(argparse.ArgumentParser):
    """An argparse that raises instead of ending the debugger."""

    def error(self, message: str) -> NoReturn:
        """The usage if the line has room for it, else where it stands."""
        _, required, names = message.partition(" arguments are required: ")
        if required:
            message = f"{names} is missing"
        see = f"see help {self.prog}"
        short, _, choices = message.partition(" (choose from ")
        told = [f"{message}; usage: {self.usage}", f"{message}; {see}"]
        if choices:
            given = short.partition("invalid choice: ")[2]
            known = choices.replace("'", "").rstrip(")")
            told = [f"{given} is none of {known}"]
        raise UsageError(next(filter(self._fits, told), f"{short}; {see}"))

    def _fits(self, message: str) -> bool:
        return len(f"error: {self.prog}: {message}") < COLUMNS

    def exit(self, status: int = 0, message: Optional[str] = None) -> NoReturn:
        raise UsageError(message or f"usage: {self.usage}")


class Command(ABC):
    """One command: `arguments` says what it takes, `run` what it answers."""

    @abstractmethod
    def arguments(self, parser: Parser) -> None:
        """Declare them."""

    @abstractmethod
    def run(self, options: Any, session: Session) -> str:
        """The text to be shown. ThunkError, in one line, where there is none."""


@contextmanager
def uncollected() -> Iterator[None]:
    """For ten thousand frames: Python's collector would look through all that there are
    again and again, a fifth of the time, for cycles that none of them is in."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError("give a number from 1")
    return int(text)


def seconds(text: str) -> float:
    """A time-out, as argparse reads it."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("give seconds, from 0")
    return value
