"""Nothing but the process' own steps in a trace changes anything: neither the process
nor the debugger is another after a command than before it."""

import hashlib
import re
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

import pytest
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from programs import fixture, need
from sessions import Session
from test_trace_ends import command_of
from thunk_inspect.session.children import descendants
from traces import all_break_points, own_break_points, trace

POINTER = {"x86_64": "$rdi", "aarch64": "$x0"}
HERE: Dict[str, List[str]] = {
    "gdb": [
        "thread",
        "frame",
        "frame 0",
        "info all-registers",
        "frame 1",
        "maint info breakpoints",
        "info breakpoints",
        "info signals",
        "info display",
        "info threads",
        "info inferiors",
        "info sharedlibrary",
        "info handlers",
        "show",
        "show convenience",
        "show values",
        "show environment",
    ],
    "lldb": [
        "thread info",
        "frame info",
        "frame select 0",
        "register read --all",
        "frame select 1",
        "breakpoint list --internal --verbose",
        "watchpoint list",
        "process handle",
        "settings show",
        "target stop-hook list",
        "type summary list",
        "command alias",
        "script print(sorted(name for name in globals() if name != '__builtins__'))",
        "thread list",
    ],
}
"""What a debugger shows of itself and of the process."""
STAYS = {
    "gdb": [line for line in HERE["gdb"] if line.startswith(("info s", "info d"))],
    "lldb": ["process handle", "settings show", "target stop-hook list"],
}
STAYS["gdb"] += ["info breakpoints", "show", "show values", "show environment"]
"""What has to be as it was when the process has gone on."""
SELECT = {"gdb": "frame 1", "lldb": "frame select 1"}
READ_ONLY = [
    "thunk-inspect",
    "thunk-inspect --json",
    "thunk-inspect --all --bytes",
    "thunk-inspect 8",
    "thunk-inspect $nonsense",
    "thunk-inspect --lunch",
    "thunk-layout {pointer}",
    "thunk-layout {pointer} --json",
    "thunk-layout $nonsense",
    "thunk-layout nonsense",
    "thunk-layout main + 1",
    "thunk-layout",
    "thunk-stub {pointer}",
    "thunk-stub $nonsense + 1",
    "thunk-bt",
    "thunk-bt --all",
    "thunk-bt --json",
    "thunk-compare",
    "thunk-compare --all",
    "thunk-find",
    "thunk-find --json",
    "thunk-snapshot {folder}/snapshot.json",
    "thunk-settings",
    "thunk-trace --count 0",
]


OF_THE_STOP = re.compile(
    r"^\$?_(hit_)?(bpnum|locno|exitcode|siginfo).*\n", re.MULTILINE
)
"""Variables that gdb sets at every stop."""


def seen(session: Session, commands: "List[str]") -> "Dict[str, str]":
    said = {command: session.run(command).text for command in commands}
    return {command: OF_THE_STOP.sub("", text) for command, text in said.items()}


def memory_of(session: Session) -> str:
    """All of the process that can be read, natively; of an emulated program the block,
    what its file lets it write to, and the stack."""
    if session.arch == "x86_64":
        (pid,) = [
            pid
            for pid in descendants(session.debugger.pid)
            if command_of(pid) == "chakra_like\n"
        ]
        return whole_memory(pid)
    # Not the selected frame's SP: one that lldb calls synthetic has no registers.
    report = session.json()
    block, sp = int(report["thunk"]["block"], 16), int(report["registers"]["sp"], 16)
    found = hashlib.sha256()
    for start, size in ((block, 4096), (sp - 2048, 6144), *written(session.arch)):
        found.update(dumped(session, start, size))
    return found.hexdigest()


def whole_memory(pid: int) -> str:
    maps = Path(f"/proc/{pid}/maps").read_text()
    found = hashlib.sha256(maps.encode())
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps.splitlines():
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if "[v" in line or line.split()[1][0] != "r":
                continue  # [vvar], where the kernel's clock is
            memory.seek(start)
            for _ in range(start, end, 1 << 20):
                found.update(memory.read(min(1 << 20, end - memory.tell())))
    return found.hexdigest()


def written(arch: str) -> "Iterator[Tuple[int, int]]":
    with Path(fixture(arch)).open("rb") as file:
        for section in ELFFile(file).iter_sections():
            flags = section["sh_flags"]
            if flags & SH_FLAGS.SHF_WRITE and not flags & SH_FLAGS.SHF_TLS:
                yield section["sh_addr"], section["sh_size"]


def dumped(session: Session, start: int, size: int) -> bytes:
    """By the debugger's own words for it."""
    path = session.folder / "dump.bin"
    if session.name == "gdb":
        session.run(f"dump binary memory {path} {start:#x} {start + size:#x}")
    else:
        session.run(f"memory read --force --binary -o {path} -c {size} {start:#x}")
    data = path.read_bytes()
    path.unlink()
    assert len(data) == size
    return data


