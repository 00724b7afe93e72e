"""`thunk-inspect setup`, and what a machine without the debuggers is told."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Console
from debuggers import Gdb, Lldb
from programs import (
    DEADLINE,
    ENVIRONMENT,
    PACKAGES,
    ROOT,
    SessionError,
    need,
)
from thunk_inspect.cli import main
from thunk_inspect.install import files, lines
from thunk_inspect.target import ThunkError

LINES = {
    ".gdbinit": f"source {Gdb.plugin}",
    ".lldbinit": f"command script import {Lldb.plugin}",
}
LINE = b"source /x/thunk_inspect_gdb.py"


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


def done(console: Console, home: Path, option: str, debugger: str = "gdb") -> str:
    answer = console("setup", f"--{debugger}", option, home=home)
    assert answer.returncode == 0 and not answer.stderr, answer.stderr
    return answer.stdout


def refused(console: Console, home: Path, option: str = "--write") -> str:
    answer = console("setup", "--gdb", option, home=home)
    assert answer.returncode == 2 and not answer.stdout
    assert len(answer.stderr.strip().splitlines()) == 1
    return answer.stderr


def inits(home: Path) -> "set[str]":
    return {path.name for path in home.iterdir() if "init" in path.name}


def test_it_prints_both_lines(console: Console, tmp_path: Path) -> None:
    answer = console("setup", home=tmp_path)
    assert answer.returncode == 0
    wanted = [f"{tmp_path / name}: {LINES[name]}" for name in LINES]
    assert answer.stdout.splitlines() == wanted
    assert not list(tmp_path.iterdir())
    assert not console("setup", "--gdb", "--write", home=tmp_path).returncode
    wanted[0] += "  (there already)"
    assert console("setup", home=tmp_path).stdout.splitlines() == wanted


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_it_writes_one_line_that_works(
    console: Console, tmp_path: Path, debugger: str, end: str
) -> None:
    file = tmp_path / f".{debugger}init"
    file.write_bytes(f"# mine{end}".encode())
    for _ in range(2):
        done(console, tmp_path, "--write", debugger)
    assert file.read_bytes() == f"# mine{end}{LINES[file.name]}{end}".encode()
    assert "Usage: thunk-inspect" in help_in(debugger, tmp_path)
    backup = file.name + ".thunk-backup"
    assert inits(tmp_path) == {file.name, backup}, "the other debugger's is left alone"
    assert (tmp_path / backup).read_bytes() == f"# mine{end}".encode()


BEFORE = ["", "# mine\n", "# mine", "\n\n", "# mine\r\n", "a\r\nb", "a\rb\r"]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("mode", [0o644, 0o400])
def test_taking_the_line_away_restores_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str, mode: int
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    file = tmp_path / ".gdbinit"
    file.write_bytes(before.encode())
    file.chmod(mode)
    for option in ("--write", "--remove", "--remove"):
        assert main(["setup", "--gdb", option]) == 0
        assert stat.S_IMODE(file.stat().st_mode) == mode
        assert (LINES[".gdbinit"] in file.read_text()) == (option == "--write")
    assert file.read_bytes() == before.encode()
    assert inits(tmp_path) == {file.name}


def test_a_file_that_it_made_goes_again(console: Console, tmp_path: Path) -> None:
    done(console, tmp_path, "--write")
    assert (tmp_path / ".gdbinit").read_text() == LINES[".gdbinit"] + "\n"
    done(console, tmp_path, "--remove")
    assert not list(tmp_path.iterdir())


def test_what_was_added_since_stays(console: Console, tmp_path: Path) -> None:
    file = tmp_path / ".gdbinit"
    file.write_text("# mine")
    done(console, tmp_path, "--write")
    with file.open("a") as more:
        more.write("\n# later\n")
    done(console, tmp_path, "--remove")
    assert file.read_text() == "# mine\n# later\n"
    assert (tmp_path / ".gdbinit.thunk-backup").read_text() == "# mine"


@given(before=st.text("a\\ \r\n").map(str.encode) | st.binary())
def test_any_text_comes_back(before: bytes) -> None:
    after = lines.added(before, LINE)
    assert lines.has(after, LINE) and after.startswith(before)
    assert lines.without(after, LINE) == before


def test_gdb_reads_another_file_where_there_is_one(
    console: Console, tmp_path: Path
) -> None:
    """Then it does not read ~/.gdbinit, whether that is there or not."""
    (tmp_path / ".gdbinit").write_text("# not read\n")
    file = tmp_path / ".config" / "gdb" / "gdbinit"
    file.parent.mkdir(parents=True)
    file.write_text("# mine\n")
    said = done(console, tmp_path, "--write")
    assert str(file) in said and f"no {tmp_path / '.gdbinit'}" in said
    assert "Usage: thunk-inspect" in help_in("gdb", tmp_path)
    done(console, tmp_path, "--remove")
    assert file.read_text() == "# mine\n"
    assert (tmp_path / ".gdbinit").read_text() == "# not read\n"


def test_lldb_reads_another_file_where_there_is_one(
    console: Console, tmp_path: Path
) -> None:
    file = tmp_path / ".lldbinit-lldb"
    file.write_text("# mine\n")
    done(console, tmp_path, "--write", "lldb")
    assert "Usage: thunk-inspect" in help_in("lldb", tmp_path)
    done(console, tmp_path, "--remove", "lldb")
    assert file.read_text() == "# mine\n" and inits(tmp_path) == {file.name}


def test_it_finds_the_line_where_it_was_written(
    console: Console, tmp_path: Path
) -> None:
    done(console, tmp_path, "--write")
    file = tmp_path / ".config" / "gdb" / "gdbinit"
    file.parent.mkdir(parents=True)
    file.touch()
    done(console, tmp_path, "--remove")
    assert not (tmp_path / ".gdbinit").exists() and file.exists()


@pytest.mark.parametrize("real", ["dotfiles/gdbinit", "absent"])
def test_a_linked_file_stays_a_link(
    console: Console, tmp_path: Path, real: str
) -> None:
    target = tmp_path / real
    if real != "absent":
        target.parent.mkdir()
        target.write_text("# mine\n")
    link = tmp_path / ".gdbinit"
    link.symlink_to(real)
    done(console, tmp_path, "--write")
    assert link.is_symlink() and LINES[".gdbinit"] in target.read_text()
    done(console, tmp_path, "--remove")
    assert link.is_symlink() and os.readlink(link) == real
    assert not target.exists() if real == "absent" else target.read_text() == "# mine\n"


def test_a_line_for_another_copy_is_shown(console: Console, tmp_path: Path) -> None:
    file = tmp_path / ".gdbinit"
    file.write_text(before := "# mine\nsource /gone/thunk_inspect_gdb.py\n")
    said = refused(console, tmp_path)
    assert ", line 2," in said and "/gone/thunk_inspect_gdb.py" in said
    assert file.read_text() == before and inits(tmp_path) == {file.name}


def test_the_same_in_other_words_is_enough(console: Console, tmp_path: Path) -> None:
    file = tmp_path / ".lldbinit"
    file.write_text(before := f'command script import "{Lldb.plugin}"\n')
    assert "line 1 loads it" in done(console, tmp_path, "--write", "lldb")
    assert file.read_text() == before


def test_a_file_that_goes_on(console: Console, tmp_path: Path) -> None:
    (tmp_path / ".gdbinit").write_text("echo \\\n")
    assert "backslash" in refused(console, tmp_path)


def test_a_home_that_cannot_be_written(console: Console, tmp_path: Path) -> None:
    assert "missing" in refused(console, tmp_path / "missing")


def test_a_file_that_is_none(console: Console, tmp_path: Path) -> None:
    (tmp_path / ".gdbinit").mkdir()
    for option in ("--write", "--remove"):
        assert "no plain file" in refused(console, tmp_path, option)
    answer = console("setup", "--gdb", home=tmp_path)
    assert answer.returncode == 0 and not answer.stderr
    (tmp_path / ".gdbinit").rmdir()
    os.mkfifo(tmp_path / ".gdbinit")
    assert "no plain file" in refused(console, tmp_path)


def test_links_that_lead_nowhere(console: Console, tmp_path: Path) -> None:
    (tmp_path / ".gdbinit").symlink_to(".gdbinit")
    assert "too many links" in refused(console, tmp_path)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can play another")


@as_root
@pytest.mark.parametrize("what", ["link", "file"])
def test_what_somebody_else_put_there(
    console: Console, tmp_path: Path, what: str
) -> None:
    """In a folder that is shared, where anybody can make files."""
    mine, init = tmp_path / "mine", tmp_path / ".gdbinit"
    mine.write_text("# mine\n")
    if what == "link":
        init.symlink_to(mine)
    else:
        init.write_text("# theirs\n")
    os.chown(init, 12345, 12345, follow_symlinks=False)
    assert "another user's" in refused(console, tmp_path)
    assert mine.read_text() == "# mine\n" and inits(tmp_path) == {".gdbinit"}


@as_root
def test_a_folder_of_somebody_else(console: Console, tmp_path: Path) -> None:
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, 12345, 12345)
    assert "another user's" in refused(console, home)
    assert not list(home.iterdir())


def test_a_planted_backup_is_replaced_not_followed(
    console: Console, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("# mine\n")
    (tmp_path / ".gdbinit").write_text("# old\n")
    (tmp_path / ".gdbinit.thunk-backup").symlink_to(mine)
    done(console, tmp_path, "--write")
    assert mine.read_text() == "# mine\n"
    assert (tmp_path / ".gdbinit.thunk-backup").read_text() == "# old\n"


def test_a_file_that_cannot_be_put_in_place(tmp_path: Path) -> None:
    """Nothing is left of the attempt."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(ThunkError, match="cannot write"):
        files.replace(tmp_path / "folder", b"text", None)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


AWKWARD = 'it\'s "here" `x` $HOME #; back\\slash ü'


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_the_plugin_may_stand_anywhere(tmp_path: Path, debugger: str) -> None:
    """Without an installation, run by the file's own folder."""
    place = tmp_path / AWKWARD
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "plugin", place / "plugin", ignore=ignored)
    (place / ".venv").symlink_to(ROOT / ".venv")
    for option in ("--write", "--remove"):
        subprocess.run(
            [sys.executable, "-S", place / "plugin", "setup", f"--{debugger}", option],
            env={**ENVIRONMENT, "HOME": str(tmp_path)},
            check=True,
            capture_output=True,
            timeout=DEADLINE,
        )
        loads = "Usage: thunk-inspect" in help_in(debugger, tmp_path)
        assert loads == (option == "--write")


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
