"""thunk-inspect as its users get it: built from the checkout, the wheel from the sdist,
and installed to a fresh virtual environment, whose path is an awkward one."""

import configparser
import functools
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Iterator, List, NamedTuple, Set

import pytest

from programs import DEADLINE, ENVIRONMENT, ROOT, fixture, need
from thunk_inspect import dependencies

pytestmark = pytest.mark.xdist_group("install")

PLUGIN = ROOT / "plugin"
SOURCES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
DOCUMENTS = {"docs/formats.md", "docs/ci.md", "README.md", "LICENSE"}


class Installed(NamedTuple):
    sdist: Path
    wheel: Path
    python: Path
    console: Path


def run(
    *command: object, home: str = "/proc/nobody"
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*map(str, command)],
        env={**ENVIRONMENT, "HOME": home},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def do(*command: object) -> None:
    """What has to fetch packages: with the environment that says where from."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert not done.returncode, done.stdout + done.stderr


def plugin_files() -> Set[str]:
    """Everything that the package consists of."""
    paths = (path for path in PLUGIN.rglob("*") if path.is_file())
    return {str(path.relative_to(PLUGIN)) for path in paths if path.suffix != ".pyc"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("install")
    # A copy: a build leaves folders where it is made.
    source, made = folder / "source", folder / "made"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("plugin", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    # The wheel is made from the sdist, not from the folder.
    do(sys.executable, "-m", "build", "--outdir", made, source)
    (wheel,), (sdist,) = made.glob("*.whl"), made.glob("*.tar.gz")
    place = folder / "user's own"
    do("/usr/bin/python3", "-m", "venv", "--without-pip", place)
    pip = (sys.executable, "-m", "pip", "--python", place)
    do(*pip, "install", "--quiet", wheel)
    shutil.rmtree(source)
    python = place / "bin" / "python"
    return Installed(sdist, wheel, python, place / "bin" / "thunk-inspect")


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_the_wheel_has_every_file(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = wheel.namelist()
    package = "thunk_inspect/"
    found = {name[len(package) :] for name in names if name.startswith(package)}
    assert found == plugin_files()
    assert {"py.typed", "schemas/snapshot.schema.json"} <= found


def test_the_sdist_has_every_file(installed: Installed) -> None:
    with tarfile.open(installed.sdist) as sdist:
        found = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"plugin/{name}" for name in plugin_files()} <= found
    assert found >= DOCUMENTS


SESSIONS = {
    "gdb": [
        *("-batch", "-ex", "break amd64_CallFunction", "-ex", "run"),
        *("-ex", "tbreak Js::InterpreterStackFrame::InterpreterThunk", "-ex"),
        *("continue", "-ex", "thunk-inspect", "-ex", "python import thunk_inspect"),
        *("-ex", "python print(thunk_inspect.__file__)", "--args"),
    ],
    "lldb-19": [
        *("--batch", "-o", "breakpoint set --name amd64_CallFunction", "-o", "run"),
        *("-o", "breakpoint set --name Js::InterpreterStackFrame::InterpreterThunk"),
        *("-o", "continue", "-o", "thunk-inspect"),
        *("-o", "script import thunk_inspect; print(thunk_inspect.__file__)"),
        *("-o", "process kill", "--"),
    ],
}


@pytest.mark.parametrize("debugger", SESSIONS)
def test_a_session_with_the_users_init_file(
    installed: Installed, home: Path, debugger: str
) -> None:
    kind = debugger.partition("-")[0]
    init = home / f".{kind}init"
    init.write_bytes(b"# mine\r\n")
    setup = (installed.console, "setup", f"--{kind}")
    assert not run(*setup, "--write", home=str(home)).returncode
    program = (fixture("x86_64"), "sysv", "none", "3")
    said = run(need(debugger), *SESSIONS[debugger], *program, home=str(home))
    assert "\nSOUND" in said.stdout, said.stdout + said.stderr
    package = str(installed.python.parent.parent / "lib")
    assert f"\n{package}" in said.stdout, "the plugin is the installed one"
    assert not run(*setup, "--remove", home=str(home)).returncode
    assert init.read_bytes() == b"# mine\r\n"
    assert [path for path in home.iterdir() if "init" in path.name] == [init]


def test_it_judges_and_draws_without_the_checkout(
    installed: Installed, saved_text: str, tmp_path: Path
) -> None:
    file, page = tmp_path / "it.json", tmp_path / "page.html"
    file.write_text(saved_text)
    for start in ([installed.console], [installed.python, "-m", "thunk_inspect"]):
        said = run(*start, "replay", file, "--html", page)
        assert said.returncode == 0 and said.stdout.startswith("SOUND"), said.stderr
        assert "<style>" in page.read_text()
        page.unlink()


def test_it_runs_a_program(installed: Installed, tmp_path: Path) -> None:
    command = (installed.console, "run", "--json", tmp_path / "report.json")
    said = run(*command, fixture("x86_64"), "sysv", "none", "3")
    assert said.returncode == 0, said.stderr
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "sound"


def test_its_doctor_finds_all(installed: Installed, home: Path) -> None:
    said = run(installed.console, "doctor", "gdb", "lldb-19", home=str(home))
    assert said.returncode == 0, said.stdout
    assert all(line.startswith(("✓", " ")) for line in said.stdout.splitlines())
    assert said.stdout.count("✓") == 3


CONSUMER = """
from typing import Optional

