"""Fixtures of the whole suite: sessions with a debugger, one fresh for each test."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Callable, Dict, Iterator, List

import pytest

from choosing import leave_the_rest
from debuggers import DEBUGGERS
from faulty import Call
from faulty import saved as saved_call
from programs import CONSOLE, DEADLINE, ENVIRONMENT, need
from reports import Document, validated
from runs import build
from sessions import Session
from stopped import Opened, Stopped

NO_HOME = Path(ENVIRONMENT["HOME"])
Console = Callable[..., "subprocess.CompletedProcess[str]"]
Opener = Callable[[str], Session]


BESIDE = any(os.environ.get(name) for name in ("GEF", "PWNDBG"))
collect_ignore = [] if BESIDE else ["test_coexistence.py"]


for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        # As in a job that a shell started in the background, or nohup: what is started
        # here would not hear of a ^C either.
        signal.signal(number, handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--in", choices=list(DEBUGGERS), help="only what runs in this one")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: "List[pytest.Item]"
) -> None:
    leave_the_rest(items)
    wanted = config.getoption("--in")
    if wanted:
        dropped = [item for item in items if not _runs_in(item, wanted)]
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if _runs_in(item, wanted)]


def _runs_in(item: pytest.Item, debugger: str) -> bool:
    """A session in that debugger, and in no other."""
    given = getattr(item, "callspec", None)
    chosen = given and given.params.get("session")
    return debugger in (chosen, *getattr(item, "fixturenames", ()))


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Opener]:
    """Opens sessions by debugger, and ends them whatever happens."""
    opened: List[Session] = []

    def open_session(debugger: str) -> Session:
        session = Session(debugger, tmp_path / f"{debugger}{len(opened)}")
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()


@pytest.fixture(params=list(DEBUGGERS))
def session(request: pytest.FixtureRequest, sessions: Opener) -> Session:
    """One session, in each debugger: what holds in one must hold in the other."""
    return sessions(request.param)


@pytest.fixture
def gdb(sessions: Opener) -> Session:
    return sessions("gdb")


@pytest.fixture
def lldb(sessions: Opener) -> Session:
    return sessions("lldb")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """A program of the suite's own for each machine, for scripted sessions."""
    folder = tmp_path_factory.mktemp("programs")
    return {
        "x86_64": build(folder, "x86_64"),
        "aarch64": build(folder, "aarch64", "-static"),
    }


@pytest.fixture(scope="session")
def saved_text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A snapshot of a sound arm64 call, stopped in the interpreter."""
    folder = tmp_path_factory.mktemp("saved")
    session = Session("gdb", folder)
    try:
        session.load("homing", "none", "3", arch="aarch64")
        for place in ("header", "interpreter"):
            session.go_on_to(place)
        answer = session.run(f"thunk-snapshot {folder / 'file.json'}")
        assert not answer.error, answer.error
    finally:
        session.close()
    return (folder / "file.json").read_text()


@pytest.fixture
def saved(saved_text: str) -> Document:
    """The snapshot as a document of one's own, to damage."""
    return validated(json.loads(saved_text))


@pytest.fixture
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A sound call of the fixture, saved where it is stopped."""

    def opened(convention: str, place: str, arguments: str = "3") -> Stopped:
        arch = "x86_64" if convention in ("sysv", "windows") else "aarch64"
        call = Call(arch, convention, "none", place, arguments)
        found = Stopped(saved_call(call, tmp_path_factory))
        assert found.report()["verdict"] == "sound"
        return found

    return opened


@pytest.fixture
def console() -> Console:
    """The installed console command."""

    def run(*args: object, home: Path = NO_HOME) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [need(CONSOLE), *map(str, args)],
            capture_output=True,
            text=True,
            env={**ENVIRONMENT, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE,
            check=False,
        )

    return run
