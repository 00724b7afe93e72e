"""What the plugin's code gives debuggers to do and to evaluate: all of it is known, and
nothing writes to the process, calls into it, or changes a setting."""

import ast
from pathlib import Path
from typing import Dict, Iterator, Set, Tuple

from programs import ROOT

SOURCES = [
    path
    for name in ("gdb", "lldb")
    for path in sorted((ROOT / "plugin" / name).glob("*.py"))
    if path.name != "start.py"
]
"""All that know a debugger; lldb/start.py serves those that a session of ours has
started."""
EXECUTED = {
    "gdb/target.py": {
        *("show osabi", "info proc mappings", "info symbol {}", "info address {}"),
        *("maintenance info sections", "info program"),
    },
    "gdb/runner.py": {"interrupt", "queue-signal 0"},
    "gdb/asking.py": {
        *("info signals SIGINT", "command"),  # what `said` is given
        *("continue", "signal SIGINT", "signal SIGTRAP"),
    },
    "gdb/parameters.py": {"thunk-settings"},
    "gdb/scripted.py": {"handle SIGUSR1 SIGUSR2 nostop noprint pass"},
    "lldb/commands.py": {"{} --completion-type symbol {}", "{} {}"},
    "lldb/registers.py": {"ask"},  # the packet g, which reads registers
}
"""Every command that the plugin gives to a debugger. None of them runs code in the
process but `continue`, which is what a trace is; `queue-signal 0` keeps from it what it
was stopped by, `signal` gives it what it has raised itself, in a session of ours only.
scripted.py is loaded only into debuggers that a session of ours has started."""
EVALUATED = {
    "gdb/target.py": {"${}"},
    "gdb/asking.py": {"${}"},
}
"""What gdb evaluates: registers of a known machine, which are written the same in every
language."""
FORBIDDEN = {
    "EvaluateExpression",
    "CreateValueFromExpression",
    "CallFunction",
    "WriteMemory",
    "WritePointerToMemory",
    "AllocateMemory",
    "SetValueFromCString",
    "SetData",
    "SetPC",
    "SetSP",
    "SetFP",
    "JumpToLine",
    "ReadInstructions",
    "SetInternalVariable",
    "write_memory",
    "set_parameter",
    "set_convenience_variable",
    "evaluate_expression",
}
"""Writes to the process, runs code in it, or changes a setting. lldb's `disassemble`,
and what reads instructions, may ask the process for memory."""


def calls(path: Path) -> "Iterator[Tuple[str, ast.Call]]":
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield function.attr, node
            elif isinstance(function, ast.Name):
                yield function.id, node


def text_of(node: ast.expr) -> str:
    """A string with {} for what is put in; of anything else its words."""
    if isinstance(node, ast.JoinedStr):
        parts = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        return "".join(str(part) for part in parts)
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def given(names: "Set[str]") -> "Dict[str, Set[str]]":
    """What is handed to functions of these names, by file."""
    found: Dict[str, Set[str]] = {}
    for path in SOURCES:
        for name, node in calls(path):
            if name in names:
                place = path.relative_to(ROOT / "plugin").as_posix()
                found.setdefault(place, set()).add(text_of(node.args[0]))
    return found


def test_what_debuggers_are_told_to_do() -> None:
    assert given({"HandleCommand", "execute", "said"}) == EXECUTED
    assert given({"parse_and_eval"}) == EVALUATED


def test_nothing_that_writes_or_calls() -> None:
    names = {
        (path.name, name)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        for name in [getattr(node, "attr", None) or getattr(node, "id", None)]
        if name in FORBIDDEN
    }
    assert not names
