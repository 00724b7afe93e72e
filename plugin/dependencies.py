"""Capstone, Rich and Jinja for a debugger's Python, which is seldom the one pip used.

Looked for where the plugin itself is: in the site-packages it was installed to, or in
the `.venv` beside the checkout. All are plain Python and ctypes, or can do without
their compiled parts, so that any version's folder serves.
"""

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from .target import ThunkError

NEEDED = ("capstone", "rich")
FOR_HTML = ("jinja2", "markupsafe")
"""Only where an HTML report is asked for."""


def ready(needed: Sequence[str] = NEEDED) -> None:
    """Make the dependencies importable, or say in one line what is missing."""
    missing = [name for name in needed if not _importable(name)]
    for folder in _places() if missing else ():
        if all((folder / name).is_dir() for name in missing):
            sys.path.append(str(folder))
            importlib.invalidate_caches()
            return
    if missing:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ThunkError(
            f"this Python {version} lacks {' and '.join(missing)}: run"
            " `make install` in the checkout, or"
            f" `python{version} -m pip install {' '.join(missing)}`"
        )


def _importable(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _places() -> Iterator[Path]:
    root = Path(__file__).resolve().parent.parent
    yield root
    yield from sorted((root / ".venv" / "lib").glob("python3*/site-packages"))
