"""thunk-inspect: what a ChakraCore dynamic interpreter thunk does, and whether it is
right, told from a stopped process.

From Python, without a debugger:

    import thunk_inspect

    report = thunk_inspect.inspect(thunk_inspect.load_snapshot("hang.json"))
    print(report.verdict)

`inspect` takes anything that is a `Target`; snapshots are one, the debuggers' adapters
are others. All numbers are plain ints: addresses and register values unsigned 64-bit
numbers of the target's address space, sizes and offsets in bytes. Every error that is
the input's is a `ThunkError`, whose message is one line. What is in `__all__` stays;
anything else may change.
"""

import sys

if sys.version_info < (3, 9):  # noqa: UP036  # a debugger's may be older
    raise ImportError(
        f"thunk-inspect needs Python 3.9, and this is {sys.version_info[0]}."
        f"{sys.version_info[1]}: use a newer debugger"
    )

TYPE_CHECKING = False
"""As type checkers know it; the module of that name would cost the debuggers' start 3
ms. For the same reason the names are fetched when one of them is first asked for."""
if TYPE_CHECKING:
    from .api import *

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

# Type checkers are not to take it for a promise of every name.
if not TYPE_CHECKING:

    def __getattr__(name):
        """A public name, at its first use (PEP 562)."""
        if name not in __all__:
            raise AttributeError(f"module 'thunk_inspect' has no attribute {name!r}")
        from . import api

        return getattr(api, name)


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
