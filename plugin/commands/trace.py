"""`thunk-trace`: run under watch, then say what was seen and where it hangs."""

from collections.abc import Sequence
from typing import Any

from ..inspection import locator_for
from ..report.trace import render_event, render_head, render_trace
from ..target import Memory, ThunkError
from ..trace.model import KINDS, Event
from .base import Command, Parser, count, seconds
from .session import Session


class Trace(Command):
    def arguments(self, parser: Parser) -> None:
        parser.add_argument("--count", type=count, default=0)
        parser.add_argument("--timeout", type=seconds, default=None)
        parser.add_argument("--only", action="append", choices=KINDS)
        parser.add_argument("--json", metavar="FILE")

    def run(self, options: Any, session: Session) -> str:
        from ..trace.session import trace
        from ..trace.tracer import Wish

        style = session.style()
        wish = Wish(options.count, options.timeout, options.only or KINDS)
        locator_for(Memory(session.target()))

        def say(events: Sequence[Event]) -> None:
            session.say("\n".join(render_event(event, style) for event in events))

        def head(missing: "list[str]") -> None:
            session.say(render_head(missing, style, wish.count, wish.timeout))

        done = trace(session.runner(), wish, say, head)
        if options.json:
            from ..report.files import write_text
            from ..report.trace_json import trace_to_json

            write_text(options.json, trace_to_json(done.trace))
        text = render_trace(done.trace, style)
        if done.trace.hang:
            text += "\n\n" + self._inspection(session)
        return text

    @staticmethod
    def _inspection(session: Session) -> str:
        from ..inspection import inspect
        from ..report.text import render

        try:
            return render(inspect(session.target()), session.style())
        except ThunkError as error:
            return str(error)
