"""What a user can set in a debugger: the table, and the values as they are now.

In gdb they are parameters (`set thunk-inspect colour off`), in both debuggers the
command `thunk-settings` shows and sets them. They belong to the debugger, not to a
process, and last as long as it does. This loads with the debugger: nothing that costs.
"""

TYPE_CHECKING = False
"""As type checkers know it; the module of that name costs 3 ms at every start."""
if TYPE_CHECKING:
    from typing import Callable

AUTO = "auto"


class Setting:
    """One thing that can be set, to one of `choices` or, where `most` is given, to a
    number from 1 up to that, or back to AUTO."""

    def __init__(
        self, name: str, text: str, choices: "tuple[str, ...]" = (), most: int = 0
    ) -> None:
        self.name = name
        self.text = text
        self.choices = (AUTO, *choices)
        self.most = most
        self.value = AUTO
        self.heard: list[Callable[[], None]] = []
        """What is to be told of a new value."""

    def set(self, value: str) -> None:
        """Raises ValueError, in one line for people."""
        digits = value.isascii() and value.isdigit() and len(value) < 9
        number = digits and 0 < int(value) <= self.most
        if value not in self.choices and not number:
            known = ", ".join(self.choices)
            more = f" or a number from 1 to {self.most}" if self.most else ""
            raise ValueError(f"{self.name} is {known}{more}, not {value!r}")
        self.value = value
        for tell in self.heard:
            tell()

    def wanted(self, otherwise: bool) -> bool:
        """As on or off; what it would be `otherwise` for AUTO."""
        return otherwise if self.value == AUTO else self.value == "on"

    @property
    def number(self) -> "int | None":
        """As a number; None for AUTO."""
        return int(self.value) if self.value.isdigit() else None


COLOUR = Setting(
    "colour",
    "colour in reports; auto: as debugger, NO_COLOR and terminal say",
    ("on", "off"),
)
ARGUMENTS = Setting(
    "arguments",
    "arguments of a call that are shown; auto: as many as fit each command",
    most=4096,
)
BLOCK_SIZE = Setting(
    "block-size",
    "bytes of a thunk block, which is a page; auto: 4096 and 16384 are tried",
    ("4096", "16384", "65536"),
)
SETTINGS = (COLOUR, ARGUMENTS, BLOCK_SIZE)
