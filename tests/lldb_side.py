"""The part of a test session that runs inside lldb: commands in, answers out.

Loaded by `sessions.Lldb`. Each line read is a command as JSON; each line written is
what the command printed. lldb's own prompt would mix the two and stop at errors.
"""

import json
import os

import lldb


def serve(debugger: "lldb.SBDebugger") -> None:
    """Run commands until the other side closes its end."""
    debugger.SetAsync(False)
    interpreter = debugger.GetCommandInterpreter()
    commands = os.fdopen(int(os.environ["LLDB_SIDE_READ"]), encoding="utf-8")
    answers = os.fdopen(int(os.environ["LLDB_SIDE_WRITE"]), "w", encoding="utf-8")
    for line in commands:
        result = lldb.SBCommandReturnObject()
        interpreter.HandleCommand(json.loads(line), selected(debugger), result, False)
        answer = {"output": result.GetOutput(), "error": result.GetError()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def selected(debugger: "lldb.SBDebugger") -> "lldb.SBExecutionContext":
    """What a command typed now is about. Newer lldbs would otherwise take what was
    selected when `serve` was called."""
    target = debugger.GetSelectedTarget()
    process = target.GetProcess()
    if not target.IsValid():
        return lldb.SBExecutionContext(debugger.GetDummyTarget())
    if process.GetState() != lldb.eStateStopped:
        return lldb.SBExecutionContext(target)
    return lldb.SBExecutionContext(process.GetSelectedThread().GetSelectedFrame())
