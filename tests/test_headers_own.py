"""What a header itself writes into its caller's words, and what it makes of them: none
of that is the caller's doing, nor another function's."""

from dataclasses import replace

import pytest

from blocks import RECIPES
from reports import claims
from stopped import Opened, Stopped, verdict_of, words
from test_made_headers import unasked
from test_unusual_headers import made
from thunk_inspect.arch import WORD
from thunk_inspect.checklist import mends

STORED_AGAIN = (0xF90007E1, 0xF90003E0)
"""str x1, [sp, #8]; str x0, [sp]: before the frame, for itself."""


def _stored_again(call: Stopped) -> int:
    """The block's header with these two in front, and no more of the interpreter's
    address than it has; the block's address."""
    block = call.block()
    code = call.read(block, 44)
    call.write(block, words(*STORED_AGAIN) + code[:28] + code[36:])
    return block


@pytest.mark.parametrize("instructions", [0, 2])
def test_words_that_the_header_stores_itself(
    stopped: Opened, instructions: int
) -> None:
    """Whether the caller stored them does not matter, and is not seen any more."""
    call = stopped("caller-stack", "header")
    block, sp = _stored_again(call), call.register("sp")
    if instructions:
        call.put(sp, call.register("x0"))
        call.put(sp + WORD, call.register("x1"))
    else:
        call.put(sp, 0x1234)
        call.put(sp + WORD, 0x7777)
    call.set(pc=block + 4 * instructions)
    report = call.report()
    assert verdict_of(report, "R12") == "unknown"
    assert "header itself" in str(report["claims"][-1]["evidence"])
    assert not claims(report, "fail") & {"R2", "R3", "R12"}
    assert [one["state"] for one in report["issues"] if one["id"] == 2] != ["present"]


def test_a_layout_pointer_that_is_wrong_says_nothing_of_the_dispatch(
    stopped: Opened,
) -> None:
    """lea rdi,[rsp+20h] finds args[0], which is some function: the one called is where
    the caller stored it."""
    call = stopped("sysv", "interpreter")
    block, layout = call.block(), call.layout()
    call.write(block + 0x36, bytes.fromhex("488d7c2420"))
    called, offsets = call.word(layout), call.report()["thunk"]["offsets"]
    info, body, place = call.chain()
    other, size = 0x5502000000, 0x100
    for n, address in enumerate((called, info, body)):
        piece = (call.read(address + at, WORD) for at in range(0, size, WORD))
        call.add(other + n * size, b"".join(piece))
    call.put(other + offsets["function_info"], other + size)
    call.put(other + size + offsets["function_proxy"], other + 2 * size)
    call.put(other + 2 * size + offsets["dynamic_thunk"], call.word(place) - WORD)
    call.put(other + 2 * size + 0x10, other + size)
    call.put(layout + 2 * WORD, other)
    call.set(rdi=layout + 2 * WORD)
    report = call.report()
    assert verdict_of(report, "R2") == "fail"
    assert verdict_of(report, "R7") == "pass"
    assert f"{called:#x}" in str(report["claims"])
    assert [one["state"] for one in report["issues"] if one["id"] == 5] == ["absent"]


def test_a_store_behind_a_condition_is_not_moved() -> None:
    """A store behind the range check stays there: no mend of that kind is tried."""
    recipe = RECIPES["arm64-windows-variant-range-check"]
    header = list(recipe.header)
    store = next(text for text in header if text.startswith("stp x0,x1"))
    header.remove(store)
    header.insert(len(header) - 2, store)
    found = unasked(made(replace(recipe, header=tuple(header))))
    assert found.claims["R2"].holds is False
    mend = mends.late_store(found)
    assert mend is None or "emit the header" in mend.steps[0]
