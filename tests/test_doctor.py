"""`thunk-inspect doctor`, and the packages that a debugger's Python has or lacks."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable, Dict, Union

import pytest

from debuggers import DRIVERS, Gdb
from programs import DEADLINE, ENVIRONMENT, ROOT, fixture, need, wait_until
from thunk_inspect import dependencies
from thunk_inspect.install import debugger
from thunk_inspect.install import doctor as doctoring
from thunk_inspect.install.wiring import GDB

SITE = Path(dependencies.__file__).parent.parent / ".venv" / "lib"
REAL = {"gdb": need("gdb"), "lldb-19": need("lldb-19")}
Program = Callable[[str, str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes programs, in a folder that can be a PATH."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def make(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def doctor(
    *words: str, plugin: Path = ROOT / "plugin", **env: str
) -> "subprocess.CompletedProcess[str]":
    done = run(sys.executable, plugin, "doctor", *words, **env)
    assert not done.stderr, done.stderr
    return done


def run(*command: Union[str, Path], **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        env={**ENVIRONMENT, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def marks(said: str) -> Dict[str, str]:
    """What begins each line, by the word behind it."""
    lines = [line.split() for line in said.splitlines() if not line.startswith(" ")]
    return {words[1]: words[0] for words in lines}


def whole(said: str) -> str:
    """Without the ends of lines, which may stand anywhere."""
    return " ".join(said.split())


def copy_of_the_plugin(folder: Path) -> Path:
    """With packages of its own beside it, as in a site-packages; returns that."""
    (site,) = SITE.glob("python3*/site-packages")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "plugin", folder / "thunk_inspect", ignore=ignored)
    shutil.copytree(site / "capstone", folder / "capstone", ignore=ignored)
    (folder / "rich").symlink_to(site / "rich")
    return folder


def test_all_is_well_here() -> None:
    """Every debugger on PATH, started for real."""
    done = doctor()
    assert done.returncode == 0, done.stdout
    found = marks(done.stdout)
    good = {"Python", "gdb", "gdb-multiarch", "lldb-19", "qemu-aarch64"}
    assert {found[name] for name in good} == {"✓"}
    assert found["aarch64-linux-gnu-gcc"] == "✓"
    assert f"mend: {sys.executable} {ROOT / 'plugin'} setup --gdb" in done.stdout
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if "mend: " not in line) < 80
    for line, following in zip(lines, lines[1:]):
        if line.startswith(("✓ gdb", "✓ lldb")):
            assert "the plugin loads; Python 3." in line
            assert re.fullmatch(r" +capstone 5\S+, rich \S+", following)


def test_the_mend_is_a_line_that_can_be_typed(tmp_path: Path) -> None:
    """From where it was started, if it is not on PATH."""
    installed = Path(sys.executable).with_name("thunk-inspect")
    for path, typed in ((tmp_path, installed), (installed.parent, "thunk-inspect")):
        tools = f"{path}:/usr/bin:/bin"
        said = run(installed, "doctor", PATH=tools, HOME=str(tmp_path)).stdout
        assert f"mend: {typed} setup --gdb --write" in said


def test_the_mend_is_typed_as_this_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/opt/python3")
    monkeypatch.setattr(sys, "argv", ["a b/plugin"])
    assert doctoring.command() == "/opt/python3 'a b/plugin'"
    here = tmp_path / "python3"
    here.touch(0o755)
    monkeypatch.setattr(sys, "executable", str(here))
    assert doctoring.command() == "python3 'a b/plugin'"
    monkeypatch.setattr(sys.modules["__main__"], "__package__", "thunk_inspect")
    assert doctoring.command() == "python3 -m thunk_inspect"
    # Another one that is on PATH is not this one.
    (tmp_path / "thunk-inspect").touch(0o755)
    monkeypatch.setattr(sys, "argv", [".venv/bin/thunk-inspect"])
    assert doctoring.command() == ".venv/bin/thunk-inspect"
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "thunk-inspect")])
    assert doctoring.command() == "thunk-inspect"


@pytest.mark.parametrize("name", DRIVERS)
def test_versions_are_those_of_the_debugger(name: str) -> None:
    path = need(getattr(DRIVERS[name], "program", "gdb"))
    seen = debugger.look(name, path)
    said = subprocess.run([path, "--version"], capture_output=True, text=True)
    assert seen.version and seen.version in said.stdout.splitlines()[0]
    assert not seen.problem and set(seen.packages) == {"capstone", "rich"}


def test_only_those_that_are_named() -> None:
    done = doctor("gdb", "nosuch", REAL["gdb"])
    assert done.returncode == 2
    assert marks(done.stdout) == {
        "Python": "✓",
        "gdb": "✓",
        "nosuch": "✗",
        REAL["gdb"]: "✓",
    }


def test_in_ascii_where_the_terminal_has_no_more() -> None:
    done = doctor("gdb", "nosuch", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert marks(done.stdout) == {"Python": "ok", "gdb": "ok", "nosuch": "NO"}
    assert doctor("--help", PYTHONIOENCODING="ascii").returncode == 0


def test_a_machine_with_nothing(tmp_path: Path) -> None:
    done = doctor(PATH=str(tmp_path), HOME=str(tmp_path))
    assert done.returncode == 2
    found = marks(done.stdout)
    assert found["gdb"] == found["lldb"] == "✗"
    assert found["qemu-aarch64"] == found["aarch64-linux-gnu-gcc"] == "–"
    for package in ("gdb", "lldb-19", "qemu-user", "gcc-aarch64-linux-gnu"):
        assert f"mend: apt-get install {package}" in done.stdout


def test_one_debugger_is_enough(program: Program) -> None:
    path = program("gdb", f'exec {REAL["gdb"]} "$@"')
    done = doctor(PATH=str(path.parent))
    assert done.returncode == 0
    assert marks(done.stdout)["lldb"] == "–"


def test_each_program_is_looked_at_once(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("lldb-9", "lldb-14", "gdb", "gdb-multiarch", "aarch64-none-linux-gnu-gdb")
    folder = [program(name, "exit 1") for name in names][0].parent
    (folder / "lldb").symlink_to("lldb-14")
    for other in ("gdbserver", "gdb-add-index", "lldb-server-19", "lldb-dap"):
        program(other, "exit 1")
    program("lldb-15", "").chmod(0o644)
    monkeypatch.setenv("PATH", f"{folder}:/nonexistent:{folder}")
    found = debugger.on_path()
    assert set(found) == {*names, "lldb"} - {"lldb-14"}
    assert [name for name in found if "lldb" in name] == ["lldb", "lldb-9"]


NO_PYTHON = {
    "gdb": "Python scripting is not supported in this copy of GDB.",
    "lldb-14": "error: there is no embedded script interpreter in this mode.",
}


@pytest.mark.parametrize("name", NO_PYTHON)
def test_a_debugger_without_python(program: Program, name: str) -> None:
    text = NO_PYTHON[name]
    version = f'[ "$1" = --version ] && echo "{name} version 14.0.6" && exit'
    path = program(name, f"{version}; echo '{text}' >&2; exit 1")
    seen = debugger.look(name, str(path))
    assert seen.version == "14.0.6" and text in seen.problem
    assert ("python3-lldb-14" if "lldb" in name else "with Python") in seen.mend


def test_a_debugger_that_hangs(program: Program, tmp_path: Path) -> None:
    """It and what it started are ended."""
    pid = tmp_path / "pid"
    path = program("gdb", f"tail -f /dev/null & echo $! >{pid}; wait")
    seen = debugger.look("gdb", str(path), 1.0)
    assert seen.problem == "no answer in 1 s"
    status = Path("/proc", pid.read_text().strip(), "stat")
    # Whoever inherits it may yet have to see that it ended.
    assert wait_until(lambda: not status.exists() or ") Z " in status.read_text())


def test_a_python_that_is_too_old(program: Program) -> None:
    old = "python import sys; sys.version_info = (3, 8, 1)"
    path = program("gdb", f"exec {REAL['gdb']} -iex '{old}' \"$@\"")
    seen = debugger.look("gdb", str(path))
    assert seen.problem.startswith("the plugin does not load: ")
    assert "needs Python 3.9, and this is 3.8" in seen.problem


def test_this_python_lacks_a_package(tmp_path: Path) -> None:
    """What says so does without it."""
    plugin = copy_of_the_plugin(tmp_path / "it's here") / "thunk_inspect"
    done = run("/usr/bin/python3", plugin, "doctor", "gdb")
    assert done.returncode == 2
    assert marks(done.stdout) == {"Python": "✗", "gdb": "✓"}
    assert "pygdbmi and cattrs" in whole(done.stdout)
    mend = next(line for line in done.stdout.splitlines() if "mend: " in line)
    assert "pip install --upgrade --target '" in mend and "'jinja2>=3'" in mend
    for words in (["run", "true"], ["replay", "x"]):
        done = run("/usr/bin/python3", plugin, *words)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def in_gdb(plugin: Path, *lines: str, **env: str) -> "subprocess.CompletedProcess[str]":
    words = [word for line in lines for word in ("-ex", line)]
    load = f"source {plugin / 'gdb' / GDB.script.name}"
    return run(REAL["gdb"], "-nx", "-q", "-batch", "-ex", load, *words, **env)


@pytest.mark.parametrize("name", REAL)
def test_a_library_that_does_not_load(tmp_path: Path, name: str) -> None:
    site = copy_of_the_plugin(tmp_path / "site")
    for library in (site / "capstone").rglob("libcapstone*"):
        library.write_bytes(b"of another machine")
    done = doctor(name, plugin=site / "thunk_inspect")
    assert done.returncode == 2 and marks(done.stdout)[name] == "✗"
    problem = "capstone's compiled library does not load in this Python 3"
    assert problem in whole(done.stdout)
    assert f"-m pip install --upgrade --target {site} 'capstone" in done.stdout


def test_what_a_command_says_then(tmp_path: Path) -> None:
    site = copy_of_the_plugin(tmp_path / "site")
    for library in (site / "capstone").rglob("libcapstone*"):
        library.unlink()
    file = f"file {fixture('x86_64')}"
    lines = (file, "break amd64_CallFunction", "run sysv none 3", "thunk-inspect")
    said = in_gdb(site / "thunk_inspect", *lines).stderr.splitlines()
    assert said[-1].startswith("thunk-inspect: capstone's compiled library does not")
    assert not [line for line in said if "Traceback" in line]


@pytest.fixture
def other_capstone(tmp_path: Path) -> Path:
    """A folder with a capstone of another version."""
    package = tmp_path / "other" / "capstone"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("CS_API_MAJOR = 4\n")
    return package.parent


TOLD = "python from thunk_inspect import dependencies; print(dependencies.told())"


def test_a_debuggers_own_capstone_of_another_version(other_capstone: Path) -> None:
    """The one beside us is taken."""
    where = "python import capstone; print(capstone.__file__)"
    env = {"PYTHONPATH": str(other_capstone)}
    assert str(other_capstone) in in_gdb(ROOT / "plugin", where, **env).stdout
    after = in_gdb(ROOT / "plugin", TOLD, where, **env).stdout.splitlines()
    assert '"capstone": "5.' in after[0] and str(ROOT / ".venv") in after[1]


def test_a_capstone_that_another_plugin_loaded(other_capstone: Path) -> None:
    """It cannot be replaced under them."""
    env = {"PYTHONPATH": str(other_capstone)}
    done = in_gdb(ROOT / "plugin", "python import capstone", "thunk-inspect", **env)
    assert "has capstone 4, wanted is 5: another plugin loaded it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_path_is_left_as_it_was() -> None:
    """Where all is there already."""
    before = list(sys.path)
    dependencies.ready(dependencies.FOR_RUN)
    assert sys.path == before


def test_gdb_is_loaded_by_the_line_of_setup() -> None:
    assert GDB.line == Gdb.load
