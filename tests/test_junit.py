"""JUnit XML: what CI systems read of a report, whatever names are in it."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path
from typing import Callable, Dict, List

import pytest
import xmlschema

from conftest import Console
from made import CASES, HOSTILE, SOUND, bad_trace, event, good_trace, hostile, report_of
from programs import ROOT
from sessions import Session
from thunk_inspect.checklist.model import FAIL, PASS, Check
from thunk_inspect.report.junit import render
from thunk_inspect.report.model import Report
from thunk_inspect.trace.model import Trace

SCHEMA = xmlschema.XMLSchema(str(ROOT / "tests" / "schemas" / "junit.xsd"))
ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(text: str) -> ET.Element:
    """The document, as a reader has it who takes only what the schema says."""
    SCHEMA.validate(text)
    root = ET.fromstring(text.encode())
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        assert suite.get("failures") == str(len(suite.findall("*/failure")))
        assert suite.get("skipped") == str(len(suite.findall("*/skipped")))
        assert {case.get("classname") for case in cases} == {
            f"thunk.{suite.get('name')}"
        }
    return root


def cases_of(root: ET.Element) -> Dict[str, ET.Element]:
    """Test cases by the first word of their names."""
    return {case.attrib["name"].split()[0]: case for case in root.iter("testcase")}


def checks_of(report: Report) -> List[Check]:
    return [*report.claims, *report.checklist]


@pytest.mark.parametrize("arch, convention, fault", CASES)
def test_a_case_for_every_check(arch: str, convention: str, fault: str) -> None:
    report = report_of(arch, convention, fault)
    root = read(render(report))
    cases = cases_of(root)
    assert list(cases) == [check.id for check in checks_of(report)]
    assert len(cases) == 49
    for check in checks_of(report):
        children = list(cases[check.id])
        if check.verdict == PASS:
            assert not children
        elif check.verdict == FAIL:
            (failure,) = children
            assert failure.tag == "failure"
            assert (failure.text or "").startswith(check.evidence[0])
            assert check.evidence[0] in failure.attrib["message"]
        else:
            (skipped,) = children
            assert skipped.tag == "skipped"
            word = "unknown: " if check.verdict == "unknown" else "does not apply: "
            assert skipped.attrib["message"].startswith(word + check.evidence[0])
            assert check.hint in skipped.attrib["message"]


def test_what_passed_says_why() -> None:
    report = report_of(*SOUND)
    said = "\n".join(one.text or "" for one in read(render(report)).iter("system-out"))
    for check in checks_of(report):
        assert (check.evidence[0] in said) or check.verdict != PASS, check.id


def test_a_failure_says_how_to_mend_it() -> None:
    report = report_of("aarch64", "homing", "offset16")
    (issue,) = [one for one in report.issues if one.state == "present"]
    assert issue.mend and issue.mend.proved and issue.because
    cases = cases_of(read(render(report)))
    told = {
        name
        for name, case in cases.items()
        if f"mend: {issue.mend.steps[0]}" in "".join(case.itertext())
    }
    failed = {check.id for check in checks_of(report) if check.verdict == FAIL}
    assert told == set(issue.because) & failed and told


def test_a_hint_is_no_mend() -> None:
    report = report_of("aarch64", "caller-stack", "regs-only")
    text = "".join(cases_of(read(render(report)))["R12"].itertext())
    assert "hint: " in text and "mend: " not in text


def test_names_are_the_same_in_every_run() -> None:
    """Of a sound and of a broken thunk, so that a history can be kept."""
    sound, broken = report_of(*SOUND), report_of("aarch64", "homing", "offset16")
    names = [
        [
            (case.get("classname"), case.get("name"))
            for case in read(text).iter("testcase")
        ]
        for text in (render(sound), render(sound), render(broken))
    ]
    assert names[0] == names[1] == names[2]


def test_the_time_is_the_only_thing_that_changes() -> None:
    when = datetime(2024, 2, 29, 12, 30, 1)
    report = report_of(*SOUND, good_trace())
    assert render(report, when) == render(report, when)
    stamps = {suite.get("timestamp") for suite in read(render(report, when))}
    assert stamps == {"2024-02-29T12:30:01"}


def test_a_trace_where_all_is_right() -> None:
    suite = read(render(report_of(*SOUND, good_trace())))[-1]
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [
        "every call is right",
        "the program does not hang",
    ]
    assert not any(map(list, cases))


def test_calls_that_did_not_come_back() -> None:
    """What nobody saw to the end did not pass."""
    trace = good_trace()
    trace.lost, trace.ended = 1, "ended by SIGSEGV"
    case = read(render(report_of(*SOUND, trace)))[-1].findall("testcase")[0]
    assert case[0].tag == "skipped"
    assert "1 did not come back" in case[0].attrib["message"]
    trace.failures = 1
    case = read(render(report_of(*SOUND, trace)))[-1].findall("testcase")[0]
    assert case[0].tag == "failure"


def test_a_case_for_every_call_that_failed() -> None:
    suite = read(render(report_of(*SOUND, bad_trace())))[-1]
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert list(cases)[2:] == ["call 2 of add"]
    failure = cases["call 2 of add"][0]
    assert failure.attrib["message"] == "x0 of add changed"
    assert "callInfo changed" in (failure.text or "")
    assert "br x3" in "".join(cases["the program does not hang"].itertext())
    assert "1 with a problem" in cases["every call is right"][0].attrib["message"]


def test_a_first_failure_that_was_not_kept() -> None:
    trace = bad_trace()
    trace.events = []
    suite = read(render(report_of(*SOUND, trace)))[-1]
    assert suite.findall("testcase")[-1].get("name") == "call 2 of add"


def test_a_problem_outside_any_call() -> None:
    wrong = event(7, "generated", call=None, name=None, problems=["no stub"])
    trace = Trace([wrong], {"generated": 1}, ended="exited with 0")
    cases = read(render(report_of(*SOUND, trace)))[-1].findall("testcase")
    assert cases[0][0].tag == "skipped", "no call: nothing passed"
    assert cases[-1].get("name") == "event 7" and cases[-1][0].tag == "failure"


def test_a_report_without_a_thunk() -> None:
    """Never a document without a case: Jenkins takes it for an error."""
    empty = Report("aarch64", "linux", "gdb", None, {}, [], problems=["no thunk here"])
    (case,) = read(render(empty)).iter("testcase")
    assert case[0].tag == "skipped" and case[0].get("message") == "no thunk here"
    empty.trace = good_trace()
    assert len(list(read(render(empty)).iter("testcase"))) == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_the_document(name: str) -> None:
    text = render(hostile(name))
    assert not ILLEGAL.search(text)
    root = read(text)
    tags = {element.tag for element in root.iter()}
    assert tags <= {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "skipped",
        "system-out",
        "system-err",
    }
    for element in root.iter():
        for said in (*element.itertext(), *element.attrib.values()):
            assert said.replace("\n", "").isprintable()
            assert "[[ATTACHMENT" not in said
            assert max(map(len, said.splitlines()), default=0) < 1010
    assert max(len(case.attrib["name"]) for case in root.iter("testcase")) < 110


def test_a_name_is_shown_as_it_is() -> None:
    """Escaped for XML and for nothing else."""
    name = "<script>a & b</script>"
    message = cases_of(read(render(hostile(name))))["R2"][0].attrib["message"]
    assert name in message


FIRST = "R1 the layout pointer is in the first argument register"
SECOND = "R2 [L] is the function object that the caller passed"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("<failure type=", "<failure kind="),
        lambda text: text.replace("<system-err />", ""),
        lambda text: text.replace(SECOND, FIRST),
        lambda text: re.sub(r' timestamp="[^"]*"', "", text, count=1),
        lambda text: text.replace("<system-out>", "<testcase/><system-out>", 1),
    ],
)
def test_the_schema_can_refuse(damage: Callable[[str], str]) -> None:
    text = render(report_of("aarch64", "homing", "offset16"))
    changed = damage(text)
    assert changed != text and SCHEMA.is_valid(text)
    with pytest.raises(xmlschema.XMLSchemaValidationError):
        SCHEMA.validate(changed)


def test_replay_writes_it(console: Console, saved_text: str, tmp_path: Path) -> None:
    saved, out = tmp_path / "snapshot.json", tmp_path / "thunk.xml"
    saved.write_text(saved_text)
    answer = console("replay", saved, "--junit", out)
    assert answer.returncode == 0 and answer.stdout.startswith("SOUND")
    assert len(list(read(out.read_text("utf-8")).iter("testcase"))) == 49
    answer = console("replay", saved, "--junit", tmp_path / "none" / "thunk.xml")
    assert answer.returncode == 2 and len(answer.stderr.splitlines()) == 1


def test_the_command_writes_both(session: Session) -> None:
    session.load("homing", "offset16", "3", arch="aarch64")
    session.go_on_to("header")
    out, summary = session.folder / "thunk.xml", session.folder / "thunk.md"
    answer = session.run(f"thunk-inspect --junit {out} --markdown {summary}")
    assert answer.output.startswith("BROKEN") and not answer.error
    failed = read(out.read_text("utf-8")).findall(".//failure")
    assert failed
    assert summary.read_text("utf-8").startswith("### ✗ BROKEN: ")


def test_nothing_heavy_is_needed() -> None:
    """Renderers for CI do with the standard library."""
    code = """if True:
        import sys
        for name in ("rich", "capstone", "jinja2"):
            sys.modules[name] = None
        from thunk_inspect.report import junit, markdown, trace_json
        from thunk_inspect.report.model import Report
        report = Report("aarch64", "linux", "gdb", None, {}, [])
        print(len(junit.render(report)), len(markdown.render(report)))
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
