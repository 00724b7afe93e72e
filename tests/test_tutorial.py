"""docs/tutorial.md: every command on it is run here, and must answer as it says there.

A block is ```console; a line in it begins with a prompt, or is what the command before
it printed. A line of nothing but … stands for lines that are left out. Addresses, and
what else depends on the build or the run, are masked on both sides before they are
compared.
"""

import re
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Union

import pytest

from debuggers import DEBUGGERS, Gdb, Lldb
from programs import DEADLINE, ENVIRONMENT, ROOT, Qemu, wait_until

PAGE = ROOT / "docs" / "tutorial.md"
PROMPTS = {"$ ": "shell", "(gdb) ": "gdb", "(lldb) ": "lldb"}
PORT, FOLDER = "1234", "/tmp/"
"""As on the page; a test takes a port that is free, and a folder of its own."""
LEFT_OUT = "…"
PID = f"{FOLDER}qemu.pid"
KEEP = f"echo $! >{PID}"
INTERRUPT = f"kill -INT $(cat {PID})"
"""Typed in another terminal while the command before it goes on."""
OURS = ".venv/bin/thunk-inspect "
STARTS = {"gdb-multiarch -q ": "gdb", "lldb-19 ": "lldb"}
EMULATOR = f"qemu-aarch64 -g {PORT} "
HANGING = 10
"""Ticks of CPU time, of 10 ms each."""

MASKS = (
    (r"0x[0-9a-f]+", "0x#"),
    (r"\b[0-9a-f]{8}\b", "code"),
    (r"(?<=\w)\+\d+(?= |\)|$)", "+#"),
    (r"\bsaved (\d+|N) bytes", "saved # bytes"),
    (r"\.[ch]:\d+", ".c:#"),
    (r"\bat \S*/", "at "),
    (r"(?<= ):\d+", ":#"),
    (r"=>(?=\+)", ""),
    (r"\((?:(?:, )?(?:epilogue|stub \d+))+\)", "(in the loop)"),
)
"""(what depends on the build or the run, what is compared in its place)."""


class Step(NamedTuple):
    """One command on the page, and the lines below it."""

    where: str
    command: str
    printed: List[str]
    line: int
    interrupted: bool = False


def sections(text: str) -> Dict[str, List[Step]]:
    """Every command on the page by its heading; an error for a block that is none."""
    found: Dict[str, List[Step]] = {}
    heading, block = "", None
    for number, line in enumerate(text.replace("\\\n", "").splitlines(), 1):
        if line.lstrip().startswith(("```", "~~~")):
            assert block or line == "```console", f"{number}: unknown block: {line}"
            block = None if block else heading
            steps = found.setdefault(heading, [])
            before = len(steps)
        elif block is None:
            assert not line.startswith(("    ", "\t")), f"{number}: an indented block"
            heading = line[3:] if line.startswith("## ") else heading
        else:
            prompt = next((p for p in PROMPTS if line.startswith(p)), "")
            command = line[len(prompt) :]
            if command == INTERRUPT and prompt == "$ ":
                steps[-1] = steps[-1]._replace(interrupted=True)
            elif prompt:
                steps.append(Step(PROMPTS[prompt], command, [], number))
            else:
                assert len(steps) > before, f"{number}: no prompt: {line}"
                steps[-1].printed.append(line)
    assert block is None, "a block without an end"
    return found


def masked(text: str) -> str:
    """One line, every stretch of blanks a single one, as it would come from any run."""
    text = " ".join(text.split())
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    return text


def difference(printed: List[str], real: str) -> Optional[str]:
    """What the page says and the command did not print; None if there is nothing."""
    rest, whole = masked(real), "\n".join(printed).strip()
    pieces = [masked(piece) for piece in re.split(rf"(?m)^{LEFT_OUT}$", whole)]
    if not rest.startswith(pieces[0]):
        return pieces[0]
    rest = rest[len(pieces[0]) :]
    for piece in pieces[1:]:
        _, found, rest = rest.partition(piece) if piece else ("", LEFT_OUT, rest)
        if not found:
            return piece
    if rest.strip() and (pieces[-1] or len(pieces) == 1):
        return f"(the end; there is more: {rest[:200]})"
    return None


