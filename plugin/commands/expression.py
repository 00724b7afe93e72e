"""Addresses as users type them: registers, numbers, symbols, and sums of these.

Evaluated here, the same in every debugger, because a debugger's own evaluator may run
code in the process.
"""

import re

from ..target import MASK64, ThunkError
from .session import Session

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+)|\$(?P<register>\w+)"
    r"|(?P<symbol>&?[A-Za-z_~][\w:~]*)|(?P<sign>[-+]))"
)
MAX_LENGTH = 512


def evaluate(text: str, session: Session) -> int:
    """The 64-bit number that an expression stands for; ThunkError in one line."""
    if len(text) > MAX_LENGTH:
        raise ThunkError("this expression is too long")
    total, sign, wants_value = 0, 1, True
    for match in _tokens(text):
        if match.group("sign"):
            if wants_value and match.group("sign") == "-":
                sign = -sign
            elif not wants_value:
                sign = 1 if match.group("sign") == "+" else -1
            wants_value = True
            continue
        if not wants_value:
            raise ThunkError(f"cannot read {text!r}: a + or - is missing")
        total += sign * _value(match, session)
        sign, wants_value = 1, False
    if wants_value:
        raise ThunkError(
            f"cannot read {text!r}: a register, number or symbol is missing"
        )
    return total & MASK64


def _tokens(text: str) -> "list[re.Match[str]]":
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if not match:
            raise ThunkError(
                f"cannot read {text!r}: give registers, numbers, symbols, + and -"
            )
        tokens.append(match)
        place = match.end()
    return tokens


def _value(match: "re.Match[str]", session: Session) -> int:
    number, register = match.group("number"), match.group("register")
    if number:
        parsed = int(number, 0 if number[:2].lower() == "0x" else 10)
        if parsed > MASK64:
            raise ThunkError(f"{number} has more than 64 bits")
        return parsed
    if register:
        value = session.register(register)
        if value is None:
            raise ThunkError(f"there is no register ${register} here")
        return value
    name = match.group("symbol").lstrip("&")
    value = session.symbol(name)
    if value is None:
        raise ThunkError(f"no symbol {name!r} here: give a register, number or symbol")
    return value
