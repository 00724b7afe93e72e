"""Calls that are right in an unusual way, or at an unusual moment: none of them may be
called broken, and where nothing can be known of one it is not called sound.

Each case is a snapshot of a sound call with something in it changed, as other engines,
other compilers or another stop would have it.
"""

import struct

import pytest

from conftest import Opener
from reports import Document, claims, evidence
from sessions import Session
from stopped import NOP, WORD, Opened, verdict_of, words
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.inspection import inspect
from thunk_inspect.proof.edit import Edit, apply
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.snapshot import SnapshotTarget

# The moment


@pytest.mark.parametrize("signed", [0, 0xABCD << 48 | 1 << 47])
def test_behind_a_prologue_that_signs_the_return_address(
    stopped: Opened, signed: int
) -> None:
    """`paciasp; stp x29, x30, [sp, #-64]!; mov x29, sp`: what lr held is in the record,
    and has a signature."""
    call = stopped("homing", "interpreter")
    call.document["code_mask"] = hex((1 << 47) - 1)
    sp, lr = call.register("sp") - 64, call.register("x30")
    call.put(sp, call.register("x29"))
    call.put(sp + WORD, lr | signed)
    call.set(sp=sp, x29=sp, x30=lr | signed, pc=call.register("pc") + 12)
    assert call.report()["verdict"] == "sound"


def test_the_interpreter_called_by_somebody_else(stopped: Opened) -> None:
    """StaticInterpreterThunk calls the interpreter too, with a layout of its own: its
    registers are not those of the block's call farther out."""
    call = stopped("caller-stack", "depth_5", "12")
    interpreter = int(call.report()["thunk"]["interpreter"], 16)
    record = (call.register("sp") - 0x100) & ~15
    native = call.word(call.register("x29") + WORD)
    call.add(record, struct.pack("<2Q", call.register("x29"), native))
    call.set(sp=record, x29=record, x30=native, x0=record + 16, pc=interpreter)
    assert call.report()["verdict"] == "sound"


@pytest.mark.parametrize("left", [True, False])
def test_at_the_return_instruction(stopped: Opened, left: bool) -> None:
    """SP is taken back, and the layout lies below it: whatever stands there."""
    call = stopped("homing", "interpreter")
    sp = call.register("sp")
    epilogue = int(call.report()["thunk"]["epilogue"], 16)
    call.set(pc=epilogue + 4, x29=call.word(sp), x30=call.word(sp + 8), sp=sp + 80)
    for place in range(sp, sp + 80, WORD) if not left else ():
        call.put(place, 0x1111 + place % 251)
    assert call.report()["verdict"] == ("sound" if left else "undecided")


@pytest.mark.parametrize("stale", [0, 0x1234, None])
def test_a_return_address_that_is_not_stored_yet(stopped: Opened, stale: int) -> None:
    """`sub sp, sp, #16 | stp x29, x30, [sp]`: stopped between the two."""
    call = stopped("caller-stack", "header")
    block = call.block()
    code = struct.unpack("<11I", call.read(block, 44))
    call.write(block, words(0xD10043FF, 0xA9007BFD, *code[1:8], *code[9:11]))
    assert call.report()["verdict"] == "sound"
    sp = call.register("sp") - 16
    call.set(pc=block + 4, sp=sp)
    if stale is not None:
        call.put(sp + WORD, stale)
    assert call.report()["verdict"] == "sound"


def test_a_stack_that_grows_with_the_headers_first_store(stopped: Opened) -> None:
    """L lies where nothing is mapped yet."""
    call = stopped("homing", "header")
    sp, stack = call.register("sp"), 0x5501001010
    page = call.read(sp & ~0xFFF, 0x1000)
    call.add(stack - 0x10, (page[sp & 0xFFF :]).ljust(0x1000, b"\0"))
    call.set(sp=stack, x29=stack)
    call.document["regions"] = [
        {"start": hex(start), "end": hex(end), "permissions": how, "name": name}
        for start, end, how, name in (
            (0x400000, 0x4B0000, "rwx", "/program"),
            (call.block(), call.block() + 0x1000, "r-x", ""),
            (stack - 0x10, stack + 0xFF0, "rw-", "[stack]"),
        )
    ]
    report = call.report()
    assert verdict_of(report, "R1") == "pass" and report["verdict"] == "sound"


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_one_instruction_into_the_interpreter(sessions: Opener, debugger: str) -> None:
    """FP is the header's yet: the frame chain leads past the call in hand."""
    session: Session = sessions(debugger)
    session.load("sysv", "none", "3", "--nest", "1", arch="x86_64")
    for _ in range(2):
        session.go_on_to("interpreter")
    first = session.json()
    session.run("stepi")
    report = session.json()
    assert report["layout"]["function"]["name"] == "nest_1"
    assert report["layout"] == first["layout"]
    assert report["verdict"] == "sound"


