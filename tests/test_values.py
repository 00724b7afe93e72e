"""Values and layouts decoded from words, right ones and garbage."""

import struct
from typing import Dict, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeTarget
from thunk_inspect.chakra.heap import heap_of
from thunk_inspect.chakra.layout import (
    MAX_SHOWN,
    PLAUSIBLE_COUNT,
    CallInfo,
    read_layout,
)
from thunk_inspect.chakra.values import DOUBLE_XOR, decode, format_double
from thunk_inspect.target import LINE, Memory

STACK = 0x7FFFF000
OBJECT = 0x5000


def memory(pieces: Optional[Dict[int, bytes]] = None) -> Memory:
    return Memory(FakeTarget(pieces or {OBJECT: bytes(LINE)}))


def double(number: float) -> int:
    bits: int = struct.unpack("<Q", struct.pack("<d", number))[0]
    return bits ^ DOUBLE_XOR


@pytest.mark.parametrize(
    "raw, kind, text",
    [
        (0x0001000000000000, "int", "0"),
        (0x0001000000000001, "int", "1"),
        (0x000100007FFFFFFF, "int", "2147483647"),
        (0x0001000080000000, "int", "-2147483648"),
        (0x00010000FFFFFFFF, "int", "-1"),
        (double(2.5), "double", "2.5"),
        (double(0.0), "double", "0"),
        (double(-0.0), "double", "-0"),
        (double(3.0), "double", "3"),
        (double(1e21), "double", "1e+21"),
        (double(2.0**69), "double", "590295810358705700000"),
        (double(1e-5), "double", "0.00001"),
        (double(-1.5e-7), "double", "-1.5e-7"),
        (double(123.456), "double", "123.456"),
        (double(float("inf")), "double", "Infinity"),
        (double(float("-inf")), "double", "-Infinity"),
        (double(float("nan")), "double", "NaN"),
        (0xBFF8000000000000, "double", "2.5"),
    ],
)
def test_numbers(raw: int, kind: str, text: str) -> None:
    value = decode(raw, memory())
    assert (value.raw, value.kind, value.text) == (raw, kind, text)


@pytest.mark.parametrize("number", [1e-7, 0.1, 123456789.125, 5e-324, 1.7e308])
def test_doubles_come_back(number: float) -> None:
    (bits,) = struct.unpack("<Q", struct.pack("<d", number))
    assert float(format_double(bits)) == number


@pytest.mark.parametrize(
    "raw, kind",
    [
        (0, "null-pointer"),
        (OBJECT, "object"),
        (OBJECT + 1, "unreadable"),
        (0xDEAD0000, "unreadable"),
        (0x0001FFFF00000000, "unreadable"),
    ],
)
def test_pointers(raw: int, kind: str) -> None:
    assert decode(raw, memory()).kind == kind


@given(st.integers(0, 2**64 - 1))
def test_any_word_is_decoded_to_one_line(raw: int) -> None:
    value = decode(raw, memory())
    assert value.raw == raw and value.text and "\n" not in value.text
    assert value.kind in ("int", "double", "object", "null-pointer", "unreadable")


@pytest.mark.parametrize(
    "raw, count, flags, arguments",
    [
        (0, 0, [], 0),
        (0x02000004, 4, ["Value"], 4),
        (0x01000001, 1, ["New"], 1),
        (0x0A000002, 2, ["Value", "ExtraArg"], 3),
        (0x49000002, 2, ["New", "ExtraArg", "NewTarget"], 3),
        (0x80000001, 1, ["InternalFrame"], 1),
        (0x02000000 | PLAUSIBLE_COUNT, PLAUSIBLE_COUNT, ["Value"], PLAUSIBLE_COUNT),
    ],
)
def test_call_infos(raw: int, count: int, flags: "list[str]", arguments: int) -> None:
    info = CallInfo(raw)
    assert (info.count, info.flags, info.arguments) == (count, flags, arguments)
    assert info.problem is None


@pytest.mark.parametrize("raw", [1 << 32, 0x00000055007E9300, 2**64 - 1])
def test_call_infos_that_are_garbage(raw: int) -> None:
    problem = CallInfo(raw).problem
    assert problem and "garbage" in problem


@pytest.mark.parametrize("count", [PLAUSIBLE_COUNT + 1, 0xFFFFFF])
def test_large_counts_are_doubtful_and_no_more(count: int) -> None:
    """f.apply(null, array) passes as many as the array has."""
    assert CallInfo(count).problem is None
    assert "may be garbage" in str(CallInfo(count).doubt)


