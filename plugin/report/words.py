"""The words in which every renderer speaks of a Report.

What belongs here is said the same in text, HTML and documents: headlines, symbols, what
a register's value means. Looks do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..checklist.model import FAIL, NOT_APPLICABLE, PASS, UNKNOWN, Check, Mend
from ..trace.model import Trace
from .model import Report

MACHINES = {"aarch64": "arm64", "x86_64": "x64"}
SYMBOLS = {PASS: "✓", FAIL: "✗", NOT_APPLICABLE: "–", UNKNOWN: "?"}
SECTIONS = {
    "A": "entry point",
    "B": "call site",
    "C": "code",
    "D": "layout",
    "E": "control flow",
    "F": "convention",
    "G": "what else the engine needs",
}
"""The groups of the checklist."""
HEADLINES = {
    "sound": "the interpreter gets what the caller passed",
    "undecided": "not everything could be decided",
}
PROVED = (
    "(proved: with this change R1-R11 hold; the engine emits the block in"
    " lib/Backend/InterpreterThunkEmitter.cpp)"
)
CONSEQUENCES = (
    ("R12", "the interpreter reads arguments that nobody stored"),
    ("R9", "the call never comes back to its caller"),
    ("R7", "the dispatch branch does not reach the function's stub"),
    ("R6", "the stub's call does not reach the interpreter"),
    ("R1", "the interpreter gets no valid layout pointer"),
    ("R2", "the interpreter does not find the function where it reads it"),
    ("R3", "the interpreter does not find callInfo where it reads it"),
    ("R4", "the interpreter does not find all arguments where it reads them"),
    ("R5", "SP is not aligned when the interpreter starts"),
    ("R10", "the caller's registers do not come back as they were"),
    ("R8", "the stub is not executable"),
    ("R11", "the stack walker does not find this frame's layout"),
)


def headline(report: Report) -> str:
    """The reason behind the verdict, in a few words."""
    if report.verdict == "broken":
        return _first_failure(report)
    return HEADLINES.get(report.verdict, "")


def mend_label(mend: Mend) -> str:
    return "mend" if mend.proved else "hint"


def _first_failure(report: Report) -> str:
    failed = {check.id for check in report.claims if check.verdict == FAIL}
    if "R9" in failed and any("go round for ever" in line for line in _r9(report)):
        return "the call hangs: it goes round for ever and never comes back"
    return next((text for name, text in CONSEQUENCES if name in failed), "")


def _r9(report: Report) -> Sequence[str]:
    return next((check.evidence for check in report.claims if check.id == "R9"), ())


def meaning(report: Report, name: str, value: int) -> str:
    """What a register's value is, where that is plain to see."""
    thunk, layout = report.thunk, report.layout
    assert thunk
    sp_name = report.shown[0]
    if name != sp_name and layout and value == layout.address:
        return " = the layout"
    distance = value - thunk.first_stub
    if name != sp_name and 0 <= distance < thunk.stub_count * thunk.stub_size:
        number, rest = divmod(distance, thunk.stub_size)
        return f" = stub {number}" + (f" + {rest}" if rest else "")
    if value == thunk.interpreter:
        return " = the interpreter"
    return ""


def lost_calls(trace: Trace) -> str:
    """The calls that a program was in when a signal ended it."""
    return f"{trace.lost} did not come back" if trace.lost else ""


def stopped_inside(report: Report) -> bool:
    thunk = report.thunk
    if thunk is None or report.pc is None:
        return False
    return thunk.block <= report.pc < thunk.block + thunk.block_size


def layout_problems(report: Report) -> Sequence[str]:
    """What is wrong with the layout's words: nothing before they have been stored."""
    read = [word for word in report.stack if not word.role.startswith("saved")]
    if report.layout is None or any(word.pending for word in read):
        return ()
    return report.layout.problems


def folded(check: Check, above: Mapping[str, Check]) -> Check:
    """An item, with references where it would repeat what claims `above` it say."""
    names: list[str] = []
    lines: list[str] = []
    for line in check.evidence:
        name, _, said = line.partition(": ")
        told = name in above and said in above[name].evidence
        (names if told else lines).append(name if told else line)
    if not names:
        return check
    see = f"see {', '.join(dict.fromkeys(names))}"
    return replace(check, evidence=[*lines, see], hint=check.hint if lines else "")
