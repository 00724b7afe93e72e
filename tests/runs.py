"""`thunk-inspect run` as tests use it: a small program, and a run in the middle."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from programs import CONSOLE, DEADLINE, ENVIRONMENT, need, wait_until
from thunk_inspect.session.children import descendants

DEBUGGED_BY = ("gdb", "lldb")
COMPILERS = {"x86_64": "gcc", "aarch64": "aarch64-linux-gnu-gcc"}
BOTH = pytest.mark.parametrize("debugger", DEBUGGED_BY)
EVERYWHERE = pytest.mark.parametrize(
    "debugger, arch", [(one, arch) for arch in COMPILERS for one in DEBUGGED_BY]
)
SOURCE = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wait_for_ever(const char *who)
{
    printf("%s %d\n", who, (int)getpid());
    fflush(stdout);
    for (;;)
        pause();
}

#ifdef SLOW_START
__attribute__((constructor)) static void start(void)
{
    wait_for_ever("start");
}
#endif

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "args")) {
        for (int i = 2; i < argc; i++)
            fwrite(argv[i], 1, strlen(argv[i]) + 1, stdout);
    } else if (!strcmp(mode, "env")) {
        for (int i = 2; i < argc; i++)
            printf("%s\n", getenv(argv[i]) ? getenv(argv[i]) : "(none)");
    } else if (!strcmp(mode, "streams")) {
        for (int i = 0; i < 100; i++) {
            dprintf(1, "out %d\n", i);
            dprintf(2, "err %d\n", i);
        }
        dprintf(1, "input %d terminal %d\n", (int)read(0, &argc, 1), isatty(1));
    } else if (!strcmp(mode, "daemon")) {
        if (!fork()) {
            setsid();
            if (!fork())
                wait_for_ever("daemon");
            _exit(0);
        }
        sleep(1);
    } else if (!strcmp(mode, "wait")) {
        wait_for_ever("wait");
    } else if (!strcmp(mode, "die")) {
        raise(atoi(argv[2]));
    } else if (!strcmp(mode, "exit")) {
        return atoi(argv[2]);
    }
    return 0;
}
"""


def build(folder: Path, arch: str = "x86_64", *options: str) -> Path:
    """The program for this machine."""
    source = folder / "program.c"
    source.write_text(SOURCE)
    path = folder / f"program-{arch}{''.join(options)}"
    command = [need(COMPILERS[arch]), *options, str(source), "-o", str(path)]
    subprocess.run(command, check=True)
    return path


class Run:
    """A run that is in the middle of it."""

    def __init__(self, *words: object, env: Optional[Dict[str, str]] = None) -> None:
        self.process = subprocess.Popen(
            [need(CONSOLE), "run", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**ENVIRONMENT, **(env or {})},
        )
        self.pids: List[int] = []
        """Every process that is to be gone in the end."""

    def wait_for(self, word: str) -> int:
        """Until the program says this; returns the number that it says after it."""
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith(f"{word} "):
                self.pids = [self.process.pid, *descendants(self.process.pid)]
                return int(line.split()[1])
        assert self.process.stderr
        raise AssertionError(f"{word!r} was not said: {self.process.stderr.read()}")

    def pid_of(self, name: str) -> int:
        """The one process of ours whose name begins so."""
        found = [pid for pid in self.pids if _name(pid).startswith(name)]
        assert len(found) == 1, [(pid, _name(pid)) for pid in self.pids]
        return found[0]

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        assert pid in self.pids
        os.kill(pid, number)

    def ends(self) -> "subprocess.CompletedProcess[str]":
        """How it ends, when nothing that it started is left."""
        output, error = self.process.communicate(timeout=DEADLINE)
        assert wait_until(lambda: not any(map(alive, self.pids)), 10), self.left()
        return subprocess.CompletedProcess([], self.process.returncode, output, error)

    def left(self) -> List[Any]:
        return [(pid, _name(pid)) for pid in self.pids if alive(pid)]

    def close(self) -> None:
        for pid in (*descendants(self.process.pid), *filter(alive, self.pids)):
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()


def alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody has taken note of does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
