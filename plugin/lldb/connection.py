"""lldb's connection to a stub, as a Line."""

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
        error = lldb.SBError()
        process.ReadMemory(address, 1, error)
        return bool(error.Success())

    return Line(SETTING.rpartition(".")[2], patience, reads)
