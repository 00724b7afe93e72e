"""Memory of a process in lldb: past lldb where that can be, as lldb shows it.

One read past it takes 5 us, one through it 100: it asks its server.
"""

from typing import Any, Optional

import lldb

from ..answering import now
from ..arch import ARCHES
from ..local import Local
from ..target import Unreadable
from .connection import line_to, memory_of


class Reader:
    def __init__(
        self, target: Any, process: Any, local: Optional[Local], arch: str
    ) -> None:
        """`local`: the process, if it is on this machine."""
        self._target = target
        self._process = process
        self._local = local
        self._trap = ARCHES[arch].trap if arch in ARCHES else b""
        self._line = line_to(target, process)

    def read(self, address: int, size: int) -> bytes:
        """Memory as it is now, or Unreadable."""
        data = self.past_lldb(address, size)
        return self.by_lldb(address, size) if data is None else data

    def past_lldb(self, address: int, size: int) -> Optional[bytes]:
        """None where that cannot be. Where there is no trap there is no break point;
        from the first one to the last it is for lldb to say what they stand for."""
        trap = self._trap
        if not self._local or not trap or address % len(trap) or size % len(trap):
            return None
        data = self._local.read(address, size)
        first = -1 if data is None else data.find(trap)
        if data is None or first < 0:
            return data
        end = data.rfind(trap) + len(trap)
        shown = self.by_lldb(address + first, end - first)
        return data[:first] + shown + data[end:]

    def lacks_trap(self, address: int) -> bool:
        """Whether a break point's is not in memory; False where nobody can tell."""
        data = self._local.read(address, len(self._trap)) if self._local else None
        return data is not None and data != self._trap

    def by_lldb(self, address: int, size: int) -> bytes:
        since = now()
        data = memory_of(self._process, address, size)
        if data is None and is_core(self._process):
            # A core leaves out what stands in the program's files: lldb has those.
            place = lldb.SBAddress(address, self._target)
            data = memory_of(self._target, place, size)
        if data is None:
            self._line.failed(since, address, size)
            raise Unreadable(address, size)
        return data


def is_core(process: Any) -> bool:
    return process.GetPluginName() in ("elf-core", "mach-o-core", "minidump")
