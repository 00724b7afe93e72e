"""What `import thunk_inspect` gives, fetched from the rooms at its first use.

    load_snapshot(path)       a SnapshotTarget; raises SnapshotError
    inspect(target, address)  a Report; raises NotFound where there is no block,
                              Unreadable or another ThunkError where it breaks off
    to_json(report)           its text, in the format of docs/formats.md

    Target                    what one must have to be inspected; Region, Symbol, Frame
    Report                    verdict, claims, checklist, diagnoses; its parts are
                              ThunkPart, FramePart, CodeLine, StackWord, Pointer,
                              Layout with CallInfo, Function and JsValue, and Trace
    Check, Diagnosis, Mend    a verdict with its evidence, a fault, a change
    ThunkError                what all our errors are

The engine's files that they follow: lib/Backend/InterpreterThunkEmitter.cpp (block,
frame, code), lib/Runtime/Language/JavascriptStackWalker.h (Layout),
lib/Runtime/Base/CallInfo.h (CallInfo), lib/Runtime/Base/FunctionBody.cpp (Function),
lib/Runtime/Library/TaggedInt.h and JavascriptNumber.inl (JsValue).
"""

from .chakra.layout import CallInfo, Layout
from .chakra.locate import NotFound
from .chakra.objects import Function
from .chakra.values import JsValue
from .checklist.model import Check, Diagnosis, Mend
from .inspection import inspect
from .report.as_json import to_json
from .report.model import (
    CodeLine,
    FramePart,
    Pointer,
    Report,
    StackWord,
    ThunkPart,
)
from .snapshot import SnapshotError, SnapshotTarget
from .snapshot import load as load_snapshot
from .target import Frame, Region, Symbol, Target, ThunkError, Unreadable
from .trace.model import Trace

__all__ = [
    "CallInfo",
    "Check",
    "CodeLine",
    "Diagnosis",
    "Frame",
    "FramePart",
    "Function",
    "JsValue",
    "Layout",
    "Mend",
    "NotFound",
    "Pointer",
    "Region",
    "Report",
    "SnapshotError",
    "SnapshotTarget",
    "StackWord",
    "Symbol",
    "Target",
    "ThunkError",
    "ThunkPart",
    "Trace",
    "Unreadable",
    "inspect",
    "load_snapshot",
    "to_json",
]
