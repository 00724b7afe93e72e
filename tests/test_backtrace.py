"""thunk-bt, and the debuggers' own backtraces through script frames."""

import contextlib
import json
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Opener
from programs import ENGINE, SCRIPTS, fixture, running, wait_until
from reports import Document
from sessions import Session

NESTED = 6
"""Interpreted calls in the fixture's nest: nest_0 with three arguments, and so on."""
COUNTS = [(3 + 2 * depth) % 13 for depth in range(NESTED)]

PRINTED = re.compile(r"interpreter: (\w+)\((.*)\) count=")


def in_the_nest(session: Session, arch: str, convention: str) -> None:
    """Stopped below the innermost of six interpreted calls."""
    nest = ("--nest", str(NESTED - 1))
    session.load(convention, "none", "3", *nest, arch=arch)
    for _ in range(NESTED):
        session.go_to("depth_5")


def backtrace(session: Session, options: str = "") -> Document:
    answer = session.run(f"thunk-bt --json {options}")
    assert not answer.error, answer.error
    document: Document = json.loads(answer.output)
    return document


def calls(document: Document) -> "list[tuple[str, list[str]]]":
    """(name, arguments without this) of each script frame, innermost first."""
    return [
        (
            frame["layout"]["function"]["name"],
            [value["text"] for value in frame["layout"]["args"][1:]],
        )
        for frame in document["frames"]
        if frame["kind"] != "native"
    ]


@pytest.mark.parametrize(
    ("arch", "convention"),
    [("aarch64", "homing"), ("aarch64", "caller-stack"), ("x86_64", "sysv")],
)
def test_a_nest_of_calls(session: Session, arch: str, convention: str) -> None:
    in_the_nest(session, arch, convention)
    found = calls(backtrace(session))
    names = [f"nest_{depth}" for depth in reversed(range(NESTED))]
    assert [name for name, _ in found] == names
    assert [len(args) for _, args in found] == COUNTS[::-1]
    printed = [PRINTED.match(line) for line in session.stdout()]
    said = [line.group(1) for line in printed if line]
    assert said == names[::-1], "as the interpreter itself says"


@pytest.mark.parametrize("arch", ["aarch64", "x86_64"])
def test_gdb_itself_reaches_main(gdb: Session, arch: str) -> None:
    in_the_nest(gdb, arch, "homing" if arch == "aarch64" else "sysv")
    gdb.run("set width 0")
    lines = gdb.run("bt").output.splitlines()
    assert " main (" in lines[-1], lines[-3:]
    assert not [line for line in lines if "??" in line]
    scripts = [line for line in lines if "at JavaScript" in line]
    assert len(scripts) == NESTED
    assert "nest_0 (a1=12, a2=1.5, a3=3)" in scripts[-1]


def test_up_and_finish_in_gdb(gdb: Session) -> None:
    in_the_nest(gdb, "aarch64", "homing")
    passed = 0
    while "arm64_CallFunction" not in gdb.run("up").output:
        passed += 1
        assert passed < 12, "a thunk's caller is arm64_CallFunction"
    before = gdb.debugger.number("$sp")
    gdb.run("down")
    said = gdb.run("finish")
    assert "arm64_CallFunction" in said.output, said.text
    assert gdb.debugger.number("$sp") == before


def test_native_frames_between(session: Session) -> None:
    in_the_nest(session, "x86_64", "sysv")
    document = backtrace(session, "--all")
    kinds = [frame["kind"] for frame in document["frames"]]
    assert kinds.count("interpreted") == NESTED
    symbols = [str(frame.get("symbol")) for frame in document["frames"]]
    assert any(name.startswith("amd64_CallFunction+") for name in symbols)
    assert any(name.startswith("main+") for name in symbols)


def test_only_so_many(session: Session) -> None:
    in_the_nest(session, "x86_64", "sysv")
    document = backtrace(session, "-n 2")
    assert len(document["frames"]) == 2
    assert document["ended"] == "2 frames were asked for"
    assert session.run("thunk-bt -n 0").error


def frame_place(session: Session, number: int) -> int:
    frame = backtrace(session)["frames"][number]
    return int(frame["layout"]["address"], 16)


def write(gdb: Session, address: int, value: int) -> None:
    gdb.run(f"set var *(unsigned long*){address:#x} = {value:#x}")


def test_a_smashed_layout_is_named_and_the_walk_goes_on(gdb: Session) -> None:
    in_the_nest(gdb, "x86_64", "sysv")
    place = frame_place(gdb, 2)
    write(gdb, place, 0x1234)
    write(gdb, place + 8, 0x7FFFFF00FFFFFF)
    frames = backtrace(gdb)["frames"]
    assert len(frames) == NESTED
    problems = " ".join(frames[2]["layout"]["problems"])
    assert "no function object" in problems and "garbage" in problems
    assert not frames[3]["layout"]["problems"]
    text = gdb.run("thunk-bt").output
    assert "callInfo is garbage" in text and "nest_0(12, 1.5, 3)" in text


def test_a_chain_that_loops_or_leads_astray(gdb: Session) -> None:
    in_the_nest(gdb, "x86_64", "sysv")
    record = frame_place(gdb, 3) - 16
    for saved, why in (
        (record, "loops"),
        (record - 0x1000, "astray"),
        (record + (1 << 40), "leaves the stack"),
    ):
        write(gdb, record, saved)
        document = backtrace(gdb)
        assert why in document["ended"] and f"{record:#x}" in document["ended"]
        assert len(document["frames"]) == 4, "up to the frame whose chain is broken"


