"""`make inspect`: the reports that a user sees, of fixtures and of the real engine.

Drives the debuggers as the tests do; nothing is judged here.
"""

import sys
import tempfile
from pathlib import Path
from typing import Callable, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from debuggers import DEBUGGERS  # noqa: E402  # needs the path
from programs import SessionError  # noqa: E402  # the same
from sessions import INTERPRETER, Session  # noqa: E402  # the same

Load = Callable[[Session], None]


def fixture(*args: str) -> Load:
    """The arm64 fixture at the interpreter's first instruction."""

    def load(session: Session) -> None:
        session.load(*args, arch="aarch64")
        session.go_to(INTERPRETER)

    return load


def engine(session: Session) -> None:
    """The engine at its second call of the interpreter: the first is global code."""
    session.load_engine("add.js", "--no-jit", stop=INTERPRETER)
    session.go_to(INTERPRETER)


SHOWN: Tuple[Tuple[str, Load], ...] = (
    ("arm64 under qemu-aarch64, a sound thunk", fixture("homing", "none", "3")),
    (
        "arm64 under qemu-aarch64, a caller that stores nothing on the stack",
        fixture("caller-stack", "regs-only", "3"),
    ),
    ("ChakraCore itself, x86-64, in add(1, 2.5, 'x', {})", engine),
)


def show(debugger: str, title: str, load: Load, folder: Path) -> None:
    print(f"=== {debugger}: {title}\n", flush=True)
    session = Session(debugger, folder)
    try:
        load(session)
        answer = session.run("thunk-inspect")
        if answer.error:
            raise SessionError(answer.error.strip())
        print(answer.output, flush=True)
    finally:
        session.close()


def main() -> int:
    try:
        for title, load in SHOWN:
            for debugger in DEBUGGERS:
                with tempfile.TemporaryDirectory() as folder:
                    show(debugger, title, load, Path(folder))
    except (AssertionError, SessionError) as error:
        print(f"make inspect: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
