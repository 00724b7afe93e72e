"""What is special on arm64 macOS, tried on saved processes: 16 KiB blocks, return
addresses that carry authentication codes, x18, and how lldb names the machine."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from blocks import RECIPES, emit
from reports import validated
from sessions import Session
from stopped import Opened, verdict_of
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.checklist import assess
from thunk_inspect.checklist.assess import fitting
from thunk_inspect.checklist.walking import walk_calls
from thunk_inspect.inspection import find_thunk, inspect
from thunk_inspect.report import backtrace
from thunk_inspect.report.as_json import to_json
from thunk_inspect.snapshot import SnapshotTarget, load_snapshot
from thunk_inspect.target import Memory

ADDRESS_BITS = 47
"""Of a pointer of user space on macOS."""
CODE_MASK = (1 << ADDRESS_BITS) - 1
SIGNATURE = 0xABCD << 48 | 0x1 << ADDRESS_BITS


def saved(session: Session) -> Dict[str, Any]:
    """Four calls, one in the other, with blocks of 16 KiB, as their snapshot has it."""
    args = ("caller-stack", "none", "3", "--block-size", "16384", "--nest", "3")
    session.load(*args, arch="aarch64")
    for _ in range(4):
        session.go_to("depth_5")
    path = session.folder / "saved.json"
    session.run(f"thunk-snapshot {path}")
    found: Dict[str, Any] = json.loads(path.read_text())
    return found


def signed(document: Dict[str, Any], addresses: List[int]) -> int:
    """Each word of the stack that is one of these return addresses, made to carry a
    code; how many there were."""
    count, sp = 0, int(document["registers"]["sp"], 16)
    for piece in document["memory"]:
        start, data = int(piece["address"], 16), bytearray.fromhex(piece["bytes"])
        for n in range(0, len(data) - 7, 8):
            word = int.from_bytes(data[n : n + 8], "little")
            if start + n >= sp and word in addresses:
                data[n : n + 8] = (word | SIGNATURE).to_bytes(8, "little")
                count += 1
        piece["bytes"] = data.hex()
    return count


def stack_of(document: Dict[str, Any]) -> Dict[str, Any]:
    memory = Memory(SnapshotTarget(document))
    assessment = assess(memory, find_thunk(memory))
    text = backtrace.to_json(walk_calls(assessment, None, False))
    found: Dict[str, Any] = json.loads(text)
    return found


def returns(document: Dict[str, Any]) -> List[int]:
    """Return addresses into stubs."""
    return [int(frame["pc"], 16) for frame in stack_of(document)["frames"]]


def as_on_macos(document: Dict[str, Any]) -> Dict[str, Any]:
    document["os"], document["code_mask"] = "macos", f"{CODE_MASK:#x}"
    document["block_size"] = None
    return validated(document)


def test_a_saved_process(gdb: Session, tmp_path: Path) -> None:
    document = as_on_macos(saved(gdb))
    path = tmp_path / "macos.json"
    path.write_text(json.dumps(document))
    report = validated(json.loads(to_json(inspect(load_snapshot(str(path))))))
    assert report["target"]["os"] == "macos"
    assert report["verdict"] == "sound"
    assert report["thunk"]["block_size"] == 16384
    assert report["thunk"]["convention"] == "caller-stack"
    assert report["layout"]["function"]["name"]


def test_signed_return_addresses(gdb: Session) -> None:
    """As if the engine were built to sign them: nothing of the answer changes. Where no
    debugger tells which bits are the code's, they are not guessed."""
    document = as_on_macos(saved(gdb))
    before = stack_of(document)
    report = to_json(inspect(SnapshotTarget(document)))
    assert len(before["frames"]) == 4
    assert signed(document, returns(document)) >= 3
    assert stack_of(document) == before
    again = json.loads(to_json(inspect(SnapshotTarget(document))))
    assert again["verdict"] == "sound"
    assert again["layout"] == json.loads(report)["layout"]
    document["code_mask"] = "0xffffffffffffffff"
    assert returns(document) != [int(frame["pc"], 16) for frame in before["frames"]]


@pytest.mark.parametrize("name", ["arm64-unix", "arm64-windows"])
@pytest.mark.parametrize("register", ["x18", "x9"])
def test_the_systems_own_register(name: str, register: str) -> None:
    """x18 is nobody's on macOS and Windows, and anybody's on Linux."""
    recipe = RECIPES[name]
    header = tuple(text.replace("x2,", f"{register},") for text in recipe.header)
    header = tuple(text.replace("[x2", f"[{register}") for text in header)
    if name == "arm64-windows":
        # The third argument is stored before it is overwritten.
        header = tuple(
            text if "stp" not in text else old
            for text, old in zip(header, recipe.header)
        )
    changed = dataclasses.replace(recipe, header=header)
    code = emit(changed, 0x10000, 0x55001234, (0x28, 8, 0x50))
    thunk = parse(code, 0x10000, ARCHES["aarch64"])
    assert thunk and register in " ".join(header)
    for system in ("linux", "macos", "windows"):
        finding = fitting(system, thunk).claims["R10"]
        reserved = register == "x18" and system != "linux"
        assert finding.holds is not reserved, (system, finding)
        if reserved:
            assert "x18 comes back as" in finding.evidence[0]


def test_memory_that_a_thread_writes_or_executes(stopped: Opened) -> None:
    """MAP_JIT: the map says both, pthread_jit_write_protect_np which of them."""
    call = stopped("caller-stack", "header")
    block = call.block()
    call.document["regions"] = [
        {"start": hex(start), "end": hex(start + 0x1000), "permissions": how}
        for start, how in ((block, "rwx"), (call.register("x30") & ~0xFFF, "r-x"))
    ]
    assert verdict_of(call.report(), "R8") == "pass"
    call.document["faulted"] = True
    assert verdict_of(call.report(), "R8") == "unknown"


def test_a_block_that_is_smaller_than_a_page(stopped: Opened) -> None:
    """ConvertToEntryPoint masks with the page size that the engine was built for."""
    call = stopped("caller-stack", "interpreter")
    found = "unknown" if call.block() % 16384 else "pass"
    for system, verdict in (("linux", "pass"), ("macos", found)):
        call.document["os"] = system
        report = call.report()
        assert verdict_of(report, "A5") == verdict_of(report, "G5") == verdict


SCRIPT = """
import lldb
def triples(debugger, line, context, result, internal):
    from thunk_inspect.lldb.target import LldbTarget
    for triple in line.split():
        made = debugger.CreateTarget("", triple, "", False, lldb.SBError())
        target = LldbTarget(made, None, None)
        result.AppendMessage(f"{triple} {target.arch} {target.os}")
def __lldb_init_module(debugger, internal):
    debugger.HandleCommand("command script add -f triples.triples triples")
"""


def test_how_lldb_names_the_machine(lldb: Session) -> None:
    lldb.open()
    script = lldb.folder / "triples.py"
    script.write_text(SCRIPT)
    lldb.run(f"command script import {script}")
    wanted = {
        "arm64-apple-macosx14.0.0": "aarch64 macos",
        "arm64e-apple-macosx13.3": "aarch64 macos",
        "x86_64h-apple-macosx12": "x86_64 macos",
        "x86_64-apple-darwin20": "x86_64 macos",
        "aarch64-unknown-linux-gnu": "aarch64 linux",
        "aarch64-pc-windows-msvc": "aarch64 windows",
    }
    said = lldb.run(f"triples {' '.join(wanted)}").output
    assert said.splitlines() == [f"{name} {what}" for name, what in wanted.items()]
