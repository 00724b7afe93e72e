"""Writing a file whole or not at all: reports and snapshots."""

import contextlib
import errno
import os
import secrets
import select
import stat
import time
from pathlib import Path

from ..target import ThunkError

BINARY: int = getattr(os, "O_BINARY", 0)
"""Windows would write a line's end as two bytes."""
AT_ONCE: int = getattr(os, "O_NONBLOCK", 0)
WAIT = 0.2
"""Seconds between two looks whether a pipe is read."""


def write_text(path: str, text: str) -> None:
    """Replace a file by this text; ThunkError with one line when that cannot be.

    The text goes to a fresh file beside it, which then takes its name: no link that
    somebody planted is written through, and nobody sees half a file.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        if not _to_device(path, data):
            _replace(path, data)
    except OSError as error:
        raise ThunkError(f"cannot write {path}: {error.strerror}") from None
    except ValueError:
        raise ThunkError(f"cannot write {path!r}: no file has such a name") from None


def _replace(path: str, data: bytes) -> None:
    partial = f"{Path(path).absolute().parent}/.thunk-{secrets.token_hex(8)}"
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(partial).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(partial).unlink()
        raise


def _to_device(path: str, data: bytes) -> bool:
    """Whether it was written to /dev/stdout or the user's own pipe, which is not to be
    replaced by a file. One that another user put there, or a link of theirs, is."""
    try:
        owner, mode = os.lstat(path).st_uid, os.stat(path).st_mode
    except OSError:
        return False
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or owner not in (0, _user()):
        return False
    handle = _opened(path)
    try:
        # Nothing was made or emptied by opening it: it may have changed meanwhile.
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return False
        _write(handle, data)
    finally:
        os.close(handle)
    return True


def _opened(path: str) -> int:
    """For writing. A pipe that nobody reads is tried again: the system would wait for a
    reader whatever happens, ^C too."""
    while True:
        try:
            return os.open(path, os.O_WRONLY | BINARY | AT_ONCE)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(path).st_mode):
                raise
            time.sleep(WAIT)


def _write(handle: int, data: bytes) -> None:
    """All of it, with a step of Python's, at which ^C is heeded, every now and then."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(handle, rest) :]
        except BlockingIOError:
            select.select([], [handle], [], WAIT)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else 0
