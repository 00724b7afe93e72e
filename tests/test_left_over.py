"""What earlier calls and other code leave behind, on the stack and in registers: it is
not taken for what the call in hand has stored, saved or passed.

Each case is a snapshot of a sound call with something in it changed.
"""

import struct

import pytest

from reports import claims, evidence
from stopped import NOP, WORD, Opened, Stopped, verdict_of, words

BLR_X16 = 0xD63F0200
SITE = 0x5501000000
"""Code of a caller that is made here."""
BETWEEN = (0xA9BC7BFD, 0x910003FD, 0xA90153F3, 0xD10103FF)
"""stp fp, lr, [sp, #-64]!; mov fp, sp; stp x19, x20, [sp, #16]; sub sp, sp, #64."""

# Args


def _jitted(call: Stopped, code: bytes, name: str = "") -> None:
    """The call comes from code that ends so, with other args in registers."""
    body = words(*[NOP] * 40) + code + words(BLR_X16)
    call.add(SITE, body + words(NOP, NOP))
    call.set(x30=SITE + len(body), x3=1 << 48 | 100, x4=1 << 48 | 200)
    if name:
        symbol = {"name": name, "address": hex(SITE), "size": 0x1000}
        call.document["symbols"].append(symbol)


STORES = (0xA9010FE2, 0xA90217E4)
"""stp x2, x3, [sp, #16]; stp x4, x5, [sp, #32]"""


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (b"", ""),
        (words(0xF81F03A9), ""),  # stur x9, [x29, #-16]
        (words(0xF90023E9), ""),  # str x9, [sp, #64], above all args
        (words(0xA9BF7BFD, 0x910003FD), ""),  # its own prologue
        (words(*BETWEEN), ""),
        (words(0xA90007E0), ""),  # stp x0, x1, [sp]: function and callInfo only
        (b"", "Js::Something::CallInRegisters"),
        # Args are stored, and then: blr x16; ret; b; or cbz and b over the stores.
        (words(*STORES, BLR_X16, NOP), ""),
        (words(*STORES, 0xD65F03C0, NOP), ""),
        (words(*STORES, 0x14000100, NOP), ""),
        (words(0x34000069, *STORES, 0x14000001, NOP), ""),
    ],
)
def test_args_that_nobody_is_seen_to_store(
    stopped: Opened, code: bytes, name: str
) -> None:
    """The same function was called before from there, and its args stand there yet."""
    call = stopped("caller-stack", "header")
    _jitted(call, code, name)
    report = call.report()
    assert report["verdict"] == "undecided"
    assert verdict_of(report, "R12") == verdict_of(report, "R4") == "unknown"


def test_args_that_are_stored_before_the_call(stopped: Opened) -> None:
    call = stopped("caller-stack", "header")
    _jitted(call, words(0xA90007E0, *STORES))  # stp x0, x1, [sp]
    assert call.report()["verdict"] == "sound"


def test_a_store_within_another_instruction(stopped: Opened) -> None:
    """movabs rax with the bytes of mov [rsp+16],rax: where it begins is not seen."""
    call = stopped("sysv", "interpreter")
    site, code = 0x600000000000, b"\x48\xb8" + bytes.fromhex("4889442410909090")
    body = code + b"\x90" * 54 + b"\xff\xd0"
    call.add(site, body + b"\x90" * 8)
    call.put(call.register("rbp") + WORD, site + len(body))
    assert verdict_of(call.report(), "R12") == "unknown"


@pytest.mark.parametrize("code", [b"\x90", b"\x50"])  # push rax
def test_a_push_is_no_store_of_args(stopped: Opened, code: bytes) -> None:
    """A prologue aligns its stack so, and makes room for args behind it."""
    call = stopped("sysv", "interpreter")
    body = b"\x90" * 100 + code + b"\x90" * 20 + b"\xff\xd0"
    call.add(SITE, body + b"\x90" * 8)
    call.put(call.register("rbp") + WORD, SITE + len(body))
    assert verdict_of(call.report(), "R12") == "unknown"


