"""The stub of a function object: as a command, and inside a debugger's conditions."""

import re

import pytest

from blocks import RECIPES, emit
from fakes import FakeTarget
from following import BASE, INTERPRETER_AT, OFFSETS
from sessions import DISPATCH_REGISTER, Session
from thunk_inspect.arch import ARCHES, WORD
from thunk_inspect.inspection import function_at
from thunk_inspect.target import Memory, ThunkError

FUNCTION = {"aarch64": "$x0", "x86_64": "$rdi"}
CONVENTION = {"aarch64": "homing", "x86_64": "sysv"}


def stub(session: Session, expression: str) -> int:
    answer = session.run(f"thunk-stub {expression}")
    found = re.fullmatch(r"(0x[0-9a-f]+)  add\n+", answer.output)
    assert found, answer.text
    return int(found[1], 16)


@pytest.mark.parametrize("arch", list(ARCHES))
def test_where_the_branch_will_go(session: Session, arch: str) -> None:
    session.load(CONVENTION[arch], "none", "3", arch=arch)
    session.go_on_to("header")
    told = stub(session, FUNCTION[arch])
    session.go_on_to("dispatch")
    assert session.debugger.number(DISPATCH_REGISTER[arch]) == told


def test_what_is_no_function(session: Session) -> None:
    session.load("sysv", "none", "3")
    session.go_on_to("header")
    for expression in ("$rsp", "0", "1", "$pc"):
        error = session.run(f"thunk-stub {expression}").error
        assert "no function with a thunk at 0x" in error
        assert len(error.strip().splitlines()) == 1


FUNCTION_AT, INFO, BODY, TYPE, LAYOUT = (0x10000 * n for n in range(1, 6))


def with_a_function() -> Memory:
    """A block, a function of it, and a layout of that."""
    words = {address: [0] * 16 for address in (FUNCTION_AT, INFO, BODY, TYPE, LAYOUT)}
    for address, offset, value in (
        (FUNCTION_AT, WORD, TYPE),
        (FUNCTION_AT, OFFSETS[0], INFO),
        (INFO, 0, BASE),
        (INFO, OFFSETS[1], BODY),
        (BODY, 2 * WORD, INFO),
        (BODY, OFFSETS[2], BASE + 0xFB8),
        (TYPE, WORD, 0x1000),
        (LAYOUT, 0, FUNCTION_AT),
    ):
        words[address][offset // WORD] = value
    pieces = {BASE: emit(RECIPES["arm64-unix"], BASE, INTERPRETER_AT, OFFSETS)}
    for address, values in words.items():
        pieces[address] = b"".join(value.to_bytes(WORD, "little") for value in values)
    return Memory(FakeTarget(pieces))


def test_a_layout_is_no_function() -> None:
    memory = with_a_function()
    assert function_at(memory, FUNCTION_AT).stub == BASE + 0xFB8
    with pytest.raises(ThunkError, match="0x50000 is a layout: .* function 0x10000"):
        function_at(memory, LAYOUT)
    for address in (INFO, BODY, LAYOUT + WORD, 0x999000):
        with pytest.raises(ThunkError, match="never called, or jitted"):
            function_at(memory, address)


def test_in_gdbs_expressions(gdb: Session) -> None:
    gdb.load("sysv", "none", "3", "--calls", "3")
    gdb.go_on_to("header")
    told = stub(gdb, "$rdi")
    assert f"{told:#x}" in gdb.run("print $_thunk($rdi)").output
    error = gdb.run("print $_thunk(8)").error
    assert "$_thunk: no function with a thunk at 0x8" in error
    assert (
        "Return the address of a function object's stub"
        in gdb.run("help function _thunk").output
    )
    gdb.run("break *$_thunk($rdi)")
    gdb.run("continue")
    assert gdb.pc() == told


@pytest.mark.parametrize("wanted", ["==", "!="])
def test_as_a_condition_in_gdb(gdb: Session, wanted: str) -> None:
    gdb.load("sysv", "none", "3", "--calls", "3")
    gdb.go_on_to("header")
    block, told = gdb.pc(), stub(gdb, "$rdi")
    gdb.run(f"break *{block:#x} if $_thunk($rdi) {wanted} {told}")
    said = gdb.run("continue").output
    assert ("Breakpoint" in said) == (wanted == "==")
    assert ("exited normally" in said) == (wanted == "!=")


@pytest.mark.parametrize("wanted", ["==", "!="])
def test_as_a_condition_in_lldb(lldb: Session, wanted: str) -> None:
    lldb.load("sysv", "none", "3", "--calls", "3")
    lldb.go_on_to("header")
    block, told = lldb.pc(), stub(lldb, "$rdi")
    lldb.run(f"breakpoint set --address {block:#x}")
    body = f"return thunk_inspect_lldb.stub('$rdi', frame) {wanted} {told}"
    assert not lldb.run(f'breakpoint command add -s python -o "{body}"').error
    said = lldb.run("continue").output
    assert ("stopped" in said) == (wanted == "==")
    assert ("exited with status = 0" in said) == (wanted == "!=")


def test_the_layout_of_the_call_in_hand(session: Session) -> None:
    """Without an expression; where there is none, what to do."""
    session.load("sysv", "none", "3")
    error = session.run("thunk-layout").error
    assert "give an address, such as $x0" in error
    session.go_on_to("interpreter")
    given = session.run("thunk-layout $rdi").output
    assert "add(" in given and session.run("thunk-layout").output == given


def test_no_difference(session: Session) -> None:
    session.load("sysv", "none", "3")
    session.go_on_to("header")
    assert "no difference to " in session.run("thunk-compare").output
    session.load_again("sysv", "offset16", "3")
    session.go_on_to("header")
    assert re.search(
        r"\d differences? to .*marked ≠", session.run("thunk-compare").output
    )


@pytest.mark.parametrize(
    ("fault", "claim"), [("none", ""), ("callee-saved", "R10"), ("+no67", "R4")]
)
def test_what_the_rows_of_a_comparison_do_not_show(
    gdb: Session, fault: str, claim: str
) -> None:
    """Nothing that is broken is without a difference."""
    gdb.load("homing", fault, "3", arch="aarch64")
    gdb.go_on_to("header")
    text = " ".join(gdb.run("thunk-compare").output.split())
    column = gdb.json("thunk-compare")["this thunk"]
    assert column["claims that fail"] == (claim or "none")
    assert ("no difference to ARM64 Windows" in text) == (not claim)
    if fault == "callee-saved":
        assert "no difference in these rows to ARM64 Windows" in text
        assert "is `ldr x19, [x0, #40]`, emitted is `ldr x2, [x0, #40]`" in text
        assert "R10 fails: 0x" in text and "ldr x19" in column["instructions"]
    if not claim:
        assert column["instructions"] == "as emitted"
