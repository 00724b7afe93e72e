"""What the sessions run: fixtures, real engines, debuggers, qemu and wine.

Paths, and processes that must be ended whatever happens. A program that is missing is
an error that names its Debian package.
"""

import fcntl
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Union

from thunk_inspect.session.emulator import free_port
from thunk_inspect.sockets import listens

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "fixtures" / "build"
ENGINE = BUILD / "engine"
SCRIPTS = ROOT / "fixtures" / "engine" / "scripts"
CONSOLE = ROOT / ".venv" / "bin" / "thunk-inspect"
PACKAGES = ROOT / "tools" / "debian-packages.txt"
WINE = "/usr/lib/wine/wine64"
WINESERVER = "/usr/lib/wine/wineserver64"
WINE_PREFIX = ROOT / ".cache" / "wine"

DEADLINE = 60.0
"""Seconds for anything that a session waits for; all take far less."""

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/proc/nobody",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
}
"""The same for every program, so that the same addresses come out each time."""


class SessionError(Exception):
    """A session that could not be started, or did not answer in time."""


def need(program: Union[str, Path]) -> str:
    """The path of a program; SessionError naming what installs it."""
    path = shutil.which(str(program))
    if path:
        return path
    for line in PACKAGES.read_text().splitlines():
        package, _, provides = line.partition(" ")
        if provides.strip() == str(program):
            raise SessionError(f"{program} is missing: apt-get install {package}")
    raise SessionError(f"{program} is missing: run `make install`")


def fixture(arch: str) -> str:
    """chakra_like for this machine."""
    return need(BUILD / arch / "chakra_like")


def ends() -> str:
    """chakra_ends, for x86-64."""
    return need(BUILD / "x86_64" / "chakra_ends")


def variants(arch: str) -> List[List[str]]:
    """[convention, fault] of all that chakra_like can be on this machine."""
    emulator = [need("qemu-aarch64")] if arch == "aarch64" else []
    command = [*emulator, fixture(arch), "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split() for line in listed.stdout.splitlines()]


def end(process: "subprocess.Popen[bytes]") -> None:
    """qemu-user can ignore SIGTERM, so nothing milder than SIGKILL."""
    process.kill()
    process.wait()


class Qemu:
    """A program under qemu-aarch64 that waits for a debugger."""

    def __init__(
        self, command: List[str], folder: Path, by_port: bool, output: Path
    ) -> None:
        self._command = command
        self._output = output
        self.address = ""
        self.process: Optional[subprocess.Popen[bytes]] = None
        for attempt in range(5):
            place = folder / f"qemu{attempt}"
            self.address = str(free_port()) if by_port else str(place)
            if self._start():
                return
        raise SessionError(f"qemu-aarch64 cannot listen: {self._output.read_text()}")

    def _start(self) -> bool:
        """False when another program took the port in the meantime."""
        command = [need("qemu-aarch64"), "-g", self.address, *self._command]
        with self._output.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env=ENVIRONMENT,
            )
        ready = wait_until(lambda: self._ended() or listens(self.pid))
        if ready and not self._ended():
            return True
        end(self.process)
        if not ready:
            raise SessionError("qemu-aarch64 does not start listening")
        return False

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def close(self) -> None:
        if self.process:
            end(self.process)
            # Its socket stays, and the next one here could not have its place.
            Path(self.address).unlink(missing_ok=True)


def wait_until(true: Callable[[], object], seconds: float = DEADLINE) -> bool:
    """Ask often, until it is true or the time is up. For what gives no event."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if true():
            return True
        time.sleep(0.005)
    return False


@contextmanager
def running(folder: Path) -> Iterator[int]:
    """The pid of a chakra_like that nobody debugs yet: it calls, and has said so."""
    output = folder / "said.txt"
    command = [fixture("x86_64"), "sysv", "none", "3", "--calls", "1000000"]
    with output.open("w") as said:
        process = subprocess.Popen(command, stdout=said)
    try:
        assert wait_until(lambda: output.stat().st_size > 0)
        yield process.pid
    finally:
        # Not waited for: if a check failed, the debugger has yet to let go of it.
        process.kill()


def wine_environment() -> Dict[str, str]:
    """For a prefix of the project's own."""
    return {
        **ENVIRONMENT,
        "HOME": str(WINE_PREFIX),
        "WINEPREFIX": str(WINE_PREFIX),
        "WINEDEBUG": "-all",
    }


class Wine:
    """The prefix, held by one session at a time: whoever ends its server ends every
    process in it. Made the first time, which takes wine some ten seconds."""

    def __init__(self) -> None:
        WINE_PREFIX.mkdir(parents=True, exist_ok=True)
        self._lock = (WINE_PREFIX / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        made = WINE_PREFIX / "made"
        if not made.exists():
            _run_for_wine(need(WINE), "wineboot", "--init")
            _run_for_wine(need(WINESERVER), "-w")
            made.touch()

    def close(self) -> None:
        """wine leaves a server and services behind."""
        _run_for_wine(need(WINESERVER), "-k")
        _run_for_wine(need(WINESERVER), "-w")
        self._lock.close()


def _run_for_wine(*command: str) -> None:
    subprocess.run(
        command,
        env=wine_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=2 * DEADLINE,
    )