@pytest.mark.parametrize("place", ["header", "interpreter"])
def test_a_caller_whose_code_cannot_be_read(stopped: Opened, place: str) -> None:
    """As in a core file that leaves out what is in some file."""
    call = stopped("caller-stack", place)
    _returning_to(call, SITE + 0xA0)
    report = call.report()
    assert verdict_of(report, "R12") == verdict_of(report, "R4") == "unknown"


def test_a_caller_that_nothing_leads_back_to(stopped: Opened) -> None:
    """`sub sp, sp, #16` in the place of `stp x29, x30, [sp, #-16]!`."""
    call = stopped("caller-stack", "interpreter")
    call.write(call.block(), words(0xD10043FF))
    report = call.report()
    assert "R9" in claims(report, "fail")
    for check in ("R12", "B5"):
        assert verdict_of(report, check) == "unknown"
    assert "x30 was overwritten, and nothing saved it" in evidence(report, "R12")


def _returning_to(call: Stopped, address: int) -> None:
    """The return address is in lr, and in the record that the header makes."""
    called = call.report()["thunk"]["found_by"].startswith("lr")
    if called:
        call.put(call.register("x29") + WORD, address)
    else:
        call.set(x30=address)


def test_args_in_registers_at_the_interpreters_first_instruction(
    stopped: Opened,
) -> None:
    """x4 and x5 are as the caller left them there yet: with other args."""
    call = stopped("caller-stack", "interpreter")
    body = words(*[NOP] * 40, BLR_X16)
    call.add(SITE, body + words(NOP, NOP))
    name = {"name": "arm64_CallFunction", "address": hex(SITE), "size": 0x1000}
    call.document["symbols"].append(name)
    _returning_to(call, SITE + len(body))
    assert call.report()["verdict"] == "sound"
    call.set(x4=1 << 48 | 200, x5=1 << 48 | 300)
    assert verdict_of(call.report(), "R12") == "unknown"


@pytest.mark.parametrize("place", ["header", "interpreter"])
def test_args_on_the_stack_for_a_header_that_takes_them_from_registers(
    stopped: Opened, place: str
) -> None:
    """As CALL_ENTRYPOINT on Linux and macOS leaves them, with null in x2 to x7."""
    call = stopped("homing", place)
    report = call.report()
    layout, saved = call.layout(), report["frame"]["layout_offset"]
    entry = layout - saved + report["frame"]["frame_size"]
    function, info = (report["layout"][k] for k in ("function", "call_info"))
    passed = [int(value["raw"], 16) for value in report["layout"]["args"]]
    head = [int(function["address"], 16), int(info["raw"], 16)]
    call.write(entry, struct.pack("<6Q", *head, *passed))
    assert call.report()["verdict"] == "sound"
    assert verdict_of(call.report(), "G6") == "not-applicable"
    if place == "header":
        call.set(x2=0, x3=0, x4=0, x5=0)
    else:
        call.write(layout + 2 * WORD, bytes(4 * WORD))
    for system in ("linux", "macos"):
        call.document["os"] = system
        report = call.report()
        assert claims(report, "unknown") == {"R4", "R12"}, system
        assert all(verdict_of(report, n) == "unknown" for n in ("B2", "F1", "G6"))
        assert report["issues"][1]["state"] == "unknown"
    call.document["os"] = "windows"
    assert verdict_of(call.report(), "R12") == "not-applicable"


def test_the_words_of_the_call_before(stopped: Opened) -> None:
    """At its first instruction the header has yet to store this call's."""
    call = stopped("homing", "header")
    known, layout = call.report()["layout"], call.layout()
    assert [value["text"] for value in known["args"][1:]] == ["12", "1.5", "3"]
    function = int(known["function"]["address"], 16)
    before = (function, 0x2000003, 0x1234, 1 << 48 | 77, 1 << 48 | 88)
    call.write(layout, struct.pack("<5Q", *before))
    assert call.report()["layout"] == known
    # And nothing is known of what a register held that is lost already.
    call.document["registers"].pop("x3")
    report = call.report()
    assert [value["index"] for value in report["layout"]["args"]] == [0]
    assert "not known yet" in report["layout"]["problems"][0]


