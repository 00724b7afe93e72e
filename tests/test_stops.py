"""One call of the fixture, looked at from every place that a user may stop in.

The same block, the same layout and the same call must come out everywhere, in gdb as
in lldb, and agree with what the program itself printed.
"""

import re
from typing import Dict, List, Tuple

import pytest

from conftest import Opener
from reports import Document, arguments, without_source
from sessions import PLACES, Session

PRINTED = re.compile(
    r"interpreter: (\w+)\((.*)\) count=(\d+) flags=(\w+) this=\[(\w+)\]"
)
SOUND = [
    ("aarch64", "homing", "homed"),
    ("aarch64", "caller-stack", "caller-stack"),
    ("x86_64", "sysv", "caller-stack"),
    ("x86_64", "windows", "homed"),
]


def reports_of(session: Session, arch: str, *args: str) -> Dict[str, Document]:
    """The report at each of the five stops of one call."""
    if session.arch:
        session.load_again(*args)
    else:
        session.load(*args, arch=arch)
    return {place: session.go_on_to(place) for place in PLACES}


def printed_call(session: Session) -> Tuple[str, List[str], int, int]:
    """Name, arguments, count and flags as the fixture's interpreter saw them."""
    match = PRINTED.match(session.stdout()[-1])
    assert match, session.stdout()
    args = match.group(2).split(", ") if match.group(2) else []
    return match.group(1), args, int(match.group(3)), int(match.group(4), 16)


def same_text(printed: str, decoded: str) -> bool:
    """`[GlobalObject]` is `{GlobalObject}` to the plugin, a plain object `{…}`."""
    if printed == "[DynamicObject]":
        return decoded == "{…}"
    if printed.startswith("["):
        return decoded.replace("Js::", "") == "{" + printed[1:-1] + "}"
    return printed == decoded


@pytest.mark.parametrize(
    "arch, convention", [("aarch64", "homing"), ("x86_64", "windows")]
)
def test_the_same_call_at_every_instruction_of_the_header(
    gdb: Session, arch: str, convention: str
) -> None:
    """The second of two calls: the first one's words stand where its own will."""
    gdb.load(convention, "none", "12", "--calls", "2", "--functions", "2", arch=arch)
    for _ in range(2):
        report = gdb.go_on_to("header")
    layouts: List[Tuple[Document, Document]] = []
    while not layouts or report["thunk"]["found_by"] == "pc is in its header":
        report = gdb.json()
        layouts.append((report["layout"], gdb.json("thunk-layout")))
        assert report["verdict"] == "sound"
        gdb.run("stepi")
    stored = gdb.json()["layout"]
    assert len(layouts) > 8 and layouts == [(stored, stored)] * len(layouts)


@pytest.mark.parametrize("count", ["3", "12"])
def test_gdb_and_lldb_report_the_same(sessions: Opener, count: str) -> None:
    ours = reports_of(sessions("gdb"), "aarch64", "homing", "none", count)
    theirs = reports_of(sessions("lldb"), "aarch64", "homing", "none", count)
    for place in PLACES:
        assert ours[place]["target"]["source"] == "gdb"
        assert theirs[place]["target"]["source"] == "lldb"
        assert without_source(ours[place]) == without_source(theirs[place]), place


@pytest.mark.parametrize("arch, convention, style", SOUND)
def test_every_stop_shows_the_same_call(
    session: Session, arch: str, convention: str, style: str
) -> None:
    """One process after the other in one debugger."""
    for count in ("0", "3", "12", "20"):
        check_stops(session, arch, convention, style, count)


def check_stops(
    session: Session, arch: str, convention: str, style: str, count: str
) -> None:
    reports = reports_of(session, arch, convention, "none", count)
    name, args, counted, flags = printed_call(session)
    assert counted == int(count) + 1 and flags == 2
    for place, report in reports.items():
        assert report["verdict"] == "sound", place
        assert report["thunk"]["block"] == reports["header"]["thunk"]["block"]
        assert report["thunk"]["convention"] == style
        layout = report["layout"]
        assert layout["address"] == reports["header"]["layout"]["address"], place
    for place in ("stub", "interpreter", "depth_5"):
        assert reports[place]["thunk"]["stub"] == reports["stub"]["thunk"]["stub"]
        layout = reports[place]["layout"]
        assert layout["function"]["name"] == name
        assert layout["call_info"]["count"] == counted
        assert layout["call_info"]["flags"] == ["Value"]
        decoded = arguments(reports[place])
        assert len(decoded) == len(args)
        assert all(map(same_text, args, decoded)), (args, decoded)


@pytest.mark.parametrize("arch, convention, _", SOUND)
@pytest.mark.cover("session arch", "convention")
def test_the_pc_decides_where_the_block_is(
    session: Session, arch: str, convention: str, _: str
) -> None:
    session.load(convention, "none", "3", arch=arch)
    first = session.json()
    assert "function" in first["thunk"]["found_by"]
    assert session.go_on_to("header")["thunk"]["found_by"].startswith("pc")
    assert "return address" in session.go_on_to("depth_5")["thunk"]["found_by"]


@pytest.mark.parametrize("arch, convention, _", SOUND)
@pytest.mark.cover("session arch", "convention")
def test_a_block_of_16_kib(
    session: Session, arch: str, convention: str, _: str
) -> None:
    session.load(convention, "none", "3", "--block-size", "16384", arch=arch)
    for place in PLACES:
        report = session.go_on_to(place)
        assert report["thunk"]["block_size"] == 16384, place
        assert report["verdict"] == "sound", place


