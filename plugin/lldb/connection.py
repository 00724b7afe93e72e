"""lldb's connection to a stub, as a Line; and what it gives of memory."""

from typing import Any, Optional

import lldb

from ..answering import Line

SETTING = "plugin.process.gdb-remote.packet-timeout"
"""lldb asks once, and waits so long: as it was set when it connected."""


def line_to(target: Any, process: Any) -> Line:
    name = target.GetDebugger().GetInstanceName()

    def patience() -> Optional[float]:
        if process.GetPluginName() != "gdb-remote":
            return None
        values = lldb.SBDebugger.GetInternalVariableValue(SETTING, name)
        said = values.GetStringAtIndex(0) if values.GetSize() else ""
        return float(said) if said and said.isdecimal() and int(said) else None

    def reads(address: int) -> bool:
        return memory_of(process, address, 1) is not None

    return Line(SETTING.rpartition(".")[2], patience, reads)


def memory_of(whose: Any, place: Any, size: int) -> Optional[bytes]:
    """What a process' or a target's ReadMemory gives, if it is all there: it may return
    fewer bytes together with an error, or without. Of a process that was just killed 14
    gives a negative number of them, and Python itself objects."""
    error = lldb.SBError()
    try:
        data = whose.ReadMemory(place, size, error)
    except SystemError:
        return None
    return bytes(data) if error.Success() and data and len(data) == size else None
