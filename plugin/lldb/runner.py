"""lldb lets the process run between break points of ours: the Runner of a trace.

The timer's thread must not print: lldb holds its output while the process runs.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Optional

import lldb

from ..local import (
    HELD,
    is_killed,
    local_process,
    outlives,
    thread_state,
)
from ..sockets import emulator_behind
from ..target import MASK64, ThunkError
from ..trace.clock import limited, passed
from ..trace.points import (
    ANOTHER_PROGRAM,
    AT_POINT,
    BY_NAME,
    ELSEWHERE,
    EXITED,
    INTERRUPTED,
    SIGNALLED,
    TIME_UP,
    Hit,
    OnHit,
    Point,
    Stop,
    read_piece,
    unwatched,
)
from .reader import Reader
from .registers import Registers
from .signals import passing
from .target import LldbTarget, machine
from .terminal import deaf_to_interrupts
from .users import UsersPoints

CALLBACK = f"import {__name__} as ours; return ours.on_hit(frame, {{}})"
"""With the break point's number. By name lldb would find a function only where the
user's own scripts live."""

HEED = 0.2
"""Seconds within which a ^C is heeded."""
LOST = -1
"""lldb's exit status of a process that was gone when it asked."""
NOTHING = (lldb.eStopReasonInvalid, lldb.eStopReasonNone, lldb.eStopReasonTrace)
OF_ITS_OWN = (
    lldb.eStopReasonSignal,
    lldb.eStopReasonException,
    lldb.eStopReasonWatchpoint,
)
"""A thread's reason to stop that no break point is."""
_running: "list[LldbRunner]" = []
"""Whose break points are on."""


def on_hit(frame: Any, number: int) -> bool:
    """What lldb calls at every break point of ours; True stops."""
    return _running[-1].hit(frame, number) if _running else False


