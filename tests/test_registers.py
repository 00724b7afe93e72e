"""Registers that come all at once are those that the debugger shows one by one."""

import json
from pathlib import Path
from typing import Any

import pytest

from sessions import Session
from thunk_inspect.arch import ARCHES

IN_LLDB = """
import json
import lldb
from thunk_inspect.lldb.registers import Registers, _numbered, _words, register_value
from thunk_inspect.local import local_process
from thunk_inspect.arch import ARCHES

STOP = "T05x:1;{{0}};02:2a{{1}};01:{{2}};03:2b{{1}};zz:2c{{1}};00:xx{{1}};reason:y;"
target = lldb.debugger.GetSelectedTarget()
process = target.GetProcess()
pid = process.GetProcessID()
frame = process.GetSelectedThread().GetFrameAtIndex(0)
arch = ARCHES[{arch!r}]
known = Registers(target, process, None, arch.name)
said = dict(
    at_once=known._all(frame, arch),
    singly={{name: register_value(frame, name) for name in arch.registers}},
    read=known.read(frame, arch.registers),
    elsewhere=known._all(process.GetSelectedThread().GetFrameAtIndex(1), arch),
    asks=known._at_once,
    words=[
        _words(text, ["a", "b", "c"])
        for text in ("", "E15", "2a" + 14 * "0" + 16 * "x" + 16 * "f" + "07", 20 * "0")
    ],
    numbered=[
        _numbered(text, ["a", "b", "c"])
        for text in ("", "E15", STOP.format("name:00", 14 * "0", 20 * "0"))
    ],
)
json.dump(said, open({file!r}, "w"))
"""
IN_GDB = """
import json
import gdb
from thunk_inspect.gdb.native import registers_at

from thunk_inspect.arch import ARCHES
from thunk_inspect.target import MASK64

pc = int(gdb.parse_and_eval("$pc"))
known = registers_at(gdb.selected_thread(), pc)
names = [name for name in ARCHES["x86_64"].registers if name in known]
shown = {{name: int(gdb.parse_and_eval("$" + name)) & MASK64 for name in names}}
json.dump(dict(known=known, shown=shown), open({file!r}, "w"))
"""


def inside(session: Session, text: str, folder: Path, **names: str) -> Any:
    """What a script says that runs inside the debugger."""
    file, script = folder / "said.json", folder / "script.py"
    script.write_text(text.format(file=str(file), **names))
    if session.name == "gdb":
        answer = session.run(f"source {script}")
    else:
        answer = session.run(f"script exec(open({str(script)!r}).read())")
    assert file.exists(), answer.text
    return json.loads(file.read_text())


@pytest.mark.parametrize("place", ["header", "dispatch", "interpreter"])
def test_a_stubs_in_one_packet(lldb: Session, tmp_path: Path, place: str) -> None:
    lldb.load("caller-stack", "none", "3", arch="aarch64")
    lldb.go_on_to(place)
    said = inside(lldb, IN_LLDB, tmp_path, arch="aarch64")
    assert said["at_once"] == said["singly"] == said["read"]
    assert len(said["read"]) == len(ARCHES["aarch64"].registers)
    # The packet is of the innermost frame: of another one it says nothing.
    assert said["elsewhere"] == {}


@pytest.mark.parametrize("place", ["header", "dispatch", "interpreter"])
def test_a_servers_in_one_packet(lldb: Session, tmp_path: Path, place: str) -> None:
    """In the words that it has for a stop, each with its number."""
    lldb.load("sysv", "none", "3")
    lldb.go_on_to(place)
    local = IN_LLDB.replace("process, None", "process, local_process(pid)")
    said = inside(lldb, local, tmp_path, arch="x86_64")
    assert said["at_once"] == said["singly"] == said["read"]
    assert said["numbered"] == [{}, {}, {"c": 42}]
    assert said["elsewhere"] == {}


def test_a_server_that_wants_a_threads_number(lldb: Session, tmp_path: Path) -> None:
    """lldb-server elsewhere, of which it is not known that it is one: asked once."""
    lldb.load("sysv", "none", "3")
    said = inside(lldb, IN_LLDB, tmp_path, arch="x86_64")
    assert said["at_once"] == {} and not said["asks"]
    most = (1 << 64) - 1
    assert said["words"] == [{}, {}, {"a": 42, "c": most}, {"a": 0}]
    assert said["read"] == said["singly"]


@pytest.mark.parametrize("replays", [False, True])
def test_the_kernels(gdb: Session, tmp_path: Path, replays: bool) -> None:
    gdb.load("sysv", "none", "3")
    gdb.go_on_to("header")
    pc = gdb.pc()
    steps = ["record full", "stepi", "stepi", "reverse-stepi", "reverse-stepi"]
    for command in steps[: -1 if replays else 1]:
        assert not gdb.run(command).error
    said = inside(gdb, IN_GDB, tmp_path)
    assert (said["shown"]["rip"] > pc) == replays
    assert said["shown"].items() <= said["known"].items()
    assert len(said["shown"]) == len(ARCHES["x86_64"].registers)
    elsewhere = IN_GDB.replace('"$pc"))', '"$pc")) + 1')
    assert inside(gdb, elsewhere, tmp_path)["known"] == {}