# Stack and registers


def _windows_call(stopped: Opened) -> Stopped:
    """One that only a word on the stack leads to."""
    call = stopped("windows", "depth_5", "12")
    call.document.update(os="windows", frames=[])
    call.set(rbp=0x1234, rdi=0, rcx=0)
    report = call.report()
    assert report["verdict"] == "sound"
    assert "may be left over" in report["thunk"]["found_by"]
    return call


@pytest.mark.parametrize("distance", [WORD, -WORD])
def test_a_call_that_may_be_over(stopped: Opened, distance: int) -> None:
    """Its words are used again, as those of any call that is over."""
    call = _windows_call(stopped)
    call.put(call.layout() + distance, 0x7FFFF7FBE123 if distance > 0 else 0)
    report = call.report()
    assert report["verdict"] == "undecided"
    assert not claims(report, "fail")


def _elsewhere(call: Stopped) -> None:
    """In native code, when no script runs: registers lead nowhere."""
    native = int(call.report()["thunk"]["interpreter"], 16) - 0xF0
    names = ("rdi", "rsi", "rdx", "rcx", "rax", "rbp", "r8", "r9", "r10", "r11")
    call.document["frames"] = []
    call.set(rip=native, **dict.fromkeys(names, 0))


@pytest.mark.parametrize("used", [False, True])
def test_a_return_address_at_sp(stopped: Opened, used: bool) -> None:
    """`sub rsp, 40` leaves it there: it is this function's if it was just called."""
    call = stopped("sysv", "interpreter")
    layout = call.layout()
    _elsewhere(call)
    if used:
        call.put(layout, 0x1234)
        call.put(layout + WORD, 0x7FFFF7E12345)
    report = call.report()
    assert not claims(report, "fail")
    assert used or "may be left over" in report["thunk"]["found_by"]


def test_a_frame_record_below_sp(stopped: Opened) -> None:
    """Where RBP is used for something else, it may point to what is given up."""
    call = stopped("sysv", "interpreter")
    layout, sp = call.layout(), call.register("rsp")
    _elsewhere(call)
    call.put(sp - WORD, 0)
    call.put(layout, 0x1234)
    call.set(rbp=sp - WORD, rsp=sp + 0x400)
    report = call.report()
    assert report["layout"] is None and not claims(report, "fail")


@pytest.mark.parametrize("convention", ["homing", "caller-stack"])
def test_a_frame_pointer_that_is_used_for_something_else(
    stopped: Opened, convention: str
) -> None:
    """`stp x29, x30, [sp, #-96]!; mov x29, x0`: lr is the stub's yet."""
    call = stopped(convention, "interpreter")
    sp, record = call.register("sp") - 96, ("x29", "x30")
    for n, name in enumerate(record):
        call.put(sp + WORD * n, call.register(name))
    call.set(sp=sp, x29=call.register("x0"), pc=call.register("pc") + 8)
    report = call.report()
    assert report["layout"] is None and not claims(report, "fail")


def test_a_function_that_was_saved_by_somebody_else(stopped: Opened) -> None:
    """The header leaves FP as it is, and native code that the interpreter calls has
    the function beside a small number."""
    call = stopped("homing", "depth_5", "12")
    report = call.report()
    block, function = call.block(), int(report["layout"]["function"]["address"], 16)
    record = call.register("x29")
    while not block <= call.word(record + WORD) < block + 4096:
        record = call.word(record)
    call.put(record, call.word(call.word(record)))
    call.write(block + 4, words(NOP))
    call.document["frames"] = []
    sp = (call.register("sp") & ~0xFFF) - 0x1000
    native = struct.pack("<2Q", call.register("x29"), SITE)
    pair = struct.pack("<2Q", function, 0)
    call.add(sp, (bytes(16) + native + bytes(0xE0) + pair).ljust(0x1000, b"\0"))
    call.set(sp=sp, x29=sp + 16)
    report = call.report()
    assert report["layout"] is None and claims(report, "fail") == {"R11"}