class LldbRunner:
    def __init__(
        self,
        debugger: Any,
        target: Any,
        process: Any,
        names: "Optional[dict[str, Any]]" = None,
    ) -> None:
        """`names`: those of the debugger's Python, where lldb puts a function for
        every callback and leaves it."""
        self._debugger = debugger
        self._python = {} if names is None else names
        self._functions: list[str] = []
        self._target = target
        self._process = process
        self._points: dict[int, tuple[Point, Any]] = {}
        """By lldb's number of the break point."""
        self._numbers: dict[Point, int] = {}
        self._addresses: set[int] = set()
        self._names: dict[str, Any] = {}
        self._on_hit: OnHit = unwatched
        self._deadline: Optional[float] = None
        self._error: Optional[BaseException] = None
        self._stay: Optional[Stop] = None
        self._users = UsersPoints(target, ())
        self._late = False
        self._asked = False
        """Whether ^C was pressed."""
        self._stayed: Any = None
        """The thread that is to stay."""
        self._let_go = False
        """Whether a hit let the process go on, since it was last told to."""
        self._executed = False
        """Whether the process is another program by now."""
        self._signalled = 0
        """The signal of the last stop."""
        self._kept = self._passed = 0
        """The same, SIGINT included; to be passed on."""
        self._thread = 0
        """Of the last hit."""
        self._local = local_process(int(process.GetProcessID()))
        arch = machine(target)
        self._reader = Reader(target, process, self._local, arch)
        self._registers = Registers(target, process, self._local, arch, often=True)
        self._at: Any = None
        """The thread whose hit is being looked at."""

    @cached_property
    def _emulator(self) -> Optional[int]:
        """Its pid. It is signalled, as older ones do not look at the debugger's
        interrupt while their program runs. That alone ends its time: if a hit did as
        well, the signal would be left over for a later command. Looked for only when
        time is up, in the timer's thread too."""
        return None if self._local else emulator_behind(os.getpid())

    def add(self, point: Point) -> None:
        if point in self._numbers:
            return
        made = self._target.BreakpointCreateByAddress(point.address)
        self._call_back(made)
        self._numbers[point] = made.GetID()
        self._points[made.GetID()] = (point, made)
        self._addresses.add(point.address)

    def remove(self, point: Point) -> None:
        number = self._numbers.pop(point, None)
        if number is not None:
            del self._points[number]
            self._addresses.discard(point.address)
            self._target.BreakpointDelete(number)

    def renew(self, point: Point) -> None:
        """lldb leaves its traps where they are, and knows nothing of it if the program
        has something else there since."""
        number = self._numbers.get(point)
        if number is None or not self._reader.lacks_trap(point.address):
            return
        for on in (False, True):
            self._points[number][1].SetEnabled(on)

    def add_names(self, names: Sequence[str]) -> None:
        for name in names:
            made = self._target.BreakpointCreateByName(name)
            self._call_back(made)
            self._names[name] = made

    def _call_back(self, made: Any) -> None:
        before = set(self._python)
        made.SetScriptCallbackBody(CALLBACK.format(made.GetID()))
        self._functions += set(self._python) - before

    def drop_names(self) -> None:
        for made in self._names.values():
            self._target.BreakpointDelete(made.GetID())
        self._names.clear()

    def notes(self) -> Sequence[str]:
        return deaf_to_interrupts(self._local.pid) if self._local else ()

    def unknown_names(self) -> Sequence[str]:
        return [
            name for name, made in self._names.items() if not made.GetNumLocations()
        ]

    def read(self, address: int, size: int) -> bytes:
        return self._reader.read(address & MASK64, size)

    def past_debugger(self, address: int, size: int) -> Optional[bytes]:
        if self._local is None:
            return None
        return self._local.read(address, size) or self.read(address, size)

    def hit(self, frame: Any, number: int) -> bool:
        """A break point's callback: record, and say whether to stay."""
        thread = frame.GetThread()
        known = self._points.get(number)
        if known is None:
            self._stay_at(thread, Stop(AT_POINT, BY_NAME))
            return True
        point = known[0]
        self._at = thread
        try:
            stay = self._on_hit(self._record(point, frame))
            late = not stay and passed(self._deadline) and self._emulator is None
        except Exception as error:
            # lldb would print it and go on; it is raised again after the stop.
            self._error, stay, late = error, True, False
        finally:
            self._at = None
        self._signalled = 0
        if stay:
            self._stay_at(thread, Stop(AT_POINT, point.kind))
        elif self._asked:
            self._stay, stay = Stop(INTERRUPTED, INTERRUPTED), True
        elif late:
            self._stay, stay = Stop(TIME_UP, "time is up"), True
        self._let_go = not stay
        return stay

    def _stay_at(self, thread: Any, stop: Stop) -> None:
        """The first one: others may hit before the process stands still."""
        self._stay, self._stayed = stop, self._stayed or thread

    def _record(self, point: Point, frame: Any) -> Hit:
        values, memory = self._registers.read(frame, point.registers), b""
        if point.aside and values.get(point.registers[0]) not in self._addresses:
            values.update(self._registers.read(frame, point.aside))
        if point.piece and point.piece.register in values:
            start = (values[point.piece.register] + point.piece.offset) & MASK64
            memory = read_piece(self.read, start, point.piece.size)
        self._thread = int(self._at.GetIndexID())
        return Hit(point, self._thread, values, memory)

    def run(self, on_hit: OnHit, deadline: Optional[float]) -> Stop:
        """lldb's own mode of waiting is used: nothing is shown of stops between."""
        if deadline is not None and time.monotonic() >= deadline:
            return Stop(TIME_UP, "time is up")
        self._on_hit, self._deadline = on_hit, deadline
        self._error = self._stay = self._stayed = None
        self._late = False
        self._kept = 0
        ours = (*self._points, *(made.GetID() for made in self._names.values()))
        self._users = UsersPoints(self._target, ours)
        was_async = self._debugger.GetAsync()
        self._debugger.SetAsync(False)
        _running.append(self)
        try:
            passed_on, self._passed = self._passed, 0
            passing_on = passing(self._process, passed_on)
            with limited(deadline, self._interrupt), passing_on:
                error = self._continue()
                while error.Success() and self._is_to_go_on():
                    error = self._continue()
        finally:
            _running.pop()
            # Or it would keep the trace, and the trace this.
            self._on_hit = unwatched
            self._debugger.SetAsync(was_async)
        if self._error:
            raise self._error
        if error.Fail():
            if self._local and is_killed(self._local.pid):
                return Stop(EXITED, "was killed", normal=False)
            raise ThunkError(f"cannot let the process run: {error}")
        stop = self._reason()
        if stop.reason == AT_POINT and self._stayed:
            # lldb would have any that is at a break point.
            self._process.SetSelectedThread(self._stayed)
        elif stop.reason == TIME_UP and self._thread:
            # The thread that made the last call, not one that only waits for it.
            self._process.SetSelectedThreadByIndexID(self._thread)
        return stop

    def pass_on(self) -> bool:
        self._passed = self._kept
        return bool(self._passed)

    def holds(self) -> bool:
        """lldb-server gives registers that it could not read as 0xcccccccccccccccc."""
        if self._local is None:
            return True
        return thread_state(self._local.pid, self._at.GetThreadID()) in HELD

    def _is_to_go_on(self) -> bool:
        """lldb stops a process that executes another program: what was started may be
        only a launcher, in which nothing is watched yet."""
        if self._names and not self._points and self._executes():
            return not self._asked and not self._late
        return self._stopped_for_nothing()

    def _executes(self) -> bool:
        reasons = (thread.GetStopReason() for thread in self._process)
        return lldb.eStopReasonExec in reasons

    def _stopped_for_nothing(self) -> bool:
        """lldb does that after a hit that was reached by the step over another one,
        although its callback lets the process go on: 14 always, others where several
        threads hit at once."""
        if not self._let_go or self._stay or self._asked or self._late or self._error:
            return False
        if self._process.GetState() != lldb.eStateStopped:
            return False
        return all(self._for_nothing(thread) for thread in self._process)

    def _for_nothing(self, thread: Any) -> bool:
        """Also at a break point of ours, whose callback has let the thread go, and
        after lldb's own step over one."""
        reason = thread.GetStopReason()
        if reason == lldb.eStopReasonBreakpoint:
            return self._users.that_stopped(thread, staying=False) is None
        return reason in NOTHING

    def _continue(self) -> Any:
        """From another thread: lldb only notes a ^C while a command of ours runs, and
        tells it to nobody but the thread that the command runs in."""
        errors: list[Any] = []
        runs = threading.Thread(target=lambda: errors.append(self._process.Continue()))
        interpreter = self._debugger.GetCommandInterpreter()
        self._asked = self._let_go = False
        runs.start()
        while runs.is_alive():
            runs.join(HEED)
            if interpreter.WasInterrupted() and runs.is_alive():
                self._asked = True
                self._send_interrupt()
        return errors[0]

    def _interrupt(self) -> None:
        self._late = True
        self._send_interrupt()

    def _send_interrupt(self) -> None:
        if self._emulator is not None:
            with contextlib.suppress(OSError):
                os.kill(self._emulator, signal.SIGINT)
        else:
            self._process.SendAsyncInterrupt()

    def _reason(self) -> Stop:
        state = self._process.GetState()
        if state == lldb.eStateExited:
            return self._exit()
        stopped = state == lldb.eStateStopped
        staying = self._stay is not None
        theirs = self._users.at(self._process, staying) if stopped else ()
        for thread, number in theirs:
            self._process.SetSelectedThread(thread)
            return Stop(ELSEWHERE, f"break point {number}")
        if self._stay:
            return self._stay
        if not stopped:
            return Stop(ELSEWHERE, "the process is gone or crashed")
        if self._executes():
            self._executed = True
            return Stop(EXITED, ANOTHER_PROGRAM)
        for thread in self._process:
            reason = thread.GetStopReason()
            if reason not in OF_ITS_OWN:
                continue
            self._process.SetSelectedThread(thread)
            if reason == lldb.eStopReasonSignal:
                return self._signal(thread)
            watched = reason == lldb.eStopReasonWatchpoint
            said = thread.GetStopDescription(80)
            return Stop(ELSEWHERE if watched else SIGNALLED, said)
        if self._late:
            return Stop(TIME_UP, "time is up")
        return Stop(INTERRUPTED, "interrupted")

    def _exit(self) -> Stop:
        """A signal's number is given as the exit status, and nothing tells them apart
        but that the process had just got that signal."""
        status = int(self._process.GetExitStatus())
        if status and status == self._signalled:
            name = self._process.GetUnixSignals().GetSignalAsCString(status)
            return Stop(EXITED, f"ended by {name}", normal=False)
        if status == LOST:
            said = "was killed, or the connection to it was lost"
            return Stop(EXITED, said, normal=False)
        if status == signal.SIGKILL:
            # That one stops nothing before.
            said = f"exited with {status}, or was killed"
            return Stop(EXITED, said, normal=False)
        return Stop(EXITED, f"exited with {status}")

    def _signal(self, thread: Any) -> Stop:
        number = int(thread.GetStopReasonDataAtIndex(0))
        ours = number in (signal.SIGINT, signal.SIGSTOP)
        if number != signal.SIGSTOP and not (ours and self._late):
            self._kept = number
            lives = self._local and outlives(self._local.pid, number)
            self._signalled = 0 if lives else number
        if ours:
            reason = TIME_UP if self._late else INTERRUPTED
            return Stop(reason, reason)
        name = self._process.GetUnixSignals().GetSignalAsCString(number)
        return Stop(SIGNALLED, name or f"signal {number}")

    def target(self) -> LldbTarget:
        thread = self._at or self._process.GetSelectedThread()
        if not thread.IsValid() or self._executed:
            raise ThunkError("the process is gone")
        return LldbTarget(self._target, self._process, thread)

    def thread(self) -> int:
        return int(self._process.GetSelectedThread().GetIndexID())

    def close(self) -> None:
        self.drop_names()
        for number in self._points:
            self._target.BreakpointDelete(number)
        self._points.clear()
        self._numbers.clear()
        # At every hit lldb copies all names that there are, to the function's globals.
        for name in self._functions:
            function = self._python.pop(name, None)
            getattr(function, "__globals__", {}).pop(name, None)
        self._functions.clear()
