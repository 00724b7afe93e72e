"""Starts a scripted session's program in lldb, and stops it at its start.

`thunk-inspect run` has lldb call this before the session proper. What it is to start
stands in a file; it says STARTING when it begins to run the program and STARTED when
that is stopped, or writes why not as the session's outcome and ends lldb.
"""

import json
import os
from pathlib import Path
from typing import Any

import lldb

from ..session.seam import FAILED, STARTED, STARTING, Outcome, read_order, write_outcome

MAX_SIGNALS = 1000
PASSED_BY = (lldb.eStopReasonSignal, lldb.eStopReasonExec)


class StartError(Exception):
    """Why there is no program that is stopped at its start."""


def start(debugger: Any, order_file: str, launch_file: str) -> None:
    order = read_order(order_file)
    try:
        _start(debugger, json.loads(Path(launch_file).read_text("utf-8")))
    except Exception as error:
        write_outcome(order, Outcome(FAILED, " ".join(str(error).split())))
        # lldb has no other way to leave out the commands that follow.
        os._exit(1)
    print(STARTED, flush=True)


def _start(debugger: Any, wanted: "dict[str, Any]") -> None:
    debugger.SetAsync(False)
    # One packet for all registers instead of one for each.
    _set(debugger, "plugin.process.gdb-remote.use-g-packet-for-reading", "true")
    _set(debugger, "symbols.enable-external-lookup", "false")
    if wanted["sysroot"]:
        platform = lldb.SBPlatform("remote-linux")
        platform.SetSDKRoot(wanted["sysroot"])
        debugger.SetSelectedPlatform(platform)
    error = lldb.SBError()
    target = debugger.CreateTarget(wanted["program"], None, None, False, error)
    if not target.IsValid():
        raise StartError(f"lldb: {error.GetCString()}")
    if wanted["port"]:
        place = f"connect://127.0.0.1:{wanted['port']}"
        target.ConnectRemote(debugger.GetListener(), place, "gdb-remote", error)
        _check(error)
    else:
        print(STARTING, flush=True)
        _launch(target, wanted)


def _set(debugger: Any, name: str, value: str) -> None:
    lldb.SBDebugger.SetInternalVariable(name, value, debugger.GetInstanceName())


def _check(error: Any) -> None:
    if error.Fail():
        raise StartError(f"lldb: {error.GetCString()}")


def _launch(target: Any, wanted: "dict[str, Any]") -> None:
    """The launcher, through its exec, up to main or where the program begins."""
    path, *arguments = wanted["command"]
    info = lldb.SBLaunchInfo(arguments)
    info.SetExecutableFile(lldb.SBFileSpec(path), True)
    flags = lldb.eLaunchFlagStopAtEntry
    info.SetLaunchFlags(flags | lldb.eLaunchFlagDisableASLR)
    for number in range(3):
        info.AddOpenFileAction(number, os.devnull, not number, bool(number))
    error = lldb.SBError()
    process = target.Launch(info, error)
    if error.Fail() and "personality" in str(error):
        # Containers may forbid it, and nothing depends on it.
        info.SetLaunchFlags(flags)
        error = lldb.SBError()
        process = target.Launch(info, error)
    _check(error)
    _go_to(process, lldb.eStopReasonExec)
    if wanted["has_main"]:
        point = target.BreakpointCreateByName(
            "main", target.GetExecutable().GetFilename()
        )
    else:
        module = target.FindModule(target.GetExecutable())
        entry = module.GetObjectFileEntryPointAddress()
        point = target.BreakpointCreateBySBAddress(entry)
    here = process.GetSelectedThread().GetFrameAtIndex(0).GetPCAddress()
    if here != point.GetLocationAtIndex(0).GetAddress():
        _go_to(process, lldb.eStopReasonBreakpoint)
    target.BreakpointDelete(point.GetID())


def _go_to(process: Any, reason: int) -> None:
    """Continue to a stop for this reason; signals on the way are the program's."""
    for _ in range(MAX_SIGNALS):
        process.Continue()
        state = process.GetState()
        if state == lldb.eStateExited:
            how = process.GetExitDescription() or f"status {process.GetExitStatus()}"
            raise StartError(f"the program exited with {how} before its start")
        if state != lldb.eStateStopped:
            raise StartError("the program does not stop at its start")
        thread = process.GetSelectedThread()
        if any(t.GetStopReason() == reason for t in process.threads):
            return
        if thread.GetStopReason() not in PASSED_BY:
            continue
    raise StartError("the program gets one signal after the other before its start")
