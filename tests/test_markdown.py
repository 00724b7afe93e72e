"""The summary of a CI job, rendered as a site would, whatever names are in it."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Callable, List

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from conftest import Console
from made import CASES, HOSTILE, SOUND, bad_trace, good_trace, hostile, report_of
from thunk_inspect.checklist.model import FAIL, UNKNOWN
from thunk_inspect.report.inert import code, prose
from thunk_inspect.report.markdown import LIMIT, render
from thunk_inspect.report.model import Report
from thunk_inspect.target import clean

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"<br>", "<details><summary>All 49 checks</summary>", "</details>"}
LINKS = {"link_open", "image", "s_open"}
AFTERWARDS = re.compile(r"@\w|#\d|://|www\.|\$|GH-\d|:\w+:")
"""What a site obeys in text that is not code."""


def tokens_of(text: str) -> List[Token]:
    """All tokens, those within lines too."""
    found: List[Token] = []
    for token in GITHUB.parse(text):
        found.append(token)
        found += token.children or []
    return found


def html_of(tokens: List[Token]) -> "set[str]":
    return {one.content.strip() for one in tokens if one.type.startswith("html_")}


def shape(tokens: List[Token]) -> List[str]:
    """The structure without text, and without the paragraphs that hold it: where a name
    is empty there is none."""
    blocks = [one for one in tokens if one.block and one.tag not in ("", "p")]
    return [f"{one.type} {one.tag} {one.markup}" for one in blocks]


def visible(text: str) -> str:
    """What a reader sees of a text in Markdown."""
    parts = [
        one.content for one in tokens_of(text) if one.type in ("text", "code_inline")
    ]
    return "".join(parts)


def tables(text: str) -> List[List[List[str]]]:
    """Every table as rows of cells, as HTML."""
    html = GITHUB.render(text)
    return [
        [
            re.findall(r"<t[hd]>(.*?)</t[hd]>", row, re.DOTALL)
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        ]
        for table in re.findall(r"<table>(.*?)</table>", html, re.DOTALL)
    ]


@pytest.mark.parametrize("arch, convention, fault", CASES)
def test_the_answer_comes_first(arch: str, convention: str, fault: str) -> None:
    report = report_of(arch, convention, fault)
    text = render(report)
    first, second = GITHUB.parse(text)[:2]
    assert first.tag == "h3"
    assert report.verdict.upper() in second.content.split(":")[0]
    assert html_of(tokens_of(text)) == OURS


@pytest.mark.parametrize("arch, convention, fault", CASES)
def test_what_is_wrong_and_what_is_unknown(
    arch: str, convention: str, fault: str
) -> None:
    report = report_of(arch, convention, fault)
    checks = [*report.claims, *report.checklist]
    found = tables(render(report))
    told = [row[1].split("</strong>")[0].split(">")[1] for row in found[0][1:]]
    wanted = [c.id for word in (FAIL, UNKNOWN) for c in checks if c.verdict == word]
    assert told == wanted
    everything = found[-1][1:]
    assert len(everything) == len(checks) == 49
    for check, row in zip(checks, everything):
        assert f"<strong>{check.id}</strong>" in row[1]
        seen = unescape(re.sub(r"<[^>]*>", "", row[2]))
        assert clean(check.evidence[0]).replace("`", "") in seen.replace("`", "")


def test_an_item_refers_to_the_claims_that_it_repeats() -> None:
    report = report_of("aarch64", "caller-stack", "regs-only")
    rows = {row[1]: row[2] for row in tables(render(report))[0][1:]}
    (item,) = [cell for title, cell in rows.items() if "<strong>G6" in title]
    assert item == "see R12"
    (claim,) = [cell for title, cell in rows.items() if "<strong>R12" in title]
    assert "should be the function" in claim
    for check in report.checklist:
        if check.id == "G6":
            report.checklist[report.checklist.index(check)] = replace(
                check, evidence=["R12: something else", *check.evidence]
            )
    assert "<td>R12: something else<br>see R12<br>" in GITHUB.render(render(report))


def test_a_mend_is_shown() -> None:
    report = report_of("aarch64", "homing", "offset16")
    (issue,) = [one for one in report.issues if one.state == "present"]
    assert issue.mend
    seen = visible(render(report))
    assert issue.cause in seen and "with this change R1-R11 hold" in seen
    assert issue.mend.steps[0].replace("`", "") in seen


def test_the_call_is_shown() -> None:
    report = report_of(*SOUND)
    assert report.layout
    assert f"`{report.layout.call_text}`" in render(report)
    assert f"{report.layout.address:#x}" in render(report)


def test_a_call_that_is_not_stored_yet() -> None:
    report = report_of("aarch64", "section7", "none")
    assert any(word.pending for word in report.stack) and report.layout
    text = render(report)
    assert "not stored yet" in text and report.layout.call_text not in text


def test_a_trace_in_short() -> None:
    seen = visible(render(report_of(*SOUND, bad_trace())))
    for words in (
        "2 calls, 1 with a problem",
        "call 2 of add",
        "x0 of add changed",
        "add goes round",
        "br x3",
        "time was up",
        "encoded: no symbol add",
    ):
        assert words in seen
    seen = visible(render(report_of(*SOUND, good_trace())))
    assert "2 calls, 0 with a problem" in seen and "first failure" not in seen
    assert "✓ Trace" in seen
    trace = good_trace()
    trace.lost = 1
    seen = visible(render(report_of(*SOUND, trace)))
    assert "? Trace: 2 calls, 0 with a problem, 1 did not come back" in seen


def test_a_report_without_a_thunk() -> None:
    empty = Report("aarch64", "linux", "gdb", None, {}, [], problems=["no thunk here"])
    text = render(empty)
    assert "UNDECIDED" in text and "no thunk here" in text
    assert "<" not in text and "|" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_is_obeyed(name: str) -> None:
    """Neither HTML nor a link nor a line of its own comes from a name."""
    text = render(hostile(name))
    tokens = tokens_of(text)
    assert html_of(tokens) <= OURS
    assert not {one.type for one in tokens} & LINKS
    harmless = render(hostile("name"))
    assert shape(tokens) == shape(tokens_of(harmless))
    assert text.count("\n") == harmless.count("\n")
    assert text.replace("\n", "").isprintable()
    for token in tokens:
        if token.type == "text":
            assert not AFTERWARDS.search(token.content), token.content


@pytest.mark.parametrize("name", HOSTILE)
def test_tables_keep_their_columns(name: str) -> None:
    for table in tables(render(hostile(name))):
        assert len({len(row) for row in table}) == 1
    assert len(tables(render(hostile(name)))) == 4


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("write", [prose, code])
def test_a_name_stays_readable(name: str, write: Callable[[str], str]) -> None:
    """Alone, in a list and in a cell it reads as it is, but for what it must not do."""
    wanted = clean(name)[:399].strip().replace("`", "")
    for text in (write(name), f"- {write(name)}", f"| a |\n| --- |\n| {write(name)} |"):
        seen = visible(text)
        if text.startswith("| a"):
            seen = seen[1:]
        assert seen.replace("`", "").rstrip("…").strip() == wanted


def test_names_are_cut_and_so_is_the_whole() -> None:
    report = hostile("|`@" * 5000)
    for check in report.claims:
        assert len(check.evidence[0]) > 10_000
    report.claims = [check for check in report.claims for _ in range(20)]
    report.problems = ["p" * 10_000]
    short = render(report_of(*SOUND))
    assert "<details>" in short
    text = render(hostile("|`@" * 5000))
    assert len(text.encode()) < LIMIT and "p" * 401 not in render(report)


def test_details_go_before_a_site_refuses_the_summary() -> None:
    report = report_of(*SOUND)
    evidence = [f"{n} {'@' * 390}" for n in range(12)]
    passing = [check for check in report.claims if check.verdict == "pass"]
    for check in passing * 9:
        report.claims.append(check.__class__(check.id, "t", "pass", evidence))
    text = render(report)
    assert "<details>" not in text and len(text.encode()) < LIMIT
    assert text.startswith("### ✓ SOUND")


def test_replay_writes_it(console: Console, saved_text: str, tmp_path: Path) -> None:
    saved, out = tmp_path / "snapshot.json", tmp_path / "summary.md"
    saved.write_text(saved_text)
    out.write_text("old")
    answer = console("replay", saved, "--markdown", out)
    assert answer.returncode == 0 and answer.stdout.startswith("SOUND")
    assert out.read_text("utf-8").startswith("### ✓ SOUND: ")
