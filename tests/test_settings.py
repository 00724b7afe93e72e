"""What a user can set: in gdb as parameters, in both debuggers by thunk-settings."""

import json
from pathlib import Path
from typing import Iterator

import pytest

from blocks import RECIPES, emit
from fakes import FakeTarget
from reports import validated
from sessions import Session
from thunk_inspect.chakra.locate import Locator, NotFound
from thunk_inspect.settings import ARGUMENTS, AUTO, BLOCK_SIZE, COLOUR, SETTINGS
from thunk_inspect.snapshot import load_snapshot, save
from thunk_inspect.target import Memory, ThunkError


@pytest.fixture(autouse=True)
def as_at_the_start() -> Iterator[None]:
    yield
    for setting in SETTINGS:
        setting.set(AUTO)


def test_values() -> None:
    for setting in SETTINGS:
        assert setting.value == AUTO and setting.number is None
    ARGUMENTS.set("20")
    assert ARGUMENTS.number == 20
    BLOCK_SIZE.set("16384")
    assert BLOCK_SIZE.number == 16384
    for wanted in (True, False):
        assert COLOUR.wanted(wanted) == wanted
        COLOUR.set("on")
        assert COLOUR.wanted(wanted)
        COLOUR.set("off")
        assert not COLOUR.wanted(wanted)
        COLOUR.set(AUTO)


@pytest.mark.parametrize("value", ["", "0", "-1", "4097", "x", "٣", "1" * 5000, "on"])
def test_what_is_no_number_of_arguments(value: str) -> None:
    with pytest.raises(ValueError, match="arguments is auto or a number from 1 to"):
        ARGUMENTS.set(value)
    assert ARGUMENTS.value == AUTO


def shown(session: Session) -> str:
    return session.run("thunk-settings").output


def test_shown_and_set(session: Session) -> None:
    session.open()
    before = shown(session)
    assert [setting.name for setting in SETTINGS] == [
        line.split()[0] for line in before.splitlines() if line[0] != " "
    ]
    assert "arguments   7 " in session.run("thunk-settings arguments 7").output
    assert "arguments   7 " in shown(session)
    error = session.run("thunk-settings arguments none").error
    assert "arguments is auto or a number from 1 to 4096, not 'none'" in error
    error = session.run("thunk-settings lunch").error
    assert "'lunch' is none of colour, arguments, block-size" in error
    assert not session.run("thunk-settings arguments auto").error
    assert shown(session) == before


def test_gdbs_parameters(gdb: Session) -> None:
    gdb.open()
    gdb.run("set thunk-inspect arguments 7")
    gdb.run("thunk-settings block-size 16384")
    assert (
        "arguments of the thunk commands is 7."
        in gdb.run("show thunk-inspect arguments").output
    )
    for command in ("show thunk-inspect", "set thunk-inspect"):
        assert gdb.run(command).output == shown(gdb)
    asked = gdb.run("python print(gdb.parameter('thunk-inspect block-size'))")
    assert asked.output == "16384\n"
    error = gdb.run("set thunk-inspect arguments none").error
    assert error == "arguments is auto or a number from 1 to 4096, not 'none'\n"
    assert "arguments   7 " in shown(gdb)
    for command in ("set thunk-inspect lunch", "show thunk-inspect lunch"):
        assert "has no 'lunch', but colour, arguments" in gdb.run(command).error
    assert "arguments" in gdb.run("complete set thunk-inspect a").output
    gdb.run(gdb.debugger.load)
    assert "arguments   7 " in shown(gdb)
    gdb.run("thunk-settings arguments 8")
    assert gdb.run("python print(gdb.parameter('thunk-inspect arguments'))").output == (
        "8\n"
    )


def test_arguments(session: Session) -> None:
    """As many as were asked for, in each command, and what is left is said."""
    session.load("sysv", "none", "12")
    session.go_on_to("interpreter")
    assert "… " not in session.run("thunk-layout $rdi").output
    session.run("thunk-settings arguments 3")
    for command in ("thunk-layout $rdi", "thunk-bt"):
        assert "… 10 more)" in session.run(command).output, command
    assert stack_words(session) == 2 + 3
    session.run("thunk-settings arguments 13")
    assert stack_words(session) == 2 + 13
    assert "more)" not in session.run("thunk-bt").output


def stack_words(session: Session) -> int:
    """Words that the interpreter reads, in the picture of the stack."""
    lines = session.run("thunk-inspect --all").output.splitlines()
    return sum(
        any(f" {role} " in line for role in ("function", "callInfo", "this"))
        or " args[" in line
        for line in lines
        if " 0x" in line and ("+" in line.split("0x")[0])
    )


def test_colour(lldb: Session) -> None:
    lldb.load("sysv", "none", "3")
    lldb.go_on_to("interpreter")
    assert "\x1b[" not in lldb.run("thunk-inspect").output
    lldb.run("thunk-settings colour on")
    assert "\x1b[" in lldb.run("thunk-inspect").output
    lldb.run("thunk-settings colour off")
    assert "\x1b[" not in lldb.run("thunk-inspect").output


def test_colour_in_gdb(gdb: Session) -> None:
    """Newer versions take it out again where they do not write to a terminal."""
    gdb.open()
    gdb.run("python from thunk_inspect.gdb.session import GdbSession")
    for value, wanted in (("auto", "False"), ("on", "True"), ("off", "False")):
        gdb.run(f"set thunk-inspect colour {value}")
        said = gdb.run("python print(GdbSession().style().colour)").output
        assert said.strip() == wanted


def test_block_size(session: Session, tmp_path: Path) -> None:
    """A block that is not of that size is none; auto finds it again. A snapshot knows
    what was set."""
    session.load("sysv", "none", "3")
    session.go_on_to("header")
    session.run("thunk-settings block-size 65536")
    assert "no thunk at" in session.run("thunk-inspect $pc").error
    session.run("thunk-settings block-size 4096")
    assert session.json()["thunk"]["block_size"] == 4096
    session.run(f"thunk-snapshot {tmp_path / 'saved'}")
    saved = json.loads((tmp_path / "saved").read_text())
    assert validated(saved)["block_size"] == 4096
    session.run("thunk-settings block-size auto")
    assert session.json()["thunk"]["block_size"] == 4096


LARGE = 65536


def large_block() -> FakeTarget:
    """An arm64 block as an engine on 64 KiB pages would make it."""
    recipe = RECIPES["arm64-unix"]
    code = emit(recipe, LARGE, 0x55001234, (0x28, 8, 0x50), LARGE)
    return FakeTarget({LARGE: code}, {"pc": LARGE, "sp": 16})


def test_a_block_of_another_size() -> None:
    target = large_block()
    arch = RECIPES["arm64-unix"].machine[0]
    with pytest.raises(NotFound):
        Locator(Memory(target), arch).here()
    target.block_size = LARGE
    thunk = Locator(Memory(target), arch).here().thunk
    assert (thunk.address, thunk.size) == (LARGE, LARGE)
    assert thunk.stub_count > 8000


@pytest.mark.parametrize("value", [0, 5000, "4096", 4096.0, True, [4096], -1])
def test_a_snapshot_with_a_strange_block_size(value: object, tmp_path: Path) -> None:
    memory = Memory(large_block())
    save(memory, str(tmp_path / "saved"))
    saved = json.loads((tmp_path / "saved").read_text())
    assert saved["block_size"] is None
    saved["block_size"] = value
    (tmp_path / "saved").write_text(json.dumps(saved))
    with pytest.raises(ThunkError, match="block_size"):
        load_snapshot(str(tmp_path / "saved"))