def test_break_points_are_no_part_of_the_code(session: Session) -> None:
    """lldb's stand in memory while the process does: in every kind of place of the
    block, but for its middle, where the scan looks."""
    session.load("sysv", "none", "3", "--functions", "1200")
    report = session.go_on_to(PLACES[-2])
    found = session.json("thunk-find")
    assert len(found["blocks"]) == 3
    for block in found["blocks"]:
        start, size = int(block["block"], 0), block["block_size"]
        stubs = range(start + 3072, start + size, 8)
        for address in (*range(start, start + 8), *stubs):
            session.run(session.debugger.once(address))
    assert session.json("thunk-find") == found
    assert session.json() == report


@pytest.mark.parametrize("arch, convention, _", SOUND)
@pytest.mark.cover("session arch", "convention")
def test_many_functions_and_nested_calls(
    session: Session, arch: str, convention: str, _: str
) -> None:
    """The innermost call is the one that is shown. Without a memory map, only blocks
    that a call leads to can be found."""
    args = (convention, "none", "3", "--functions", "1200", "--nest", "3")
    session.load(*args, arch=arch)
    shown = set()
    for level in range(4):
        session.go_to("depth_5")
        report = session.json()
        thunk = report["thunk"]
        shown.add(thunk["stub"])
        offset = thunk["header_size"] + thunk["stub"] * thunk["stubs"]["size"]
        assert f"+{offset:03x} " in session.run("thunk-inspect --bytes").output
        assert report["layout"]["function"]["name"] == f"nest_{level}"
        assert report["verdict"] == "sound"
    assert len(shown) == 4
    found = session.json("thunk-find")
    assert len(found["blocks"]) >= (3 if arch == "x86_64" else 1)


@pytest.mark.parametrize("arch, convention, _", SOUND)
@pytest.mark.cover("session arch", "convention")
def test_layout_of_an_expression(
    session: Session, arch: str, convention: str, _: str
) -> None:
    """thunk-layout decodes what the layout register points to, and sums of it."""
    session.load(convention, "none", "3", arch=arch)
    report = session.go_on_to("interpreter")
    layout = report["layout"]
    register = {"homing": "x0", "caller-stack": "x0", "sysv": "rdi", "windows": "rcx"}
    for expression in (
        f"${register[convention]}",
        layout["address"],
        str(int(layout["address"], 16)),
        f"${register[convention]} - 0x10 + 16",
    ):
        assert session.json(f"thunk-layout {expression}") == layout, expression
    text = session.run(f"thunk-layout ${register[convention]}").output
    assert "add" in text and "1.5" in text


@pytest.mark.parametrize("arch, convention, _", SOUND)
@pytest.mark.cover("session arch", "convention")
def test_an_address_may_be_block_code_or_function(
    session: Session, arch: str, convention: str, _: str
) -> None:
    session.load(convention, "none", "3", arch=arch)
    thunk = session.go_on_to("interpreter")["thunk"]
    function = session.json()["layout"]["function"]["address"]
    for address in (
        thunk["block"],
        thunk["stubs"]["first"],
        thunk["epilogue"],
        function,
    ):
        report = session.json(f"thunk-inspect {address}")
        assert report["thunk"]["block"] == thunk["block"], address


@pytest.mark.parametrize(
    ("arch", "convention"), [("x86_64", "sysv"), ("aarch64", "homing")]
)
def test_memory_that_gdb_does_not_tell_of(
    gdb: Session, arch: str, convention: str
) -> None:
    """gdb says of `set` that it changes memory, and of `restore` nothing."""
    gdb.load(convention, "none", "3", arch=arch)
    layout = gdb.go_on_to("interpreter")["layout"]
    place, file = int(layout["address"], 16) + 8, gdb.folder / "word"
    assert gdb.json() and layout["call_info"]["count"] == 4
    for count, command in (
        (3, f"set {{long}} {place:#x} = 0x2000003"),
        (2, f"restore {file} binary {place:#x}"),
    ):
        file.write_bytes((0x2000000 + count).to_bytes(8, "little"))
        assert not gdb.run(command).error
        for answer in (gdb.json()["layout"], gdb.json(f"thunk-layout {place - 8:#x}")):
            assert answer["call_info"]["count"] == count


def test_a_kernel_that_is_no_linux(gdb: Session) -> None:
    """What is read past gdb there would be another call, or none."""
    gdb.load("sysv", "none", "3")
    gdb.go_on_to("interpreter")
    for line in (
        "import sys; sys.platform = 'freebsd14'",
        "import thunk_inspect.local as local; local._readv = None",
        "import thunk_inspect.gdb.native as native; native._kernel = None",
    ):
        assert not gdb.run(f"python {line}").text
    known = gdb.json()
    gdb.run(gdb.debugger.once("depth_5"))
    gdb.run("continue")
    report = gdb.json()
    assert report["verdict"] == known["verdict"] == "sound"
    assert report["layout"] == known["layout"]


@pytest.mark.parametrize("convention", ["sysv", "windows"])
def test_another_blocks_registers_are_no_call_of_this_one(
    session: Session, convention: str
) -> None:
    """A dispatch leaves the same registers in every block: asked for another one, a
    report holds the call in hand against nothing there."""
    session.load(convention, "none", "3", "--functions", "700")
    blocks = {block["block"] for block in session.json("thunk-find")["blocks"]}
    for place in ("header", "dispatch", "stub", "interpreter"):
        mine = session.go_on_to(place)["thunk"]["block"]
        (other,) = blocks - {mine}
        report = session.json(f"thunk-inspect {other}")
        assert report["thunk"]["block"] == other, place
        assert report["layout"] is None, place
        assert any(mine in problem for problem in report["problems"]), place
        assert report["verdict"] == "undecided", place
