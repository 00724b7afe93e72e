"""What gdb's expressions can ask: `$_thunk(FUNCTION)`."""

from __future__ import annotations

import gdb

TYPE_CHECKING = False
"""As type checkers know it; the module of that name costs 3 ms at every start."""
if TYPE_CHECKING:
    from typing import Any


class Thunk(gdb.Function):  # type: ignore[misc]  # untyped
    """Return the address of a function object's stub.

    Usage: $_thunk (FUNCTION)

    FUNCTION is the address of a JavaScript function object, such as $x0 at a
    block's first instruction. It is an error if no thunk was generated for it."""

    def __init__(self) -> None:
        super().__init__("_thunk")

    def invoke(self, function: Any) -> Any:
        from ..dependencies import ready

        try:
            ready()
            from ..inspection import function_at
            from ..target import MASK64, Memory, ThunkError
            from .target import PassingTarget

            # In a break point's condition gdb has the thread for a running one.
            if gdb.selected_thread() is None:
                raise ThunkError("no process")
            memory = Memory(PassingTarget())
            stub = function_at(memory, int(function) & MASK64).stub
        except Exception as error:
            from ..target import one_line

            raise gdb.GdbError(f"$_thunk: {one_line(error)}") from None
        return gdb.Value(stub).cast(gdb.lookup_type("void").pointer())


def register() -> None:
    Thunk()
