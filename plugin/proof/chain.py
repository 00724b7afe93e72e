"""The loads that lead from the function object to its stub: functionInfo, its body,
m_dynamicInterpreterThunk. Only what tells such loads from other values belongs here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from .values import Entry, Load, Sum, Value, inputs


@dataclass(frozen=True)
class Offsets:
    """The three offsets of the loads that lead to the stub (JavascriptFunction to
    functionInfo, FunctionInfo to functionProxy, FunctionBody to the stub)."""

    function_info: int
    function_proxy: int
    dynamic_thunk: int

    @property
    def pointers(self) -> frozenset[tuple[int, ...]]:
        """The loads from the function object that lead to the objects in between."""
        return frozenset(
            [(self.function_info,), (self.function_info, self.function_proxy)]
        )


def strip(value: Value) -> tuple[Value, int]:
    """A value as (base, constant distance)."""
    return (value.base, value.offset) if isinstance(value, Sum) else (value, 0)


def chain(value: Value, function: str) -> Optional[tuple[int, ...]]:
    """The offsets of the loads that lead from the function object to a value.

    () is the function itself; None when the value is not reached by plain loads.
    """
    path: list[int] = []
    while isinstance(value, Load):
        value, offset = strip(value.address)
        path.insert(0, offset)
    return tuple(path) if value == Entry(function) else None


def chains_in(value: Value, function: str) -> Iterator[tuple[Load, tuple[int, ...]]]:
    """The words of objects that a value is made of, with the offsets that lead there;
    the longest chain of those within each other first."""
    for part in inputs(value):
        path = chain(part, function) if isinstance(part, Load) else None
        if path:
            assert isinstance(part, Load)
            yield part, path
