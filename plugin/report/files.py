"""Writing a file whole or not at all: reports and snapshots."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

from ..target import ThunkError


def write_text(path: str, text: str) -> None:
    """Replace a file by this text; ThunkError with one line when that cannot be.

    The text goes to a fresh file beside it, which then takes its name: no link that
    somebody planted is written through, and nobody sees half a file.
    """
    try:
        if _is_device(path):
            # /dev/stdout, or a pipe: not to be replaced by a file.
            Path(path).write_text(text, "utf-8")
            return
        partial = f"{Path(path).absolute().parent}/.thunk-{secrets.token_hex(8)}"
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(partial).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(partial).unlink()
            raise
    except OSError as error:
        raise ThunkError(f"cannot write {path}: {error.strerror}") from None


def _is_device(path: str) -> bool:
    """Whether this is something that is written to, not a file that can be replaced."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
