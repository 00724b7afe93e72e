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

`X as X` is how a name is passed on: the list of them all stands in `__init__`.
"""

from .chakra.layout import CallInfo as CallInfo
from .chakra.layout import Layout as Layout
from .chakra.locate import NotFound as NotFound
from .chakra.objects import Function as Function
from .chakra.values import JsValue as JsValue
from .checklist.model import Check as Check
from .checklist.model import Diagnosis as Diagnosis
from .checklist.model import Mend as Mend
from .inspection import inspect as inspect
from .report.as_json import to_json as to_json
from .report.model import CodeLine as CodeLine
from .report.model import FramePart as FramePart
from .report.model import Pointer as Pointer
from .report.model import Report as Report
from .report.model import StackWord as StackWord
from .report.model import ThunkPart as ThunkPart
from .snapshot import SnapshotError as SnapshotError
from .snapshot import SnapshotTarget as SnapshotTarget
from .snapshot import load_snapshot as load_snapshot
from .target import Frame as Frame
from .target import Region as Region
from .target import Symbol as Symbol
from .target import Target as Target
from .target import ThunkError as ThunkError
from .target import Unreadable as Unreadable
from .trace.model import Trace as Trace
