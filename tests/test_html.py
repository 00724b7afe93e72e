"""The HTML report: what it says, what no name makes it say, how a browser shows it."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import pytest

from browser import Box, Browser, Look, browser
from conftest import Console
from hostile import HOSTILE, TOGETHER, Skeleton, harmless, poisoned
from sessions import Session
from thunk_inspect import dependencies
from thunk_inspect.inspection import inspect
from thunk_inspect.report.files import write_text
from thunk_inspect.report.html import render
from thunk_inspect.report.html.picture import NARROW, WIDE, picture_of
from thunk_inspect.report.model import Pointer, Report, StackWord
from thunk_inspect.snapshot import SnapshotTarget
from thunk_inspect.target import ThunkError
from thunk_inspect.trace.model import Event, FunctionCalls, Hang, Sample, Trace

pytestmark = pytest.mark.xdist_group("browser")

# Name: arguments of chakra_like, and where it is stopped; None is before the call.
STOPS: Dict[str, Tuple[str, str, str, Optional[str]]] = {
    "offset16": ("aarch64", "homing", "offset16", "interpreter"),
    "regs-only": ("aarch64", "caller-stack", "regs-only", "header"),
    "no-fplr": ("aarch64", "homing", "no-fplr", "header"),
    "pushed": ("aarch64", "section3", "none", "header"),
    "undecided": ("aarch64", "homing", "none", None),
    "misalign": ("x86_64", "windows", "misalign", "header"),
}
NAMES = ["sound", "traced", *STOPS]


@pytest.fixture(scope="module")
def reports(
    saved_text: str, tmp_path_factory: pytest.TempPathFactory
) -> Dict[str, Report]:
    """Reports of real processes, by name; two debuggers make them all."""
    made = {"sound": judged(json.loads(saved_text))}
    for arch in ("aarch64", "x86_64"):
        session = Session("gdb", tmp_path_factory.mktemp(arch))
        try:
            for name, (machine, convention, fault, place) in STOPS.items():
                if machine == arch:
                    made[name] = stopped(session, name, convention, fault, place)
        finally:
            session.close()
    made["traced"] = dataclasses.replace(made["no-fplr"], trace=a_trace())
    return made


def stopped(
    session: Session, name: str, convention: str, fault: str, place: Optional[str]
) -> Report:
    arch = STOPS[name][0]
    if session.arch:
        session.load_again(convention, fault, "3")
    else:
        session.load(convention, fault, "3", arch=arch)
    if place:
        session.go_on_to("header")
    if place == "interpreter":
        session.go_on_to(place)
    path = session.folder / f"{name}.json"
    answer = session.run(f"thunk-snapshot {path}")
    assert not answer.error, answer.error
    return judged(json.loads(path.read_text()))


def judged(document: Any) -> Report:
    return inspect(SnapshotTarget(document))


def a_trace() -> Trace:
    """Forty events, one of them a failure, and a hang."""
    wrong = ("lr is 0x5500802fd4, was 0x402190: `blr x1` at block+0xfd0 did it",)
    events = [
        Event(
            number=n,
            kind=("call", "entered", "dispatch", "interpreter", "returned")[n % 5],
            thread=1,
            call=n // 5,
            depth=1 + n % 3,
            address=0x5500802000 + n,
            function=0x4A96F0,
            name="add",
            text=f"event {n} of add(12, 1.5, 3)",
            values={"x0": 0x4A96F0, "sp": 0x55008004F0},
            problems=wrong if n == 37 else (),
        )
        for n in range(1, 41)
    ]
    sample = Sample(1, 0x5500802FE0, "epilogue of the block at 0x5500802000", 0x2FD4)
    return Trace(
        events=events,
        counts={"call": 8, "entered": 8},
        functions=[
            FunctionCalls("add", 0x4A96F0, 0x5500802FB8, 7, 1),
            FunctionCalls(None, 0x4A9750, None, 1, 0),
        ],
        calls=8,
        failures=1,
        first_failure=events[36],
        missing=["generated: no symbol"],
        ended="the time was up",
        hang=Hang("thunk", "3 instructions go round for ever", ["ret"], [sample]),
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_it_is(reports: Dict[str, Report], name: str) -> None:
    """No script, no inline style, no address of anything, and the answer first."""
    report = reports[name]
    page = render(report)
    kinds = Skeleton(page).kinds
    names = {attribute for kind in kinds for attribute in kind[1:]}
    assert not {kind[0] for kind in kinds} & {"script", "img", "link", "iframe"}
    assert "style" not in names and not any(n.startswith("on") for n in names)
    assert "src" not in names and "http:" not in page and "https:" not in page
    assert page.count(report.verdict.upper()) >= 2, "in the title and in the heading"
    assert harmless(page)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_becomes_markup(reports: Dict[str, Report], text: str) -> None:
    report = poisoned(reports["traced"], text)
    for issue in report.issues:
        assert issue.title == text
    page = render(report)
    known = Skeleton(render(reports["traced"])).kinds
    known |= Skeleton(render(reports["offset16"])).kinds
    known |= Skeleton(render(poisoned(reports["traced"], "`x`"))).kinds
    assert Skeleton(page).kinds <= known
    assert harmless(page)
    page.encode("utf-8")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    yield from browser(tmp_path_factory.mktemp("chromium"))


def inside(inner: Box, outer: Box, slack: float = 0.6) -> bool:
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def overlap(one: Box, other: Box, slack: float = 1.0) -> bool:
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return across > slack and down > slack


def check_picture(look: Look) -> None:
    boxes = {slot["place"]: slot["box"] for slot in look.slots}
    assert len(boxes) == len(look.slots), "each place is there once"
    tops = [slot["box"][1] for slot in look.slots]
    assert tops == sorted(tops) and list(boxes) == sorted(boxes)
    for n, slot in enumerate(look.slots):
        for other in look.slots[n + 1 :]:
            assert not overlap(slot["box"], other["box"], 0)
        for text in slot["texts"]:
            assert inside(text["box"], slot["box"]), text
    for n, text in enumerate(look.texts):
        assert inside(text["box"], look.pictures[0]), text
        for other in look.texts[n + 1 :]:
            # Boxes of glyphs are taller than lines: only what lies beside counts.
            assert not overlap(text["box"], other["box"], 4), (text, other)
    for arrow in look.arrows:
        left, top, _, bottom = boxes[arrow["place"]]
        _, y, end, _ = arrow["box"]
        assert abs(end - left) < 3, "it ends at the box"
        assert top <= y <= bottom, "at the very box that it names"
        assert arrow["label"][2] <= arrow["box"][0]


def check_look(look: Look) -> None:
    assert look.width <= look.inner, "nothing is wider than the window"
    assert len(look.contrasts) > 50
    for contrast, text in look.contrasts:
        assert contrast >= 4.5, (round(contrast, 2), text)
    if look.pictures:
        check_picture(look)


@pytest.mark.parametrize("name", NAMES)
def test_how_it_looks(reports: Dict[str, Report], chromium: Browser, name: str) -> None:
    chromium.open(render(reports[name]))
    for look in chromium.looks():
        assert len(look.pictures) == 1, "the picture that there is room for"
        check_look(look)
    assert not chromium.said and not chromium.forbidden()
    assert len(chromium.requests) == 1, "the file itself"


@pytest.mark.parametrize("text", TOGETHER, ids=range(len(TOGETHER)))
def test_no_name_breaks_the_page(
    reports: Dict[str, Report], chromium: Browser, text: str
) -> None:
    """Nothing of it is run or fetched, and nothing leaves its place."""
    report = dataclasses.replace(reports["offset16"], trace=a_trace())
    page = chromium.open(render(poisoned(report, text)))
    assert page.locator("script, img").count() == 0
    assert page.locator("#trace h3").count() == 5
    for look in chromium.looks(["light"]):
        assert look.width <= look.inner
        check_picture(look)
    assert not chromium.said and not chromium.forbidden()
    assert len(chromium.requests) == 1
    if text.isprintable() and "`" not in text:
        assert text in (page.locator("#trace").text_content() or "")


def test_an_extreme_stack(reports: Dict[str, Report], chromium: Browser) -> None:
    """Addresses of full length, far pointers, misaligned ones, several at one word."""
    end, long = 1 << 64, "x" * 200
    words = [
        StackWord(n, end - 400 + n, None, f"args[{n}]", "+fff", long, True)
        for n in range(0, 160, 8)
    ]
    pointers = [
        Pointer("x0", 0, -1 << 20),
        Pointer("sp", 4),
        Pointer("x29", 4, 4096),
        Pointer("r15", None, 4),
    ]
    report = dataclasses.replace(reports["sound"], stack=words, pointers=pointers)
    chromium.open(render(report))
    for look in chromium.looks():
        check_look(look)
        assert len(look.arrows) == 6


def test_the_broken_page(reports: Dict[str, Report], chromium: Browser) -> None:
    """The answer, the reason, the mend; then where x0 points and where it should."""
    page = chromium.open(render(reports["offset16"]))
    page.set_viewport_size({"width": 1280, "height": 900})
    head = page.locator("header").inner_text()
    order = ["BROKEN", "does not find the function", "issue 1", "mend", "proved"]
    assert sorted(order, key=head.index) == order
    assert "add x0, sp, #32" in head
    look = next(chromium.looks())
    arrows = {(a["register"], a["kind"]): a["place"] for a in look.arrows}
    assert arrows["x0", "astray"] == 0 and arrows["x0", "should"] == 16
    assert arrows["sp", "points"] == -16
    wrong = {slot["place"] for slot in look.slots if "wrong" in slot["kind"]}
    assert {0, 8, 16} <= wrong
    texts = [text["text"] for text in look.texts]
    stored = {word.place: word.value for word in reports["offset16"].stack}
    assert f"✗ should be {stored[16]:#x}" in texts
    assert "holds the caller's x29 (frame pointer)" in texts
    blamed = page.locator("tr.blamed").all_inner_texts()
    assert any("add x0, sp, #16" in row and "✗" in row for row in blamed)


def test_failing_checks_are_open(reports: Dict[str, Report], chromium: Browser) -> None:
    page = chromium.open(render(reports["offset16"]))
    claims = {check.id: check for check in reports["offset16"].claims}
    for name, check in claims.items():
        assert page.locator(f"#{name}").evaluate("one => one.open") == (
            check.verdict == "fail"
        )
        assert check.verdict in page.locator(f"#{name} summary").inner_text()
    assert page.locator("#checklist details").count() == len(
        reports["offset16"].checklist
    )


def test_a_sound_page(reports: Dict[str, Report], chromium: Browser) -> None:
    page = chromium.open(render(reports["sound"]))
    text = page.inner_text("body")
    assert "SOUND" in text and "add(12, 1.5, 3)" in text
    assert page.locator(".wrong:not(.key)").count() == 0
    assert page.get_by_text("✗ should be").count() == 0
    assert page.locator("details.fail").count() == 0


def test_an_undecided_page(reports: Dict[str, Report], chromium: Browser) -> None:
    head = chromium.open(render(reports["undecided"])).locator("header").inner_text()
    assert "UNDECIDED" in head and "R8" in head and "stop in the stub" in head


def test_the_trace(reports: Dict[str, Report], chromium: Browser) -> None:
    page = chromium.open(render(reports["traced"]))
    assert "8 calls, 1 with a problem" in page.locator("header").inner_text()
    events = page.locator(".events")
    assert events.locator("tbody tr").count() == 40
    assert "✗" in events.locator("tr.wrong").inner_text()
    scrolls = "one => one.scrollHeight > one.clientHeight && one.tabIndex === 0"
    assert events.evaluate(scrolls)
    assert "event 37" in page.locator(".failure").inner_text()


def test_by_keyboard(reports: Dict[str, Report], chromium: Browser) -> None:
    page = chromium.open(render(reports["offset16"]))
    page.keyboard.press("Tab")
    skip = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert page.evaluate("document.activeElement.hash") == "#evidence" and skip >= 0
    page.locator("#R2 summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#R2").evaluate("one => one.open") is False


def test_on_paper(reports: Dict[str, Report], chromium: Browser) -> None:
    """Paper is light, scrolls nothing, and shows what is folded on the screen."""
    page = chromium.open(render(reports["traced"]))
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    colour = "getComputedStyle(document.querySelector('section')).backgroundColor"
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
    assert not page.locator("#R1").evaluate("one => one.open")
    assert page.locator("#R1 li").first.bounding_box()
    whole = "one => one.scrollHeight <= one.clientHeight"
    assert page.locator(".events").evaluate(whole)


def test_the_policy_is_in_force(reports: Dict[str, Report], chromium: Browser) -> None:
    """Our style passes by its hash; whatever else might get in does not."""
    page = chromium.open(render(reports["sound"]))
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "1080px"
    page.evaluate(
        "document.body.innerHTML = '<img src=x onerror=alert(1)><p style=color:red>'"
    )
    page.wait_for_function("window.forbidden.length >= 2")
    assert {name.split("-")[0] for name in chromium.forbidden()} >= {"img", "style"}


@pytest.mark.parametrize("measure", [WIDE, NARROW])
def test_no_stack_no_picture(reports: Dict[str, Report], measure: Any) -> None:
    bare = Report("aarch64", "linux", "gdb", None, {}, [])
    assert picture_of(bare, measure) is None
    assert "UNDECIDED" in render(bare)
    assert picture_of(reports["sound"], measure)


def test_from_a_debugger(session: Session) -> None:
    session.load("homing", "no-fplr", "3", arch="aarch64")
    session.go_on_to("header")
    path = session.folder / "with space.html"
    answer = session.run(f"thunk-inspect --html '{path}'")
    assert not answer.error and answer.output.startswith("BROKEN")
    assert "✗</span> BROKEN" in path.read_text(encoding="utf-8")
    answer = session.run(f"thunk-inspect --html {session.folder}/none/report.html")
    assert "cannot write" in answer.error and len(answer.error.splitlines()) == 1


def test_from_the_console(saved_text: str, console: Console, tmp_path: Path) -> None:
    snapshot, path = tmp_path / "snapshot.json", tmp_path / "report.html"
    snapshot.write_text(saved_text)
    done = console("replay", snapshot, "--json", "--html", path)
    assert done.returncode == 0 and json.loads(done.stdout)["verdict"] == "sound"
    assert "add(12, 1.5, 3)" in path.read_text(encoding="utf-8")
    done = console("replay", snapshot, "--html", tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert {entry.name for entry in tmp_path.iterdir()} == {snapshot.name, path.name}


def test_jinja_only_where_it_is_needed(saved_text: str, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_text(saved_text)
    code = (
        "import sys; from thunk_inspect.cli import main;"
        f"main(['replay', {str(snapshot)!r}]); print('jinja2' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "False"


def test_without_jinja(
    reports: Dict[str, Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "_importable", lambda name: name != "jinja2")
    monkeypatch.setattr(dependencies, "_places", lambda: iter(()))
    with pytest.raises(ThunkError, match="lacks jinja2"):
        render(reports["sound"])


def test_no_link_is_written_through(tmp_path: Path) -> None:
    other, link = tmp_path / "other", tmp_path / "report.html"
    other.write_text("mine")
    os.symlink(other, link)
    write_text(str(link), "new")
    assert other.read_text() == "mine"
    assert link.read_text() == "new" and not link.is_symlink()
