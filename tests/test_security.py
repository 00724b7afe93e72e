"""Nothing that a process or a file says is run, formatted into a debugger's command,
taken for a path, or obeyed by a browser; and files go where they were asked to go.
"""

import ast
import base64
import hashlib
import json
import os
import re
import select
import stat
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple
from xml.etree import ElementTree

import pytest

from conftest import Console
from faulty import CALLS, Faulty, TargetSession, saved
from hostile import harmless
from programs import ROOT
from reports import Document
from sessions import Session
from test_names import named
from thunk_inspect.commands.run import run_command
from thunk_inspect.inspection import inspect
from thunk_inspect.report import files
from thunk_inspect.report.files import write_text
from thunk_inspect.target import ThunkError

PLUGIN = ROOT / "plugin"
pytestmark = pytest.mark.xdist_group("sweep")
Place = Tuple[str, int, ast.Call]


def calls(*names: str, under: str = "") -> Iterator[Place]:
    """Calls of functions or methods with these names, in the plugin's sources."""
    for path in sorted((PLUGIN / under).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                name = called.id if isinstance(called, ast.Name) else name
                if name in names:
                    yield str(path.relative_to(PLUGIN)), node.lineno, node


# What debuggers are told.

DEBUGGERS_RUN = (
    "said",
    "execute",
    "parse_and_eval",
    "HandleCommand",
    "EvaluateExpression",
    "HandleCompletion",
)
OURS = {
    ("gdb/session.py", "name"): "an expression's word, as the user typed it",
    ("gdb/target.py", "name"): "a linkage name: a constant of the core",
    ("gdb/target.py", "arch.pc"): "a register's name: a constant of the core",
    ("gdb/runner.py", "name"): "a linkage name: a constant of the core",
    ("gdb/asking.py", "name"): "a register's name, or a linkage name",
    ("gdb/asking.py", "command"): "what `said` is given",
    ("gdb/runner.py", "condition"): "the condition of the user's own break point",
    ("lldb/commands.py", "add"): "a constant",
    ("lldb/registers.py", "ask"): "a constant, and a thread's number",
    ("lldb/commands.py", "last"): "the names of our commands",
    ("lldb/commands.py", "line"): "the user's own line, to be completed",
}
"""Text that is given to a debugger and comes from no process, by file and name."""


def words_in(argument: ast.expr) -> Iterator[str]:
    """Names of what is put into a text, addresses as hexadecimal numbers left out."""
    if isinstance(argument, ast.JoinedStr):
        for part in argument.values:
            if isinstance(part, ast.FormattedValue):
                spec = ast.unparse(part.format_spec) if part.format_spec else ""
                if "#x" not in spec:
                    yield ast.unparse(part.value)
    elif not isinstance(argument, ast.Constant):
        yield ast.unparse(argument)


def test_debuggers_are_told_nothing_of_the_process() -> None:
    found = [*calls(*DEBUGGERS_RUN, under="gdb"), *calls(*DEBUGGERS_RUN, under="lldb")]
    assert len(found) >= 8
    for path, line, call in found:
        for word in words_in(call.args[0]):
            assert (path, word) in OURS, f"{path}:{line}: {word} goes to the debugger"


def test_nothing_of_the_process_is_run() -> None:
    """exec loads the plugin's own file; a Local calls the one function of the C library
    that reads; programs are started for `run` and `setup` alone, never by a shell."""
    assert {path for path, _, _ in calls("exec")} <= {
        "gdb/thunk_inspect_gdb.py",
        "lldb/thunk_inspect_lldb.py",
    }
    forbidden = ("eval", "system", "popen", "__import__", "loads_pickle", "Unpickler")
    assert [*calls(*forbidden)] == []
    started = [*calls("Popen", "run_program", "check_output", "check_call")]
    assert started
    for path, line, call in started:
        assert path.startswith(("session/", "install/")), f"{path}:{line}"
        assert "shell" not in {keyword.arg for keyword in call.keywords}
    for source in PLUGIN.rglob("*.py"):
        assert not re.search(r"^\s*(import|from) (pickle|marshal)", source.read_text())


# A process full of names.

NAMES = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "$(touch made)`touch made`;touch made",
    "../../../made",
    "%s%n{0}{{7*7}}{%raw%}",
    "[red]x[/red][link=file:///]",
    "]]>&lt;!--</style></title>",
)


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return saved(CALLS[0], tmp_path_factory)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: List[Tuple[str, Dict[str, Optional[str]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Optional[str]]]) -> None:
        self.seen.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


