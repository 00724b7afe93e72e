"""`python -m thunk_inspect`, and `python3 plugin` in a checkout without an install."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def _load() -> None:
    """Make the folder importable as `thunk_inspect`, as the debuggers' files do."""
    here = Path(__file__).resolve().parent
    # Python put the folder on the path: its `trace` and `gdb` are nobody else's.
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    spec = spec_from_file_location(
        "thunk_inspect", here / "__init__.py", submodule_search_locations=[str(here)]
    )
    assert spec and spec.loader
    package = module_from_spec(spec)
    sys.modules["thunk_inspect"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    if not __package__:
        _load()
    from thunk_inspect.cli import main

    sys.exit(main())
