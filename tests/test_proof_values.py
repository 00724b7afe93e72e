"""Symbolic values against plain arithmetic.

Whatever a value is simplified to, it is the number that the plain computation gives;
and two values that compare equal are the same number in every call.
"""

from collections.abc import Callable
from typing import Optional

from hypothesis import example, given, settings
from hypothesis import strategies as st

from entry_states import MASK64, Call, Undetermined, starts
from thunk_inspect.proof import values as v
from thunk_inspect.proof.cells import assemble

Tree = tuple[object, ...]
"""A computation: ("leaf", name), ("const", n), ("plus", tree, n), ("mask", tree, n) or
(operation, tree, tree). Leaves are x1, x2, an object's word, and what nobody knows."""

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: (a + b) % 2**64,
    "sub": lambda a, b: (a - b) % 2**64,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: (a << b % 64) % 2**64,
    "shr": lambda a, b: a >> b % 64,
}

WORD = v.Load(v.Sum(v.Entry("x0"), 8))
LEAVES: dict[str, v.Value] = {"x1": v.Entry("x1"), "x2": v.Entry("x2"), "word": WORD}
GARBAGE = ("g1", "g2")
Numbers = dict[str, int]

numbers = st.one_of(
    st.sampled_from([0, 1, 8, 0xFF, 0xFFFFFFFF, 2**63, MASK64 - 7, MASK64]),
    st.integers(0, MASK64),
)
environments = st.fixed_dictionaries(dict.fromkeys((*LEAVES, *GARBAGE), numbers))
bounded = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def trees(*names: str) -> st.SearchStrategy[Tree]:
    leaves = st.one_of(
        st.tuples(st.just("leaf"), st.sampled_from(names)),
        st.tuples(st.just("const"), numbers),
    )
    signed = st.one_of(numbers, st.integers(-(2**63), 2**63))

    def larger(smaller: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        return st.one_of(
            st.tuples(st.just("plus"), smaller, signed),
            st.tuples(st.just("mask"), smaller, signed),
            st.tuples(st.sampled_from(sorted(OPERATIONS)), smaller, smaller),
        )

    return st.recursive(leaves, larger, max_leaves=8)


def build(tree: Tree, leaves: dict[str, v.Value]) -> v.Value:
    """The tree as a value, made by what the effects use."""
    kind, *parts = tree
    if kind == "leaf":
        return leaves[str(parts[0])]
    if kind == "const":
        return v.Const(_integer(parts[0]))
    one = build(_tree(parts[0]), leaves)
    if kind == "plus":
        return v.add(one, _integer(parts[1]))
    if kind == "mask":
        return v.mask(one, _integer(parts[1]))
    return v.combine(str(kind), one, build(_tree(parts[1]), leaves))


def plain(tree: Tree, environment: Numbers) -> int:
    """The tree as a number."""
    kind, *parts = tree
    if kind == "leaf":
        return environment[str(parts[0])]
    if kind == "const":
        return _integer(parts[0])
    one = plain(_tree(parts[0]), environment)
    if kind == "plus":
        return (one + _integer(parts[1])) % 2**64
    if kind == "mask":
        return one & _integer(parts[1]) % 2**64
    return OPERATIONS[str(kind)](one, plain(_tree(parts[1]), environment))


def _integer(part: object) -> int:
    assert isinstance(part, int)
    return part


def _tree(part: object) -> Tree:
    assert isinstance(part, tuple)
    return part


def number(value: v.Value, environment: Numbers) -> Optional[int]:
    """The number that a value is; None when it is not determined."""
    objects = bytearray(8) + environment["word"].to_bytes(8, "little")
    registers = {**environment, "x0": 0x5213C6A40000}
    call = Call(starts("aarch64")[0], registers, bytearray(), objects, b"")
    try:
        return call.number(value)
    except Undetermined:
        return None


def with_garbage() -> dict[str, v.Value]:
    return {**LEAVES, **{name: v.Garbage("nobody knows") for name in GARBAGE}}


@bounded
@given(trees(*LEAVES), environments)
def test_values_are_what_plain_arithmetic_gives(
    tree: Tree, environment: Numbers
) -> None:
    value, expected = build(tree, LEAVES), plain(tree, environment)
    assert number(value, environment) == expected
    distance = v.from_sp(value, "x1")
    assert distance is None or (environment["x1"] + distance) % 2**64 == expected


G1, ONE = ("leaf", "g1"), ("const", 1)
NUMBERS = {"x1": 3, "x2": 5, "word": 7, "g1": 0x1234, "g2": 0x4321}


@bounded
@given(trees(*LEAVES, *GARBAGE), environments)
@example(("xor", G1, ("leaf", "g2")), NUMBERS)
@example(("xor", ("or", G1, ONE), ("or", ("leaf", "g2"), ONE)), NUMBERS)
@example(("xor", ("or", G1, ONE), ("or", ("mask", G1, 0xFF), ONE)), NUMBERS)
@example(("sub", ("or", G1, ONE), ("or", ("plus", G1, 8), ONE)), NUMBERS)
@example(("sub", ("or", G1, ONE), ("or", ("add", G1, ("leaf", "x1")), ONE)), NUMBERS)
def test_what_is_determined_in_spite_of_garbage_is_right(
    tree: Tree, environment: Numbers
) -> None:
    value = build(tree, with_garbage())
    assert number(value, environment) in (None, plain(tree, environment))


@bounded
@given(st.sampled_from(sorted(OPERATIONS)), numbers, numbers)
def test_fold(operation: str, a: int, b: int) -> None:
    assert v.fold(operation, [a, b]) == OPERATIONS[operation](a, b)
    assert v.fold(operation, [a, None]) is None
    assert v.fold("no such operation", [a, b]) is None


@bounded
@given(trees("x1"), st.sampled_from(sorted(LEAVES)), st.lists(numbers, min_size=1))
def test_function_of_one_value(tree: Tree, name: str, arguments: list[int]) -> None:
    known = LEAVES[name]
    function = v.function_of(build(tree, {"x1": known}), known)
    assert function is not None
    for argument in arguments:
        assert function(argument) == plain(tree, {"x1": argument})


@bounded
@given(trees(*LEAVES, "g1"), environments)
def test_a_function_depends_on_nothing_else(tree: Tree, environment: Numbers) -> None:
    value = build(tree, with_garbage())
    function = v.function_of(value, WORD)
    if function is not None:
        assert function(environment["word"]) == plain(tree, environment)


@bounded
@given(
    trees(*LEAVES, *GARBAGE),
    trees(*LEAVES, *GARBAGE),
    environments,
)
def test_equal_values_are_equal_numbers(
    one: Tree, other: Tree, environment: Numbers
) -> None:
    leaves = with_garbage()
    if v.always(build(one, leaves), build(other, leaves)):
        assert plain(one, environment) == plain(other, environment)


Cells = list[tuple[str, int]]
"""Bytes of a word in memory: (leaf, which byte of it)."""

cells = st.lists(
    st.tuples(st.sampled_from(sorted(LEAVES)), st.integers(0, 7)),
    min_size=1,
    max_size=8,
)


def _word(word: Cells, leaves: dict[str, v.Value]) -> v.Value:
    return assemble([(leaves[name], part) for name, part in word])


def _bytes(word: Cells, environment: Numbers) -> int:
    found = bytes(environment[name] >> 8 * part & 0xFF for name, part in word)
    return int.from_bytes(found, "little")


@bounded
@given(cells, environments, st.booleans())
def test_words_are_put_together(word: Cells, environment: Numbers, fixed: bool) -> None:
    leaves: dict[str, v.Value] = dict(LEAVES)
    if fixed:
        leaves = {name: v.Const(environment[name]) for name in LEAVES}
    assert number(_word(word, leaves), environment) == _bytes(word, environment)


@bounded
@given(cells, cells, environments)
@example(
    [("x1", 4), ("x1", 5)], [("x1", 2), ("x1", 3)], {**NUMBERS, "x1": 0x1234567890}
)
@example([("x1", 0)], [("x1", 0), ("x2", 0)], NUMBERS)
def test_equal_words_are_equal_numbers(
    one: Cells, other: Cells, environment: Numbers
) -> None:
    if _word(one, LEAVES) == _word(other, LEAVES):
        assert _bytes(one, environment) == _bytes(other, environment)
