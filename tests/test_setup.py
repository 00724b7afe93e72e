"""`thunk-inspect setup`, and what a machine without the debuggers is told."""

import subprocess
from pathlib import Path

import pytest

from conftest import Console
from debuggers import Gdb, Lldb
from programs import DEADLINE, ENVIRONMENT, PACKAGES, SessionError, need

LINES = {
    ".gdbinit": f"source {Gdb.plugin}",
    ".lldbinit": f"command script import {Lldb.plugin}",
}


def help_in(debugger: str, home: Path) -> str:
    """What a debugger that reads its init file from this home says of our command."""
    command = {
        "gdb": [need("gdb"), "-q", "-batch", "-ex", "help thunk-inspect"],
        "lldb": [need("lldb-19"), "--batch", "-o", "help thunk-inspect"],
    }[debugger]
    done = subprocess.run(
        command,
        env={**ENVIRONMENT, "HOME": str(home)},
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.stdout


def test_it_prints_both_lines(console: Console) -> None:
    answer = console("setup")
    assert answer.returncode == 0
    assert answer.stdout.splitlines() == [f"{name}: {LINES[name]}" for name in LINES]


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_it_writes_one_line_that_works(
    console: Console, tmp_path: Path, debugger: str
) -> None:
    file = tmp_path / f".{debugger}init"
    file.write_text("# mine\n")
    for _ in range(2):
        answer = console("setup", f"--{debugger}", "--write", home=tmp_path)
        assert answer.returncode == 0 and not answer.stderr
    assert file.read_text() == f"# mine\n{LINES[file.name]}\n"
    assert "Usage: thunk-inspect" in help_in(debugger, tmp_path)
    inits = {path.name for path in tmp_path.iterdir() if path.name.endswith("init")}
    assert inits == {file.name}, "the other debugger's file is left alone"


@pytest.mark.parametrize("before", ["", "# mine\n", "# mine", "\n\n", "# mine\r\n"])
def test_taking_the_line_away_restores_the_file(
    console: Console, tmp_path: Path, before: str
) -> None:
    file = tmp_path / ".gdbinit"
    file.write_bytes(before.encode())
    for option in ("--write", "--remove"):
        assert console("setup", "--gdb", option, home=tmp_path).returncode == 0
    assert file.read_bytes() == before.encode()


def test_a_linked_file_stays_a_link(console: Console, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles"
    real.write_text("# mine\n")
    link = tmp_path / ".gdbinit"
    link.symlink_to(real)
    assert console("setup", "--gdb", "--write", home=tmp_path).returncode == 0
    assert link.is_symlink() and LINES[".gdbinit"] in real.read_text()


def test_a_home_that_cannot_be_written(console: Console, tmp_path: Path) -> None:
    home = tmp_path / "missing"
    answer = console("setup", "--gdb", "--write", home=home)
    assert answer.returncode == 2
    assert len(answer.stderr.strip().splitlines()) == 1


def packages() -> "list[list[str]]":
    lines = PACKAGES.read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("package, program", packages())
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str, program: str
) -> None:
    """Every program that a session needs is somewhere in the list of packages."""
    if program.startswith("/"):
        assert Path(program).exists(), f"apt-get install {package}"
        return
    assert need(program)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(SessionError, match=f"{program} is missing: .* {package}"):
        need(program)


def test_what_is_not_built_is_named(tmp_path: Path) -> None:
    with pytest.raises(SessionError, match="make install"):
        need(tmp_path / "chakra_like")
