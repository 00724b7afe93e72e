"""`thunk-trace`: run under watch, then say what was seen and where it hangs."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Optional

from ..inspection import inspect, locator_for, with_trace
from ..report.model import Report
from ..report.trace import render_event, render_head, render_trace
from ..target import Memory, Target, ThunkError
from ..trace.model import KINDS, Event
from ..trace.points import INTERRUPTED
from .base import Command, Parser, count, seconds
from .session import Session

if TYPE_CHECKING:
    from ..trace.session import Done

EARLIER = "When that call went wrong, thunk-inspect would have said:"
NESTED = "a trace is at work, whose stop ran this: type it when the process has stopped"
_at_work: "list[bool]" = []


class Trace(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("--count", type=count, default=0)
        parser.add_argument("--timeout", type=seconds, default=None)
        parser.add_argument("--only", action="append", choices=KINDS)
        parser.add_argument("--json", metavar="FILE")

    def run(self, options: Any, session: Session) -> str:
        if _at_work:
            raise ThunkError(NESTED)
        _at_work.append(True)
        try:
            return self._run(options, session)
        finally:
            _at_work.clear()

    def _run(self, options: Any, session: Session) -> str:
        from ..trace.session import trace
        from ..trace.tracer import Wish

        style = session.style()
        wish = Wish(options.count, options.timeout, options.only or KINDS)
        locator_for(Memory(session.target()))

        def say(events: Sequence[Event]) -> None:
            session.say("\n".join(render_event(event, style) for event in events))

        def head(missing: "list[str]") -> None:
            session.say(render_head(missing, style, wish.count, wish.timeout))

        first = _First()
        done = trace(session.runner(), wish, say, head, first.look)
        # Of a ^C that ended the trace a debugger may say the same again.
        interrupted = done.stop.reason == INTERRUPTED
        with nullcontext() if interrupted else session.heeding():
            return self._told(options, session, done, first.report)

    def _told(
        self, options: Any, session: Session, done: "Done", first: Optional[Report]
    ) -> str:
        if options.json:
            from ..report.files import write_text
            from ..report.trace_json import trace_to_json

            write_text(options.json, trace_to_json(done.trace))
        text = render_trace(done.trace, session.style())
        if done.trace.hang:
            text += f"\n\n{_inspection(session)}"
        elif done.too_late and first:
            report = with_trace(first, done.trace)
            text += f"\n\n{EARLIER}\n\n{_rendered(session, report)}"
        return text


class _First:
    """What an inspection said at the first call that went wrong."""

    def __init__(self) -> None:
        self.report: Optional[Report] = None

    def look(self, target: Target) -> bool:
        self.report = inspect(target)
        return self.report.verdict == "broken"


def _inspection(session: Session) -> str:
    try:
        return _rendered(session, inspect(session.target()))
    except ThunkError as error:
        return str(error)


def _rendered(session: Session, report: Report) -> str:
    from ..report.text import render

    return render(report, session.style())
