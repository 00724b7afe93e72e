"""A file in the user's home: read, and replaced as a whole.

Folders may be shared with others (HOME may be /tmp): what somebody else put there, a
link above all, is not followed, not read and not replaced. A link of the user's own,
to a file among their dotfiles, is kept, and the file that it names is written.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import NamedTuple, Optional

from ..target import ThunkError

MAX_LINKS = 40
"""As many as the system follows."""
NEW = 0o666
"""The mode of a new file, less what the umask takes away."""


class Content(NamedTuple):
    data: bytes
    mode: int


def resolved(path: Path) -> Path:
    """The file itself, behind links of the user's own; it need not be there."""
    for _ in range(MAX_LINKS):
        try:
            info = os.lstat(path)
        except FileNotFoundError:
            return path
        except OSError as error:
            raise ThunkError(f"cannot read {path}: {error.strerror}") from None
        if not stat.S_ISLNK(info.st_mode):
            return path
        if info.st_uid not in (os.geteuid(), 0):
            raise _not_yours(path, "a link")
        path = path.parent / os.readlink(path)
    raise ThunkError(f"cannot read {path}: too many links, one behind the other")


def read(path: Path) -> Optional[Content]:
    """What a resolved file holds; None where there is none."""
    try:
        # A link that came there since fails, and a pipe does not keep us waiting.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        number = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ThunkError(f"cannot read {path}: {error.strerror}") from None
    info = os.fstat(number)
    if not stat.S_ISREG(info.st_mode):
        # `open` below takes no folder, and says so by the file's number only.
        os.close(number)
        raise ThunkError(f"cannot read {path}: it is no plain file; move it away")
    with open(number, "rb") as file:
        if info.st_uid != os.geteuid():
            raise _not_yours(path, "a file")
        return Content(file.read(), stat.S_IMODE(info.st_mode))


def replace(path: Path, data: bytes, mode: Optional[int]) -> None:
    """Put a file in the place of this one, in one step. `mode`: None for a new one."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        if path.parent.stat().st_uid not in (os.geteuid(), 0):
            raise _not_yours(path.parent, "a folder")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(partial, flags, NEW if mode is None else 0o600)
        try:
            with open(number, "wb") as file:
                file.write(data)
                if mode is not None:
                    os.fchmod(number, mode)
                file.flush()
                os.fsync(number)
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise
    except OSError as error:
        raise ThunkError(f"cannot write {path}: {error.strerror}") from None


def delete(path: Path) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        raise ThunkError(f"cannot remove {path}: {error.strerror}") from None


def _not_yours(path: Path, what: str) -> ThunkError:
    return ThunkError(
        f"{path} is {what} of another user's, so it is left alone: run this as that"
        " user, or set HOME to a folder of yours"
    )
