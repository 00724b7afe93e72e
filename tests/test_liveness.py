"""The debugger answers whatever happens while a command is at work: ^C, a process that
ends, becomes another program, or makes and ends threads, a stub that says no more."""

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.proxy import Proxy
from debuggers import DEBUGGERS
from programs import ENGINE, SCRIPTS, Qemu, fixture, need, wait_until
from sessions import Session
from test_trace_ends import Terminal, start
from thunk_inspect.answering import Line, now
from thunk_inspect.target import NoAnswer
from traces import all_break_points, trace

SOON = 5.0
"""Seconds until the prompt is back after ^C; on an idle machine it is one."""
ANSWER = {"gdb": b"= %d", "lldb": b"(int) %d"}
"""How a debugger answers `p`."""
HUGE = r"""
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
__attribute__((noinline)) void ready(void) { __asm__ volatile("nop"); }
int main(void)
{
    /* The same 256 MiB again and again: much to look through, little to hold. */
    size_t size = 1ull << 28;
    int file = memfd_create("code", 0);
    if (ftruncate(file, size) != 0)
        return 1;
    uint64_t *words = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    for (size_t i = 0; i < size / 8; i += 512)
        words[i] = i;
    for (int i = 0; i < 240; i++)
        mmap(0, size, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    ready();
    return 0;
}
"""


def built(folder: Path, name: str, source: str) -> str:
    (folder / f"{name}.c").write_text(source)
    path = folder / name
    command = [need("gcc"), "-g", "-O1", "-D_GNU_SOURCE", "-pthread"]
    subprocess.run([*command, str(folder / f"{name}.c"), "-o", str(path)], check=True)
    return str(path)


def typed(debugger: str, program: str, stop: str, args: str, out: Path) -> Terminal:
    """A terminal with a program at a function."""
    load = DEBUGGERS[debugger].load
    if debugger == "gdb":
        quiet = ["set pagination off", "set breakpoint pending on"]
        signals = ["handle SIGSEGV SIGUSR1 SIGUSR2 nostop noprint pass"]
        lines = [*quiet, *signals, load, f"tbreak {stop}"]
        lines.append(f"run {args} >{out} </dev/null")
        words = ["gdb", "-nx", "-q"]
        words += [word for line in lines for word in ("-ex", line)]
    else:
        lines = [load, f"breakpoint set -o true -n {stop}"]
        lines.append(f"process launch -i /dev/null -o {out} -e {out} -- {args}")
        words = ["lldb-19", "--no-lldbinit"]
        words += [word for line in lines for word in ("-o", line)]
    terminal = Terminal([*words, program])
    terminal.until(b"Temporary breakpoint 1, " if debugger == "gdb" else b"stop reason")
    terminal.type("p 1000 + 1\n")
    terminal.until(ANSWER[debugger] % 1001)
    return terminal


def interrupted(
    debugger: str, terminal: Terminal, command: str, work: float
) -> "tuple[str, float]":
    """What was said after ^C in the middle of a command, and after how many seconds.
    There is no event for its middle: it is where so many seconds were worked."""
    before = terminal.worked()
    terminal.type(f"{command}\n")
    assert wait_until(lambda: terminal.worked() - before >= work)
    terminal.type("\x03")
    begun = time.monotonic()
    terminal.type("p 2000 + 2\n")
    said = terminal.until(ANSWER[debugger] % 2002).decode(errors="replace")
    return said, time.monotonic() - begun


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
@pytest.mark.parametrize("command", ["thunk-find", "thunk-inspect"])
@pytest.mark.cover("debugger", "command")
def test_a_long_search(debugger: str, command: str, tmp_path: Path) -> None:
    huge = built(tmp_path, "huge", HUGE)
    terminal = typed(debugger, huge, "ready", "", tmp_path / "out")
    try:
        said, seconds = interrupted(debugger, terminal, command, 0.4)
        assert "interrupted" in said, said
        assert "Traceback" not in said and seconds < SOON
        terminal.type("frame info\n" if debugger == "lldb" else "frame\n")
        terminal.until(b"ready")
    finally:
        terminal.close()


@pytest.mark.parametrize("debugger", ["gdb", "lldb"])
def test_a_deep_stack(debugger: str, tmp_path: Path) -> None:
    library, script = ENGINE / "libChakraCore.so", SCRIPTS / "deep.js"
    args = f"--no-jit --big-stack {library} {script}"
    host = need(ENGINE / "engine_host")
    terminal = typed(debugger, host, "engine_print", args, tmp_path / "out")
    try:
        said, seconds = interrupted(debugger, terminal, "thunk-bt", 0.1)
        assert ("interrupted" in said) != ("10000" in said), said[-3000:]
        assert "Traceback" not in said and seconds < SOON
    finally:
        terminal.close()


EXEC = r"""
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
__attribute__((noinline)) void ready(void) { __asm__ volatile("nop"); }
static void *ends(void *p) { return p; }
int main(int argc, char **argv)
{
    ready();
    if (argc > 1 && !strcmp(argv[1], "self"))
        return execl(argv[0], argv[0], "threads", (char *)0);
    if (argc > 1 && !strcmp(argv[1], "true"))
        return execl("/bin/true", "true", (char *)0);
    if (argc > 1 && !strcmp(argv[1], "exit"))
        exit(7);
    for (int i = 0; i < 200; i++) {
        pthread_t some[4];
        for (int n = 0; n < 4; n++)
            pthread_create(&some[n], 0, ends, 0);
        for (int n = 0; n < 4; n++)
            pthread_join(some[n], 0);
    }
    return 3;
}
"""


