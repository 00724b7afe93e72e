"""thunk-bt where the stack misleads: calls that are over, layouts of other calls."""

import json
import struct
from typing import Any, List

import pytest

from fakes import FakeSession
from sessions import CALL, Session
from stopped import WORD, Stopped
from thunk_inspect.checklist import assess
from thunk_inspect.checklist.walking import walk_calls
from thunk_inspect.commands.run import run_command
from thunk_inspect.inspection import find_thunk
from thunk_inspect.report import backtrace
from thunk_inspect.report.page import Style
from thunk_inspect.snapshot import SnapshotTarget
from thunk_inspect.target import Memory

DOUBT = "left on the stack, may be over"
NOP = 0xD503201F
ASM = "_ZN2Js21InterpreterStackFrame19InterpreterAsmThunkEPNS_20AsmJsCallStackLayoutE"


def names(document: Any) -> List[str]:
    return [frame["layout"]["function"]["name"] for frame in document["frames"]]


def test_the_call_in_hand_without_a_frame_chain(session: Session) -> None:
    """x64 Windows: all the way through the block, and no frame twice."""
    session.load("windows", "none", "3", "--nest", "1")
    session.go_to("depth_5")
    session.go_to(CALL["x86_64"])
    for place in ("header", "dispatch", "stub", "interpreter"):
        session.go_on_to(place)
        document = session.json("thunk-bt")
        assert names(document) == ["nest_1", "nest_0"]
        hand, outer = (frame["doubt"] for frame in document["frames"])
        # lldb 23 does not always find the way through the block by itself.
        assert hand is None and outer in (None, DOUBT)
        assert outer is None or session.debugger.name.startswith("lldb")
        assert int(document["frames"][0]["pc"], 16) == session.pc()
        text = session.run("thunk-bt").output
        assert "not stored yet" not in text
    session.go_to(int(session.json()["thunk"]["epilogue"], 16))
    assert names(session.json("thunk-bt")) == ["nest_1", "nest_0"]


def saved(gdb: Session, *words: str, arch: str, stop: str) -> Stopped:
    gdb.load(*words, arch=arch)
    gdb.go_on_to("header")
    if stop != "header":
        gdb.go_on_to(stop)
    path = gdb.folder / "saved.json"
    assert not gdb.run(f"thunk-snapshot {path}").error
    return Stopped(json.loads(path.read_text()))


def walk(stopped: Stopped, native: bool = False) -> "tuple[Any, str]":
    memory = Memory(SnapshotTarget(stopped.document))
    found = walk_calls(assess(memory, find_thunk(memory)), None, native)
    return json.loads(backtrace.to_json(found)), backtrace.render(found, Style())


def test_words_of_a_call_that_is_over(gdb: Session) -> None:
    """No script runs, and a call's words lie below a live frame."""
    stopped = saved(gdb, "sysv", "none", "3", arch="x86_64", stop="interpreter")
    outside = stopped.word(stopped.register("rsp") + WORD)
    sp = stopped.register("rsp") - 0x100
    stopped.document["frames"] = []
    stopped.put(sp, outside)
    stopped.set(rip=outside, rsp=sp, rbp=0, rdi=5, rsi=0, rdx=0, rcx=0, rax=0)
    stopped.set(r8=0, r9=0, r10=0, r11=0)
    document, text = walk(stopped)
    (frame,) = document["frames"]
    assert frame["doubt"] == DOUBT and "add(12, 1.5, 3)" in text
    assert DOUBT in text


