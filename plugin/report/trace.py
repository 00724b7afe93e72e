"""A trace as text: a line for each event, and a summary at the end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Optional

from ..trace.model import ENTERED, RETURNED, Event, FunctionCalls, Hang, Sample, Trace
from .page import Page, Style
from .text import COLOURS
from .words import lost_calls

FAIL = COLOURS["fail"]
KIND_WIDTH = 12
PLACES = {
    "call": "at its call site",
    "entered": "at the block's first instruction",
    "dispatch": "at the dispatch branch",
    "interpreter": "at the interpreter's first instruction",
    "returned": "at its return",
}
MAX_FUNCTIONS = 20
"""Functions of the summary; those with failures come first."""


def render_head(
    missing: Sequence[str], style: Style, count: int, timeout: Optional[float]
) -> str:
    """When it will end, and what cannot be watched."""
    page = Page(style)
    back = "1 call has" if count == 1 else f"{count} calls have"
    limits = [f"{back} come back"] if count else []
    limits += [f"{timeout:g} s are over"] if timeout is not None else []
    page.wrapped("trace", f"runs until {' or '.join(limits) or 'its end'}, or ^C")
    for line in missing:
        page.wrapped("", line)
    return page.render()


def render_event(event: Event, style: Style) -> str:
    """One event on its line; what is wrong with it below."""
    call = "" if event.call is None else f"#{event.call}"
    name = "" if event.name is None else f"{event.name}  "
    indent = "  " * min(max(event.depth - 1, 0), 6)
    label = f"{call:<6}{event.kind:<{KIND_WIDTH}}"
    line = f"{label}{indent}{name}{event.text}"
    plain = line.isascii() and line.isprintable() and not style.colour
    if plain and len(line) <= style.width and not event.problems:
        # Most are so, and thousands come in a second.
        return line.rstrip()
    page = Page(style)
    page.wrapped(label, line[len(label) :], indent=len(label))
    for problem in _once(event.problems):
        _problem(page, problem)
    return page.render()


def _once(problems: Sequence[str]) -> Iterator[str]:
    """An instruction that several of them blame is cited once."""
    told: set[str] = set()
    for problem in problems:
        text, _, cited = problem.partition(": 0x")
        yield text if cited in told else problem
        told.update(filter(None, [cited]))


def _problem(page: Page, problem: str) -> None:
    indent = 6 + KIND_WIDTH
    page.wrapped(" " * indent, f"WRONG {problem}", FAIL, indent)


def render_trace(trace: Trace, style: Style) -> str:
    """The summary."""
    page = Page(style)
    page.gap()
    seen = ", ".join(_counted(trace))
    wrong = f"{trace.failures} went wrong" if trace.failures else ""
    told = filter(None, (wrong, lost_calls(trace)))
    all_of_them = "all that were judged are" if trace.unjudged else "all"
    verdict = ", ".join(told) or f"{all_of_them} consistent"
    if trace.first_failure and not trace.failures:
        verdict = "but a thunk is wrong"
    elif not trace.calls:
        late = trace.hang is not None and trace.hang.kind == "thunk"
        verdict = "the loop was there before" if late else "nothing to judge"
    plural = "call" if trace.calls == 1 else "calls"
    page.wrapped("trace", f"{trace.calls} {plural}, {verdict}; ended: {trace.ended}")
    page.wrapped("", seen or "no event was seen")
    # The rest of what is missing was said before the process ran.
    for line in trace.missing:
        kind, _, text = line.partition(": ")
        if kind in (ENTERED, RETURNED):
            page.wrapped("", text)
    if trace.first_failure:
        _first(page, trace.first_failure)
    if trace.hang:
        _hang(page, trace.hang)
    _functions(page, trace.functions)
    return page.render()


def _counted(trace: Trace) -> Iterator[str]:
    """Events by kind. One that returns is not always back at its caller."""
    for kind, count in trace.counts.items():
        lost = sum(
            any(problem.startswith("R9:") for problem in event.problems)
            for event in trace.events
            if event.kind == kind == RETURNED
        )
        yield f"{count} {kind}{f' ({lost} not to the caller)' if lost else ''}"


def _first(page: Page, event: Event) -> None:
    name = event.name or "a function without a name"
    where = PLACES.get(event.kind, event.kind)
    what = "the thunk" if event.call is None else f"call {event.call}"
    page.wrapped("first", f"{what} of {name}, {where}", FAIL)
    page.wrapped("", f"{event.address:#x}  {event.text}")
    for problem in _once(event.problems):
        page.wrapped("", problem, FAIL)


def _hang(page: Page, hang: Hang) -> None:
    page.wrapped("hang", hang.text, FAIL)
    for line in hang.instructions:
        page.wrapped("", line)
    looks = len(hang.samples)
    for line, count in Counter(map(_sample, hang.samples)).items():
        page.wrapped("", f"{line}, at {count} of {looks} looks" if looks > 1 else line)


def _sample(sample: Sample) -> str:
    back = "" if sample.back is None else f", back to {sample.back:#x}"
    return f"{sample.pc:#x} {sample.where}{back}"


def _functions(page: Page, functions: Sequence[FunctionCalls]) -> None:
    ordered = sorted(functions, key=lambda one: (-one.failures, -one.calls))
    label = "functions"
    for one in ordered[:MAX_FUNCTIONS]:
        name = one.name or f"{one.function:#x}"
        wrong = f", {one.failures} wrong" if one.failures else ""
        style = FAIL if one.failures else ""
        page.text(label, (f"{one.calls:>7}  {name}{wrong}", style))
        label = ""
    if len(ordered) > MAX_FUNCTIONS:
        page.text("", f"and {len(ordered) - MAX_FUNCTIONS} more")
