"""What `thunk-inspect run` says of programs and tools that cannot be used."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest

from conftest import Console
from programs import BUILD, ENGINE, ENVIRONMENT, fixture, need
from runs import Run, build
from thunk_inspect.session.children import NotRun
from thunk_inspect.session.program import emulator_for, examine
from thunk_inspect.target import ThunkError

HEADER = bytes.fromhex("7f454c46020101000000000000000000")


def elf(path: Path, code: bytes) -> Path:
    path.write_bytes(code)
    path.chmod(0o755)
    return path


def damaged(change: Callable[[bytearray], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        code = bytearray(Path(fixture("x86_64")).read_bytes())
        change(code)
        return elf(folder / "program", bytes(code))

    return make


def not_executable(folder: Path) -> Path:
    path = damaged(len)(folder)
    path.chmod(0o644)
    return path


WRONG = [
    ("no such program", lambda folder: folder / "missing"),
    ("no such program", lambda folder: "no-such-command"),
    ("is a folder", lambda folder: folder),
    ("is no file", lambda folder: "/dev/null"),
    ("is not executable", not_executable),
    ("is no ELF program", lambda folder: elf(folder / "x", b"text")),
    ("is no ELF program", lambda folder: elf(folder / "x", b"")),
    ("is a script", lambda folder: elf(folder / "x", b"#!/bin/sh\n")),
    ("is a Windows program", lambda folder: elf(folder / "x", b"MZ\0\0")),
    ("is a macOS program", lambda folder: elf(folder / "x", b"\xcf\xfa\xed\xfe\0")),
    ("is a 32-bit program", damaged(lambda code: code.__setitem__(4, 1))),
    ("is for riscv", damaged(lambda code: code.__setitem__(18, 243))),
    ("is a core file", damaged(lambda code: code.__setitem__(16, 4))),
    ("is a library", damaged(lambda code: code.__setitem__(slice(24, 32), bytes(8)))),
    ("is a damaged ELF file", lambda folder: elf(folder / "x", HEADER)),
    (
        "is a damaged ELF file",
        damaged(lambda code: code.__delitem__(slice(3000, None))),
    ),
]


@pytest.mark.parametrize("says, make", WRONG)
def test_a_wrong_program(
    tmp_path: Path, says: str, make: Callable[[Path], Any]
) -> None:
    given = str(make(tmp_path))
    with pytest.raises(ThunkError, match=says) as error:
        examine(given)
    assert not isinstance(error.value, NotRun)
    assert given in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_program_is_status_2(console: Console, tmp_path: Path) -> None:
    for given in (tmp_path / "missing", tmp_path):
        answer = console("run", given)
        assert answer.returncode == 2 and len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "options", [[], ["-s"], ["-static"], ["-s", "-static"], ["-static-pie"]]
)
def test_what_a_program_is(tmp_path: Path, options: "list[str]") -> None:
    program = examine(str(build(tmp_path, "x86_64", *options)))
    assert program.arch == "x86_64"
    assert (program.interpreter is None) == any("-static" in o for o in options)
    assert program.has_main == ("-s" not in options)


@pytest.mark.parametrize("name", ["main", "domain", "main_loop"])
def test_only_main_is_main(tmp_path: Path, name: str) -> None:
    source, path = tmp_path / "source.c", tmp_path / "program"
    source.write_text(f"void {name}(void) {{ for (;;); }}")
    options = ["-nostartfiles", f"-Wl,-e,{name}", "-o", str(path)]
    subprocess.run([need("gcc"), *options, str(source)], check=True)
    assert examine(str(path)).has_main == (name == "main")


@pytest.mark.parametrize(
    "name, says",
    [
        ("libChakraCore.so", "is a library"),
        ("ChakraCore.dll", "is a Windows program"),
        ("engine_host.exe", "is a Windows program"),
    ],
)
def test_parts_of_an_engine(name: str, says: str) -> None:
    with pytest.raises(ThunkError, match=says):
        examine(str(ENGINE / name))


@pytest.mark.parametrize(
    "options, says",
    [
        (["--debugger", "gdb"], "gdb is missing: apt-get install gdb"),
        (["--debugger", "lldb"], "lldb is missing: apt-get install lldb-19"),
        (["--qemu"], "qemu-x86_64 is missing: apt-get install qemu-user"),
        (["--debugger", "/x/gdb"], "/x/gdb: no such debugger"),
    ],
)
def test_a_missing_tool(options: "list[str]", says: str) -> None:
    run = Run(*options, fixture("x86_64"), env={"PATH": "/nonexistent"})
    answer = run.ends()
    assert answer.returncode == 4
    assert answer.stderr == f"thunk-inspect: {says}\n"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of an x86-64 host")
def test_libraries_of_another_machine(tmp_path: Path) -> None:
    static = examine(str(BUILD / "aarch64" / "chakra_like"))
    found = emulator_for(static, False, None)
    assert found and found.name == "qemu-aarch64" and found.sysroot is None
    dynamic = static._replace(interpreter="/lib/ld-linux-aarch64.so.1")
    found = emulator_for(dynamic, False, None)
    assert found and found.sysroot == "/usr/aarch64-linux-gnu"
    with pytest.raises(NotRun, match="has no /lib/ld-linux-aarch64.so.1"):
        emulator_for(dynamic, False, str(tmp_path))
    with pytest.raises(ThunkError, match="is no folder"):
        emulator_for(dynamic, False, str(tmp_path / "missing"))
    strange = static._replace(interpreter="/lib/ld-strange.so")
    with pytest.raises(NotRun, match="--sysroot"):
        emulator_for(strange, False, None)


def test_a_sysroot_without_qemu() -> None:
    native = examine(fixture(platform.machine()))
    with pytest.raises(ThunkError, match="add --qemu"):
        emulator_for(native, False, "/")


def test_a_program_found_by_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = build(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{ENVIRONMENT['PATH']}")
    assert examine(program.name).path == str(program)