# The engine and its compiler


@pytest.mark.parametrize("register", ["7c", "74"])
def test_a_spare_copy_in_the_red_zone(stopped: Opened, register: str) -> None:
    """`mov [rsp-8], rdi`: the stub's call itself overwrites it."""
    call = stopped("sysv", "interpreter")
    code = bytes.fromhex(f"4889{register}24f8")
    call.write(call.block() + 0x14, code.ljust(0x36 - 0x14, b"\x90"))
    assert call.report()["verdict"] == "sound"


def test_low_bits_that_the_header_masks(stopped: Opened) -> None:
    call = stopped("sysv", "interpreter")
    _, _, place = call.chain()
    call.put(place, call.word(place) | 1)
    report = call.report()
    assert report["verdict"] == "sound"
    assert verdict_of(report, "A2") == "pass"
    assert "shows its result" in str(report["checklist"][0]["evidence"])


def test_an_interpreter_below_4_gib_by_a_short_instruction(stopped: Opened) -> None:
    """`mov eax, imm32` in the place of `movabs rax, imm64`."""
    call = stopped("sysv", "interpreter")
    report = call.report()
    interpreter = int(report["thunk"]["interpreter"], 16)
    long = b"\x48\xb8" + interpreter.to_bytes(8, "little")
    at = bytes.fromhex(report["thunk"]["bytes"]).index(long)
    short = b"\xb8" + interpreter.to_bytes(4, "little")
    call.write(call.block() + at, short.ljust(10, b"\x90"))
    again = call.report()
    assert again["verdict"] == "sound"
    assert again["thunk"]["found_by"].startswith("[rsp]")


def test_two_ways_with_frames_of_two_sizes(stopped: Opened) -> None:
    """`test sil, 1; je +4; sub rsp, 16`, and a frame by rbp: in the stub nobody knows
    which way was taken."""
    call = stopped("sysv", "interpreter")
    epilogue = int(call.report()["thunk"]["epilogue"], 16)
    block, back = call.block(), call.word(call.register("rsp"))
    code = bytes.fromhex("40f6c60174044883ec10")
    call.write(block + 0x10, code.ljust(0x36 - 0x10, b"\x90"))
    call.write(block + 0x36, bytes.fromhex("488d7d1090"))
    call.write(epilogue, bytes.fromhex("c9c3"))
    assert call.report()["verdict"] == "sound"
    call.set(rip=back - 2, rsp=call.register("rsp") + WORD)
    assert call.report()["verdict"] == "undecided"


def test_a_header_that_saves_for_itself_too(stopped: Opened) -> None:
    """`stp x0, x1, [sp, #-16]!` in a header that reads the caller's stack."""
    call = stopped("caller-stack", "header")
    block, epilogue = call.block(), int(call.report()["thunk"]["epilogue"], 16)
    code = struct.unpack("<11I", call.read(block, 44))
    call.write(block, words(*code[:2], 0xA9BF07E0, *code[2:8], 0x910043A0, code[10]))
    call.write(epilogue, words(0x910043FF, 0xA8C17BFD, 0xD65F03C0))
    assert call.report()["verdict"] == "sound"


def test_a_system_on_which_callers_never_store(stopped: Opened) -> None:
    call = stopped("caller-stack", "header")
    call.document["os"] = "windows"
    report = call.report()
    assert report["verdict"] == "broken"
    assert {"R2", "R3", "R4"} <= claims(report, "fail")


@pytest.mark.parametrize("loads", [2, 4])
def test_a_chain_of_another_length(stopped: Opened, loads: int) -> None:
    """An engine with one object more, or fewer, on the way: what is a function object
    there is not known, so that nothing is held against one."""
    call = stopped("caller-stack", "header")
    block = call.block()
    info, body, place = call.chain()
    code = struct.unpack("<11I", call.read(block, 44))
    if loads == 4:
        call.put(body + 32, place)
        chain = (0xF9401000, 0xF9400003, *code[5:8])
    else:
        call.put(info + 16, call.word(place))
        chain = (NOP, 0xF9400843, *code[5:8])
    call.write(block, words(*code[: 11 - 2 - len(chain)], *chain, *code[9:11]))
    assert call.report()["verdict"] == "undecided"


