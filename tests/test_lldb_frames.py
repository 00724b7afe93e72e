"""lldb's own `bt` through thunk frames: in an lldb that has scripted frame providers,
and nothing of it in one that has not."""

import re
from pathlib import Path
from typing import List, NamedTuple

import pytest

from conftest import Opener
from programs import fixture, running
from sessions import CALL, PLACES, Session
from test_backtrace import COUNTS, NESTED, backtrace, in_the_nest

NEW = "lldb-new"
LINE = re.compile(r"frame #(\d+): 0x([0-9a-f]+) ?(.*)")
SCRIPT = re.compile(r"([\w ]+)\((.*)\) \[synthetic\]$")
NATIVE = r"(?:[\w.-]+`)?([\w:]+)"
OWN = "thread backtrace --provider 0"
"""lldb's own frames, whatever is registered."""


class Line(NamedTuple):
    """A frame as `bt` shows it."""

    number: int
    pc: int
    text: str

    @property
    def name(self) -> str:
        found = SCRIPT.match(self.text) or re.match(NATIVE, self.text)
        return found.group(1) if found else ""


def lines(session: Session, command: str = "bt") -> List[Line]:
    found = [LINE.search(line) for line in session.run(command).output.splitlines()]
    return [
        Line(int(line.group(1)), int(line.group(2), 16), line.group(3))
        for line in found
        if line
    ]


def scripts(frames: List[Line]) -> "list[tuple[str, list[str]]]":
    """(name, arguments) of the script frames."""
    found = [SCRIPT.match(frame.text) for frame in frames]
    return [(line.group(1), line.group(2).split(", ")) for line in found if line]


@pytest.fixture
def new(sessions: Opener) -> Session:
    return sessions(NEW)


@pytest.mark.parametrize(
    ("arch", "convention"),
    [("x86_64", "sysv"), ("aarch64", "homing"), ("aarch64", "caller-stack")],
)
def test_a_nest_of_calls(new: Session, arch: str, convention: str) -> None:
    in_the_nest(new, arch, convention)
    frames, own = lines(new), lines(new, OWN)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    calls = scripts(frames)
    names = [f"nest_{depth}" for depth in reversed(range(NESTED))]
    assert [name for name, _ in calls] == names
    counts = [len([text for text in args if text]) for _, args in calls]
    assert counts == COUNTS[::-1]
    assert calls[-1][1] == ["12", "1.5", "3"]
    assert "main" in [frame.name for frame in frames]
    assert [frame.pc for frame in frames] == [frame.pc for frame in own]
    for frame, other in zip(frames, own):
        assert frame == other or not other.text, "lldb's own, but for thunks"


@pytest.mark.parametrize(
    ("arch", "convention"), [("x86_64", "sysv"), ("aarch64", "homing")]
)
def test_wherever_a_call_is(new: Session, arch: str, convention: str) -> None:
    """From a header's first instruction on, where lldb loses the caller, or all."""
    new.load(convention, "none", "3", arch=arch)
    for place in PLACES:
        new.go_on_to(place)
        frames = lines(new)
        assert [frame.number for frame in frames] == list(range(len(frames))), place
        names = [frame.name for frame in frames]
        caller = names.index(CALL[arch])
        outside = names[caller + 1 : caller + 4]
        assert outside == ["CallFunction", "call_with_arguments", "make_calls"]
        inside = names[:caller]
        if place in ("interpreter", "depth_5"):
            assert inside[-1] == "add" and "add(12, 1.5, 3)" in new.run("bt").output
        else:
            assert inside == [""], "the innermost frame stays lldb's"
        assert "error" not in new.run("register read").output


def test_where_lldb_loses_the_way(new: Session) -> None:
    """A header whose frame lldb does not understand."""
    new.load("section3", "none", "3", arch="aarch64")
    new.go_to("depth_5")
    frames, own = lines(new), lines(new, OWN)
    assert "main" not in [frame.name for frame in own]
    names = [frame.name for frame in frames]
    assert names.index("add") < names.index(CALL["aarch64"]) < names.index("main")
    assert frames[: len(own) - 1] == own[:-1], "lldb's own as far as they go"


def test_the_call_is_found_by_a_frame_of_a_provider(new: Session) -> None:
    """One instruction into the interpreter the word at SP is no return address any
    more, and FP still the thunk's: only its frame in `bt` leads to the call."""
    new.load("sysv", "none", "3")
    layout = new.go_on_to("interpreter")["layout"]
    assert not new.run("thread step-inst").error
    assert any(
        line.endswith("[synthetic]") for line in new.run("bt").output.split("\n")
    )
    report = new.json()
    assert report["layout"] == layout and report["verdict"] == "sound"


def test_own_frames_keep_all_that_they_have(new: Session) -> None:
    in_the_nest(new, "x86_64", "sysv")
    frames = lines(new)
    first = next(frame.number for frame in frames if frame.name == "nest_5")
    last = next(frame.number for frame in frames if frame.name == "main")
    new.run(f"frame select {first - 1}")
    assert "interpreter.c" in new.run("frame info").output
    assert "rip" in new.run("register read rip").output
    assert "nest_5()" in new.run("up").output
    assert "amd64_CallFunction" in new.run("up").output
    new.run(f"frame select {last}")
    assert "argc = " in new.run("frame variable argc").output
    caller = max(f.number for f in frames if f.name == "call_with_arguments")
    new.run(f"frame select {caller}")
    assert "nargs = 3" in new.run("frame variable nargs").output
    assert new.run("down").output.startswith(f"frame #{caller - 1}:")


