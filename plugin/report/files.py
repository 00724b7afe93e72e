"""Writing a file whole or not at all: reports and snapshots."""

import contextlib
import os
import tempfile
from pathlib import Path

from ..target import ThunkError


def write_text(path: str, text: str) -> None:
    """Replace a file by this text; ThunkError with one line when that cannot be.

    The text goes to a fresh file beside it, which then takes its name: no link that
    somebody planted is written through, and nobody sees half a file.
    """
    folder = Path(path).absolute().parent
    try:
        handle, partial = tempfile.mkstemp(prefix=".thunk-", dir=folder)
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