@pytest.mark.parametrize("convention", ["sysv", "homing"])
def test_a_body_that_does_not_point_back(stopped: Opened, convention: str) -> None:
    """The header never reads that word."""
    call = stopped(convention, "interpreter")
    _, body, _ = call.chain()
    call.put(body + 0x10, 0)
    report = call.report()
    assert report["verdict"] == "undecided"
    assert not claims(report, "fail")


@pytest.mark.parametrize("word", [0x3FF8000000000000, 5, 60000])
def test_an_asm_interpreter_without_a_symbol(stopped: Opened, word: int) -> None:
    """AsmJsCallStackLayout has an argument where others have callInfo. Where nothing
    shows which interpreter it is, no word there is right or wrong."""
    call = stopped("sysv", "interpreter")
    interpreter = int(call.report()["thunk"]["interpreter"], 16)
    call.document["symbols"] = []
    call.put(call.layout() + WORD, word)
    call.set(rsi=word)
    code = bytes.fromhex("4889f8488b38488d7008").ljust(320, b"\x90")
    call.overwrite(interpreter, code)
    report = call.report()
    assert not claims(report, "fail")
    assert claims(report, "unknown") >= {"R3", "R4", "R6", "R12"}
    assert any("asm.js" in problem for problem in report["problems"])


# Items and mends


@pytest.mark.parametrize(
    ("at", "code", "verdict"),
    [
        (0x20, 0xF90013A1, "fail"),  # str x1, [x29, #32]: over args[0]
        (0x24, 0xD10103E0, "fail"),  # sub x0, sp, #64: below SP at the call
        (0x20, 0xF90017A1, "pass"),  # str x1, [x29, #40]: over args[1] only
    ],
)
def test_where_this_is(stopped: Opened, at: int, code: int, verdict: str) -> None:
    call = stopped("caller-stack", "header")
    call.write(call.block() + at, words(code))
    report = call.report()
    assert verdict_of(report, "R4") == "fail"
    assert verdict_of(report, "D4") == verdict


def test_a_register_that_need_not_be_saved(stopped: Opened) -> None:
    """`mov rdi, [rdi+28h]; mov [rsp-8], rdi`: the caller has stored what was in it."""
    call = stopped("sysv", "interpreter")
    code = bytes.fromhex("488b7f2848897c24f8488b4f08488b5150")
    call.write(call.block() + 4, code.ljust(0x36 - 4, b"\x90"))
    report = call.report()
    assert report["verdict"] == "sound"
    assert verdict_of(report, "F3") == "pass"


def test_a_mend_does_not_reach_beyond_the_block(stopped: Opened) -> None:
    call = stopped("sysv", "interpreter")
    block = call.block()
    thunk = parse(call.read(block, 4096), block, ARCHES["x86_64"])
    assert thunk
    assert apply(thunk, [Edit(4095, b"\xc3", "")])
    assert apply(thunk, [Edit(4095, b"\x90\xc3", "")]) is None


@pytest.mark.parametrize("faulted", [False, True])
def test_without_a_map_a_fault_shows_no_execution(
    stopped: Opened, faulted: bool
) -> None:
    """At the block's first instruction, under qemu: it may be what was not fetched."""
    call = stopped("caller-stack", "header")
    call.document["faulted"] = faulted
    assert verdict_of(call.report(), "R8") == ("unknown" if faulted else "pass")


def test_a_block_that_was_not_executable(sessions: Opener) -> None:
    """A core file's segments tell; that pc is in the block shows nothing there: it is
    where the process died."""
    session: Session = sessions("gdb")
    session.load("sysv", "none", "3", arch="x86_64")
    session.go_on_to("header")
    block = int(session.json()["thunk"]["block"], 16)
    core = session.folder / "core"
    session.run(f"print (int) mprotect({block}, 4096, 1)")
    session.run(f"gcore {core}")
    session.run("kill")
    session.run(f"core-file {core}")
    report = session.json()
    assert verdict_of(report, "R8") == "fail"
    assert report["verdict"] == "broken"