def test_a_script_frame_can_be_looked_at(new: Session) -> None:
    """It has no registers; nothing that is asked of it ends lldb."""
    in_the_nest(new, "x86_64", "sysv")
    number = next(frame.number for frame in lines(new) if frame.name == "nest_3")
    said = new.run(f"frame select {number}").output
    assert "nest_3(" in said and "jmp" in said
    assert "no registers" in new.run("register read").error
    assert "= 2" in new.run("expression 1+1").output
    for command in ("frame variable", "expression $pc", "memory read $sp", "up"):
        new.run(command)
    new.run(f"frame select {number}")
    new.run("finish")
    assert lines(new)[0].name == CALL["x86_64"]


def test_a_script_on_the_real_engine(new: Session) -> None:
    new.load_engine("nest.js", "--no-jit", stop="engine_print")
    for _ in range(12):
        new.go_to("engine_print")
    frames = lines(new)
    calls = scripts(frames)
    assert calls[0][0] == "innermost" and calls[-1][0] == "Global code"
    said = [line.split() for line in new.stdout()]
    shown = [(name, args[0]) for name, args in calls[1:-1]]
    assert shown == [(line[0], line[1]) for line in reversed(said)]
    assert "main" in [frame.name for frame in frames]


def test_lldb_without_frame_providers(lldb: Session) -> None:
    in_the_nest(lldb, "x86_64", "sysv")
    with_plugin = lldb.run("bt").output
    assert "[synthetic]" not in with_plugin and "nest_0(" not in with_plugin
    assert "frame-provider" not in lldb.run("help target").output


def test_it_can_be_turned_off(new: Session) -> None:
    in_the_nest(new, "x86_64", "sysv")
    assert scripts(lines(new))
    new.run("target frame-provider clear")
    frames, own = lines(new), lines(new, OWN)
    assert frames == own and not scripts(frames)
    for command in ("thread step-inst", "thunk-bt", "continue"):
        new.run(command)
        assert not scripts(lines(new)), "nobody turns it on again"


def test_no_thunk_no_provider(new: Session) -> None:
    new.open()
    new.run(new.debugger.open(fixture("x86_64")))
    new.run(new.debugger.once("main"))
    new.run(new.debugger.launch(["sysv", "none", "3"], new.output))
    frames, own = lines(new), lines(new, OWN)
    assert frames and frames == own
    assert "Provider 1" not in new.run("thread backtrace --provider all").output


def test_json_is_the_same_in_every_lldb(sessions: Opener) -> None:
    """Under qemu, where addresses do not depend on who started the program."""
    found = []
    for debugger in ("lldb", NEW):
        session = sessions(debugger)
        in_the_nest(session, "aarch64", "homing")
        found.append(backtrace(session, "--all"))
    assert found[0] == found[1]


@pytest.mark.parametrize("saved", [0, 0x1230, 0x7F0000000000])
def test_a_smashed_chain(new: Session, saved: int) -> None:
    in_the_nest(new, "x86_64", "sysv")
    record = int(backtrace(new)["frames"][3]["layout"]["address"], 16) - 16
    new.run(f"memory write -s 8 {record:#x} {saved:#x}")
    said = new.run("bt")
    assert "Traceback" not in said.text and "Error" not in said.text
    assert [name for name, _ in scripts(lines(new))][:4] == [
        f"nest_{depth}" for depth in (5, 4, 3, 2)
    ]


def test_a_smashed_layout_has_no_name(new: Session) -> None:
    in_the_nest(new, "x86_64", "sysv")
    place = int(backtrace(new)["frames"][2]["layout"]["address"], 16)
    new.run(f"memory write -s 8 {place:#x} 0x1234")
    # lldb keeps a stop's frames, whatever is written.
    new.run("thread step-inst")
    names = [name for name, _ in scripts(lines(new))]
    assert names == [f"nest_{depth}" for depth in (5, 4, 2, 1, 0)]


def test_later_targets_and_stops(new: Session) -> None:
    """Each stop has frames of its own, each target its provider."""
    new.load("sysv", "none", "3", "--nest", "1", arch="x86_64")
    for depth in range(2):
        new.go_to("depth_5")
        names = [name for name, _ in scripts(lines(new))]
        assert names == [f"nest_{n}" for n in reversed(range(depth + 1))]
    new.load_again("sysv", "none", "2")
    new.go_to("depth_5")
    assert [len(args) for _, args in scripts(lines(new))] == [2]
    new.run("process kill")
    new.run(new.debugger.open(fixture("x86_64")))
    new.run(new.debugger.once("depth_5"))
    new.run(new.debugger.launch(["sysv", "none", "3"], new.output))
    assert [len(args) for _, args in scripts(lines(new))] == [3]


def test_attached(new: Session, tmp_path: Path) -> None:
    new.open()
    new.run(new.debugger.open(fixture("x86_64")))
    with running(tmp_path) as pid:
        new.run(f"process attach --pid {pid}")
        new.go_to("depth_5")
        assert [name for name, _ in scripts(lines(new))] == ["add"]
        new.run("process kill")


def test_a_process_that_was_there_first(new: Session) -> None:
    """It keeps lldb's own frames: to change them while it lives can hang lldb."""
    new.open(plugin=False)
    new.run(new.debugger.open(fixture("x86_64")))
    for start in range(2):
        new.run(new.debugger.once("depth_5"))
        new.run(new.debugger.launch(["sysv", "none", "3"], new.output))
        if not start:
            assert not new.run(new.debugger.load).text
        assert bool(scripts(lines(new))) == bool(start)
        assert "add(12, 1.5, 3)" in new.run("thunk-bt").output
        new.run("process kill")
