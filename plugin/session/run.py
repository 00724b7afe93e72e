"""`thunk-inspect run`: start, wait, read the outcome, and the exit status."""

import argparse
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Optional

from ..report.model import Report
from ..report.page import Style
from ..report.text import Detail, render
from ..report.trace import render_trace
from ..report.written import to_stdout, write_files
from ..status import STATUS, UNREACHED, USAGE_ERROR
from ..target import ThunkError, one_line
from .children import NotRun, supervised
from .emulator import Qemu
from .gdb_mi import Gdb
from .launch import Launch
from .lldb_batch import Lldb
from .outcome import read_outcome
from .program import Emulator, Program, emulator_for, examine, find_debugger
from .progress import Progress
from .seam import CRASHED, EXITED, FAILED, HUNG, STOPPED, Order, Outcome

STARTING = 10.0
"""Seconds beyond the time-out in which a program must come to its start."""
REPORTING = 60.0
"""Seconds beyond the time-out in which the debugger must have answered: it reads
symbols, samples a program that hangs, and proves blocks."""
LONGEST_PLACE = 96
"""A socket's path may be 107 bytes long."""


def run(options: argparse.Namespace, style: Style) -> int:
    """The command; returns its exit status."""
    try:
        if sys.platform != "linux":
            raise NotRun("run works on Linux only: use the commands in the debugger")
        program = examine(options.program)
        emulator = emulator_for(program, options.qemu, options.sysroot)
        debugger = find_debugger(options.debugger, program)
    except NotRun as error:
        print(f"thunk-inspect: {one_line(error)}", file=sys.stderr)
        return UNREACHED
    folder = _folder()
    try:
        session = _Session(options, style, folder, program, emulator, debugger)
        return supervised(session.run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="thunk-run-")
    if len(os.fsencode(folder)) > LONGEST_PLACE:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="thunk-run-", dir="/tmp")
    return folder


class _Session:
    """One run, in the process that ends everything when it ends."""

    def __init__(
        self,
        options: argparse.Namespace,
        style: Style,
        folder: str,
        program: Program,
        emulator: Optional[Emulator],
        debugger: "tuple[str, str]",
    ) -> None:
        self._options = options
        self._style = style
        self._folder = folder
        self._program = program
        self._emulator = emulator
        self._debugger = debugger
        self._order_file = f"{folder}/order.json"
        self._order = Order(
            place=options.place,
            hits=options.hits if options.hits is not None else int(bool(options.place)),
            timeout=options.timeout,
            result=f"{folder}/outcome.json",
        )
        self._progress = Progress()
        self._qemu: Optional[Qemu] = None
        self._qemu_ended: Optional[float] = None

    def run(self) -> int:
        try:
            outcome = self._outcome()
        except (ThunkError, OSError) as error:
            outcome = Outcome(FAILED, one_line(error))
        finally:
            self._progress.clear()
            # Whoever is told to stop while the program goes on must not wait for it.
            shutil.rmtree(self._folder, ignore_errors=True)
        return finish(outcome, self._options, self._style)

    def _outcome(self) -> Outcome:
        kind, path = self._debugger
        # What the program prints must not get into a document that we print.
        output = (sys.stderr if to_stdout(self._options) else sys.stdout).fileno()
        launch = None
        arguments = self._options.arguments
        if self._emulator:
            self._qemu = Qemu(
                self._emulator,
                self._program,
                arguments,
                self._folder,
                kind == "lldb",
                output,
            )
        else:
            launch = Launch(self._folder, self._program.path, arguments, output)
        order = json.dumps(dataclasses.asdict(self._order))
        Path(self._order_file).write_text(order, "utf-8")
        try:
            (self._by_gdb if kind == "gdb" else self._by_lldb)(path, launch)
        except NotRun as error:
            # Answered all the same, or for a reason that explains it better.
            if not self._done():
                raise self._explained(error) from None
        outcome = read_outcome(self._order.result)
        if outcome.report is None and outcome.state != HUNG:
            self._explain_qemu()
        return outcome

    def _by_gdb(self, path: str, launch: Optional[Launch]) -> None:
        gdb = Gdb(path, self._log)
        gdb.load()
        if launch:
            gdb.launch(self._program, launch, self._options.timeout + STARTING)
        elif self._qemu:
            root = self._qemu.emulator.sysroot or "/"
            gdb.connect(self._program, self._qemu.place, root)
        self._progress.begin()
        gdb.perform(
            f"import thunk_inspect.gdb.scripted as s; s.perform({self._order_file!r})",
            self._options.timeout + REPORTING,
        )
        if not self._done():
            raise NotRun("gdb did not write what it found")

    def _by_lldb(self, path: str, launch: Optional[Launch]) -> None:
        lldb = Lldb(
            path,
            self._folder,
            self._program,
            self._order_file,
            self._log,
            launch,
            self._qemu.place if self._qemu else "",
            self._qemu.emulator.sysroot if self._qemu else None,
        )
        lldb.wait_for_start(self._options.timeout + STARTING)
        self._progress.begin()
        lldb.wait_for_end(self._options.timeout + REPORTING, self._done)

    def _log(self, text: str) -> None:
        self._progress.show(text)
        if self._qemu and self._qemu.child.poll() is not None:
            # The debugger notices by itself, unless something is wrong with it.
            self._qemu_ended = self._qemu_ended or time.monotonic()
            if time.monotonic() - self._qemu_ended > REPORTING:
                raise NotRun("the debugger did not answer after qemu had ended")

    def _done(self) -> bool:
        return Path(self._order.result).exists()

    def _explained(self, error: NotRun) -> NotRun:
        try:
            self._explain_qemu()
        except NotRun as better:
            return better
        return error

    def _explain_qemu(self) -> None:
        """NotRun when somebody ended qemu from outside, which debuggers cannot tell."""
        if self._qemu:
            try:
                # Its connections close a moment before it has ended.
                ended = self._qemu.child.wait(1)
            except subprocess.TimeoutExpired:
                return
            if ended in (-signal.SIGKILL, -signal.SIGTERM):
                name = signal.Signals(-ended).name
                raise NotRun(f"{self._qemu.emulator.name} was ended by {name}")


def finish(outcome: Outcome, options: argparse.Namespace, style: Style) -> int:
    """Show and write what was found; the exit status."""
    report = outcome.report
    status = status_of(outcome, options.place)
    options.status = status
    if outcome.state not in (STOPPED, EXITED) or status == UNREACHED:
        print(f"thunk-inspect: {one_line(ThunkError(outcome.said))}", file=sys.stderr)
    if report is None:
        return status
    try:
        write_files(report, options)
        if not to_stdout(options):
            print(_text(report, style, options.all))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ThunkError, OSError) as error:
        print(f"thunk-inspect: {one_line(error)}", file=sys.stderr)
        return USAGE_ERROR
    return status


def _text(report: Report, style: Style, everything: bool) -> str:
    detail = Detail(everything, command="thunk-inspect run")
    text = render(report, style, detail)
    if report.trace:
        text += "\n" + render_trace(report.trace, style)
    return text


def status_of(outcome: Outcome, place: Optional[str]) -> int:
    report: Optional[Report] = outcome.report
    if report is None or outcome.state in (HUNG, FAILED):
        return UNREACHED
    if outcome.state == CRASHED:
        # What it would have called before its end nobody has seen.
        return STATUS["broken"] if report.verdict == "broken" else UNREACHED
    if outcome.state == EXITED and place is not None:
        return UNREACHED
    if outcome.state == EXITED and report.trace and not report.trace.calls:
        return UNREACHED
    return STATUS[report.verdict]
