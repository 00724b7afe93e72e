"""Loads thunk-inspect into lldb:
`command script import …/plugin/lldb/thunk_inspect_lldb.py`."""

import importlib.util
import sys
from pathlib import Path


def __lldb_init_module(debugger, internal_dict):  # type: ignore[no-untyped-def]
    """Make the folder importable as `thunk_inspect`, unless it is installed so."""
    here = Path(__file__).resolve().parent
    # lldb puts this file's folder on the path for good: its modules are nobody else's.
    sys.path[:] = [entry for entry in sys.path if entry != str(here)]
    root = here.parent
    if "thunk_inspect" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "thunk_inspect",
            root / "__init__.py",
            submodule_search_locations=[str(root)],
        )
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules["thunk_inspect"] = module
        spec.loader.exec_module(module)
    from thunk_inspect.lldb import commands, frames

    # lldb finds a class by name, and only in a module that it imported.
    globals().update(commands.CLASSES, ThunkFrames=frames.ThunkFrames)
    commands.register(debugger, __name__)
    frames.register(debugger, __name__)
