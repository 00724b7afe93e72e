"""Addresses as users type them, evaluated the same in every debugger."""

import pytest

from fakes import FakeSession
from thunk_inspect.commands.expression import MAX_LENGTH, evaluate
from thunk_inspect.target import MASK64, ThunkError

SESSION = FakeSession(
    {"sp": 0x7FF0, "x0": 0x1000, "rdi": MASK64},
    {"main": 0x400000, "Js::Thing::Call": 0x500000, "~Thing": 0x600000},
)


@pytest.mark.parametrize(
    "text, value",
    [
        ("0", 0),
        ("16", 16),
        ("010", 10),
        ("0x10", 16),
        ("0XfF", 255),
        ("  0x10  ", 16),
        ("$sp", 0x7FF0),
        ("$sp+16", 0x8000),
        ("$sp + 0x10", 0x8000),
        ("$sp-$x0", 0x6FF0),
        ("$sp - 0x10 + 1", 0x7FE1),
        ("main", 0x400000),
        ("&main", 0x400000),
        ("main+4", 0x400004),
        ("Js::Thing::Call - main", 0x100000),
        ("~Thing", 0x600000),
        ("-1", MASK64),
        ("+1", 1),
        ("--1", 1),
        ("1 - -1", 2),
        ("0 - 1", MASK64),
        ("$rdi + 1", 0),
        ("0xffffffffffffffff + 2", 1),
    ],
)
def test_values(text: str, value: int) -> None:
    assert evaluate(text, SESSION) == value


@pytest.mark.parametrize(
    "text, word",
    [
        ("", "missing"),
        ("   ", "missing"),
        ("+", "missing"),
        ("1 +", "missing"),
        ("1 -", "missing"),
        ("1 2", "+"),
        ("$sp $x0", "+"),
        ("$nothing", "$nothing"),
        ("nothing", "nothing"),
        ("$", "$"),
        ("main()", "("),
        ("*0x10", "*"),
        ("$sp * 2", "*"),
        ("(long)$sp", "("),
        ("x = 3", "="),
        ("'main'", "main"),
        ("0x", "0x"),
        ("$x0; shell true", ";"),
        ("1" * (MAX_LENGTH + 1), "too long"),
        ("héllo", "h"),
        ("\0", "cannot"),
    ],
)
def test_mistakes(text: str, word: str) -> None:
    with pytest.raises(ThunkError) as error:
        evaluate(text, SESSION)
    assert word in str(error.value)


@pytest.mark.parametrize("text", ["0x1ffffffffffffffff", "99999999999999999999999"])
def test_numbers_of_more_than_64_bits(text: str) -> None:
    """Such a number is a mistake: the address it would wrap to is another one."""
    with pytest.raises(ThunkError):
        evaluate(text, SESSION)