def words(*values: int) -> bytes:
    data = b"".join(struct.pack("<Q", value) for value in values)
    return data + bytes(-len(data) % LINE)


def test_a_layout() -> None:
    target = {STACK: words(OBJECT, 0x02000003, OBJECT, 0x0001000000000007, double(1.5))}
    layout = read_layout(memory({**target, OBJECT: bytes(LINE)}), STACK, None)
    assert layout.function_address == OBJECT and layout.function is None
    assert layout.call_info and layout.call_info.count == 3
    assert [value.kind for value in layout.args] == ["object", "int", "double"]
    assert not layout.problems


@pytest.mark.parametrize("count", [5000, 0xFFFFFF])
def test_a_garbage_count_reads_little(count: int) -> None:
    target = FakeTarget({STACK: words(OBJECT, 0x02000000 | count)})
    layout = read_layout(Memory(target), STACK, None)
    assert any("garbage" in problem for problem in layout.problems)
    assert len(layout.args) <= 4
    assert sum(size for _, size in target.reads) <= 4 * LINE


def test_a_large_count_is_capped() -> None:
    target = {STACK: words(OBJECT, 0x02000000 | 1000) + bytes(16 * LINE)}
    layout = read_layout(memory(target), STACK, None)
    assert len(layout.args) == MAX_SHOWN
    assert "936 more" in layout.call_text


def test_arguments_that_cannot_be_read() -> None:
    """The stack ends in the middle of what callInfo promises."""
    end = STACK + LINE - 32
    data = bytes(LINE - 32) + words(OBJECT, 0x0200000A)[:16] + words(1 << 48, 0)[:16]
    layout = read_layout(memory({STACK: data}), end, None)
    assert len(layout.args) == 2
    assert any(problem.startswith("args[2]") for problem in layout.problems)


@pytest.mark.parametrize("address", [0, 0x10, 1, 2**64 - 1, 2**64 - 8, 2**64 - 16])
def test_a_layout_nowhere(address: int) -> None:
    layout = read_layout(memory(), address, None)
    assert layout.function_address is None and layout.problems


@given(st.binary(min_size=LINE, max_size=LINE), st.integers(0, LINE))
def test_any_memory_is_decoded(data: bytes, offset: int) -> None:
    layout = read_layout(memory({STACK: data}), STACK + offset, None)
    assert layout.address == STACK + offset
    assert len(layout.args) <= MAX_SHOWN
    assert layout.call_text


def heap_with(function: int, library: int = 0x3000) -> FakeTarget:
    """At 0x1000 a function, at 0x1100 and on objects whose type ids count from its;
    one of another library at 0x1700. No symbols."""
    ids = [function, *(function + n for n in range(1, 7)), function + 2]
    words = {}
    for n, kind in enumerate(ids):
        address, type_at = 0x1000 + 0x100 * n, 0x2000 + 0x100 * n
        words[address], words[address + 8] = 0x8000, type_at
        words[address + 0x20] = 5
        words[type_at] = kind
        words[type_at + 8] = library if n < 7 else library + 8
    data = bytearray(0x3000)
    for address, word in words.items():
        data[address - 0x1000 : address - 0xFF8] = word.to_bytes(8, "little")
    return FakeTarget({0x1000: bytes(data)})


@pytest.mark.parametrize("function", [26, 27])
def test_objects_without_symbols(function: int) -> None:
    """Type ids went up by one when BigInt came: they count from the functions'."""
    found = Memory(heap_with(function))
    heap = heap_of(0x1000, found)
    assert heap and heap.function == function
    shown = [decode(0x1000 + 0x100 * n, found, heap).text for n in range(8)]
    wanted = ["function", "{…}", "Array(5)", "Array(5)", "", "Array(5)", "", ""]
    for n, (text, known) in enumerate(zip(shown, wanted)):
        assert text == (known or f"{{object {0x1000 + 0x100 * n:#x}}}")


@pytest.mark.parametrize("function", [0, 25, 28, 1 << 31])
def test_an_engine_whose_type_ids_are_others(function: int) -> None:
    found = Memory(heap_with(function))
    assert heap_of(0x1000, found) is None
    assert decode(0x1200, found).text == "{object 0x1200}"
