"""Where control goes after an instruction. Effects return these; `run` follows them."""

from typing import NamedTuple, Optional, Union

from .values import Value


class Jump(NamedTuple):
    target: Value


class Condition(NamedTuple):
    """A test of the flags that (a operation b) leaves, such as `ls` of a `sub`.

    Tests have arm64 names on every machine: eq ne hs lo mi pl hi ls ge lt gt le.
    """

    test: str
    operation: str
    a: Value
    b: Value
    size: int


class Branch(NamedTuple):
    """A conditional jump; None: nothing is known of the condition."""

    target: Value
    condition: Optional[Condition]


class Call(NamedTuple):
    target: Value


class Return(NamedTuple):
    target: Value


class Trap(NamedTuple):
    """brk, int, udf: the process stops here on purpose."""

    text: str


Flow = Optional[Union[Jump, Branch, Call, Return, Trap]]
"""None: on to the next instruction."""


class Unmodelled(Exception):
    """This form of an instruction has no effect in the table."""
