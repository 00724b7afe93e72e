"""The Follower without a debugger: hits made of plain values, for blocks as emitted."""

from typing import Dict, List

import pytest

from blocks import RECIPES
from following import (
    ARGS,
    BASE,
    CALL_INFO,
    FUNCTION,
    RETURN_TO,
    SOUND,
    SP,
    STEPS,
    Process,
    claims,
    kinds,
    watched,
)
from thunk_inspect.target import Unreadable
from thunk_inspect.trace.follow import ROUNDS, Seen
from thunk_inspect.trace.model import CALL, ENTERED
from thunk_inspect.trace.plan import LAYOUT_BYTES
from thunk_inspect.trace.points import BACK, Hit, Point, read_piece

EVERY = pytest.mark.parametrize("name", SOUND)


@EVERY
def test_a_sound_call(name: str) -> None:
    process = Process(name)
    for number in range(1, 4):
        seen = process.call()
        assert kinds(seen) == STEPS and not claims(seen)
        assert [one.call.number for one in seen if one.call] == [number] * 5
        assert seen[-1].call and seen[-1].call.stub == 5


VARIED = [name for name in RECIPES if "variant" in name]


@pytest.mark.parametrize("name", VARIED)
def test_other_sound_headers(name: str) -> None:
    seen = Process(name).call()
    assert kinds(seen) == STEPS and not claims(seen)


@EVERY
def test_each_claim_at_dispatch(name: str) -> None:
    wrong = {
        "R2": [0x1234, CALL_INFO, *ARGS],
        "R3": [FUNCTION, 0x02000007, *ARGS],
        "R4": [FUNCTION, CALL_INFO, 0x1234, *ARGS[1:]],
        "R1": [FUNCTION],
    }
    by_register = len(Process(name).convention.arguments) > 2
    for claim, words in wrong.items():
        process = Process(name)
        process.entry()
        expected = {claim} if claim != "R4" or by_register else set()
        assert claims(process.dispatch(words)) == expected
    process = Process(name)
    process.entry()
    assert claims(process.dispatch(None, 5, **{target(process): 0x1234})) == {"R7"}


def target(process: Process) -> str:
    assert process.watch.dispatch
    return process.watch.dispatch.operands[0].register


@EVERY
def test_each_claim_in_the_interpreter(name: str) -> None:
    arch, convention = RECIPES[name].machine
    for other, claim in (
        ({arch.sp: SP + 4}, "R5"),
        ({arch.fp: SP}, "R11" if convention.anchored else None),
        ({convention.arguments[0]: SP + 1}, "R1"),
    ):
        process = Process(name)
        process.entry()
        process.dispatch()
        found = claims(process.arrival(**other))
        assert (claim in found) if claim else not found


@EVERY
def test_callee_saved_at_the_return(name: str) -> None:
    for register in RECIPES[name].machine[1].callee_saved:
        process = Process(name)
        process.entry()
        assert claims(process.leave(**{register: 1})) == {"R10"}


@pytest.mark.parametrize("name", ["arm64-unix", "x64-sysv"])
def test_what_the_caller_did_not_store(name: str) -> None:
    """Told at the call, once; the layout is not blamed for it."""
    process = Process(name)
    seen = process.entry(**{process.convention.arguments[0]: 0x1230})
    assert seen[0].kind == CALL and claims(seen[:1]) == {"R12"}
    assert not claims(process.dispatch()) and not claims(process.arrival())


def test_no_call_info_where_none_is_known_to_be() -> None:
    """asm.js, perhaps: its layout is the function and what it calls arguments."""
    process = Process("x64-sysv")
    process.watch = watched("x64-sysv", call_info=False)
    process.follower.add(process.watch)
    assert not claims(process.entry(rsi=0xDEAD))
    assert not claims(process.dispatch())


