"""The commands in gdb: registered at load, done by `commands.run` when typed."""

import gdb

from ..commands import HELP, Help, help_text


class ThunkCommand(gdb.Command):  # type: ignore[misc]  # untyped
    """One command of ours. The docstring that gdb shows is set per instance."""

    def __init__(self, help: Help) -> None:
        self.__doc__ = help_text(help)
        self.name = help.name
        super().__init__(help.name, gdb.COMMAND_USER)

    def invoke(self, line: str, from_tty: bool) -> None:
        self.dont_repeat()
        from ..dependencies import ready

        try:
            ready()
            from ..commands.run import run_command
            from .session import GdbSession

            text = run_command(self.name, line, GdbSession())
        except KeyboardInterrupt:
            raise gdb.GdbError("interrupted") from None
        except gdb.error as error:
            # Of a connection that is lost, for one: gdb's own words are all there is.
            said = " ".join(str(error).split())
            raise gdb.GdbError(f"{self.name}: gdb says: {said}") from None
        except Exception as error:
            from ..target import one_line

            raise gdb.GdbError(f"{self.name}: {one_line(error)}") from None
        gdb.write(text + "\n")

    def complete(self, text: str, word: "str | None") -> "list[str] | int":
        """Without a word, gdb only asks where words begin."""
        from ..commands.run import words_of

        typed = text.split(" ")[-1]
        skip = len(typed) - len(word or "")
        known = [one[skip:] for one in words_of(self.name) if one.startswith(typed)]
        wanted = known and (typed or self.name == "thunk-settings")
        return known if wanted else int(gdb.COMPLETE_EXPRESSION)


def register() -> None:
    for help in HELP:
        ThunkCommand(help)
    from . import functions, parameters, unwinder

    functions.register()
    parameters.register()
    unwinder.register()