class Reader:
    """Somebody who types what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = folder / "output.txt"
        self.qemu: Optional[Qemu] = None
        self.debugger: Optional[Union[Gdb, Lldb]] = None

    def type(self, step: Step) -> str:
        """What the command printed, as if it had been typed where the page says."""
        return self._type(step).replace(f"{self.folder}/", FOLDER)

    def _type(self, step: Step) -> str:
        if step.where == "shell":
            return self._shell(step.command)
        assert self.debugger and self.debugger.name == step.where, step
        command = step.command.replace(FOLDER, f"{self.folder}/")
        if self.qemu:
            command = command.replace(PORT, self.qemu.address)
        if step.interrupted:
            return self._interrupt(command)
        return self.debugger.run(command).text

    def _shell(self, command: str) -> str:
        if command.startswith(EMULATOR) and command.endswith(" &"):
            self.close()
            words = command[len(EMULATOR) : -len(" &")].split()
            self.qemu = Qemu(words, self.folder, True, self.output)
            return ""
        if command == KEEP and self.qemu:
            (self.folder / Path(PID).name).write_text(f"{self.qemu.pid}\n")
            return ""
        for start, name in STARTS.items():
            if command.startswith(start):
                self.debugger = DEBUGGERS[name](self.folder, "aarch64", ENVIRONMENT)
                self.debugger.run(self.debugger.open(command[len(start) :]))
                return ""
        assert command.startswith(OURS), f"a command that no test knows: {command}"
        return self._bash(command)

    def _bash(self, command: str) -> str:
        return subprocess.run(
            ["bash", "-c", command.replace(FOLDER, f"{self.folder}/")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=ENVIRONMENT,
            timeout=DEADLINE,
            check=False,
        ).stdout

    def _interrupt(self, command: str) -> str:
        """Let the program run until it hangs, and stop it from outside.

        By then it has printed what it was called with, and has been busy for longer
        than its way from there to the hang takes.
        """
        assert self.debugger and self.qemu, command
        self.debugger.send(command)
        assert wait_until(lambda: "interpreter:" in self.output.read_text())
        until = self._cpu_ticks() + HANGING
        assert wait_until(lambda: self._cpu_ticks() >= until)
        assert not self._bash(INTERRUPT)
        return self.debugger.answer().text

    def _cpu_ticks(self) -> int:
        """The CPU time that the program used by now: `utime` of proc(5)."""
        assert self.qemu
        fields = Path(f"/proc/{self.qemu.pid}/stat").read_text().rpartition(")")[2]
        return int(fields.split()[11])

    def close(self) -> None:
        if self.debugger:
            self.debugger.close()
        if self.qemu:
            self.qemu.close()
        self.debugger = self.qemu = None


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.chdir(ROOT)
    reader = Reader(tmp_path)
    yield reader
    reader.close()


SECTIONS = sections(PAGE.read_text())


@pytest.mark.parametrize("heading", list(SECTIONS))
def test_every_command_answers_as_on_the_page(heading: str, reader: Reader) -> None:
    assert SECTIONS[heading]
    for step in SECTIONS[heading]:
        real = reader.type(step)
        missing = difference(step.printed, real)
        assert missing is None, (
            f"line {step.line}, {step.command}: not printed: {missing}\n{real}"
        )


def test_the_page_shows_both_causes_in_both_debuggers() -> None:
    steps = [step for found in SECTIONS.values() for step in found]
    printed = "\n".join(line for step in steps for line in step.printed)
    assert {step.where for step in steps} == {"shell", "gdb", "lldb"}
    for issue in ("issue 1 ", "issue 2 ", "issue 4 "):
        assert issue in printed
    commands = {step.command.split()[0] for step in steps}
    assert {"thunk-inspect", "thunk-layout", "thunk-trace", "thunk-bt"} <= commands


@pytest.mark.parametrize(
    "text",
    ["```gdb\n(gdb) x\n```", "```console\nno prompt\n```", "```\n```", "    (gdb) x"],
)
def test_a_block_that_would_not_be_run_is_an_error(text: str) -> None:
    with pytest.raises(AssertionError):
        sections(text)


@pytest.mark.parametrize("command", ["rm x", "qemu-aarch64 x", "gdb -q x"])
def test_a_command_that_is_not_known_is_an_error(command: str, reader: Reader) -> None:
    with pytest.raises(AssertionError, match="no test knows"):
        reader.type(Step("shell", command, [], 1))


REAL = "BROKEN  it hangs  arm64\nissue 4  at 0x10\nsound  no\n"


@pytest.mark.parametrize(
    "printed",
    [
        ["BROKEN it hangs arm64", "issue 4 at 0x77", "sound no"],
        ["BROKEN  it hangs  arm64", "…"],
        ["…", "issue 4  at 0x10", "…"],
        ["…", "sound  no"],
        ["…"],
    ],
)
def test_what_was_printed_is_no_difference(printed: List[str]) -> None:
    assert difference(printed, REAL) is None


@pytest.mark.parametrize(
    "printed",
    [
        [],
        ["BROKEN  it hangs  arm64"],
        ["…", "issue 4  at 0x10"],
        ["issue 4  at 0x10", "…"],
        ["SOUND  it hangs  arm64", "…"],
        ["…", "issue 1  at 0x10", "…"],
        ["…", "sound  no", "…", "issue 4  at 0x10"],
    ],
)
def test_what_was_not_printed_is_a_difference(printed: List[str]) -> None:
    assert difference(printed, REAL) is not None
