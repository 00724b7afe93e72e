"""Loads thunk-inspect into gdb: `source …/plugin/gdb/thunk_inspect_gdb.py`.

gdb starts with this, so it imports next to nothing: importlib.util and pathlib alone
would cost as much as all the rest.
"""

import os
import sys
import types
from importlib.machinery import ModuleSpec


def _load() -> None:
    """Make the folder importable as `thunk_inspect`, unless it is installed so."""
    # Not __file__: gdb leaves it as it was where a script sources another.
    here = os.path.realpath(_load.__code__.co_filename)
    root = os.path.dirname(os.path.dirname(here))
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
    from thunk_inspect.gdb.commands import register

    register()


_load()
