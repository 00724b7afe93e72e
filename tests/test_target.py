"""Memory: each piece of the target is fetched once, and failure stays failure."""

import pytest

from fakes import FakeTarget
from thunk_inspect.target import (
    LINE,
    MASK64,
    Memory,
    Symbol,
    ThunkError,
    Unreadable,
    one_line,
    plain_name,
)

BASE = 0x10000


def lines(count: int) -> bytes:
    """Memory in which every byte says where it stands."""
    return b"".join(bytes([n % 256]) * LINE for n in range(count))


def test_a_line_is_fetched_once() -> None:
    target = FakeTarget({BASE: lines(4)})
    memory = Memory(target)
    for offset in range(0, LINE, 8):
        assert memory.read(BASE + offset, 8) == bytes(8)
    assert target.reads == [(BASE, LINE)]


def test_lines_in_a_row_are_fetched_in_one_go() -> None:
    target = FakeTarget({BASE: lines(8)})
    memory = Memory(target)
    memory.read(BASE + 2 * LINE, 1)
    assert memory.read(BASE, 5 * LINE) == lines(5)
    assert target.reads == [
        (BASE + 2 * LINE, LINE),
        (BASE, 2 * LINE),
        (BASE + 3 * LINE, 2 * LINE),
    ]


@pytest.mark.parametrize("offset", [0, 1, 7, LINE - 8, LINE - 1, LINE, 2 * LINE - 3])
@pytest.mark.parametrize("size", [1, 8, LINE - 1, LINE, LINE + 1])
def test_reads_across_lines(offset: int, size: int) -> None:
    data = bytes(n * 7 % 251 for n in range(4 * LINE))
    memory = Memory(FakeTarget({BASE: data}))
    assert memory.read(BASE + offset, size) == data[offset : offset + size]


def test_what_cannot_be_read_is_asked_for_once() -> None:
    target = FakeTarget({BASE: lines(1)})
    memory = Memory(target)
    for _ in range(3):
        with pytest.raises(Unreadable) as error:
            memory.read(BASE + LINE, 8)
        assert (error.value.address, error.value.size) == (BASE + LINE, 8)
    assert target.reads.count((BASE + LINE, LINE)) == 1


def test_a_hole_does_not_hide_its_neighbours() -> None:
    target = FakeTarget({BASE: lines(1), BASE + 2 * LINE: lines(1)})
    memory = Memory(target)
    with pytest.raises(Unreadable):
        memory.read(BASE, 3 * LINE)
    assert memory.read(BASE, LINE) == memory.read(BASE + 2 * LINE, LINE) == lines(1)


def test_memory_that_ends_within_a_line() -> None:
    memory = Memory(FakeTarget({BASE + 8: b"\1" * 16}))
    assert memory.word(BASE + 8) == 0x0101010101010101
    with pytest.raises(Unreadable):
        memory.word(BASE + 24)


@pytest.mark.parametrize(
    "address, size", [(-8, 8), (BASE, -1), (MASK64, 8), (MASK64 - 3, 8), (1 << 64, 1)]
)
def test_addresses_outside_the_address_space(address: int, size: int) -> None:
    with pytest.raises(Unreadable):
        Memory(FakeTarget({BASE: lines(1)})).read(address, size)


def test_the_last_word_of_the_address_space() -> None:
    top = (1 << 64) - LINE
    assert Memory(FakeTarget({top: lines(1)})).word(MASK64 - 7) == 0


def test_reading_nothing() -> None:
    assert Memory(FakeTarget()).read(BASE, 0) == b""


def test_peek_keeps_nothing() -> None:
    memory = Memory(FakeTarget({BASE: lines(4)}))
    assert memory.peek(BASE, 4 * LINE) == lines(4)
    assert not memory.lines


def test_everything_else_is_asked_for_once() -> None:
    target = FakeTarget()
    memory = Memory(target)
    for _ in range(3):
        memory.regions()
        memory.symbol_at(BASE)
        memory.symbol_address("name")
        memory.frames(4)
    assert target.asked == ["regions", BASE, "name", 4]


@pytest.mark.parametrize(
    "demangled, plain",
    [
        ("main", "main"),
        ("Js::F::G(Js::Layout*)", "Js::F::G"),
        ("F(void (*)(int))", "F"),
        ("F(int) const", "F"),
        ("operator()(int)", "operator()"),
        ("vtable for Js::ScriptFunction", "vtable for Js::ScriptFunction"),
        ("(anonymous namespace)::f(int)", "(anonymous namespace)::f"),
        (")", ")"),
        ("", ""),
    ],
)
def test_plain_names(demangled: str, plain: str) -> None:
    assert plain_name(demangled) == plain


def test_a_symbol_with_a_distance() -> None:
    assert Symbol("f", BASE).at(BASE) == "f"
    assert Symbol("f", BASE).at(BASE + 12) == "f+12"


def test_errors_in_one_line() -> None:
    assert one_line(ThunkError("two\nlines  here")) == "two lines here"
    ours = one_line(KeyError("x"))
    assert "internal error" in ours and "KeyError" in ours and "\n" not in ours
