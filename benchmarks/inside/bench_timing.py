"""The part of a measurement that runs inside a debugger, whichever it is.

`bench JSON` is a command there; what it measures is given as JSON, and so is the
answer. A debugger's own side (`bench_gdb`, `bench_lldb`) says how to run a command.
"""

import json
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

ANSWER = "bench answers "
"""Before the answer: another plugin may print prompts and what not around it."""
EVENT = re.compile(r"(\d+) (?:call|entered|dispatch|interpreter|returned)\b")


class Side(ABC):
    """What is measured, by name: each `do_…` is one order."""

    text = ""
    """What the last commands on the clock printed."""

    # What a debugger's own side has to know.

    @abstractmethod
    def execute(self, command: str) -> str:
        """Run a command of the debugger's and return what it prints."""

    @abstractmethod
    def bare_hits(self, places: "list[str]", hits: int) -> "tuple[float, float]":
        """CPU and wall s of so many stops of a bare breakpoint at these places."""

    @abstractmethod
    def target_class(self) -> Any:
        """The plugin's Target."""

    # The orders.

    def answer(self, line: str) -> str:
        order = json.loads(line)
        found = getattr(self, "do_" + order.pop("do"))(**order)
        return ANSWER + json.dumps(found)

    def do_timed(self, jobs: "list[Any]", rounds: int) -> "list[list[Any]]":
        """Every job once per round: a stop of its own, then its commands on the clock.
        Per job the samples [CPU s, wall s, how often `counts` is in what was said]."""
        samples: list[list[Any]] = [[] for _ in jobs]
        for _ in range(rounds):
            for job, found in zip(jobs, samples):
                if job["resume"]:
                    self.execute(job["resume"])
                times = self.clock(job["commands"])
                found.append([*times, self.text.count(job["counts"] or "\0")])
        return samples

    def clock(self, commands: Sequence[str]) -> "tuple[float, float]":
        cpu, wall = time.process_time(), time.perf_counter()
        self.text = ""
        for command in commands:
            self.text += self.perform(command)
        return time.process_time() - cpu, time.perf_counter() - wall

    def perform(self, command: str) -> str:
        """A command of the debugger's, or `@name`: a floor of ours."""
        if command.startswith("@"):
            getattr(self, "floor_" + command[1:])()
            return ""
        return self.execute(command)

    def do_said(self, command: str) -> str:
        return self.perform(command)

    def do_traced(self, calls: int) -> "tuple[list[float], str]":
        """One run of `thunk-trace`: [events, CPU s, wall s], and what it said."""
        times = self.clock([f"thunk-trace --count {calls}"])
        said = " ".join(self.summary().split())
        return [sum(map(int, EVENT.findall(said))), *times], said

    def do_bare(self, places: "list[str]", hits: int) -> "list[float]":
        """As many stops of a bare Python breakpoint at these places, that reads 3
        registers and 64 bytes and goes on: [hits, CPU s, wall s]."""
        return [hits, *self.bare_hits(places, hits)]

    def do_cpu(self) -> float:
        """CPU s of the debugger from its start."""
        return time.process_time()

    def summary(self) -> str:
        return self.text[self.text.rfind("\ntrace ") :]

    def do_reads(self, command: str) -> "dict[str, int]":
        """How often a command reads the target's memory."""
        kind, count = self.target_class(), [0]
        real = kind.read

        def read(*args: Any) -> Any:
            count[0] += 1
            return real(*args)

        kind.read = read
        try:
            text = self.execute(command)
        finally:
            kind.read = real
        return {"reads": count[0], "lines": text.count("\n")}

    def do_imports(self, path: str) -> float:
        """CPU s of the imports that a first report cannot do without."""
        start = time.process_time()
        sys.path.append(path)
        import capstone  # noqa: F401  # to import them is what is measured
        import rich.console  # noqa: F401  # the same
        import rich.table  # noqa: F401  # the same

        return time.process_time() - start

    def do_profile(self, command: str, resume: str = "", lines: int = 25) -> str:
        """Where the time of one command at a new stop goes, for people."""
        import cProfile
        import io
        import pstats

        if resume:
            self.execute(resume)
        profile, text = cProfile.Profile(), io.StringIO()
        profile.runcall(self.execute, command)
        stats = pstats.Stats(profile, stream=text)
        stats.sort_stats("tottime").print_stats(lines)
        stats.sort_stats("cumulative").print_stats(2 * lines)
        return text.getvalue()
