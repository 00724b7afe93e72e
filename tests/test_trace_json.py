"""A trace as JSON: alone and in a report, in the format that the schemas give."""

import dataclasses
import json
from typing import Any, Dict

import pytest

from made import HOSTILE, PC, SOUND, STUB, bad_trace, good_trace, report_of
from programs import ROOT
from reports import validated
from thunk_inspect.report.as_json import to_dict, to_json
from thunk_inspect.report.trace_json import trace_dict, trace_to_json
from thunk_inspect.trace.model import (
    KINDS,
    Event,
    FunctionCalls,
    Hang,
    Sample,
    Site,
    Trace,
)

SCHEMAS = ROOT / "plugin" / "schemas"


def schema(name: str) -> Dict[str, Any]:
    loaded: Dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return loaded


def fields(kind: type) -> "set[str]":
    return {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("trace", [Trace(), good_trace(), bad_trace()])
def test_alone_and_in_a_report(trace: Trace) -> None:
    alone = validated(json.loads(trace_to_json(trace)))
    assert (alone.pop("format"), alone.pop("version")) == ("thunk-trace", 1)
    assert alone == trace_dict(trace)
    report = validated(to_dict(report_of(*SOUND, trace)))
    assert report["trace"] == alone


def test_a_report_without_a_trace() -> None:
    report = json.loads(to_json(report_of(*SOUND)))
    assert "trace" in report and report["trace"] is None


def test_everything_is_in_it() -> None:
    """Each field of the model under its own name, so that none is forgotten."""
    document = trace_dict(bad_trace())
    assert set(document) == fields(Trace)
    assert set(document["events"][0]) == fields(Event)
    assert set(document["events"][0]["site"]) == fields(Site)
    assert set(document["functions"][0]) == fields(FunctionCalls)
    assert set(document["hang"]) == fields(Hang)
    assert set(document["hang"]["samples"][0]) == fields(Sample)
    assert document["first_failure"] == document["events"][1]
    assert document["events"][1]["problems"] == ["x0 of add changed"]


def test_addresses_are_hex_strings() -> None:
    document = trace_dict(bad_trace())
    event = document["events"][0]
    assert event["address"] == f"{PC:#x}"
    assert event["values"]["top"] == "0xffffffffffffffff"
    functions = document["functions"]
    assert [one["stub"] for one in functions] == [f"{STUB:#x}", None]
    assert [one["back"] for one in document["hang"]["samples"]] == [None, f"{STUB:#x}"]


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_comes_back(name: str) -> None:
    text = trace_to_json(bad_trace(name))
    assert text.isascii()
    document = validated(json.loads(text))
    assert document["events"][1]["name"] == name


def test_the_schemas_agree() -> None:
    """What a report says of a trace is what the trace's own schema says."""
    alone, report = schema("trace")["$defs"], schema("report")["$defs"]
    assert {name: report[name] for name in alone} == alone
    assert alone["event_kind"]["enum"] == list(KINDS)
    assert set(alone["trace"]["required"]) == fields(Trace)


@pytest.mark.parametrize(
    "place, value",
    [
        (("events", 0, "kind"), "elsewhere"),
        (("events", 0, "address"), 4096),
        (("events", 0, "values", "x0"), "4a96f0"),
        (("hang", "kind"), "asleep"),
        (("events", 0, "site", "how"), "by rumour"),
        (("calls",), -1),
        (("first_failure",), {}),
        (("counts", "lunch"), 1),
        (("version",), 2),
    ],
)
def test_the_schema_can_refuse(place: "tuple[Any, ...]", value: object) -> None:
    document = json.loads(trace_to_json(bad_trace()))
    part = document
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    with pytest.raises(AssertionError):
        validated(document)