@pytest.mark.parametrize("unwound", [False, True])
def test_words_of_a_call_that_is_over_without_a_chain(
    gdb: Session, unwound: bool
) -> None:
    """A frame is sure where the debugger's own frames have it."""
    stopped = saved(gdb, "windows", "none", "3", arch="x86_64", stop="depth_5")
    sp, layout, block = stopped.register("rsp"), stopped.layout(), stopped.block()
    slot = next(
        at
        for at in range(sp, layout, WORD)
        if block <= stopped.word(at) < block + 0x1000
    )
    for place in range(slot, layout + 8 * WORD, WORD):
        stopped.put(place - 0x1000, stopped.word(place))
    stopped.put(layout - 0x1000 + 3 * WORD, 1 << 48 | 77)
    stopped.set(rsp=slot - 0x1100)
    back = stopped.word(slot)
    frames = [(stopped.register("rip"), slot - 0x1100), (back, slot + WORD)]
    stopped.document["frames"] = [
        {"pc": hex(pc), "sp": hex(sp)} for pc, sp in (frames if unwound else [])
    ]
    document, text = walk(stopped)
    found = [frame["doubt"] for frame in document["frames"]]
    assert found == [DOUBT, None if unwound else DOUBT]
    assert text.count(DOUBT) == (1 if unwound else 2) and "add(77, 1.5, 3)" in text


def test_the_layout_of_another_call(gdb: Session) -> None:
    """A header that sets no frame pointer: where it would be is its caller's."""
    stopped = saved(gdb, "homing", "none", "3", arch="aarch64", stop="depth_5")
    document, _ = walk(stopped)
    assert names(document) == ["add"]
    block, layout = stopped.block(), stopped.layout()
    _, _, place = stopped.chain()
    stopped.put(place, stopped.word(place) - 8)
    document, text = walk(stopped)
    assert names(document) == [None] and "add(" not in text
    (problem,) = document["frames"][0]["layout"]["problems"]
    assert problem.startswith("no layout of this call: add has another stub than 0x")
    stopped.put(place, stopped.word(place) + 8)
    stopped.write(block + 4, struct.pack("<I", NOP))
    document, text = walk(stopped)
    assert names(document) == [None] and f"{layout:#x}" in text
    assert "the header sets no frame pointer" in " ".join(text.split())


def test_a_chain_that_begins_where_the_header_sets_it(gdb: Session) -> None:
    """Not 16 bytes below the layout, where R11 wants it."""
    stopped = saved(
        gdb, "caller-stack", "none", "3", arch="aarch64", stop="interpreter"
    )
    report = stopped.report()
    block, layout = stopped.block(), stopped.layout()
    expected, _ = walk(stopped, native=True)
    code = bytearray(stopped.read(block, 44))
    code[0:4] = struct.pack("<I", 0xA9BE7BFD)  # stp x29, x30, [sp, #-32]!
    code[36:40] = struct.pack("<I", 0x910083E0)  # add x0, sp, #32
    stopped.write(block, bytes(code))
    pop = struct.pack("<I", 0xA8C27BFD)  # ldp x29, x30, [sp], #32
    stopped.write(int(report["thunk"]["epilogue"], 16), pop)
    sp = stopped.register("sp")
    stopped.put(layout - 32, stopped.word(sp))
    stopped.put(layout - 24, stopped.word(sp + WORD))
    stopped.put(layout - 16, 0x1234567)
    stopped.set(sp=layout - 32, x29=layout - 32)
    document, _ = walk(stopped, native=True)
    assert document == expected


def test_asm_js_has_no_call_info(gdb: Session) -> None:
    stopped = saved(gdb, "sysv", "none", "3", arch="x86_64", stop="depth_5")
    for symbol in stopped.document["symbols"]:
        if symbol["name"].startswith("Js::InterpreterStackFrame::InterpreterThunk"):
            symbol["name"] = "Js::InterpreterStackFrame::InterpreterAsmThunk"
            symbol["linkage"] = ASM
    layout = stopped.layout()
    stopped.put(layout + WORD, 3)
    assert stopped.report()["layout"]["call_info"] is None
    document, text = walk(stopped)
    assert "add(…)" in text
    (frame,) = document["frames"]
    assert frame["layout"]["call_info"] is None and not frame["layout"]["args"]

    class Saved(FakeSession):
        def target(self) -> Any:
            return SnapshotTarget(stopped.document)

    text = run_command("thunk-layout", f"{layout:#x}", Saved({}, {}))
    assert "add(…)  asm.js: no callInfo" in text and "count" not in text