def set_up(session: Session, arch: str) -> None:
    """In the interpreter, with things of the user's own that could be lost."""
    convention = "sysv" if arch == "x86_64" else "caller-stack"
    session.load(convention, "none", "3", "--calls", "3", arch=arch)
    session.go_to(session.place("interpreter"))
    mine = {
        "gdb": ["set $mine = 7", "break usage_error", "display $pc", "print 1"],
        "lldb": ["b usage_error", "target stop-hook add -o version"],
    }
    for command in mine[session.name]:
        session.run(command)
    session.run(SELECT[session.name])


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.cover("session", "arch")
def test_nothing_is_another(session: Session, arch: str) -> None:
    set_up(session, arch)
    names = HERE[session.name]
    # What is asked for the first time may be there from then on.
    session.run("thunk-inspect")
    seen(session, names)
    before, memory = seen(session, names), memory_of(session)
    vectors = re.search(r"^ *([xyz]mm0|v0|w0) ", before[names[3]], re.MULTILINE)
    assert vectors, "of vectors too"
    for command in READ_ONLY:
        words = {"pointer": POINTER[arch], "folder": session.folder}
        said = session.run(command.format(**words))
        assert said.text and "Traceback" not in said.text, command
        after = seen(session, names)
        for name in names:
            assert after[name] == before[name], (command, name)
        if arch == "x86_64":
            assert memory_of(session) == memory, command
    assert memory_of(session) == memory


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_after_a_trace_only_the_process_has_moved(session: Session, arch: str) -> None:
    set_up(session, arch)
    names = STAYS[session.name]
    session.run("thunk-trace --count 1")
    seen(session, names)
    before = seen(session, names)
    points, own = all_break_points(session), own_break_points(session)
    variables = convenience(session)
    assert trace(session, "--count 1")["calls"] == 1
    after = seen(session, names)
    for name in names:
        assert after[name] == before[name], name
    assert (all_break_points(session), own_break_points(session)) == (points, own)
    assert convenience(session) == variables


def convenience(session: Session) -> "Set[str]":
    """The names of gdb's variables; of lldb's Python, what lldb made there."""
    if session.name == "lldb":
        said = session.run("script print([n for n in globals() if 'autogen' in n])")
        return set(said.output.split())
    shown = session.run("show convenience").output
    return set(re.findall(r"^(\$\w+) = ", shown, re.MULTILINE))


MACRO = r"""
int called;
int counts(void) { return ++called; }
#define trap counts()
int number = 42;
struct { int one; } numbers[2][3];
int main(void) { int local = 43; return local + number + trap - 86; }
"""


@pytest.fixture(scope="session")
def macro(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("macro")
    (folder / "macro.c").write_text(MACRO)
    path = folder / "macro"
    command = [need("gcc"), "-g3", "-O0", str(folder / "macro.c"), "-o", str(path)]
    subprocess.run(command, check=True)
    return str(path)


def test_no_name_calls_a_function(session: Session, macro: str) -> None:
    """In an expression of gdb's, a macro would: a call in the process."""
    session.open()
    session.run(session.debugger.open(macro))
    session.run(session.debugger.once("main"))
    session.run(session.debugger.launch([], session.output))
    said = session.run("thunk-layout trap").error
    assert "no symbol 'trap'" in said
    assert "16 bytes at 0x2a" in session.run("thunk-layout number").error
    assert "16 bytes at 0x2d" in session.run("thunk-layout number + 3").error
    assert "no sound layout" in session.run("thunk-layout numbers").output
    called = {"gdb": "print called", "lldb": "target variable called"}
    assert session.run(called[session.name]).output.strip().endswith(" = 0")


def test_gdbs_own_variables_and_values(gdb: Session) -> None:
    gdb.load("sysv", "none", "3")
    gdb.go_on_to("header")
    gdb.run("set $mine = 0x20")
    gdb.run("print 0x30")
    gdb.run('set $text = "a text"')
    gdb.run("break *malloc")
    for name, number in (("mine", 0x20), ("1", 0x30), ("mine + $1", 0x50)):
        assert f"at {number:#x}" in gdb.run(f"thunk-layout ${name}").error
    for name in ("nonsense", "99", "_", "_thunk", "_siginfo", "text"):
        error = gdb.run(f"thunk-layout ${name}").error
        assert f"no register ${name}" in error, error
    # The address of what is in memory nowhere: gdb would put it there, in Fortran what
    # stands in quotes too.
    gdb.run("set language fortran")
    assert gdb.json()["verdict"] == "sound"
    assert "already hit" not in gdb.run("info breakpoints").output


@pytest.mark.parametrize("condition", ["$n++ < 0", "$n++ == 1"])
def test_a_condition_that_counts(gdb: Session, condition: str) -> None:
    """A break point of the user's where ours is too: gdb has evaluated its condition,
    and twice would be once too often."""
    gdb.load("sysv", "none", "3", "--calls", "3")
    place = gdb.place("header")
    gdb.run("set $n = 0")
    gdb.run(f"break *{place:#x} if {condition}")
    document = trace(gdb)
    stops = "==" in condition
    assert document["ended"].startswith("break point" if stops else "exited")
    assert gdb.run("print $n").output.split()[-1] == ("2" if stops else "3")


def test_one_to_be_ignored(gdb: Session) -> None:
    gdb.load("sysv", "none", "3", "--calls", "4")
    place = gdb.place("header")
    gdb.run(f"break *{place:#x}")
    number = re.search(r"(\d+)\s+breakpoint", gdb.run("info breakpoints").output)
    assert number
    gdb.run(f"ignore {number[1]} 3")
    assert trace(gdb, "--count 2")["ended"] == "2 calls were traced"
    assert trace(gdb)["ended"] == f"break point {number[1]}"
