"""Capstone, Rich and Jinja for a debugger's Python, which is seldom the one pip used.

Looked for where the plugin itself is: in the site-packages it was installed to, or in
the `.venv` beside the checkout. All are plain Python and ctypes, or can do without
their compiled parts, so that any version's folder serves.
"""

import importlib.util
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

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
CAPSTONE = 5
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
        _need_capstone()


def versions(needed: Sequence[str] = NEEDED) -> "dict[str, str]":
    """Those of the packages in this Python, by name; ThunkError as `ready`."""
    from importlib.metadata import PackageNotFoundError, version

    ready(needed)
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
    except ThunkError as error:
        return json.dumps({"problem": str(error)})


def _importable(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def _places() -> Iterator[Path]:
    yield _ROOT
    yield from sorted((_ROOT / ".venv" / "lib").glob("python3*/site-packages"))


_good: "list[object]" = []
"""The capstone that was looked at and serves."""


def _need_capstone() -> None:
    """The right version, with a compiled library that loads here; what a debugger's
    Python has of its own may be neither, and then the one beside us is taken."""
    loaded = sys.modules.get("capstone")
    if loaded is not None and loaded in _good:
        return
    problem = _try_capstone()
    beside = [folder for folder in _places() if (folder / "capstone").is_dir()]
    if problem and loaded is None and beside:
        _forget_capstone()
        before = list(sys.path)
        sys.path.insert(0, str(beside[0]))
        problem = _try_capstone()
        sys.path[:] = before
    if problem and loaded is None:
        _forget_capstone()
    if problem:
        by_other = "another plugin here loaded it; else " if loaded else ""
        raise ThunkError(f"{problem}: {by_other}run {_mend(['capstone'])}")
    _good[:] = [sys.modules["capstone"]]


def _try_capstone() -> str:
    """Why the capstone that is imported here cannot serve; empty when it can."""
    try:
        import capstone

        found: int = capstone.cs_version()[0]
    except (ImportError, OSError, AttributeError):
        return f"capstone's compiled library does not load in this {_python()}"
    if found != CAPSTONE:
        return f"this {_python()} has capstone {found}, wanted is {CAPSTONE}"
    return ""


def _forget_capstone() -> None:
    for name in [each for each in sys.modules if each.split(".")[0] == "capstone"]:
        del sys.modules[name]


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