def policy_of(page: str) -> Set[str]:
    [policy] = [
        attrs["content"] or ""
        for tag, attrs in Tags(page).seen
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    return {part.strip() for part in policy.split(";")}


@pytest.mark.parametrize("name", NAMES)
def test_names_in_files(document: Document, tmp_path: Path, name: str) -> None:
    """Each document shows the name as text, and nothing else is made of it."""
    report = inspect(Faulty(document))
    target = named(document, report, name)
    places = {kind: tmp_path / kind for kind in ("html", "junit", "markdown", "saved")}
    words = " ".join(f"--{kind} {places[kind]}" for kind in list(places)[:3])
    before, home = set(os.listdir(tmp_path)), os.getcwd()
    os.chdir(tmp_path)
    try:
        text = run_command("thunk-inspect", f"--all {words}", TargetSession(target))
        run_command("thunk-snapshot", str(places["saved"]), TargetSession(target))
    finally:
        os.chdir(home)
    assert set(os.listdir(tmp_path)) - before == set(places)
    assert name in text
    page = places["html"].read_text()
    plain = run_page(document)
    assert {tag for tag, _ in Tags(page).seen} == {tag for tag, _ in Tags(plain).seen}
    assert harmless(page) and "<script" not in page and "<img" not in page
    ElementTree.fromstring(places["junit"].read_text())
    json.loads(places["saved"].read_text())


def run_page(document: Document) -> str:
    from thunk_inspect.report import html

    return html.render(inspect(Faulty(document)))


def test_a_page_may_load_and_run_nothing(document: Document) -> None:
    """By its policy, and because there is nothing in it that would."""
    page = run_page(document)
    style = page[page.index("<style>") + 7 : page.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy_of(page) == {
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    }
    for tag, attrs in Tags(page).seen:
        assert tag not in (
            "script",
            "iframe",
            "object",
            "embed",
            "link",
            "base",
            "form",
        )
        for attribute, value in attrs.items():
            assert not attribute.startswith("on") and attribute != "style"
            if attribute in ("href", "src", "xlink:href", "action"):
                assert (value or "").startswith("#"), (tag, attribute, value)
    assert "url(" not in style and "@import" not in style


# Files.


def test_a_planted_link_is_replaced(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("theirs")
    for target in (other, tmp_path / "nowhere"):
        link = tmp_path / "report"
        link.symlink_to(target)
        write_text(str(link), "ours")
        assert not link.is_symlink() and link.read_text() == "ours"
        link.unlink()
    assert other.read_text() == "theirs" and not (tmp_path / "nowhere").exists()
    assert sorted(os.listdir(tmp_path)) == ["other"]


def test_a_hard_link_is_not_written_through(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "report"
    other.write_text("theirs")
    os.link(other, link)
    write_text(str(link), "ours")
    assert other.read_text() == "theirs" and link.read_text() == "ours"


@pytest.mark.parametrize("linked", (False, True))
def test_a_pipe_of_another_user_is_not_fed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    """Such a pipe would hand over the report, or hold us for ever."""
    pipe = place = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        place = tmp_path / "link"
        place.symlink_to(pipe)
    if os.geteuid() == 0:
        os.lchown(place, 65534, 65534)
    else:
        monkeypatch.setattr(files, "_user", lambda: os.geteuid() + 1)
    write_text(str(place), "ours")
    assert place.read_text() == "ours" and stat.S_ISREG(place.lstat().st_mode)
    assert not linked or stat.S_ISFIFO(pipe.stat().st_mode)


def test_the_users_own_pipe_is_fed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(str(pipe), "ours")
        assert os.read(reader, 100) == b"ours"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_pipe_that_is_read_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call of the system's is waited in: ^C would be heeded after it only."""
    pipe, text = tmp_path / "pipe", "ours" * (1 << 15)
    os.mkfifo(pipe)
    readers: List[int] = []
    seen: List[bytes] = []

    def opens(seconds: float) -> None:
        readers.append(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))

    def reads(*ready: object) -> None:
        seen.append(os.read(readers[0], 1 << 17))

    monkeypatch.setattr(time, "sleep", opens)
    monkeypatch.setattr(select, "select", reads)
    write_text(str(pipe), text)
    reads()
    os.close(readers[0])
    assert b"".join(seen).decode() == text and len(seen) > 1


def test_a_file_is_whole_or_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report"
    path.write_text("before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ThunkError, match="No space left"):
        write_text(str(path), "x" * 100_000)
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["report"]


@pytest.mark.parametrize("name", ("", "a\0b", "folder", "nowhere/x", "x" * 5000))
def test_names_that_no_file_has(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ThunkError) as error:
        write_text(f"{tmp_path}/{name}", "ours")
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["folder"]


def test_only_files_py_writes() -> None:
    """Whatever is written for a user goes one way. `setup` has its own, which keeps a
    link in the user's home; `session` writes in a folder of its own alone.
    """
    writers = {path for path, _, _ in calls("write_text", "write_bytes", "mkstemp")}
    ours = {"report/files.py", "report/written.py", "snapshot.py", "commands/trace.py"}
    others = {p for p in writers if not p.startswith(("session/", "install/"))}
    assert others <= ours | {"setup.py"}
    opened = [
        (path, line)
        for path, line, call in calls("open", "fdopen")
        for mode in call.args[1:2]
        if isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+")
    ]
    own = {"report/files.py", "setup.py", "install/files.py"}
    assert {path for path, _ in opened} <= own


def test_an_error_names_nothing_that_commands(console: Console, tmp_path: Path) -> None:
    """A file's name is as untrusted as what is in it."""
    path = tmp_path / "\x1b[31m\u202ered\x9b"
    for words in ((path,), (path, "--html", path)):
        answer = console("replay", *words)
        assert answer.returncode == 2
        assert harmless(answer.stderr) and answer.stderr.count("\n") == 1


@pytest.mark.parametrize("encoding", ("ascii", "latin-1", "cp1252", "utf-8"))
@pytest.mark.parametrize("kind", ("html", "markdown", "junit"))
def test_documents_on_any_terminal(
    document: Document,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    encoding: str,
) -> None:
    """They say that they are UTF-8, and are."""
    import io
    import sys

    from thunk_inspect.cli import main

    path = tmp_path / "saved"
    path.write_text(json.dumps(document))
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    assert main(["replay", str(path), f"--{kind}", "-"]) == 0
    assert "add" in raw.getvalue().decode("utf-8")


@pytest.mark.parametrize("locale", ("C", "C.UTF-8"))
def test_gdbs_own_backtrace_obeys_no_string(gdb: Session, locale: str) -> None:
    """gdb prints an argument's text by itself: it must get nothing that commands."""
    gdb.load("sysv", "none", "3", env={"LC_ALL": locale})
    for place in ("header", "interpreter"):
        report = gdb.go_on_to(place)
    layout = int(report["layout"]["address"], 16)
    function = int(report["layout"]["function"]["address"], 16)
    free = layout - 0x8000 & ~0xFFF
    text = "\u202e\x1b[31m\x9b\u540d"
    library = f"*(long*)(*(long*)({function} + 8) + 8)"
    words = (0, free + 0x100, free + 0x200, len(text))
    stores = [f"set *(long*)({free + 8 * n}) = {w}" for n, w in enumerate(words)]
    stores += [
        f"set *(long*)({free + 0x100}) = 7",
        f"set *(long*)({free + 0x108}) = {library}",
        f"set *(long*)({layout + 24}) = {free}",
        *(
            f"set *(short*)({free + 0x200 + 2 * n}) = {ord(c)}"
            for n, c in enumerate(text)
        ),
    ]
    for n, unit in enumerate(text):
        stores.append(f"set *(short*)({free + 0x200 + 2 * n}) = {ord(unit)}")
    for command in stores:
        assert not gdb.run(command).error, command
    assert gdb.json()["layout"]["args"][1]["text"].startswith('"')
    for command in ("bt -frame-arguments all", "thunk-bt", "thunk-layout"):
        answer = gdb.run(command)
        assert not answer.error and harmless(answer.output), (command, answer.text)
        assert "[31m" in answer.output, (command, answer.output)
