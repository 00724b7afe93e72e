"""`import thunk_inspect`: the names that it gives, and that they come when they are
asked for."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional

import pytest
from jsonschema_rs import Draft202012Validator

import reports
import thunk_inspect as api
from programs import ROOT
from reports import Document, validated
from sessions import Session
from thunk_inspect import api as eager

PROVED = {"pass", "not-applicable"}
SCHEMAS = ROOT / "plugin" / "schemas"


def test_the_list_has_what_is_passed_on() -> None:
    passed_on = {name for name in vars(eager) if not name.startswith("_")}
    assert passed_on == set(api.__all__)
    assert all(getattr(api, name) is getattr(eager, name) for name in api.__all__)
    assert set(api.__all__) <= set(dir(api))


def test_there_is_no_other_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        api.nothing  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(api, "load")


def test_a_star_takes_them_all() -> None:
    names: Dict[str, object] = {}
    exec("from thunk_inspect import *", names)
    assert set(names) == {*api.__all__, "__builtins__"}


def test_they_come_at_their_first_use() -> None:
    code = (
        "import sys; before = set(sys.modules); import thunk_inspect;"
        "print(*sorted(set(sys.modules) - before)); thunk_inspect.inspect;"
        "print('thunk_inspect.inspection' in sys.modules, 'capstone' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["thunk_inspect", "True False"]


def test_every_name_says_what_it_is() -> None:
    for name in api.__all__:
        text: str = getattr(api, name).__doc__ or ""
        assert text and not text.startswith(f"{name}("), name


def test_a_snapshot_is_inspected_in_two_calls(saved: Document, tmp_path: Path) -> None:
    file = tmp_path / "it.json"
    file.write_text(json.dumps(saved))
    report = api.inspect(api.load_snapshot(str(file)))
    assert isinstance(report, api.Report) and report.verdict == "sound"
    assert {check.verdict for check in report.claims} <= PROVED
    assert report.layout and isinstance(report.layout.call_info, api.CallInfo)
    assert report.layout.call_info.count == 4 and len(report.layout.args) == 4
    document = validated(json.loads(api.to_json(report)))
    assert document["verdict"] == "sound"
    function = report.layout.function
    assert function and api.inspect(api.load_snapshot(str(file)), function.address)


class Own:
    """A Target of somebody's own: what a snapshot has, and nothing of ours."""

    arch, os, source = "aarch64", "linux", "snapshot"
    pid: Optional[int] = None
    kept: Optional[Dict[int, bytes]] = None
    code_mask = (1 << 64) - 1
    block_size: Optional[int] = None
    whole_map = False

    def __init__(self, document: Document) -> None:
        self.document = document

    def registers(self) -> Dict[str, int]:
        registers = self.document["registers"]
        return {name: int(value, 16) for name, value in registers.items()}

    def read(self, address: int, size: int) -> bytes:
        for chunk in self.document["memory"]:
            data = bytes.fromhex(chunk["bytes"])
            start = address - int(chunk["address"], 16)
            if 0 <= start <= len(data) - size:
                return data[start : start + size]
        raise api.Unreadable(address, size)

    def regions(self) -> Optional[List[api.Region]]:
        return None

    def in_module(self, address: int) -> bool:
        return False

    def symbol_at(self, address: int) -> Optional[api.Symbol]:
        return None

    def symbol_address(self, name: str) -> Optional[int]:
        return None

    def frames(self, limit: int) -> List[api.Frame]:
        return []


def test_a_target_of_ones_own(saved: Document) -> None:
    target: api.Target = Own(saved)
    report = api.inspect(target)
    assert report.thunk and report.thunk.block % report.thunk.block_size == 0
    assert not [check for check in report.claims if check.verdict == "fail"]


def test_errors_are_one_line(saved: Document, tmp_path: Path) -> None:
    with pytest.raises(api.SnapshotError):
        api.load_snapshot(str(tmp_path / "missing.json"))
    nothing = Own({**saved, "memory": []})
    with pytest.raises(api.ThunkError) as caught:
        api.inspect(nothing)
    assert "\n" not in str(caught.value)
    for error in (api.NotFound, api.SnapshotError, api.Unreadable):
        assert issubclass(error, api.ThunkError)


FACTS = ("CallInfo", "FramePart", "Function", "JsValue", "Layout", "ThunkPart")


@pytest.mark.parametrize("name", FACTS)
def test_what_is_the_engines_names_its_file(name: str) -> None:
    assert "lib/" in getattr(api, name).__doc__


def test_the_parts_are_data() -> None:
    for name in ("Report", "Check", "Diagnosis", "Mend", "Layout", "ThunkPart"):
        assert dataclasses.is_dataclass(getattr(api, name))


NAMELESS = {"thunk-find": "blocks", "thunk-compare": "compare"}


def errors(name: str, document: object, part: str = "") -> List[str]:
    """Why a document is not what a schema of the package says."""
    whole = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    if part:
        whole = {"$ref": f"#/$defs/{part}", "$defs": whole["$defs"]}
    return [
        error.message for error in Draft202012Validator(whole).iter_errors(document)
    ]


def test_every_document_has_a_schema(session: Session) -> None:
    """Those that name their format are held to it wherever a test gets one."""
    session.load("sysv", "none", "3")
    for place in ("header", "interpreter"):
        session.go_on_to(place)
    frames = session.json("thunk-bt")
    assert frames["format"] == "thunk-bt" and frames["frames"]
    for command, name in NAMELESS.items():
        document = session.json(command)
        assert errors(name, document) == []
        assert errors(name, {key: 7 for key in document} or None)
    layout = session.json("thunk-layout $rdi")
    assert layout["args"] and errors("report", layout, "layout") == []
    assert errors("report", {**layout, "call_info": 7}, "layout")


def test_what_schemas_share_is_the_same() -> None:
    """Each can be used alone, so each has all that it refers to."""
    found: Dict[str, object] = {}
    for path in SCHEMAS.glob("*.json"):
        document = json.loads(path.read_text())
        for name, part in document.get("$defs", {}).items():
            assert found.setdefault(name, part) == part, f"{name} in {path.name}"
    assert {f"{name}.schema.json" for name in reports.SCHEMAS.values()} | {
        f"{name}.schema.json" for name in NAMELESS.values()
    } == {path.name for path in SCHEMAS.iterdir()}


def test_every_schema_is_in_the_documents() -> None:
    text = (ROOT / "docs" / "formats.md").read_text()
    for path in SCHEMAS.iterdir():
        assert f"`plugin/schemas/{path.name}`" in text