@EVERY
def test_what_cannot_be_read_decides_nothing(name: str) -> None:
    """Each register of each hit gone, and all memory but the layout's."""
    arch, convention = RECIPES[name].machine
    for step in ("entry", "dispatch", "arrival", "leave"):
        for gone in (*arch.registers, BACK):
            process, found = Process(name), []
            for doing in ("entry", "dispatch", "arrival", "leave"):
                if doing == step:
                    without(process, gone)
                found += getattr(process, doing)()
                process.__dict__.pop("hit", None)
            assert not claims(found), (step, gone)
    process = Process(name)
    values = {**process.kept, **process.arguments(), arch.sp: process.sp}
    assert not claims(process.hit(ENTERED, process.watch.address, values, []))
    assert not claims(process.leave())


def without(process: Process, register: str) -> None:
    whole = process.hit

    def hit(
        kind: str, address: int, values: Dict[str, int], words: List[int]
    ) -> List[Seen]:
        kept = {name: value for name, value in values.items() if name != register}
        return whole(kind, address, kept, words)

    process.hit = hit  # type: ignore[method-assign]  # of this one object


@EVERY
def test_an_exception_skips_frames(name: str) -> None:
    """Three deep; the innermost two never return; the next call is another one."""
    process = Process(name)
    outer = process.sp
    for sp in (outer, outer - 0x100, outer - 0x200):
        process.entry(sp)
        process.dispatch()
        process.arrival()
    process.sp = outer - 0x80
    assert not claims(process.call())
    process.sp = outer
    (seen,) = process.leave()
    assert seen.call and seen.call.number == 1 and not seen.problems
    assert not process.leave(), "nothing is in progress"


@EVERY
def test_returns_of_calls_from_before(name: str) -> None:
    """Whatever they come back with, and whatever was left by an exception."""
    process = Process(name)
    here = process.sp
    process.entry(here - 0x300)
    process.sp = here + 0x1000
    changed = {register: 7 for register in process.kept}
    for sp in range(here + 0x1000, here + 0x1000 + 200 * 0x40, 0x40):
        process.sp = sp
        assert process.leave(back=0x999000, **changed) == []
    assert process.follower.strangers == 200
    assert process.follower.round_for_ever is None


@EVERY
def test_another_stack(name: str) -> None:
    """A call on a higher stack, while one is in progress on this one."""
    process = Process(name)
    here = process.sp
    process.entry()
    process.dispatch()
    process.entry(here + 0x100000)
    process.dispatch()
    process.sp = here
    changed = {register: 7 for register in process.kept}
    assert process.leave(back=0x999000, **changed) == []
    process.sp = here + 0x100000
    assert not claims(process.leave())


@EVERY
def test_two_threads(name: str) -> None:
    one, two = Process(name), Process(name, thread=2, sp=SP - 0x40)
    two.follower = one.follower
    two.watch = one.watch
    seen = []
    for step in ("entry", "dispatch", "arrival", "leave"):
        for process in (one, two):
            seen += getattr(process, step)()
    assert not claims(seen)
    assert sorted(kinds(seen)) == sorted(2 * STEPS)
    assert {one.call.number for one in seen if one.call} == {1, 2}


def at_site(process: Process, goes_to: int, **other: int) -> None:
    arch = process.arch
    place = RETURN_TO - arch.call_sizes[0]
    values = {**process.arguments(), arch.sp: process.sp + arch.return_slot}
    point = Point(CALL, place, ("x16", arch.sp))
    hit = Hit(point, 1, {**values, "x16": goes_to, **other}, b"")
    assert process.follower.take(hit) == []


@EVERY
def test_a_value_that_changes_between_call_and_entry(name: str) -> None:
    """Where the call leads to the block itself, or by way of code that is known to
    hand it on; not behind code that may well have called another function."""
    first = RECIPES[name].machine[1].arguments[0]
    for goes_to, expected in ((BASE, {"R2"}), (0x5000, {"R2"}), (0x6000, set())):
        process = Process(name)
        process.follower.faithful = frozenset({0x5000})
        at_site(process, goes_to, **{first: FUNCTION + 8})
        seen = process.entry()
        assert seen[0].site is None, "the call site was seen"
        assert claims(seen[1:]) == expected


@EVERY
def test_a_call_site_that_led_elsewhere(name: str) -> None:
    process = Process(name)
    at_site(process, BASE)
    seen = process.entry(process.sp - 0x100)
    assert seen[0].site == RETURN_TO and not claims(seen)


