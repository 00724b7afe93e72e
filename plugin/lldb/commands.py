"""The commands in lldb: registered at load, done by `commands.run` when typed."""

from __future__ import annotations

import lldb

from ..commands import HELP, Help, help_text

TYPE_CHECKING = False
"""As type checkers know it; the module of that name costs 3 ms at every start."""
if TYPE_CHECKING:
    from typing import Any


class ThunkCommand:
    """One command of ours, as lldb wants it: constructed once, called per line."""

    help: Help

    def __init__(self, debugger: Any, internal_dict: dict[str, Any]) -> None:
        self.debugger = debugger
        self.names = internal_dict

    def __call__(self, debugger: Any, line: str, context: Any, result: Any) -> None:
        from ..dependencies import ready

        try:
            ready()
            from ..commands.run import run_command
            from .session import LldbSession

            session = LldbSession(debugger, context, self.names)
            if self.help.name == "thunk-trace":
                # Its runner heeds ^C: the process is to be stopped first.
                text = run_command(self.help.name, line, session)
            else:
                with session.heeding():
                    text = run_command(self.help.name, line, session)
            result.AppendMessage(text)
            result.SetStatus(lldb.eReturnStatusSuccessFinishResult)
        except KeyboardInterrupt:
            result.SetError("interrupted")
        except Exception as error:
            from ..target import one_line

            result.SetError(f"{self.help.name}: {one_line(error)}")

    def get_short_help(self) -> str:
        return self.help.summary

    def get_long_help(self) -> str:
        return help_text(self.help)


def stub(expression: str, frame: Any) -> int:
    """The address of a function object's stub: in the Python of a break point's
    commands, where returning False goes on, it is part of a condition. ThunkError, in
    one line, where no thunk was generated.
    """
    from ..dependencies import ready

    ready()
    from ..commands.expression import evaluate
    from ..inspection import function_at
    from ..target import Memory
    from .session import LldbSession

    debugger = frame.GetThread().GetProcess().GetTarget().GetDebugger()
    session = LldbSession(debugger, lldb.SBExecutionContext(frame))
    memory = Memory(session.target())
    return function_at(memory, evaluate(expression, session)).stub


def _command(help: Help) -> type[ThunkCommand]:
    name = "".join(part.capitalize() for part in help.name.split("-"))
    return type(name, (ThunkCommand,), {"help": help})


CLASSES = {command.__name__: command for command in map(_command, HELP)}


def register(debugger: Any, module: str) -> None:
    """Add the commands; `module` is where lldb finds the classes by name."""
    interpreter, result = debugger.GetCommandInterpreter(), lldb.SBCommandReturnObject()
    for name, command in CLASSES.items():
        add = "command script add --overwrite"
        last = f"--class {module}.{name} {command.help.name}"
        # Older versions complete no word of a command in Python.
        interpreter.HandleCommand(f"{add} --completion-type symbol {last}", result)
        if not result.Succeeded():
            debugger.HandleCommand(f"{add} {last}")
