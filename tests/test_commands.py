"""The commands as part of a debugger: help, completion, and what loading changes."""

import subprocess
import sys
from typing import List

import pytest

from debuggers import DRIVERS
from programs import ENVIRONMENT, ROOT, need
from sessions import Session
from thunk_inspect.commands import HELP
from thunk_inspect.settings import SETTINGS

COMMANDS = tuple(help.name for help in HELP)
WITHOUT_JSON = ("thunk-snapshot", "thunk-settings", "thunk-stub")
ON_THE_COMMAND_LINE = ("replay", "run", "setup", "doctor")
COLUMNS = 80
HEAVY = ("capstone", "rich", "argparse", "json", "thunk_inspect.proof")

MODULES = {
    "gdb": "python import sys; print(sorted(sys.modules))",
    "lldb": "script import sys; lldb.debugger.SetPrompt(','.join(sys.modules))",
}


def test_help(session: Session) -> None:
    session.open()
    for command in COMMANDS:
        text = session.run(f"help {command}").output
        assert f"Usage: {command}" in text
        # What lldb itself says in its first line is not ours to break.
        ours = text[text.index("Usage:") :]
        assert max(map(len, ours.splitlines())) < COLUMNS, text
        assert ("--json" in text) != (command in WITHOUT_JSON), command


def test_help_of_parameters(gdb: Session) -> None:
    gdb.open()
    for words in ("", *(setting.name for setting in SETTINGS)):
        for verb in ("set", "show"):
            text = gdb.run(f"help {verb} thunk-inspect {words}").output
            assert text and max(map(len, text.splitlines())) < COLUMNS, text


def test_help_of_the_function(gdb: Session) -> None:
    gdb.open()
    text = gdb.run("help function _thunk").output
    assert "FUNCTION" in text and max(map(len, text.splitlines())) < COLUMNS, text


