"""What the program of a session is: whether it can be run here, and by what.

Every reason why not is one line: ThunkError where the file is the wrong one, NotRun
where this machine lacks something to run it with.
"""

import os
import platform
import re
import shutil
import struct
from pathlib import Path
from typing import NamedTuple, Optional

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from elftools.elf.segments import InterpSegment

from ..install.packages import installs
from ..target import ThunkError
from .children import NotRun

MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
SHN_UNDEF = 0
_SYMBOL = struct.Struct("<I2xH16x")
"""Of 64 bits: where its name stands, and its section."""
DF_1_PIE = 0x8000000
"""What tells a static program that may stand anywhere from a library."""
HOSTS = {"amd64": "x86_64", "arm64": "aarch64"}
SYSROOTS = {"aarch64": "/usr/aarch64-linux-gnu", "x86_64": "/usr/x86_64-linux-gnu"}
OTHERS = {
    b"MZ": "is a Windows program: debug it under wine, and use thunk-inspect there",
    b"#!": "is a script: give the program that runs it, the script as its argument",
    b"\xcf\xfa\xed\xfe": "is a macOS program: it runs on macOS only",
    b"\xca\xfe\xba\xbe": "is a macOS program: it runs on macOS only",
}
"""First bytes of files that are programs, though not ours."""


class Program(NamedTuple):
    """An ELF program for one of our machines."""

    path: str
    arch: str
    interpreter: Optional[str]
    """The dynamic linker that it asks for; None when it is static."""
    has_main: bool


def examine(given: str) -> Program:
    """The program of this name, a path or a command; ThunkError when it is none."""
    path = _find(given)
    try:
        with open(path, "rb") as file:
            start = file.read(4)
            for magic, what in OTHERS.items():
                if start.startswith(magic):
                    raise ThunkError(f"{given} {what}")
            if start != b"\x7fELF":
                raise ThunkError(f"{given} is no ELF program")
            file.seek(0)
            program = _read(given, path, ELFFile(file))
    except OSError as error:
        raise ThunkError(f"cannot read {given}: {error.strerror}") from None
    except (ELFError, ValueError, KeyError, UnicodeError):
        raise ThunkError(f"{given} is a damaged ELF file") from None
    if not os.access(path, os.X_OK):
        raise ThunkError(f"{given} is not executable: chmod +x it")
    return program


def _find(given: str) -> str:
    path = given if os.path.exists(given) or "/" in given else shutil.which(given)
    if path is None or not os.path.exists(path):
        raise ThunkError(f"{given}: no such program")
    if os.path.isdir(path):
        raise ThunkError(f"{given} is a folder: give the program in it")
    if not os.path.isfile(path):
        raise ThunkError(f"{given} is no file")
    return path


def _read(given: str, path: str, elf: ELFFile) -> Program:
    if elf.elfclass == 32:
        raise ThunkError(f"{given} is a 32-bit program: arm64 and x86-64 are known")
    machine = elf["e_machine"]
    if machine not in MACHINES or not elf.little_endian:
        name = str(machine).replace("EM_", "").lower()
        raise ThunkError(f"{given} is for {name}: arm64 and x86-64 are known")
    kind = elf["e_type"]
    if kind == "ET_CORE":
        raise ThunkError(f"{given} is a core file: open it in gdb or lldb")
    interpreter, position_independent = None, False
    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            interpreter = str(segment.get_interp_name())
        elif isinstance(segment, DynamicSegment):
            for tag in segment.iter_tags("DT_FLAGS_1"):
                position_independent |= bool(tag["d_val"] & DF_1_PIE)
    program = kind == "ET_EXEC" or interpreter or position_independent
    if not program or not elf["e_entry"]:
        raise ThunkError(f"{given} is a library: give the program that loads it")
    return Program(path, MACHINES[machine], interpreter, _has_main(elf))


def _has_main(elf: ELFFile) -> bool:
    tables = map(elf.get_section_by_name, (".symtab", ".dynsym"))
    return any(
        isinstance(table, SymbolTableSection) and _defines(table, b"main")
        for table in tables
    )


def _defines(table: SymbolTableSection, name: bytes) -> bool:
    """elftools makes an object of every symbol first: 2.3 s of ChakraCore's 47,000."""
    # A name may be the end of a longer one.
    found = re.finditer(re.escape(name) + b"\0", table.stringtable.data())
    places = {match.start() for match in found}
    data = table.data()
    whole = len(data) - len(data) % _SYMBOL.size
    return any(
        place in places and section != SHN_UNDEF
        for place, section in _SYMBOL.iter_unpack(data[:whole])
    )


class Emulator(NamedTuple):
    path: str
    name: str
    sysroot: Optional[str]
    """Folder with the libraries of the other machine; None where none is wanted."""


def emulator_for(
    program: Program, wanted: bool, sysroot: Optional[str]
) -> Optional[Emulator]:
    """qemu, where this program needs it or it is asked for. NotRun when missing."""
    machine = platform.machine()
    if program.arch == HOSTS.get(machine, machine) and not wanted:
        if sysroot:
            raise ThunkError("--sysroot is for programs under qemu: add --qemu")
        return None
    name = f"qemu-{program.arch}"
    path = shutil.which(name) or shutil.which(f"{name}-static")
    if path is None:
        raise missing(name)
    return Emulator(path, name, _sysroot(program, sysroot))


def _sysroot(program: Program, given: Optional[str]) -> Optional[str]:
    if given is not None and not os.path.isdir(given):
        raise ThunkError(f"{given} is no folder: --sysroot takes one")
    if program.interpreter is None:
        return given
    for folder in [given] if given else ["/", SYSROOTS[program.arch]]:
        if Path(folder, program.interpreter.lstrip("/")).exists():
            return None if folder == "/" else folder
    if given:
        raise NotRun(f"{given} has no {program.interpreter}, which the program needs")
    raise NotRun(
        f"the libraries of {program.arch} are missing ({program.interpreter}): say"
        " where they are with --sysroot"
    )


LLDB_NAMES = ("lldb-19", "lldb", *(f"lldb-{n}" for n in (21, 20, 18, 17, 16, 15, 14)))


def find_debugger(given: str, program: Program) -> "tuple[str, str]":
    """`gdb` or `lldb`, and the path of it; `given` is one of these, or a path."""
    kind = "lldb" if "lldb" in os.path.basename(given) else "gdb"
    if given not in ("gdb", "lldb"):
        path = shutil.which(given)
        if path is None:
            raise NotRun(f"{given}: no such debugger")
        return kind, path
    names = LLDB_NAMES
    if kind == "gdb":
        machine = platform.machine()
        foreign = program.arch != HOSTS.get(machine, machine)
        # Only some distributions' plain gdb knows other machines than its own.
        names = ("gdb-multiarch", "gdb") if foreign else ("gdb", "gdb-multiarch")
    for name in names:
        path = shutil.which(name)
        if path:
            return kind, path
    raise missing("lldb" if kind == "lldb" else names[0])


def debugger_environment() -> "dict[str, str]":
    """Ours, without what would change the Python in a debugger, or make it download."""
    env = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONHOME", "DEBUGINFOD_URLS"):
        env.pop(name, None)
    return env


def missing(name: str) -> NotRun:
    return NotRun(f"{name} is missing: {installs(name)}")
