"""The documents beside the code: links, pictures, items and titles, rooms, imports.

docs/tutorial.md has a test of its own, and so has docs/ci.md.
"""

import ast
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple
from xml.etree import ElementTree

import pytest

from blocks import RECIPES, Recipe, emit
from made import report_of
from programs import ROOT
from thunk_inspect.arch import ARCHES, Convention
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.checklist import mends
from thunk_inspect.checklist.assess import fitting
from thunk_inspect.checklist.diagnoses import TITLES
from thunk_inspect.commands import HELP

PLUGIN = ROOT / "plugin"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
CHECKLIST = (ROOT / "docs" / "checklist.md").read_text()


# --- Links ------------------------------------------------------------------------

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:docs|plugin|tests|tools|fixtures|benchmarks)/[\w./-]+)`")


def anchors(document: Path) -> Set[str]:
    """The names that headings of a page can be reached by, as sites make them."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def broken(document: Path) -> Iterator[str]:
    text = document.read_text()
    for link in LINK.findall(text):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.parent / name).resolve() if name else document
        there = target.is_relative_to(ROOT) and target.exists()
        if name and not there or anchor and anchor not in anchors(target):
            yield link
    yield from (path for path in PATH.findall(text) if not (ROOT / path).exists())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_path_leads_somewhere(document: Path) -> None:
    assert not list(broken(document))


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](none.md) [b](#none) [c](https://example.com) `tools/none`\n")
    assert list(broken(page)) == ["none.md", "#none", "tools/none"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"`(thunk-[a-z]+)", document.read_text()))
    known = {help.name for help in HELP} | {"thunk-inspect"}
    assert named - {"thunk-report", "thunk-snapshot"} <= known


def test_the_readme_leads_to_every_document() -> None:
    text = (ROOT / "README.md").read_text()
    for document in DOCUMENTS:
        path = document.relative_to(ROOT)
        assert str(path) in text or path.name == "README.md", path


# --- Pictures -----------------------------------------------------------------------

spec = importlib.util.spec_from_file_location(
    "screenshots", ROOT / "tools" / "screenshots.py"
)
assert spec and spec.loader
screenshots = importlib.util.module_from_spec(spec)
spec.loader.exec_module(screenshots)
SVG = "{http://www.w3.org/2000/svg}"


def lines_of(picture: Path) -> List[str]:
    """The terminal's lines in a picture; what differs from run to run is masked."""
    lines: Dict[str, str] = {}
    for text in ElementTree.parse(picture).iter(f"{SVG}text"):
        line = text.get("clip-path")
        if line:
            lines[line] = lines.get(line, "") + (text.text or "")
    plain = [line.replace("\xa0", " ").rstrip() for line in lines.values()]
    # When events are put into words depends on the clock; their summary does not.
    summary = [n for n, line in enumerate(plain) if re.match(r"trace +\d", line)]
    plain = plain[summary[0] :] if summary else plain
    return [re.sub(r"\b0x[0-9a-f]+|\b[0-9a-f]{8}\b", "#", line) for line in plain]


@pytest.mark.parametrize("picture", screenshots.PICTURES, ids=lambda one: one.name)
def test_a_picture_is_what_gdb_shows(picture: Any, tmp_path: Path) -> None:
    """Where it is not: .venv/bin/python tools/screenshots.py"""
    drawn = tmp_path / "now.svg"
    said = screenshots.answer(picture, tmp_path)
    drawn.write_text(screenshots.draw(picture, said))
    kept = ROOT / "docs" / "images" / f"{picture.name}.svg"
    assert lines_of(drawn) == lines_of(kept)
    assert len(lines_of(drawn)) > 5


def test_pictures_load_nothing() -> None:
    for picture in (ROOT / "docs" / "images").iterdir():
        assert not re.search(r"url\((?!#)|@import|<script|href=", picture.read_text())


# --- The checklist ----------------------------------------------------------------


def sections_of(page: str) -> Dict[str, str]:
    """What stands under each `### ` heading, with the heading, by its first words."""
    parts = re.split(r"^#{2,3} ", page, flags=re.MULTILINE)[1:]
    return {
        found[1]: part
        for part in parts
        for found in [re.match(r"(Issue \d|[A-G]\d)\b", part)]
        if found
    }


def titles_in(part: str) -> List[str]:
    heading = part.splitlines()[0].split(" ", 1)[1]
    also = re.search(r"^Also: (.*?)\.$", part, re.MULTILINE | re.DOTALL)
    more = re.findall(r"`([^`]*)`", also[1]) if also else []
    return [" ".join(title.split()) for title in (heading, *more)]


MADE = [
    ("aarch64", "homing"),
    ("aarch64", "caller-stack"),
    ("x86_64", "sysv"),
    ("x86_64", "windows"),
]
"""Together they have every title that an item can have."""


def titles_of_the_code() -> Dict[str, Set[str]]:
    found: Dict[str, Set[str]] = {}
    for arch, convention in MADE:
        for check in report_of(arch, convention, "none").checklist:
            found.setdefault(check.id, set()).add(check.title)
    return found


def test_the_checklist_has_every_item_with_its_titles() -> None:
    items = {
        name: set(titles_in(part))
        for name, part in sections_of(CHECKLIST).items()
        if not name.startswith("Issue")
    }
    assert items == titles_of_the_code()


