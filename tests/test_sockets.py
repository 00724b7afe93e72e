"""The kernel's tables of sockets, whose names anybody may choose."""

import os
import socket
from pathlib import Path

import pytest

from thunk_inspect.sockets import UNIX, _rows, emulator_behind, listens

NAMES = [
    b"\0one\nline more",
    b"\0\n\n",
    b"\0 \n0: 1 2\n",
    b"\0\x85\x1c\r\xff",
    b"\0a b",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_with_lines_of_their_own(name: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(name + os.urandom(8).hex().encode())
        made.listen()
        assert listens(os.getpid())
        assert emulator_behind(os.getpid(), "/nowhere") is None


def test_a_path_with_a_space(tmp_path: Path) -> None:
    path = str(tmp_path / "a stub")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        made.listen()
        assert (path, "") in [row.ends for row in _rows(UNIX)]