@pytest.mark.parametrize("words", [[], *([name] for name in ON_THE_COMMAND_LINE)])
def test_help_on_the_command_line(words: List[str]) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "plugin", *words, "--help"],
        env={**ENVIRONMENT, "COLUMNS": str(COLUMNS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert max(map(len, done.stdout.splitlines())) < COLUMNS, done.stdout


def test_help_lists_them(gdb: Session) -> None:
    gdb.open()
    listed = gdb.run("help user-defined").output
    for command in COMMANDS:
        assert f"{command} --" in listed


def test_lldb_help_lists_them(lldb: Session) -> None:
    lldb.open()
    listed = lldb.run("help").output
    for command in COMMANDS:
        assert command in listed


def test_completion_in_gdb(gdb: Session) -> None:
    gdb.open()
    assert set(COMMANDS) <= set(gdb.run("complete thunk-").output.split())
    options = gdb.run("complete thunk-inspect --").output.split()
    assert {"--json", "--bytes", "--all"} <= set(options)
    assert gdb.run("complete thunk-inspect --js").output.split() == [
        "thunk-inspect",
        "--json",
    ]
    assert gdb.run("complete thunk-settings b").output.split() == [
        "thunk-settings",
        "block-size",
    ]
    assert gdb.run("complete thunk-trace --only gen").output.endswith("generated\n")


def test_completion_in_lldb(lldb: Session) -> None:
    lldb.load("sysv", "none", "3")
    script = lldb.folder / "completion.py"
    script.write_text(COMPLETION)
    lldb.run(f"command script import {script}")
    assert "amd64_CallFunction" in lldb.run("complete thunk-inspect amd64_Call").output
    assert "thunk-settings" in lldb.run("complete thunk-se").output


COMPLETION = """
import lldb
def complete(debugger, line, context, result, internal):
    words, interpreter = lldb.SBStringList(), debugger.GetCommandInterpreter()
    interpreter.HandleCompletion(line, len(line), 0, -1, words)
    for n in range(words.GetSize()):
        result.AppendMessage(words.GetStringAtIndex(n))
def __lldb_init_module(debugger, internal):
    debugger.HandleCommand("command script add -f completion.complete complete")
"""


def loaded_modules(session: Session) -> "set[str]":
    text = session.run(MODULES[session.name]).output
    if session.name == "lldb":
        # What a script prints goes elsewhere; the prompt can be asked for.
        text = session.run("settings show prompt").output
    return set(text.replace("'", " ").replace(",", " ").replace('"', " ").split())


def test_loading_imports_nothing_heavy(session: Session) -> None:
    session.open()
    modules = loaded_modules(session)
    assert "thunk_inspect" in modules
    if session.name == "lldb":
        # The session's own loop imports json.
        modules.discard("json")
    assert not modules & set(HEAVY)


STARTED = {
    "gdb": (["gdb", "-nx", "-q", "-batch"], "-ex", "python"),
    "lldb": (["lldb-19", "--no-lldbinit", "--batch"], "-o", "script"),
}
"""A debugger that ends by itself, its option for a command, its command for Python."""
SMALL = {"__future__", "gdb.unwinder", "importlib.machinery"}
"""Modules that may come with the plugin: they take next to no time."""


@pytest.mark.parametrize("name", STARTED)
def test_loading_imports_the_plugin_alone(name: str) -> None:
    """Not even Python's own modules, but those that come with the debugger."""
    (program, *rest), option, python = STARTED[name]
    commands = (
        f"{python} import sys; before = set(sys.modules)",
        DRIVERS[name].load,
        f"{python} print('\\nnew:', *sorted(set(sys.modules) - before))",
    )
    words = [word for command in commands for word in (option, command)]
    done = subprocess.run(
        [need(program), *rest, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
    )
    said = [line for line in done.stdout.splitlines() if line.startswith("new:")]
    assert len(said) == 1, done.stdout + done.stderr
    new = set(said[0].split()[1:])
    assert f"thunk_inspect.{name}.commands" in new
    others = {module for module in new if not module.startswith("thunk_inspect")}
    assert others <= SMALL


def test_loading_twice(session: Session) -> None:
    session.open()
    assert not session.run(session.debugger.load).error
    assert "no process" in session.run("thunk-inspect").error


def test_nothing_else_is_changed(session: Session) -> None:
    """Every setting is the same before and after loading, but for ours."""
    shows = {"gdb": "show", "lldb": "settings show"}[session.name]
    session.open(plugin=False)
    before = session.run(shows).output
    assert not session.run(session.debugger.load).text
    after = session.run(shows).output
    # Lists go on where ours was.
    ours = [line.replace("convenience:", "") for line in after.splitlines()]
    theirs = [line.replace("convenience:", "") for line in before.splitlines()]
    assert [" ".join(line.split()) for line in ours if "thunk" not in line] == [
        " ".join(line.split()) for line in theirs
    ]


def test_inspecting_changes_nothing(session: Session) -> None:
    """Registers, memory and breakpoints stay; no code of ours runs in the process."""
    session.load("homing", "none", "12", arch="aarch64")
    session.go_on_to("header")
    session.go_on_to("interpreter")
    looks = {
        "gdb": ("info registers", "x/64gx $sp-256", "info breakpoints", "info signals"),
        "lldb": ("register read", "x/64gx $sp-256", "breakpoint list", "thread list"),
    }[session.name]
    before = [session.run(look).output for look in looks]
    for command in (*COMMANDS[:1], "thunk-layout $x0", "thunk-find"):
        assert not session.run(command).error
    assert [session.run(look).output for look in looks] == before


def test_the_collector_works_on(gdb: Session) -> None:
    """`thunk-bt` does without Python's collector, a failing one too; scripts do not."""
    gdb.load("sysv", "none", "3")
    asked = "python import gc; print(gc.isenabled())"
    for command, fails in (("thunk-bt", False), ("kill", False), ("thunk-bt", True)):
        assert bool(gdb.run(command).error) == fails
        assert gdb.run(asked).output.strip() == "True"
