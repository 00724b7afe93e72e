"""Loads thunk-inspect into lldb:
`command script import …/plugin/lldb/thunk_inspect_lldb.py`.

lldb starts with this, so it imports next to nothing: importlib.util, pathlib and typing
would cost more than all the rest.
"""

import os
import sys
import types
from importlib.machinery import ModuleSpec


def __lldb_init_module(debugger, internal_dict):  # type: ignore[no-untyped-def]
    """Make the folder importable as `thunk_inspect`, unless it is installed so."""
    here = os.path.dirname(os.path.realpath(__file__))
    # lldb puts this file's folder on the path for good: its modules are nobody else's.
    sys.path[:] = [entry for entry in sys.path if entry != here]
    root = os.path.dirname(here)
    if "thunk_inspect" not in sys.modules:
        package = types.ModuleType("thunk_inspect")
        package.__path__ = [root]
        package.__spec__ = ModuleSpec("thunk_inspect", None, is_package=True)
        package.__file__ = os.path.join(root, "__init__.py")
        sys.modules["thunk_inspect"] = package
        with open(package.__file__, encoding="utf-8") as source:
            code = compile(source.read(), package.__file__, "exec")
        try:
            exec(code, package.__dict__)
        except ImportError as error:
            # This Python is too old, and a traceback says no more than that.
            del sys.modules["thunk_inspect"]
            print(f"error: {error}", file=sys.stderr)
            return
    from thunk_inspect.lldb import commands, frames

    # As the user's own Python finds it: `thunk_inspect_lldb.stub`.
    globals()["stub"] = commands.stub
    # lldb finds a class by name, and only in a module that it imported.
    globals().update(commands.CLASSES, ThunkFrames=frames.ThunkFrames)
    commands.register(debugger, __name__)
    frames.register(debugger, __name__)