def test_a_script_on_the_real_engine(session: Session) -> None:
    """a -> b -> Array.prototype.map -> c -> a …, as the script itself prints it."""
    session.load_engine("nest.js", "--no-jit", stop="engine_print")
    for _ in range(12):
        session.go_to("engine_print")
    found = calls(backtrace(session))
    assert found[0][0] == "innermost" and found[-1][0] == "Global code"
    said = [line.split() for line in session.stdout()]
    shown = [(name, args[0]) for name, args in found[1:-1]]
    assert shown == [(line[0], line[1]) for line in reversed(said)]
    lines = (SCRIPTS / "nest.js").read_text().splitlines()
    for frame in backtrace(session)["frames"][:-1]:
        function = frame["layout"]["function"]
        path, line = function["position"].rsplit(":", 1)
        assert path == str(SCRIPTS / "nest.js")
        assert f"function {function['name']}(" in lines[int(line) - 1]
    texts = [args[1] for name, args in found if name == "b"]
    assert texts == [json.dumps(line[2]) for line in reversed(said) if line[0] == "b"]


def test_gdb_itself_through_the_real_engine(gdb: Session) -> None:
    gdb.load_engine("nest.js", "--no-jit", stop="engine_print")
    for _ in range(3):
        gdb.go_to("engine_print")
    gdb.run("set width 0")
    lines = gdb.run("bt").output.splitlines()
    assert " main (" in lines[-1], lines[-2:]
    assert not [line for line in lines if "??" in line]
    scripts = [line.split(" in ")[1] for line in lines if "at JavaScript" in line]
    names = [text.split(" (")[0] for text in scripts]
    assert names == ["a", "c", "b", "a", "Global code"]


def test_ten_thousand_frames(gdb: Session) -> None:
    gdb.load_engine("deep.js", "--no-jit", "--big-stack", stop="engine_print")
    assert len(backtrace(gdb, "-n 20")["frames"]) == 20
    gdb.run("python from thunk_inspect.gdb.target import GdbTarget as G")
    gdb.run("python reads = []; read = G.read")
    gdb.run("python G.read = lambda *a: (reads.append(1), read(*a))[1]")
    frames = backtrace(gdb)["frames"]
    assert len(frames) > 10_000
    assert {frame["layout"]["function"]["name"] for frame in frames[1:-1]} == {"down"}
    count = int(gdb.run("python print(len(reads))").output)
    assert count < len(frames) / 50


def test_attached_to_a_running_process(session: Session, tmp_path: Path) -> None:
    session.open()
    with running(tmp_path) as pid:
        attach = "attach" if session.name == "gdb" else "process attach --pid"
        session.run(f"{attach} {pid}")
        report = session.json()
        assert report["verdict"] in ("sound", "undecided")
        assert report["thunk"]["convention"] == "caller-stack"
        session.run("kill" if session.name == "gdb" else "process kill")


@pytest.mark.parametrize("saved", [0, 0x7F0000000000])
def test_a_stack_that_ends(gdb: Session, saved: int) -> None:
    """At nothing, or in memory that is not mapped."""
    in_the_nest(gdb, "x86_64", "sysv")
    record = frame_place(gdb, 3) - 16
    near = record + 0xF0000
    write(gdb, record, near if saved else 0)
    document = backtrace(gdb)
    assert len(document["frames"]) == 4
    assert "cannot be read" in document["ended"] or not saved


def dumping_core(folder: Path) -> "contextlib.AbstractContextManager[None]":
    """Processes started within leave a core, in that folder."""

    @contextlib.contextmanager
    def allowed() -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        here = Path.cwd()
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
            resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))

    return allowed()


def open_core(session: Session, arch: str, program: str, core: Path) -> None:
    session.open(arch)
    if session.name == "gdb":
        session.run(session.debugger.open(program))
        session.run(f"core-file {core}")
    else:
        session.run(f"target create --core {core} {program}")


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_a_core_of_the_engine(sessions: Opener, debugger: str) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    assert not pattern.startswith(("|", "/")), f"cores go to {pattern}, not to a file"
    live = sessions("gdb")
    with dumping_core(live.folder):
        live.load_engine("nest.js", "--no-jit", stop="engine_print")
        for _ in range(5):
            live.go_to("engine_print")
        expected = backtrace(live)
        live.run("signal SIGABRT")
        assert wait_until(lambda: bool(list(live.folder.glob("core*"))))
    (core,) = live.folder.glob("core*")
    dead = sessions(debugger)
    open_core(dead, "x86_64", str(ENGINE / "engine_host"), core)
    assert backtrace(dead) == expected


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_a_core_of_qemu(sessions: Opener, debugger: str) -> None:
    """The guest's core gives what the live process gave."""
    live = sessions("gdb")
    with dumping_core(live.folder):
        in_the_nest(live, "aarch64", "homing")
    expected = backtrace(live)
    live.run("signal SIGABRT")
    assert wait_until(lambda: bool(list(live.folder.glob("qemu_*.core"))))
    (core,) = live.folder.glob("qemu_*.core")
    dead = sessions(debugger)
    open_core(dead, "aarch64", fixture("aarch64"), core)
    assert backtrace(dead) == expected


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_a_native_core(sessions: Opener, debugger: str) -> None:
    live = sessions("gdb")
    in_the_nest(live, "x86_64", "sysv")
    expected = backtrace(live)
    core = live.folder / "native.core"
    live.run(f"generate-core-file {core}")
    dead = sessions(debugger)
    open_core(dead, "x86_64", fixture("x86_64"), core)
    assert backtrace(dead) == expected
