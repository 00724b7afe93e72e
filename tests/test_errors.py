"""What a user gets for a mistake: one clear line, and a debugger that still works."""

from pathlib import Path

import pytest

from debuggers import Answer
from sessions import Session

COLUMNS = 80
BAD_WORDS = ("Traceback", "Error:", "Exception", "internal error", "<class", "argparse")
COMMANDS = ("thunk-inspect", "thunk-find", "thunk-layout 0x10", "thunk-snapshot {file}")


def one_line(answer: Answer, command: str) -> str:
    """The line of an answer that must be one; in lldb "error: " stands before it."""
    assert not answer.output.strip(), f"{command}: {answer.output}"
    line = answer.error.strip()
    assert line and "\n" not in line, f"{command}: {answer.error}"
    line = line[len("error: ") :] if line.startswith("error: ") else line
    name = command.split()[0]
    assert line.startswith(f"{name}: "), line
    assert not [word for word in BAD_WORDS if word in line], line
    assert len(line) > len(name) + 10, f"too short to help: {line}"
    typed = len(command) - len(name)
    assert len(line) < COLUMNS + typed, f"{len(line)} columns: {line}"
    return line


def still_works(session: Session) -> None:
    """The debugger still answers, and so do our commands."""
    version = {"gdb": "show version", "lldb": "version"}[session.name]
    assert session.name in session.run(version).output.lower()
    assert "thunk-inspect" in session.run("help thunk-inspect").output


def no_process(session: Session, file: Path) -> None:
    """So says every command, one after the other."""
    for command in COMMANDS:
        line = one_line(session.run(command.format(file=file)), command)
        assert "no process" in line
    assert not file.exists()
    still_works(session)


def test_without_a_process(session: Session, tmp_path: Path) -> None:
    session.open()
    no_process(session, tmp_path / "file.json")


def test_with_a_program_that_does_not_run_yet(session: Session) -> None:
    session.load("sysv", "none", "3")
    session.run(session.debugger.kill)
    assert "no process" in one_line(session.run("thunk-inspect"), "thunk-inspect")
    still_works(session)


@pytest.mark.parametrize(
    "arch, convention", [("aarch64", "homing"), ("x86_64", "sysv")]
)
def test_after_the_process_ended(
    session: Session, tmp_path: Path, arch: str, convention: str
) -> None:
    session.load(convention, "none", "3", arch=arch)
    ended = session.run("continue")
    assert "exited" in ended.text
    no_process(session, tmp_path / "file")


@pytest.mark.parametrize("arch", ["aarch64", "x86_64"])
def test_in_a_process_without_a_thunk(session: Session, arch: str) -> None:
    """chakra_like at its main: no block is made yet, no function, no frame."""
    convention = "homing" if arch == "aarch64" else "sysv"
    session.load(convention, "none", "3", arch=arch, stop="main")
    for command in ("thunk-inspect", "thunk-find"):
        line = one_line(session.run(command), command)
        assert "thunk" in line[len(command) :]
    still_works(session)
    session.go_to("depth_5")
    assert session.json()["verdict"] == "sound", "and it is found later"


def test_the_error_says_what_was_tried_and_what_to_do(session: Session) -> None:
    session.load("homing", "none", "3", arch="aarch64", stop="main")
    line = one_line(session.run("thunk-inspect"), "thunk-inspect")
    assert "pc" in line and "stop" in line, line


MISTAKES = [
    ("thunk-layout 0x10", "0x10"),
    ("thunk-layout nonsense", "nonsense"),
    ("thunk-layout", "give an address"),
    ("thunk-layout $nonsense", "$nonsense"),
    ("thunk-layout 0xfffffffffffffffffffffff", "0x"),
    ("thunk-layout 1 2", "+"),
    ("thunk-layout 0x10 +", "missing"),
    ("thunk-layout *$sp", "*"),
    ("thunk-layout (long)$sp", "("),
    ("thunk-layout exit(3)", "("),
    ("thunk-layout --nonsense $sp", "--nonsense"),
    ("thunk-inspect --nonsense", "--nonsense"),
    ("thunk-inspect --js", "--js"),
    ("thunk-inspect 0x10", "0x10"),
    ("thunk-inspect 0xffffffffffffffff", "0xffffffffffffffff"),
    ("thunk-inspect nonsense", "nonsense"),
    ("thunk-inspect 'unfinished", "quot"),
    ("thunk-find 0x10", "0x10"),
    ("thunk-find --nonsense", "--nonsense"),
    ("thunk-snapshot", "usage"),
    ("thunk-snapshot /proc/nobody/file", "/proc/nobody/file"),
    ("thunk-snapshot /tmp nonsense", "nonsense"),
]


@pytest.mark.parametrize(
    "arch, convention", [("aarch64", "homing"), ("x86_64", "sysv")]
)
def test_mistakes(session: Session, arch: str, convention: str) -> None:
    """All of them in one session: each must leave it usable for the next."""
    session.load(convention, "none", "3", arch=arch)
    before = session.json()
    for command, word in MISTAKES:
        line = one_line(session.run(command), command)
        assert word in line, f"{command}: {line}"
    still_works(session)
    assert session.json() == before, "nothing has changed"


def test_a_layout_of_garbage(session: Session) -> None:
    """Readable memory that is no layout is decoded, and called what it is."""
    session.load("homing", "none", "3", arch="aarch64")
    pc = session.debugger.number("$pc")
    answer = session.run(f"thunk-layout {pc & ~7:#x}")
    assert not answer.error
    assert "garbage" in answer.output or "no function object" in answer.output
    layout = session.json(f"thunk-layout {pc & ~7:#x}")
    assert layout["problems"] and layout["function"]["name"] is None


def test_an_odd_address(session: Session) -> None:
    session.load("homing", "none", "3", arch="aarch64")
    sp = session.debugger.number("$sp")
    layout = session.json(f"thunk-layout {sp + 1:#x}")
    assert any("aligned" in problem for problem in layout["problems"])
