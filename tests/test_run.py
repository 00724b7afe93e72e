"""`thunk-inspect run` from outside: programs, arguments, streams, exit status."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List

import pytest

from conftest import Console
from programs import CONSOLE, DEADLINE, ENGINE, ENVIRONMENT, SCRIPTS, fixture, need
from reports import validated
from runs import BOTH, EVERYWHERE, build

AWKWARD = [
    "",
    "a b",
    "'",
    '"',
    "$HOME",
    "*",
    ";",
    "`id`",
    "$(id)",
    "\\",
    "new\nline",
    "-x",
    "--",
    "#",
    "!",
    "é",
    "\udcff",
    "~",
]


def one_line(answer: Any) -> str:
    """What it says where it can say nothing else."""
    lines: List[str] = answer.stderr.splitlines()
    assert len(lines) == 1, answer.stderr
    assert lines[0].startswith("thunk-inspect: ")
    assert "internal error" not in lines[0]
    return lines[0]


def run_bytes(*words: object, **streams: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [need(CONSOLE), "run", *map(str, words)],
        env=streams.pop("env", ENVIRONMENT),
        timeout=DEADLINE,
        check=False,
        **streams,
    )


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_a_program_that_never_comes_to_a_call(
    console: Console, programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    answer = console("run", "--debugger", debugger, programs[arch], "exit", 3)
    assert answer.returncode == 4
    said = one_line(answer)
    assert "exited with 3" in said and "no symbol of ChakraCore's functions" in said
    assert not answer.stdout


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_arguments_arrive_as_they_are(
    programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    words = ("--debugger", debugger, programs[arch], "args", *AWKWARD)
    answer = run_bytes(*words, capture_output=True)
    assert answer.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in AWKWARD]


@EVERYWHERE
@pytest.mark.parametrize("shell", ["/usr/bin/fish", ""])
@pytest.mark.cover("debugger", "arch", "shell")
def test_the_environment_arrives(
    programs: Dict[str, Path], debugger: str, arch: str, shell: str
) -> None:
    env = {**ENVIRONMENT, "WITH SPACE": "$x 'y'", "COLUMNS": "7", "PYTHONHOME": "/x"}
    if shell:
        env["SHELL"] = shell
    del env["PYTHONHOME"]
    names = ("SHELL", "WITH SPACE", "COLUMNS", "LINES", "PATH")
    words = ("--debugger", debugger, programs[arch], "env", *names)
    answer = run_bytes(*words, capture_output=True, env=env)
    expected = [shell or "(none)", "$x 'y'", "7", "(none)", ENVIRONMENT["PATH"]]
    assert answer.stdout.decode().splitlines() == expected


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_streams_keep_their_place_and_order(
    programs: Dict[str, Path], tmp_path: Path, debugger: str, arch: str
) -> None:
    """Into one file, one after the other, behind what is there."""
    path = tmp_path / "both"
    path.write_text("before\n")
    words = ("--debugger", debugger, programs[arch], "streams")
    with path.open("ab") as file:
        run_bytes(*words, stdout=file, stderr=file)
    lines = path.read_text().splitlines()
    expected = [f"{name} {n}" for n in range(100) for name in ("out", "err")]
    assert lines[:202] == ["before", *expected, "input 0 terminal 0"]
    assert len(lines) == 203 and lines[202].startswith("thunk-inspect: ")


@BOTH
def test_streams_apart(console: Console, programs: Any, debugger: str) -> None:
    answer = console("run", "--debugger", debugger, programs["x86_64"], "streams")
    assert "err" not in answer.stdout and "out 99\n" in answer.stdout
    assert "out" not in answer.stderr.splitlines()[50]


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_a_closed_pipe(debugger: str, arch: str) -> None:
    """The reader of our output has gone: no traceback, and the same status."""
    convention = {"x86_64": "sysv", "aarch64": "homing"}[arch]
    words = ("--debugger", debugger, fixture(arch), convention, "none", 3)
    read, write = os.pipe()
    os.close(read)
    answer = run_bytes(*words, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert b"Traceback" not in answer.stderr
    # The program itself may have been ended by its broken pipe.
    assert answer.returncode in (0, 4)


@BOTH
@pytest.mark.parametrize(
    "arch, convention, fault, status",
    [
        ("x86_64", "sysv", "none", 0),
        ("x86_64", "windows", "callee-saved", 1),
        ("aarch64", "homing", "none", 0),
        ("aarch64", "caller-stack", "regs-only", 1),
    ],
)
@pytest.mark.cover("debugger arch", "fault")
def test_a_traced_program(
    console: Console,
    tmp_path: Path,
    debugger: str,
    arch: str,
    convention: str,
    fault: str,
    status: int,
) -> None:
    file = tmp_path / "report.json"
    words = ("run", "--debugger", debugger, "--json", file, fixture(arch))
    answer = console(*words, convention, fault, "12")
    assert answer.returncode == status, answer.stderr
    report = validated(json.loads(file.read_text()))
    verdict = {0: "sound", 1: "broken"}[status]
    assert report["verdict"] == verdict
    assert verdict.upper() in answer.stdout
    assert "interpreter: " in answer.stdout, "what the program prints is ours"


@pytest.mark.parametrize(
    ("arch", "convention"), [("x86_64", "sysv"), ("aarch64", "homing")]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTRAP])
@BOTH
@pytest.mark.cover("debugger number", "arch number")
def test_a_signal_that_debuggers_keep(
    console: Console, debugger: str, arch: str, convention: str, number: int
) -> None:
    """The program handles it, and is broken behind it."""
    words = ("run", "--debugger", debugger, fixture(arch), convention, "none", 3)
    answer = console(*words, "--raise", int(number), "--second", "callee-saved")
    assert f"handled: signal {int(number)}" in answer.stdout
    assert answer.returncode == 1, answer
    assert "2 calls, 1 went wrong; ended: exited with" in answer.stdout


@BOTH
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ([], ""),
        (["--break", "no_such_function"], "no_such_function was not hit: no function"),
        (["--break", "interpreter", "--hits", 3], "interpreter was hit once, not 3"),
    ],
)
@pytest.mark.cover("debugger", "place")
def test_a_crash_is_no_pass(
    console: Console, tmp_path: Path, debugger: str, place: List[object], why: str
) -> None:
    """Though nothing is wrong with the thunk of the call that it came in."""
    file = tmp_path / "report.json"
    words = ("run", "--debugger", debugger, "--json", file, *place)
    answer = console(*words, fixture("x86_64"), "sysv", "none", 3, "--die", 11)
    assert answer.returncode == 4
    said = one_line(answer)
    assert "ended by SIGSEGV" in said and why in said
    report = validated(json.loads(file.read_text()))
    assert report["verdict"] == "sound"
    if place != ["--break", "no_such_function"]:
        assert report["trace"]["lost"] == report["trace"]["calls"] == 1
        assert "1 call, 1 did not come back; ended: ended by SIGSEGV" in answer.stdout


@BOTH
def test_a_second_block_is_judged_too(console: Console, debugger: str) -> None:
    """It forgets registers that this call does not need: no call goes wrong."""
    words = ("run", "--debugger", debugger, fixture("aarch64"), "homing", "none", 3)
    answer = console(*words, "--second", "+no67")
    assert answer.returncode == 1 and "BROKEN" in answer.stdout
    assert "x6" in answer.stdout and "second(12, 1.5, 3)" in answer.stdout
    assert "2 calls, all consistent" in answer.stdout


@BOTH
def test_which_signal_ended_it(console: Console, debugger: str) -> None:
    """Not one that the program handled before."""
    words = ("run", "--debugger", debugger, fixture("x86_64"), "sysv", "none", 3)
    answer = console(*words, "--raise", 15, "--end", "15")
    assert answer.returncode == 0 and "ended: exited with 15" in answer.stdout
    answer = console(*words, "--raise", 8, "--end", "killed")
    said = one_line(answer)
    assert answer.returncode == 4 and "SIGFPE" not in said
    assert "SIGKILL" in said or "was killed" in said
    assert "2 calls" not in answer.stdout and "all consistent" in answer.stdout


@BOTH
def test_a_document_alone_on_standard_output(console: Console, debugger: str) -> None:
    words = ("run", "--debugger", debugger, "--json", "-", fixture("x86_64"))
    answer = console(*words, "sysv", "none", "3")
    assert validated(json.loads(answer.stdout))["verdict"] == "sound"
    assert "interpreter: " in answer.stderr


@BOTH
def test_a_break(console: Console, debugger: str) -> None:
    words = ("run", "--debugger", debugger, "--break", "depth_5", "--hits", "1")
    answer = console(*words, fixture("aarch64"), "homing", "none", "3")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] and "SOUND" in answer.stdout


@BOTH
def test_a_break_that_is_never_reached(console: Console, debugger: str) -> None:
    words = ("run", "--debugger", debugger, "--break", "no_such_function")
    answer = console(*words, fixture("x86_64"), "sysv", "none", "3")
    assert answer.returncode == 4
    assert "no function of the program has that name" in one_line(answer)


@BOTH
def test_a_break_where_nothing_is(
    console: Console, programs: Dict[str, Path], debugger: str
) -> None:
    words = ("run", "--debugger", debugger, "--break", "0x10")
    answer = console(*words, programs["x86_64"], "exit", 3)
    assert answer.returncode == 4
    assert "nothing is at 0x10 when the program starts" in one_line(answer)


@BOTH
def test_the_engine(console: Console, debugger: str) -> None:
    host, library = need(ENGINE / "engine_host"), ENGINE / "libChakraCore.so"
    words = ("run", "--debugger", debugger, host, "--no-jit", library)
    answer = console(*words, SCRIPTS / "add.js")
    assert answer.returncode == 0, answer.stderr
    assert "SOUND" in answer.stdout


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_no_time_at_all(
    console: Console, programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    words = ("run", "--debugger", debugger, "--timeout", 0, programs[arch])
    answer = console(*words, "wait")
    assert answer.returncode == 4
    one_line(answer)


@BOTH
def test_a_program_that_never_starts(tmp_path: Path, debugger: str) -> None:
    """The end of a constructor that waits for ever is not waited for."""
    slow = build(tmp_path, "x86_64", "-DSLOW_START")
    patience = "import thunk_inspect.session.run as r; r.STARTING = 0.5"
    main = "import sys; from thunk_inspect.cli import main; sys.exit(main())"
    words = ("run", "--debugger", debugger, "--timeout", "0.5", str(slow))
    answer = subprocess.run(
        [sys.executable, "-c", f"{patience}; {main}", *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert answer.returncode == 4
    assert "did not come to its start" in one_line(answer)


@BOTH
def test_a_stripped_program(console: Console, tmp_path: Path, debugger: str) -> None:
    """Without main it is stopped at its entry point."""
    for options in (["-s"], ["-s", "-static"], ["-s", "-no-pie"]):
        program = build(tmp_path, "x86_64", *options)
        answer = console("run", "--debugger", debugger, program, "exit", 3)
        assert "exited with 3" in one_line(answer)


@BOTH
def test_x86_64_under_qemu(console: Console, programs: Any, debugger: str) -> None:
    words = ("run", "--debugger", debugger, "--qemu", programs["x86_64"], "exit", 3)
    assert "exited with 3" in one_line(console(*words))


@BOTH
def test_a_dynamic_program_of_another_machine(
    console: Console, tmp_path: Path, debugger: str
) -> None:
    program = build(tmp_path, "aarch64", "-no-pie")
    answer = console("run", "--debugger", debugger, program, "exit", 3)
    assert "exited with 3" in one_line(answer)
    words = ("--sysroot", "/usr/aarch64-linux-gnu", program, "exit", 4)
    answer = console("run", "--debugger", debugger, *words)
    assert "exited with 4" in one_line(answer)


@EVERYWHERE
@pytest.mark.parametrize("name", ["plain", "a b'c\"d$e"])
@pytest.mark.cover("debugger name", "arch")
def test_awkward_folders(
    programs: Dict[str, Path], debugger: str, arch: str, name: str
) -> None:
    """Any name will do, for the program's and for ours, which is gone in the end."""
    # Not pytest's, whose long names are none for sockets.
    with tempfile.TemporaryDirectory(prefix=name, dir="/tmp") as folder:
        program = shutil.copy(programs[arch], folder)
        env = {**ENVIRONMENT, "TMPDIR": folder}
        words = ("--debugger", debugger, program, "exit", 3)
        answer = run_bytes(*words, env=env, capture_output=True)
        assert b"exited with 3" in answer.stderr
        assert os.listdir(folder) == [Path(program).name]


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_a_terminal(programs: Dict[str, Path], debugger: str, arch: str) -> None:
    """The program has ours, and while we wait a line there tells so."""
    ours, its = pty.openpty()
    env = {**ENVIRONMENT, "TERM": "xterm"}
    words = ("--debugger", debugger, "--timeout", "1", programs[arch])
    for mode, *expected in (("streams", "terminal 1"), ("wait", "wait ", "running …")):
        run_bytes(*words, mode, stdin=its, stdout=its, stderr=its, env=env)
        text = os.read(ours, 1 << 16).decode()
        assert all(word in text for word in expected), text
        assert "Traceback" not in text
    os.close(ours)
    os.close(its)


@pytest.mark.parametrize("words", [["--timeout", "-1"], ["--timeout", "x"]])
def test_wrong_numbers(console: Console, programs: Any, words: List[str]) -> None:
    answer = console("run", *words, programs["x86_64"])
    assert answer.returncode == 2 and "Traceback" not in answer.stderr


@pytest.mark.parametrize("hits", ["0", "-1", "x"])
def test_wrong_hits(console: Console, programs: Any, hits: str) -> None:
    assert console("run", "--hits", hits, programs["x86_64"]).returncode == 2
