"""ChakraCore for Windows under wine: no symbols, no frame pointers, homed arguments."""

import json

import pytest

from conftest import Opener
from reports import Document, arguments, validated, without_source
from sessions import Session
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.snapshot import load_snapshot

# There is one prefix for all: on one worker they wait for nobody.
pytestmark = pytest.mark.xdist_group("wine")

OFFSETS = {"function_info": 0x28, "function_proxy": 8, "dynamic_thunk": 0x50}


@pytest.fixture
def session(sessions: Opener) -> Session:
    """Stopped by the trap in `print("before add")`, below global code."""
    session = sessions("gdb")
    session.load_wine("add.js")
    assert session.stdout()[-1:] == ["before add"], session.run("thread apply all bt 3")
    return session


def at_add(session: Session) -> Document:
    """At the first instruction of the interpreter, which only the block names."""
    blocks = session.json("thunk-find")["blocks"]
    session.go_to(int(blocks[0]["interpreter"], 16))
    return session.json()


def test_the_block_is_found_by_its_shape(session: Session) -> None:
    report = at_add(session)
    thunk = report["thunk"]
    assert thunk["offsets"] == OFFSETS
    assert thunk["header_size"] == 96 and thunk["stubs"]["count"] == 493
    assert thunk["convention"] == "homed"
    assert thunk["calling_convention"] == "x64-windows"
    assert int(thunk["epilogue"], 16) - int(thunk["block"], 16) == 0xFD0


def test_the_call(session: Session) -> None:
    report = at_add(session)
    layout = report["layout"]
    assert report["verdict"] == "sound"
    assert layout["address"] == report["registers"]["rcx"]
    assert layout["function"]["name"] == "add"
    assert layout["call_info"] == {"raw": "0x2000005", "count": 5, "flags": ["Value"]}
    kinds = [value["kind"] for value in layout["args"]]
    assert kinds == ["object", "int", "double", "object", "object"]
    assert arguments(report)[:2] == ["1", "2.5"]
    assert session.json("thunk-layout $rcx") == layout


def test_from_a_native_callback(session: Session) -> None:
    """Words that were left on the stack must not be taken for a call: global code
    is what runs here."""
    report = session.json()
    assert report["verdict"] != "broken", report["thunk"]["found_by"]
    assert report["layout"]["call_info"]["raw"] == "0x0"


def test_a_snapshot(session: Session) -> None:
    live = at_add(session)
    path = session.folder / "snapshot.json"
    assert not session.run(f"thunk-snapshot {path}").error
    validated(json.loads(path.read_text()))
    again = validated(to_dict(inspect(load_snapshot(str(path)))))
    assert without_source(again) == without_source(live)


def test_the_stack_without_symbols_or_frame_pointers(sessions: Opener) -> None:
    """Three nested script functions, by return addresses that are still in use."""
    session = sessions("gdb")
    session.load_wine("nest.js")
    for _ in range(2):
        session.run("continue")
    frames = json.loads(session.run("thunk-bt --json").output)["frames"]
    names = [frame["layout"]["function"]["name"] for frame in frames]
    assert names == ["c", "b", "a", "Global code"]
    firsts = [frame["layout"]["args"][1]["text"] for frame in frames[:3]]
    assert firsts == ["4", "4", "4"]