import thunk_inspect as api


class Wrapped(api.SnapshotTarget):
    reads = 0

    def read(self, address: int, size: int) -> bytes:
        self.reads += 1
        return super().read(address, size)


def failing(target: api.Target) -> "list[str]":
    report: api.Report = api.inspect(target)
    checks: list[api.Check] = [c for c in report.claims if c.verdict == "fail"]
    layout: Optional[api.Layout] = report.layout
    if layout is not None and layout.call_info is not None:
        count: int = layout.call_info.count
        print(count, [value.text for value in layout.args])
    return [check.id for check in checks]


def main(path: str) -> None:
    try:
        print(failing(api.load_snapshot(path)))
    except (api.SnapshotError, api.NotFound) as error:
        print(error)
"""
WRONG = """
import thunk_inspect
from thunk_inspect import inspect, load_snapshot

load_snapshot(7)
inspect("hang.json")
thunk_inspect.nothing
inspect(load_snapshot("hang.json")).verdikt
"""


def mypy(installed: Installed, folder: Path, text: str) -> List[str]:
    """Its errors in a program that uses the installed package."""
    (folder / "consumer.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
        + ["--python-executable", str(installed.python)]
        + ["--config-file=", "consumer.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    return (done.stdout + done.stderr).splitlines()


def test_its_types_are_for_others_too(installed: Installed, tmp_path: Path) -> None:
    assert mypy(installed, tmp_path, CONSUMER) == []
    wrong = mypy(installed, tmp_path, WRONG)
    codes = [line.rpartition("[")[2].rstrip("]") for line in wrong]
    assert codes == ["arg-type", "arg-type", "attr-defined", "attr-defined"], wrong


@functools.cache
def config() -> configparser.ConfigParser:
    parsed = configparser.ConfigParser()
    parsed.read(ROOT / "setup.cfg")
    return parsed


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent.relative_to(PLUGIN) for path in PLUGIN.rglob("*.py")}
    names = {".".join(("thunk_inspect", *folder.parts)) for folder in folders}
    assert set(config()["options"]["packages"].split()) == names


def test_what_is_required_is_what_is_looked_for() -> None:
    lines = config()["options"]["install_requires"].strip().splitlines()
    required = {line.replace(" ", "") for line in lines}
    # Jinja brings its own.
    assert set(dependencies.REQUIREMENTS.values()) - {"markupsafe"} == required
    assert set(dependencies.FOR_RUN) == set(dependencies.REQUIREMENTS)
