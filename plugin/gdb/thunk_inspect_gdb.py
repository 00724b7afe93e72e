"""Loads thunk-inspect into gdb: `source …/plugin/gdb/thunk_inspect_gdb.py`."""

import importlib.util
import sys
from pathlib import Path


def _load() -> None:
    """Make the folder importable as `thunk_inspect`, unless it is installed so."""
    # Not __file__: gdb leaves it as it was where a script sources another.
    root = Path(_load.__code__.co_filename).resolve().parent.parent
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
    from thunk_inspect.gdb.commands import register

    register()


_load()
