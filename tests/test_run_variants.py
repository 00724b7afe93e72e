"""`thunk-inspect run` on every convention and every fault, as CI would."""

import json
import subprocess
import time
from pathlib import Path
from typing import List, Tuple

import pytest
import xmlschema

from conftest import Console
from programs import fixture
from reports import validated

ARCHES = ("x86_64", "aarch64")
TIMEOUT = 5
WRONG_BY_THEMSELVES = ("section3", "section7")
"""Conventions that are the document's own patterns, which are broken as they stand."""
JUNIT = Path(__file__).parent / "schemas" / "junit.xsd"


def variants(arch: str) -> List[Tuple[str, str, str]]:
    """(arch, convention, fault) of everything that the fixture can be."""
    emulator = ["qemu-aarch64"] if arch == "aarch64" else []
    said = subprocess.run(
        [*emulator, fixture(arch), "--list"], capture_output=True, text=True, check=True
    )
    pairs = (line.split() for line in said.stdout.splitlines())
    return [(arch, convention, fault) for convention, fault in pairs]


ALL = [variant for arch in ARCHES for variant in variants(arch)]


def expected(arch: str, convention: str, fault: str) -> int:
    if fault == "none":
        return int(convention in WRONG_BY_THEMSELVES)
    # Where the return address travels in a register, losing it is a loop for ever.
    return 4 if fault == "no-fplr" and arch == "aarch64" else 1


# How a run ends hangs on what the fault makes of the process; the verdicts on all
# variants are for `test_faults`.
@pytest.mark.parametrize(("arch", "convention", "fault"), ALL)
@pytest.mark.cover("convention", "fault")
def test_every_variant(
    arch: str, convention: str, fault: str, console: Console, tmp_path: Path
) -> None:
    started = time.monotonic()
    files = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "html")}
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    qemu = ["--qemu"] if arch == "aarch64" else []
    words = (*qemu, "--timeout", TIMEOUT, *options, fixture(arch))
    done = console("run", *words, convention, fault, 3)
    assert done.returncode == expected(arch, convention, fault), done.stderr
    assert time.monotonic() - started < TIMEOUT + 5
    report = validated(json.loads(files["json"].read_text()))
    assert report["verdict"] == ("sound" if done.returncode == 0 else "broken")
    xmlschema.XMLSchema(str(JUNIT)).validate(str(files["junit"]))
    failed = files["junit"].read_text().count("<failure")
    assert bool(failed) == (done.returncode != 0)
    assert report["trace"]["calls"] >= 1
    if done.returncode == 4:
        assert report["trace"]["hang"]["kind"] == "thunk"
        (present,) = [one for one in report["issues"] if one["state"] == "present"]
        assert present["id"] == 4 and present["fix_proved"]


@pytest.mark.parametrize(
    ("arch", "convention", "fault"),
    [
        ("x86_64", "sysv", "none"),
        ("x86_64", "windows", "epilogue-size"),
        ("aarch64", "homing", "none"),
        ("aarch64", "caller-stack", "regs-only"),
        ("aarch64", "caller-stack", "no-fplr"),
    ],
)
def test_in_lldb_too(
    arch: str, convention: str, fault: str, console: Console, tmp_path: Path
) -> None:
    qemu = ["--qemu"] if arch == "aarch64" else []
    words = ("--debugger", "lldb", *qemu, "--timeout", TIMEOUT)
    path = tmp_path / "report.json"
    done = console("run", *words, "--json", path, fixture(arch), convention, fault, 3)
    assert done.returncode == expected(arch, convention, fault), done.stderr
    validated(json.loads(path.read_text()))
