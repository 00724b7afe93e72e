"""Capstone, Rich and Jinja for a debugger's Python, which is seldom the one pip used.

Looked for where the plugin itself is: in the site-packages it was installed to, or in
the `.venv` beside the checkout. All are plain Python and ctypes, or can do without
their compiled parts, so that any version's folder serves.
"""

import importlib
import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .target import ThunkError

NEEDED = ("capstone", "rich")
FOR_HTML = ("jinja2", "markupsafe")
"""Only where an HTML report is asked for."""
FOR_RUN = (*NEEDED, *FOR_HTML, "pygdbmi", "cattrs", "elftools")
"""What the command line has beside: scripted sessions."""
REQUIREMENTS = {
    "capstone": "capstone>=5,<6",
    "rich": "rich>=13",
    "jinja2": "jinja2>=3",
    "pygdbmi": "pygdbmi>=0.11",
    "cattrs": "cattrs>=23.2",
    "elftools": "pyelftools>=0.29",
    "markupsafe": "markupsafe",
}
"""As in setup.cfg, by the name that is imported."""
CAPSTONE = "5"
"""Others name instructions and registers in other ways."""
_ROOT = Path(__file__).resolve().parent.parent


def ready(needed: Sequence[str] = NEEDED) -> None:
    """Make the dependencies importable, or say in one line what is missing."""
    missing = [name for name in needed if not _importable(name)]
    for folder in _places() if missing else ():
        if all((folder / name).is_dir() for name in missing):
            sys.path.append(str(folder))
            importlib.invalidate_caches()
            missing = []
    if missing:
        raise ThunkError(
            f"this {_python()} lacks {' and '.join(missing)}: run {_mend(missing)}"
        )
    if "capstone" in needed:
        _need_version()


def versions(needed: Sequence[str] = NEEDED) -> "dict[str, str]":
    """Those of the packages in this Python, by name. Raises as `ready`
    and `capstone` do."""
    from importlib.metadata import PackageNotFoundError, version

    ready(needed)
    if "capstone" in needed:
        capstone()
    found = {}
    for name in needed:
        distribution = REQUIREMENTS[name].partition(">")[0]
        try:
            found[name] = version(distribution)
        except PackageNotFoundError:
            found[name] = ""
    return found


def told() -> str:
    """The versions as JSON, or the problem: what `thunk-inspect doctor` has a debugger
    print."""
    import json

    try:
        return json.dumps(versions())
    except (ThunkError, ImportError) as error:
        return json.dumps({"problem": str(error)})


def _importable(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _places() -> Iterator[Path]:
    yield _ROOT
    yield from sorted((_ROOT / ".venv" / "lib").glob("python3*/site-packages"))


def capstone() -> Any:
    """The module, at its first use: it takes longer than all else that a command does.
    ImportError, in one line, where its compiled library does not load."""
    try:
        return importlib.import_module("capstone")
    except (ImportError, OSError):
        raise ImportError(
            f"capstone's compiled library does not load in this {_python()}: run"
            f" {_mend(['capstone'])}"
        ) from None


def _need_version() -> None:
    """The capstone that we know. A debugger's Python may have another of its own, and
    as long as nobody loaded that, the one beside us is taken."""
    loaded = sys.modules.get("capstone")
    if loaded:
        found = str(getattr(loaded, "CS_API_MAJOR", ""))
    else:
        spec = importlib.util.find_spec("capstone")
        found = _major(Path(spec.origin)) if spec and spec.origin else ""
    if found == CAPSTONE:
        return
    for folder in () if loaded else _places():
        if _major(folder / "capstone" / "__init__.py") == CAPSTONE:
            sys.path.insert(0, str(folder))
            capstone()
            sys.path.remove(str(folder))
            return
    by_other = "another plugin loaded it; else " if loaded else ""
    raise ThunkError(
        f"this {_python()} has capstone {found or 'of an unknown version'}, wanted is"
        f" {CAPSTONE}: {by_other}run {_mend(['capstone'])}"
    )


def _major(file: Path) -> str:
    """The version that a capstone says it is, without importing it."""
    try:
        found = re.search(r"^CS_API_MAJOR *= *(\d+)", file.read_text("utf-8"), re.M)
    except (OSError, ValueError):
        return ""
    return found[1] if found else ""


def _python() -> str:
    return f"Python {sys.version_info.major}.{sys.version_info.minor}"


def _mend(missing: Sequence[str]) -> str:
    """The command that puts them where they are looked for."""
    if (_ROOT / "Makefile").exists():
        return f"`make -C {shlex.quote(str(_ROOT))} install`"
    python = _python().replace("P", "p").replace(" ", "")
    wanted = " ".join(shlex.quote(REQUIREMENTS[name]) for name in missing)
    return (
        f"`{python} -m pip install --upgrade --target {shlex.quote(str(_ROOT))}"
        f" {wanted}`"
    )