def test_a_return_address_in_memory_that_is_not_code(stopped: Opened) -> None:
    """What stands there reads as a call: `call rax`."""
    call = stopped("sysv", "interpreter")
    _, body, _ = call.chain()
    place = (body & ~0xFFF) + 0xF00
    call.write(place, b"\x90" * 62 + b"\xff\xd0")
    call.put(call.layout() - WORD, place + 64)
    report = call.report()
    assert claims(report, "fail") == {"R9"}
    assert "mapped rw-" in evidence(report, "R9")


def test_a_mend_is_proved_with_the_interpreter_that_is_known(stopped: Opened) -> None:
    """The stubs call something else: that the layout would be right is not enough."""
    call = stopped("homing", "header")
    block, interpreter = call.block(), call.report()["thunk"]["interpreter"]
    call.write(block + 0x34, words(0x910083E0))  # add x0, sp, #32
    assert "`add x0, sp, #16`" in _fix(call.report(), 1)
    other = int(interpreter, 16) & ~0xFFFF | 0x2F00
    call.overwrite(other, words(*[NOP] * 63, 0xD65F03C0))
    call.write(block + 0x24, words(0xD2800001 | (other & 0xFFFF) << 5))
    assert claims(call.report(), "fail") >= {"R2", "R6"}
    fix = _fix(call.report(), 1)
    assert "emit the header of ARM64 Windows" in fix
    # Those of Linux and macOS store them on the stack.
    assert "for callers that pass args in x2-x7" in fix


def _fix(report: Document, number: int) -> str:
    issue = next(issue for issue in report["issues"] if issue["id"] == number)
    assert issue["state"] == "present" and issue["fix_proved"]
    return str(issue["fix"])


def test_an_issue_is_not_absent_where_a_claim_is_unknown(stopped: Opened) -> None:
    """`rbit x9, x0; str x9, [x29, #32]`, which is not followed, and a callInfo that is
    none: that fails whatever the header does."""
    call = stopped("caller-stack", "header")
    call.write(call.block() + 0x1C, words(0xDAC00009, 0xF90013A9))
    call.set(x1=0x100002000004)
    report = call.report()
    assert "R3" in claims(report, "fail") and "R2" in claims(report, "unknown")
    assert report["issues"][0]["state"] == "unknown"


def test_a_function_body_is_no_function_object(stopped: Opened) -> None:
    """It has a word that is the FunctionInfo too, where no header's load reads it."""
    call = stopped("sysv", "interpreter")
    function = int(call.report()["layout"]["function"]["address"], 16)
    _, body, _ = call.chain()
    call.document["frames"] = []
    native = int(call.report()["thunk"]["interpreter"], 16) - 0xF0
    call.set(rip=native, rsp=call.register("rsp") - 0x2000, rbp=0)
    for address, what in (
        (function, "is a function object of it"),
        (body, "is an object that leads to it"),
    ):
        call.set(rdi=address)
        assert call.report()["thunk"]["found_by"] == f"rdi {what}"
        report = to_dict(inspect(SnapshotTarget(call.document), address))
        assert report["thunk"]["found_by"].startswith(f"the address given {what}")
        assert verdict_of(report, "R7") == (
            "pass" if address == function else "unknown"
        )


def test_asked_about_another_function_of_the_block(stopped: Opened) -> None:
    """Its chain holds an offset; the call in hand is of one that is sound."""
    call = stopped("homing", "depth_5", "12")
    layout = call.report()["layout"]
    offsets = call.report()["thunk"]["offsets"]
    function = int(layout["function"]["address"], 16)
    block, (info, body, place) = call.block(), call.chain()
    other = 0x4B00000
    call.add(other, call.read(function, 0x40).ljust(0x100, b"\0"))
    call.add(other + 0x100, call.read(info, 0x40).ljust(0x100, b"\0"))
    call.add(other + 0x200, call.read(body, 0x100))
    call.put(other + offsets["function_info"], other + 0x100)
    call.put(other + 0x100 + offsets["function_proxy"], other + 0x200)
    call.put(other + 0x200 + 0x10, other + 0x100)
    call.put(other + 0x200 + place - body, call.word(place) - block)
    report = to_dict(inspect(SnapshotTarget(call.document), other))
    assert report["layout"] is None
    assert "another function" in report["problems"][0]
    assert report["issues"][4]["state"] == "present"
    again = to_dict(inspect(SnapshotTarget(call.document), function))
    assert again["verdict"] == "sound" and again["layout"] == layout
