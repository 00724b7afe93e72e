"""A process that gdb itself runs on this machine: what the kernel has of it."""

import sys
from functools import lru_cache
from typing import Any, Optional

import gdb

from ..ptrace import Kernel


def native_process() -> Optional[int]:
    """Its pid; None of a core file, over a remote connection, or where the kernel is no
    Linux, of which the rest here knows nothing."""
    if sys.platform != "linux":
        return None
    inferior = gdb.selected_inferior()
    connection = inferior.connection
    native = connection is not None and connection.type == "native"
    return int(inferior.pid) if native else None


@lru_cache(maxsize=1)
def _kernel() -> Kernel:
    return Kernel()


def registers_at(thread: Any, pc: int) -> dict[str, int]:
    """A native thread's registers past gdb, if it stands at `pc`: gdb may show another
    place, of the past that it recorded."""
    known = _kernel().registers(thread.ptid[1])
    return known if pc in (known.get("pc"), known.get("rip")) else {}
