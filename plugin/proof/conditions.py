"""What the tests of the condition flags mean, as arithmetic."""

from collections.abc import Callable


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> (bits - 1) else number


def _unsigned(number: int, bits: int) -> int:
    return number & ((1 << bits) - 1)


TESTS: dict[tuple[str, str], Callable[[int, int, int], bool]] = {
    ("sub", "eq"): lambda a, b, n: _unsigned(a - b, n) == 0,
    ("sub", "ne"): lambda a, b, n: _unsigned(a - b, n) != 0,
    ("sub", "hs"): lambda a, b, n: _unsigned(a, n) >= _unsigned(b, n),
    ("sub", "lo"): lambda a, b, n: _unsigned(a, n) < _unsigned(b, n),
    ("sub", "hi"): lambda a, b, n: _unsigned(a, n) > _unsigned(b, n),
    ("sub", "ls"): lambda a, b, n: _unsigned(a, n) <= _unsigned(b, n),
    ("sub", "mi"): lambda a, b, n: _signed(a - b, n) < 0,
    ("sub", "pl"): lambda a, b, n: _signed(a - b, n) >= 0,
    ("sub", "ge"): lambda a, b, n: _signed(a, n) >= _signed(b, n),
    ("sub", "lt"): lambda a, b, n: _signed(a, n) < _signed(b, n),
    ("sub", "gt"): lambda a, b, n: _signed(a, n) > _signed(b, n),
    ("sub", "le"): lambda a, b, n: _signed(a, n) <= _signed(b, n),
    ("and", "eq"): lambda a, b, n: _unsigned(a & b, n) == 0,
    ("and", "ne"): lambda a, b, n: _unsigned(a & b, n) != 0,
    ("and", "mi"): lambda a, b, n: _signed(a & b, n) < 0,
    ("and", "pl"): lambda a, b, n: _signed(a & b, n) >= 0,
}