def test_every_item_says_how_it_is_decided_and_what_to_do() -> None:
    for name, part in sections_of(CHECKLIST).items():
        if not name.startswith("Issue"):
            assert "- Decided by: " in part and "- Do: " in part, name


def test_the_checklist_has_the_six_diagnoses() -> None:
    found = dict(re.findall(r"^### Issue (\d): (.*)$", CHECKLIST, re.MULTILINE))
    assert found == {str(number): title for number, title in TITLES.items()}


# --- Rooms and imports --------------------------------------------------------------

ROW = re.compile(r"^\| `plugin/(\w+)` \|[^|]*\| ([^|]*)\|$", re.MULTILINE)
ROOMS = {room: allowed.strip() for room, allowed in ROW.findall(ARCHITECTURE)}
DEBUGGERS = {"gdb", "lldb"}
READERS = {"build.py", "stack.py", "layout.py"}
"""Of plugin/report: what makes a Report, and so reads the process."""


def test_every_room_is_on_the_page() -> None:
    folders = {path.parent.name for path in PLUGIN.glob("*/*.*")}
    assert set(ROOMS) == folders - {"__pycache__"}


def imports(path: Path) -> Iterator[Tuple[str, str]]:
    """(module, name) of each import; modules of ours as `.room.module`."""
    package = ("", *path.relative_to(PLUGIN).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def room_of(module: str, name: str) -> Optional[str]:
    """The room of ours that an import leads to; None for a file beside the rooms."""
    if module.startswith("thunk_inspect"):
        module = module[len("thunk_inspect") :]
    if module and not module.startswith("."):
        return None
    first = module.split(".")[1] if module else name
    return first if first in ROOMS else None


FILES = sorted(path for path in PLUGIN.rglob("*.py"))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_the_rooms_of_its_row(room: str) -> None:
    if ROOMS[room] == "any":
        return
    allowed = {room} | set(re.findall(r"\w+", ROOMS[room])) - {"nothing"}
    files = [path for path in FILES if path.relative_to(PLUGIN).parts[0] == room]
    taken = {room_of(*found) for path in files for found in imports(path)} - {None}
    assert taken <= allowed
    assert allowed - {room} <= taken, "the row names a room that is not imported"


def test_only_an_adapter_imports_its_debugger() -> None:
    wrong = [
        (str(path), module)
        for path in FILES
        for module, _ in imports(path)
        if module.split(".")[0] in DEBUGGERS - {path.relative_to(PLUGIN).parts[0]}
    ]
    assert wrong == []


def test_what_renders_reads_no_process() -> None:
    wrong = [
        (str(path), name)
        for path in sorted((PLUGIN / "report").rglob("*.py"))
        for _, name in imports(path)
        if name in ("Memory", "Target") and path.name not in READERS
    ]
    assert wrong == []


def test_the_proof_knows_of_the_engine_a_blocks_shape_only() -> None:
    taken = {
        module
        for path in (PLUGIN / "proof").glob("*.py")
        for module, _ in imports(path)
        if module.startswith((".chakra", ".target", ".checklist", ".report"))
    }
    assert taken == {".chakra.thunk"}


# --- What the page says of a new convention -----------------------------------------

SIX = Convention(
    name="arm64-six",
    title="first six in x0-x5, the rest at [sp]",
    arguments=tuple(f"x{n}" for n in range(6)),
    stack_arguments=0,
    caller_stores=None,
    callee_saved=ARCHES["aarch64"].conventions[0].callee_saved,
    callee_saved_vectors=ARCHES["aarch64"].conventions[0].callee_saved_vectors,
    shadow=0,
    red_zone=0,
    anchored=True,
)


def test_a_convention_is_a_value_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arm = ARCHES["aarch64"]
    monkeypatch.setitem(
        ARCHES, "aarch64", replace(arm, conventions=(*arm.conventions, SIX))
    )
    eight = RECIPES["arm64-windows"]
    lines = [line.replace("#-80", "#-64") for line in eight.header if "x7" not in line]
    epilogue = tuple(line.replace("#80", "#64") for line in eight.epilogue)

    def judged(recipe: Recipe) -> "Tuple[str, Set[str], bool]":
        code = emit(recipe, 0x10000000, 0x400000, (40, 8, 112))
        thunk = parse(code, 0x10000000, ARCHES["aarch64"])
        assert thunk
        facts = fitting("linux", thunk)
        failed = {name for name, one in facts.claims.items() if one.holds is False}
        mend = mends.layout_offset(facts) or mends.restore(facts)
        return facts.convention.name, failed, bool(mend and mend.proved)

    six = replace(eight, convention=SIX.name, header=tuple(lines), epilogue=epilogue)
    assert judged(six) == (SIX.name, set(), False)
    shifted = [line.replace("x0,sp,#16", "x0,sp,#32") for line in lines]
    wrong = judged(replace(six, header=tuple(shifted)))
    assert wrong == (SIX.name, {"R2", "R3", "R4", "R11"}, True)
    unsaved = replace(six, header=("sub sp,sp,#64", *lines[1:]))
    assert judged(unsaved) == (SIX.name, {"R9"}, False)
    assert judged(eight)[:2] == ("arm64-registers", set())
