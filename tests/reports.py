"""Reading reports in tests: what a report claims, and whether it has the format.

Every JSON document that a test gets from the plugin goes through `validated`.
"""

import functools
import json
from typing import Any, Dict, Set

from jsonschema_rs import Draft202012Validator

from programs import ROOT

SCHEMAS = {
    "thunk-report": "report",
    "thunk-snapshot": "snapshot",
    "thunk-trace": "trace",
    "thunk-bt": "backtrace",
}

Document = Dict[str, Any]


@functools.cache
def schema(name: str) -> Draft202012Validator:
    path = ROOT / "plugin" / "schemas" / f"{name}.schema.json"
    document = json.loads(path.read_text())
    return Draft202012Validator(document)


def validated(document: Document) -> Document:
    """The document, if it is what its schema says. Layouts and lists name none."""
    name = SCHEMAS.get(document.get("format", ""))
    if name:
        errors = [
            f"{'/'.join(map(str, error.instance_path))}: {error.message}"
            for error in schema(name).iter_errors(document)
        ]
        assert not errors, errors
    return document


def claims(report: Document, verdict: str) -> Set[str]:
    """The claims R1-R12 that have this verdict."""
    return {check["id"] for check in report["claims"] if check["verdict"] == verdict}


def failing(report: Document) -> Set[str]:
    return claims(report, "fail")


def evidence(report: Document, claim: str) -> str:
    check = next(check for check in report["claims"] if check["id"] == claim)
    return " | ".join(check["evidence"])


def without_source(report: Document) -> Document:
    """For holding a report against that of another debugger, or of a snapshot."""
    target = {**report["target"], "source": ""}
    return {**report, "target": target}


def arguments(report: Document) -> "list[str]":
    """The decoded arguments, `this` left out."""
    return [value["text"] for value in report["layout"]["args"][1:]]