@pytest.mark.parametrize(
    ("how", "ended"), [("self", 3), ("true", 0), ("exit", 7), ("threads", 3)]
)
@pytest.mark.cover("session", "how")
def test_another_program_or_threads(session: Session, how: str, ended: int) -> None:
    """In the middle of a trace the process becomes another, or its threads change."""
    start(session, built(session.folder.parent, "exec", EXEC), how)
    before = all_break_points(session)
    document = trace(session, "--timeout 30")
    if document["ended"] != f"exited with {ended}":
        # lldb stops at an exec, as it does without us.
        assert session.name == "lldb" and how in ("self", "true"), document["ended"]
        assert trace(session, "--timeout 30")["ended"] == f"exited with {ended}"
    assert not document["failures"]
    assert len(all_break_points(session)) <= len(before)
    error = session.run("thunk-inspect").error
    assert "no process" in error and len(error.strip().splitlines()) == 1


class Mute(Proxy):
    """Passes bytes until it is told to be still."""

    still = False

    def _pass(self, debugger: socket.socket, stub: socket.socket) -> None:
        with selectors.DefaultSelector() as both:
            both.register(debugger, selectors.EVENT_READ, stub)
            both.register(stub, selectors.EVENT_READ, debugger)
            while True:
                for key, _ in both.select():
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if not self.still:
                        key.data.sendall(data)


PATIENCE = {
    "gdb": "set remotetimeout 1",
    "lldb": "settings set plugin.process.gdb-remote.packet-timeout 1",
}
"""lldb goes by what was set when it connected."""
SILENT = ["does not answer", "gdb says: Invalid hex digit"]
"""The second is gdb 13, which takes what stands for no answer for one."""
COMMANDS = [
    "inspect",
    "bt",
    "trace --timeout 1",
    pytest.param("find", marks=pytest.mark.long),
    pytest.param("layout $x0", marks=pytest.mark.long),
]


@pytest.fixture
def silent(session: Session) -> "Iterator[Session]":
    """Stopped in a program under qemu, whose stub says no more from then on."""
    session.open("aarch64")
    session.run(PATIENCE[session.name])
    session.run(session.debugger.open(fixture("aarch64")))
    words = [fixture("aarch64"), "caller-stack", "none", "3", "--calls", "1000"]
    qemu = Qemu(words, session.folder, True, session.output)
    proxy = Mute(int(qemu.address))
    try:
        place = f"127.0.0.1:{proxy.port}"
        connect = {"gdb": f"target remote {place}", "lldb": f"gdb-remote {place}"}
        session.run(connect[session.name])
        session.go_to("arm64_CallFunction")
        proxy.still = True
        yield session
    finally:
        qemu.close()
        proxy.close()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.cover("session", "command")
def test_a_stub_that_says_no_more(silent: Session, command: str) -> None:
    """The first thing that nobody answers is the last that a command asks for: the
    others would each take as long."""
    said = silent.run(f"thunk-{command}")
    assert any(words in said.error for words in SILENT), said.text
    lines = [line for line in said.error.splitlines() if "Ignoring packet" not in line]
    assert len([line for line in lines if line.strip()]) == 1, said.error
    assert "thunk-inspect" in silent.run("help thunk-inspect").output


@pytest.mark.parametrize(
    ("ago", "size", "reads", "patience", "silent"),
    [
        (0, 8, False, 1, False),  # an address that is not there
        (9, 8, False, 1, True),
        (9, 8, False, 30, False),  # a slow one, of a debugger that waits for it
        (9, 8, False, None, False),  # a process on this machine
        (9, 1 << 20, True, 1, False),  # many packets of a slow stub
        (9, 1 << 20, False, 1, False),  # the same, up to what is not there
    ],
)
def test_what_took_long_is_not_silence(
    ago: float, size: int, reads: bool, patience: Optional[float], silent: bool
) -> None:
    line = Line("timeout", lambda: patience, lambda address: reads)
    said = ""
    try:
        line.failed(now() - ago, 0x1000, size)
    except NoAnswer as error:
        said = str(error)
    assert bool(said) == silent, said
    assert not silent or "(timeout is 1 s)" in said


def test_a_terminal_that_lldb_has_made_for_the_program() -> None:
    """Launched without a word of its input, a ^C goes there and nobody reads it."""
    lines = [DEBUGGERS["lldb"].load, "breakpoint set -o true -n main", "run"]
    words = ["lldb-19", "--no-lldbinit"]
    words += [word for line in lines for word in ("-o", line)]
    terminal = Terminal([*words, fixture("x86_64"), "--", "sysv", "none", "3"])
    try:
        terminal.until(b"stop reason")
        terminal.type("thunk-trace --count 1\n")
        terminal.until(b"kill -INT")
        terminal.until(b"1 call was traced")
    finally:
        terminal.close()
