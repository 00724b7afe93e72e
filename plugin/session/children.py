"""Child processes that end with us, whatever happens to them or to us.

The work is done in a fork of the process that the user started. Each of the two
adopts what its descendants leave behind, and ends it: the worker when it is done or
told to stop, the starter when the worker has gone. The worker is told when the starter
dies, so that even `kill -9` of either leaves nothing running.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Optional

from ..status import UNREACHED
from ..target import ThunkError

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AWAITED = (*STOPPING, signal.SIGCHLD)
"""What the starter waits for."""
PATIENCE = 10.0
"""Seconds for processes to go after SIGKILL; only a broken kernel needs them."""


class NotRun(ThunkError):
    """The process could not be started, reached or stopped in time: UNREACHED."""


class Interrupted(NotRun):
    """A signal told us to stop."""


def supervised(work: Callable[[], int]) -> int:
    """The exit status of `work`, which runs in a fork; nothing it started survives."""
    sys.stdout.flush()
    sys.stderr.flush()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    starter = os.getpid()
    # Whoever has it ignored, as some daemons do, is told of no child's end.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Waited for, not handled: one that comes between Python's last look at its signals
    # and the wait would be heeded only after it. The worker has handlers of its own.
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    worker = os.fork()
    if not worker:
        os._exit(_worker(work, starter))
    waited = _passing_on(worker)
    for number in _wanted():
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
    end_descendants()
    if os.WIFSIGNALED(waited):
        name = signal.Signals(os.WTERMSIG(waited)).name
        print(f"thunk-inspect: the session was ended by {name}", file=sys.stderr)
        return UNREACHED
    return os.WEXITSTATUS(waited)


def _passing_on(worker: int) -> int:
    """How the worker ended, which is told of every signal to stop that we get."""
    expected = {signal.SIGCHLD, *_wanted()}
    while True:
        ended, waited = os.waitpid(worker, os.WNOHANG)
        if ended:
            return waited
        number = signal.sigwait(expected)
        if number != signal.SIGCHLD:
            os.kill(worker, number)


def _worker(work: Callable[[], int], starter: int) -> int:
    """The other side of the fork; returns its exit status and raises nothing."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    for number in _wanted():
        signal.signal(number, _interrupt)
    try:
        try:
            if os.getppid() != starter:
                return UNREACHED
            signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
            return work()
        finally:
            _ignore_stopping()
            end_descendants()
    except BaseException as error:
        from ..target import one_line

        with contextlib.suppress(OSError):
            print(f"thunk-inspect: {one_line(error)}", file=sys.stderr)
        return UNREACHED
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()


def _wanted() -> Iterator[signal.Signals]:
    """The signals that are not ignored by whoever started us, as nohup does."""
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            yield number


def _ignore_stopping() -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


_told: list[int] = []
"""The signal that told us to stop."""


def _interrupt(number: int, frame: Any) -> None:
    _ignore_stopping()
    _told.append(number)
    _heed()


def _heed() -> None:
    """Asked again wherever we wait: Python swallows what a signal raises in a
    finalizer or beside a fork."""
    if _told:
        raise Interrupted(f"stopped by {signal.Signals(_told[0]).name}")


def start(
    command: Sequence[str], env: Optional[Mapping[str, str]] = None, **streams: Any
) -> "subprocess.Popen[bytes]":
    """A child in a session of its own, where no ^C reaches it, that dies with us."""
    parent = os.getpid()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(UNREACHED)

    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        return subprocess.Popen(
            command,
            env=env,
            bufsize=0,
            start_new_session=True,
            preexec_fn=prepare,
            **streams,
        )
    except OSError as error:
        raise NotRun(f"cannot start {command[0]}: {error.strerror}") from None
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


class Watch:
    """Waits for what a child says and for its end, whichever comes first."""

    def __init__(self, child: "subprocess.Popen[bytes]") -> None:
        self.child = child
        self._pidfd = os.pidfd_open(child.pid)

    def wait(self, seconds: float, *files: int) -> list[int]:
        """Which of the files can be read; none when time is up or the child ended."""
        _heed()
        ready, _, _ = select.select([self._pidfd, *files], [], [], max(0.0, seconds))
        return [file for file in ready if file != self._pidfd]

    @property
    def ended(self) -> bool:
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def epitaph(self) -> str:
        """How the child ended, in words."""
        return how_ended(self.child.wait())


def how_ended(code: int) -> str:
    """A child's return code in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"


def descendants(pid: int) -> list[int]:
    """Every process below this one, children before theirs."""
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            # A thread may end while we look.
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{pid}/task/{task}/children") as file,
            ):
                found += map(int, file.read().split())
    return found


def end_descendants() -> None:
    """Kill all of them, and those that they leave to us, until none is left."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        below = descendants(os.getpid())
        if not below:
            return
        for pid in below:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        # The end of one is the time to look again, or soon, for those that forked.
        with contextlib.suppress(OSError):
            pidfd = os.pidfd_open(below[0])
            select.select([pidfd], [], [], 0.05)
            os.close(pidfd)
        _reap()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _prctl(option: int, value: int) -> None:
    _LIBC.prctl(option, value, 0, 0, 0)


# Loaded before any fork, which must not load anything.
_LIBC = ctypes.CDLL(None, use_errno=True)