@EVERY
def test_an_interpreter_without_a_thunk(name: str) -> None:
    """StaticInterpreterThunk calls it below a call through one."""
    process = Process(name)
    process.entry()
    process.dispatch()
    process.arrival()
    pointer = process.convention.arguments[0]
    other = {pointer: SP - 0x1000, process.arch.lr or BACK: 0x405000}
    (seen,) = process.arrival(**other)
    assert seen.call is None and not seen.problems
    assert not claims(process.leave())


@EVERY
def test_an_entry_that_was_not_seen(name: str) -> None:
    """Its branch is not taken for that of its caller."""
    process = Process(name)
    process.entry()
    process.dispatch()
    here, process.sp = process.sp, process.sp - 0x200
    assert process.dispatch([0] * 5) == []
    process.sp = here
    assert not claims(process.leave())


@EVERY
def test_the_same_function_again(name: str) -> None:
    process = Process(name)
    here = process.sp
    for depth in range(50):
        seen = [*process.entry(here - 0x100 * depth), *process.dispatch()]
        assert seen[-1].depth == depth + 1 and not claims(seen)
    for depth in reversed(range(50)):
        process.sp = here - 0x100 * depth
        (one,) = process.leave()
        assert one.depth == depth + 1 and not one.problems


@pytest.mark.parametrize(
    "name", ["arm64-windows+frame-not-saved", "arm64-unix+frame-not-saved"]
)
def test_round_for_ever(name: str) -> None:
    """Between two rounds SP may move; the first tells what is wrong."""
    process = Process(name)
    process.entry()
    process.dispatch()
    inside = process.watch.facts.thunk.behind_call(5)
    assert claims(process.leave(back=inside)) == {"R9"}
    for _ in range(ROUNDS - 2):
        process.sp += 80
        assert process.leave(back=inside) == []
        assert process.follower.round_for_ever is None
    process.leave(back=inside)
    assert process.follower.round_for_ever is process.watch


@EVERY
def test_many_returns_are_no_round(name: str) -> None:
    """Of calls that all went wrong, one after the other."""
    process = Process(name)
    here = process.sp
    for depth in range(2 * ROUNDS):
        process.entry(here - 0x100 * depth)
        assert claims(process.dispatch([0x10, *process.layout()[1:]])) == {"R2"}
    for depth in reversed(range(2 * ROUNDS)):
        process.sp = here - 0x100 * depth
        assert len(process.leave()) == 1
    assert process.follower.round_for_ever is None


@pytest.mark.parametrize("name", SOUND)
def test_a_return_address_that_others_changed(name: str) -> None:
    """The block is proved to return by the slot it found; the engine may put another
    address there, for jitted code to bail out when it is returned to."""
    process = Process(name)
    process.entry()
    assert not claims(process.leave(back=0x999000))


@pytest.mark.parametrize("name", [n for n in RECIPES if "epilogue-mismatch" in n])
def test_an_epilogue_that_leaves_sp_elsewhere(name: str) -> None:
    process = Process(name)
    process.entry()
    found = claims(process.leave(back=0x999000))
    assert process.watch.leaving_sp and "R10" in found


def test_a_block_in_the_place_of_another() -> None:
    process = Process("arm64-unix")
    old = process.watch
    process.watch = watched("arm64-unix-variant-other-scratch")
    process.follower.add(process.watch)
    assert not claims(process.call())
    assert old.dispatch and process.watch.dispatch
    if old.dispatch.address != process.watch.dispatch.address:
        assert old.dispatch.address not in process.follower.by_place


def test_a_piece_at_the_end_of_memory() -> None:
    def read(address: int, size: int) -> bytes:
        if address + size > 0x2000:
            raise Unreadable(address, size)
        return bytes(size)

    assert len(read_piece(read, 0x1000, LAYOUT_BYTES)) == LAYOUT_BYTES
    assert len(read_piece(read, 0x1FE0, LAYOUT_BYTES)) == 0x20
    assert read_piece(read, 0x2000, LAYOUT_BYTES) == b""
