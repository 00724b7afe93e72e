"""A Trace as JSON: part of a report, and the document of `thunk-trace --json`.

The format is in docs/formats.md. Addresses and values are hex strings.
"""

import json
from typing import Any

from ..trace.model import Event, FunctionCalls, Hang, Sample, Site, Trace
from .as_json import hexed

FORMAT, VERSION = "thunk-trace", 1


def trace_dict(trace: Trace) -> dict[str, Any]:
    """A trace as a report carries it."""
    first = trace.first_failure
    return {
        "events": [_event(event) for event in trace.events],
        "counts": dict(trace.counts),
        "functions": [_function(one) for one in trace.functions],
        "calls": trace.calls,
        "failures": trace.failures,
        "lost": trace.lost,
        "unjudged": trace.unjudged,
        "first_failure": None if first is None else _event(first),
        "missing": list(trace.missing),
        "ended": trace.ended,
        "hang": None if trace.hang is None else _hang(trace.hang),
    }


def trace_to_json(trace: Trace) -> str:
    """A trace as a document of its own."""
    document = {"format": FORMAT, "version": VERSION, **trace_dict(trace)}
    return json.dumps(document, indent=2, ensure_ascii=True)


def _event(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "kind": event.kind,
        "thread": event.thread,
        "call": event.call,
        "depth": event.depth,
        "address": hexed(event.address),
        "function": hexed(event.function),
        "name": event.name,
        "text": event.text,
        "values": {name: hexed(value) for name, value in event.values.items()},
        "problems": list(event.problems),
        "site": None if event.site is None else _site(event.site),
    }


def _site(site: Site) -> dict[str, Any]:
    return {"named": site.named, "how": site.how}


def _function(one: FunctionCalls) -> dict[str, Any]:
    return {
        "name": one.name,
        "function": hexed(one.function),
        "stub": hexed(one.stub),
        "calls": one.calls,
        "failures": one.failures,
    }


def _hang(hang: Hang) -> dict[str, Any]:
    return {
        "kind": hang.kind,
        "text": hang.text,
        "instructions": list(hang.instructions),
        "samples": [_sample(sample) for sample in hang.samples],
    }


def _sample(sample: Sample) -> dict[str, Any]:
    return {
        "thread": sample.thread,
        "pc": hexed(sample.pc),
        "where": sample.where,
        "back": hexed(sample.back),
    }
