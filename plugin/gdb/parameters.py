"""The settings as gdb's parameters: `set thunk-inspect …`, `show thunk-inspect …`."""

from __future__ import annotations

import gdb

from ..settings import SETTINGS, Setting

PREFIX = "thunk-inspect"


class _Prefix(gdb.Command):  # type: ignore[misc]  # untyped
    """What stands before the names of the settings; alone, it shows them all."""

    def __init__(self, verb: str, text: str) -> None:
        self.__doc__ = text
        super().__init__(f"{verb} {PREFIX}", gdb.COMMAND_SUPPORT, prefix=True)

    def invoke(self, line: str, from_tty: bool) -> None:
        if line:
            known = ", ".join(setting.name for setting in SETTINGS)
            raise gdb.GdbError(f"{PREFIX} has no {line.split()[0]!r}, but {known}")
        gdb.execute("thunk-settings")


class _Parameter(gdb.Parameter):  # type: ignore[misc]  # untyped
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self.__doc__ = f"{setting.text[0].upper()}{setting.text[1:]}."
        self.set_doc = f"Set {setting.name} of the thunk commands."
        self.show_doc = f"Show {setting.name} of the thunk commands."
        name = f"{PREFIX} {setting.name}"
        if setting.most:
            super().__init__(name, gdb.COMMAND_SUPPORT, gdb.PARAM_STRING_NOESCAPE)
        else:
            kind, choices = gdb.PARAM_ENUM, list(setting.choices)
            super().__init__(name, gdb.COMMAND_SUPPORT, kind, choices)
        self._follow()
        setting.heard.append(self._follow)

    def _follow(self) -> None:
        self.value = self._setting.value

    def get_set_string(self) -> str:
        try:
            self._setting.set(self.value or "")
        except ValueError as error:
            self._follow()
            raise gdb.GdbError(str(error)) from None
        return ""

    def get_show_string(self, value: str) -> str:
        return f"{self._setting.name} of the thunk commands is {value}."


def register() -> None:
    """Again, they begin with the values that there are."""
    _Prefix("set", "Set how the thunk commands work.")
    _Prefix("show", "Show how the thunk commands work.")
    for setting in SETTINGS:
        setting.heard.clear()
        _Parameter(setting)
