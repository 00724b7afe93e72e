"""`thunk-inspect run`, and something ends in the middle: nothing is left running."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest

from conftest import Console
from programs import CONSOLE, DEADLINE, wait_until
from runs import BOTH, EVERYWHERE, Run, alive

Starter = Callable[..., Run]


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Starter]:
    """Starts runs with a folder for temporary files that must be empty in the end."""
    runs: List[Run] = []
    # Not pytest's, whose long names are none for sockets.
    with tempfile.TemporaryDirectory(prefix="ends-", dir="/tmp") as folder:

        def begin(*words: object) -> Run:
            runs.append(Run(*words, env={"TMPDIR": folder}))
            return runs[-1]

        yield begin
        left = [run.left() for run in runs]
        for run in runs:
            run.close()
        assert not any(left)
        # Nobody could empty it when both of our processes were killed at once.
        if not request.node.name.startswith("test_both_of_us"):
            assert wait_until(lambda: not os.listdir(folder), 5), os.listdir(folder)


def said(answer: "subprocess.CompletedProcess[str]") -> str:
    """The one line of ours; qemu and the program may say something too."""
    assert answer.returncode == 4, answer
    assert "Traceback" not in answer.stderr
    ours = [
        line for line in answer.stderr.splitlines() if line.startswith("thunk-inspect:")
    ]
    assert len(ours) == 1, answer.stderr
    assert "internal error" not in ours[0]
    return ours[0]


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_the_debugger_is_killed(
    start: Starter, programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    run = start("--debugger", debugger, programs[arch], "wait")
    run.wait_for("wait")
    run.kill(run.pid_of(debugger if debugger == "gdb" else "lldb-19"))
    line = said(run.ends())
    assert debugger in line and "SIGKILL" in line


@BOTH
def test_qemu_is_killed(
    start: Starter, programs: Dict[str, Path], debugger: str
) -> None:
    run = start("--debugger", debugger, programs["aarch64"], "wait")
    run.wait_for("wait")
    run.kill(run.pid_of("qemu"))
    assert "qemu-aarch64 was ended by SIGKILL" in said(run.ends())


@BOTH
def test_the_program_is_killed(
    start: Starter, programs: Dict[str, Path], debugger: str
) -> None:
    run = start("--debugger", debugger, programs["x86_64"], "wait")
    run.kill(run.wait_for("wait"))
    assert "no symbol of ChakraCore's functions" in said(run.ends())


@EVERYWHERE
@pytest.mark.cover("debugger", "arch")
def test_we_are_killed(
    start: Starter, programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    """Even then nothing is left, children's children included."""
    run = start("--debugger", debugger, programs[arch], "wait")
    run.wait_for("wait")
    run.kill(run.process.pid)
    assert run.ends().returncode == -signal.SIGKILL


@EVERYWHERE
def test_our_worker_is_killed(
    start: Starter, programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    run = start("--debugger", debugger, programs[arch], "wait")
    run.wait_for("wait")
    worker = run.pids[1]
    run.kill(worker)
    assert "SIGKILL" in said(run.ends())


@EVERYWHERE
def test_both_of_us_are_killed(
    start: Starter, programs: Dict[str, Path], debugger: str, arch: str
) -> None:
    """With nobody left to end anything, the kernel ends what we started."""
    run = start("--debugger", debugger, programs[arch], "wait")
    run.wait_for("wait")
    for pid in run.pids[:2]:
        run.kill(pid)
    assert run.ends().returncode == -signal.SIGKILL


@BOTH
def test_a_debugger_that_does_not_answer(
    start: Starter, programs: Dict[str, Path], debugger: str
) -> None:
    """It is stopped, and so is told nothing: we go all the same."""
    run = start("--debugger", debugger, programs["x86_64"], "wait")
    run.wait_for("wait")
    run.kill(run.pid_of(debugger if debugger == "gdb" else "lldb-19"), signal.SIGSTOP)
    run.kill(run.process.pid, signal.SIGINT)
    assert said(run.ends()) == "thunk-inspect: stopped by SIGINT"


@EVERYWHERE
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.cover("debugger number", "arch number")
def test_we_are_told_to_stop(
    start: Starter,
    programs: Dict[str, Path],
    debugger: str,
    arch: str,
    number: str,
) -> None:
    run = start("--debugger", debugger, programs[arch], "wait")
    run.wait_for("wait")
    run.kill(run.process.pid, signal.Signals[number])
    assert said(run.ends()) == f"thunk-inspect: stopped by {number}"


@BOTH
def test_a_daemon_is_ended_with_us(
    start: Starter, programs: Dict[str, Path], debugger: str
) -> None:
    run = start("--debugger", debugger, programs["x86_64"], "daemon")
    daemon = run.wait_for("daemon")
    run.pids.append(daemon)
    assert "exited with 0" in said(run.ends())
    assert not alive(daemon)


def test_a_daemon_under_qemu(start: Starter, programs: Dict[str, Path]) -> None:
    run = start(programs["aarch64"], "daemon")
    run.pids.append(run.wait_for("daemon"))
    said(run.ends())


@BOTH
def test_ended_before_there_is_a_program(
    start: Starter, programs: Dict[str, Path], debugger: str
) -> None:
    """A signal that comes while the debugger starts."""
    run = start("--debugger", debugger, programs["x86_64"], "wait")
    children = f"/proc/{run.process.pid}/task/{run.process.pid}/children"
    assert wait_until(lambda: Path(children).read_text().strip())
    os.kill(run.process.pid, signal.SIGTERM)
    said(run.ends())


SENDS = """
import os, signal, sys, time
from thunk_inspect.session.children import supervised

def work():
    for _ in range(50):
        time.sleep(0.1)
    return 0

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        os._exit(supervised(work))
    children = f"/proc/{pid}/task/{pid}/children"
    while not open(children).read():
        pass
    until = time.perf_counter() + float(line)
    while time.perf_counter() < until:
        pass
    os.kill(pid, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
"""Starts supervised work again and again, and tells it to stop so many seconds after
its fork."""


def test_a_signal_is_heeded_whenever_it_comes() -> None:
    """One of sixty came between two system calls of ours and was lost until the end."""
    waits = "".join(f"{number * 1e-5}\n" for number in range(200))
    run = subprocess.run(
        [sys.executable, "-c", SENDS],
        input=waits,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.stdout.split() == ["4"] * 200, run.stderr
    assert run.stderr == "thunk-inspect: stopped by SIGTERM\n" * 200


@BOTH
def test_the_end_of_children_is_ignored(
    programs: Dict[str, Path], debugger: str
) -> None:
    """By whoever started us: we are told of it all the same."""
    run = subprocess.run(
        [CONSOLE, "run", "--debugger", debugger, programs["x86_64"], "exit", "3"],
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert "exited with 3" in said(run)


def test_a_signal_that_is_ignored_stays_ignored(
    console: Console, programs: Dict[str, Path]
) -> None:
    """As under nohup."""
    main = "import sys; from thunk_inspect.cli import main; sys.exit(main())"
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    words = [sys.executable, "-c", f"{ignore}; {main}", "run"]
    run = subprocess.Popen(
        [*words, str(programs["x86_64"]), "wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout and run.stdout.readline().startswith("wait")
    run.send_signal(signal.SIGHUP)
    run.send_signal(signal.SIGTERM)
    _, error = run.communicate(timeout=30)
    assert error == "thunk-inspect: stopped by SIGTERM\n"
