"""A Report as JSON: the format of docs/formats.md. Addresses are hex strings."""

import json
from typing import Any, Optional

from ..chakra.layout import Layout
from ..checklist.model import Check, Diagnosis
from .model import Report

FORMAT, VERSION = "thunk-report", 1


def hexed(value: Optional[int]) -> Optional[str]:
    return None if value is None else f"{value:#x}"


def to_dict(report: Report) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "target": {
            "arch": report.arch,
            "os": report.os,
            "source": report.source,
            "pc": hexed(report.pc),
        },
        "thunk": _thunk(report),
        "registers": {name: hexed(v) for name, v in report.registers.items()},
        "frame": _frame(report),
        "layout": layout_dict(report.layout) if report.layout else None,
        "claims": [_check(check) for check in report.claims],
        "checklist": [_check(check) for check in report.checklist],
        "issues": [_issue(issue) for issue in report.issues],
        "verdict": report.verdict,
        "problems": report.problems,
        "trace": _trace(report),
    }


def to_json(report: Report) -> str:
    """The report as `--json` prints it: docs/formats.md, report.schema.json."""
    return json.dumps(to_dict(report), indent=2, ensure_ascii=True)


def _thunk(report: Report) -> Optional[dict[str, Any]]:
    thunk = report.thunk
    if thunk is None:
        return None
    return {
        "block": hexed(thunk.block),
        "block_size": thunk.block_size,
        "header_size": thunk.header_size,
        "bytes": thunk.header.hex(),
        "found_by": thunk.found_by,
        "convention": thunk.style,
        "calling_convention": thunk.convention,
        "stubs": {
            "first": hexed(thunk.first_stub),
            "count": thunk.stub_count,
            "size": thunk.stub_size,
        },
        "stub": thunk.stub,
        "epilogue": hexed(thunk.epilogue),
        "interpreter": hexed(thunk.interpreter),
        "offsets": thunk.offsets,
    }


def _frame(report: Report) -> Optional[dict[str, Any]]:
    if report.frame is None:
        return None
    return {
        "saved": report.frame.saved,
        "layout_offset": report.frame.layout_offset,
        "frame_size": report.frame.frame_size,
    }


def layout_dict(layout: Layout) -> dict[str, Any]:
    info = layout.call_info
    return {
        "address": hexed(layout.address),
        "function": {
            "address": hexed(layout.function_address),
            "name": layout.function.name if layout.function else None,
            "position": layout.function.position if layout.function else None,
        },
        "call_info": info
        and {"raw": hexed(info.raw), "count": info.count, "flags": info.flags},
        "args": [
            {
                "index": index,
                "raw": hexed(value.raw),
                "kind": value.kind,
                "text": value.text,
            }
            for index, value in enumerate(layout.args)
        ],
        "problems": layout.problems,
    }


def _trace(report: Report) -> Optional[dict[str, Any]]:
    if report.trace is None:
        return None
    from .trace_json import trace_dict

    return trace_dict(report.trace)


def _check(check: Check) -> dict[str, Any]:
    return {
        "id": check.id,
        "title": check.title,
        "verdict": check.verdict,
        "evidence": list(check.evidence),
        "hint": check.hint,
    }


def _issue(issue: Diagnosis) -> dict[str, Any]:
    return {
        "id": issue.id,
        "title": issue.title,
        "state": issue.state,
        "because": list(issue.because),
        "cause": issue.cause,
        "fix": issue.mend.text if issue.mend else "",
        "fix_proved": bool(issue.mend and issue.mend.proved),
    }
