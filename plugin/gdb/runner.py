"""gdb lets the process run between break points of ours: the Runner of a trace."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Callable, Optional

import gdb

from ..arch import ARCHES
from ..local import HELD, Local, blocks, entry_point, is_killed, thread_state
from ..sockets import emulator_behind
from ..target import MASK64, ThunkError, Unreadable
from ..trace.clock import limited, passed
from ..trace.model import CALL
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
from .asking import (
    asked,
    can_interrupt,
    exit_signal,
    go_on,
    is_known,
    stops,
)
from .native import native_process, registers_at
from .target import GdbTarget, PassingTarget
from .unwinder import resting

NO_INTERRUPT = "--timeout interrupts by SIGINT: say `handle SIGINT stop nopass` first"


class _Break(gdb.Breakpoint):  # type: ignore[misc]  # untyped
    """A break point that is in no list of the user's and says nothing."""

    def __init__(self, where: str, hit: Callable[[], bool]) -> None:
        super().__init__(where, internal=True)
        self.silent = True
        self._hit = hit

    def stop(self) -> bool:
        try:
            return self._hit()
        except KeyboardInterrupt:
            return True


class GdbRunner:
    def __init__(self) -> None:
        self._points: dict[tuple[str, int], _Break] = {}
        self._addresses: set[int] = set()
        self._names: list[_Break] = []
        self._awaited: list[str] = []
        self._listening = False
        self._on_hit: OnHit = unwatched
        self._deadline: Optional[float] = None
        self._error: Optional[BaseException] = None
        self._stop: Optional[Stop] = None
        self._stops: dict[int, int] = {}
        """Of the user's break points, at the start."""
        self._late = False
        self._kept = self._passed = ""
        """The signal that gdb keeps for itself, of the last stop; to be passed on."""
        self._sent = False
        """Whether a signal is on its way that stops the process. Nothing else may end
        its time then: the signal would be left over for a later command."""
        self._running = False
        self._thread = 0
        """Of the last hit."""
        self._several = False
        """Whether more than one thread has hit a point."""
        self._pid = native_process()
        self._native = self._pid is not None
        self._executed = False
        """Whether the process is another program by now."""
        self._halted = False
        """Whether the last stop was by SIGSTOP."""
        self._place = getattr(gdb.selected_inferior().connection, "details", None)

    @cached_property
    def _emulator(self) -> Optional[int]:
        """Its pid. It is signalled, as older ones do not look at the debugger's
        interrupt while their program runs. That alone ends its time: if a hit did as
        well, the signal would be left over for a later command. Looked for only when
        time is up, in the timer's thread too."""
        return None if self._native else emulator_behind(os.getpid(), self._place)

    def add(self, point: Point) -> None:
        key = (point.kind, point.address)
        if key not in self._points and not (self._several and point.kind == CALL):
            reader = self._reader(point)
            self._points[key] = _Break(f"*{point.address:#x}", reader)
            self._addresses.add(point.address)

    def remove(self, point: Point) -> None:
        """Of memory that is gone by now, too."""
        known = self._points.pop((point.kind, point.address), None)
        if known:
            self._delete(known)
            self._addresses.discard(point.address)

    def renew(self, point: Point) -> None:
        """gdb takes its traps away at a stop, and sets them again itself."""

    def add_names(self, names: Sequence[str]) -> None:
        """gdb says so of a function that it does not know yet: each library that is
        loaded is asked first."""
        self._awaited = [*self._awaited, *names]
        self._look_for_names(None)
        if self._awaited and not self._listening:
            self._listening = True
            gdb.events.new_objfile.connect(self._look_for_names)

    def _look_for_names(self, event: Any) -> None:
        for name in [one for one in self._awaited if is_known(one)]:
            self._awaited.remove(name)
            self._names.append(_Break(f"-qualified -function {name}", lambda: True))

    def drop_names(self) -> None:
        self._awaited.clear()
        if self._listening:
            self._listening = False
            gdb.events.new_objfile.disconnect(self._look_for_names)
        for point in self._names:
            self._delete(point)
        self._names.clear()

    def notes(self) -> Sequence[str]:
        return ()

    def unknown_names(self) -> Sequence[str]:
        return tuple(self._awaited)

    def read(self, address: int, size: int) -> bytes:
        try:
            return bytes(gdb.selected_inferior().read_memory(address, size))
        except (gdb.error, OverflowError, MemoryError):
            raise Unreadable(address, size) from None

    def past_debugger(self, address: int, size: int) -> Optional[bytes]:
        if self._pid is None:
            return None
        return Local(self._pid).read(address, size) or self.read(address, size)

    def _reader(self, point: Point) -> Callable[[], bool]:
        """What a hit does, with all that can be known before bound to it."""
        names, aside, piece = point.registers, point.aside, point.piece
        first = names[0] if names else ""

        def hit() -> bool:
            try:
                thread = gdb.selected_thread()
                if thread.num != self._thread:
                    self._several, self._thread = self._thread != 0, thread.num
                known = registers_at(thread, point.address) if self._native else {}
                values = asked(names, known)
                if aside and values.get(first) not in self._addresses:
                    values.update(asked(aside, known))
                memory = b""
                if piece and piece.register in values:
                    start = (values[piece.register] + piece.offset) & MASK64
                    memory = read_piece(self.read, start, piece.size)
                stay = self._on_hit(Hit(point, thread.num, values, memory))
                if self._sent:
                    return False
                if stay:
                    self._stop = Stop(AT_POINT, point.kind)
                elif passed(self._deadline) and self._emulator is None:
                    self._stop = Stop(TIME_UP, "time is up")
                else:
                    return False
            except KeyboardInterrupt:
                self._stop = Stop(INTERRUPTED, INTERRUPTED)
            except Exception as error:
                # gdb would print it and stop for it as at the user's own break point;
                # it is raised again after the stop.
                self._error, self._stop = error, Stop(AT_POINT, point.kind)
            return True

        return hit

    def run(self, on_hit: OnHit, deadline: Optional[float]) -> Stop:
        if deadline is not None and not can_interrupt():
            raise ThunkError(NO_INTERRUPT)
        if deadline is not None and time.monotonic() >= deadline:
            return Stop(TIME_UP, "time is up")
        if self._several:
            self._drop_calls()
        self._on_hit, self._deadline = on_hit, deadline
        self._error = self._stop = None
        self._late = self._halted = self._sent = False
        passed_on, self._kept, self._passed = self._passed, "", ""
        self._stops = {one.number: stops(one) for one in gdb.breakpoints()}
        gdb.events.stop.connect(self._stopped)
        gdb.events.exited.connect(self._exited)
        gdb.events.clear_objfiles.connect(self._symbols_gone)
        self._running = True
        try:
            with resting(), limited(deadline, self._interrupt):
                go_on(passed_on)
        except KeyboardInterrupt:
            self._stop = self._stop or Stop(INTERRUPTED, "interrupted")
        except gdb.error as error:
            said = f"cannot let the process run: {error}"
            self._error = self._error or ThunkError(said)
        finally:
            # Or it would keep the trace, and the trace this.
            self._running, self._on_hit = False, unwatched
            gdb.events.stop.disconnect(self._stopped)
            gdb.events.exited.disconnect(self._exited)
            gdb.events.clear_objfiles.disconnect(self._symbols_gone)
        if self._error:
            if not self._is_killed():
                raise self._error
            self._stop = Stop(EXITED, "was killed", normal=False)
        stop = self._stop or Stop(ELSEWHERE, "the process stopped")
        if self._halted and stop.reason != EXITED:
            # Or it would get the signal when it goes on.
            gdb.execute("queue-signal 0")
        if stop.reason == TIME_UP:
            self._back_to(self._thread)
        return stop

    def _drop_calls(self) -> None:
        """A thread's step over a call instruction ends at a block's first one. If the
        hit of another thread stops the process meanwhile, gdb 13 forgets that one: it
        is worth more, and the return address tells the call as well."""
        for kind, address in list(self._points):
            if kind == CALL:
                self.remove(Point(kind, address, ()))

    def _symbols_gone(self, event: Any) -> None:
        """gdb does that when the process executes another program, or the same again.
        It would put all traps into that; none of them is in it yet. There is no event
        for it before gdb 15, nor a stop unless one is asked for in the user's list."""
        if self._executed or not self._is_another_program():
            return
        self._executed = True
        self._delete_points()
        start = entry_point(self._pid) if self._pid else None
        if start:
            self._names.append(_Break(f"*{start:#x}", lambda: True))

    def _is_another_program(self) -> bool:
        """Known by our traps, which are in memory while the process runs."""
        if not self._pid or not self._points:
            return False
        trap, local = ARCHES[PassingTarget().arch].trap, Local(self._pid)
        places = (address for _, address in self._points)
        return all(local.read(place, len(trap)) != trap for place in places)

    def _is_killed(self) -> bool:
        """Whether what failed did so because there is no process any more, which gdb
        may learn only from a request that fails: at a hit, or to go on from one."""
        pid = gdb.selected_inferior().pid
        return bool(self._native and pid and is_killed(pid))

    def holds(self) -> bool:
        if not self._native:
            return True
        pid, thread, _ = gdb.selected_thread().ptid
        return thread_state(pid, thread) in HELD

    @staticmethod
    def _back_to(number: int) -> None:
        """The thread that made the last call, not one that only waits for it."""
        for thread in gdb.selected_inferior().threads():
            if thread.num == number:
                thread.switch()

    def _interrupt(self) -> None:
        """In the timer's thread: nothing of gdb's may be used here but post_event."""
        self._late = True
        if self._emulator is not None:
            with contextlib.suppress(OSError):
                os.kill(self._emulator, signal.SIGINT)
        elif self._pid and blocks(self._pid, signal.SIGINT):
            # Such a one gdb cannot interrupt. Not twice: one would be left over.
            with contextlib.suppress(OSError):
                if self._running and self._stop is None:
                    self._sent = True
                    os.kill(self._pid, signal.SIGSTOP)
        else:
            gdb.post_event(self._interrupt_now)

    def _interrupt_now(self) -> None:
        """Not one that comes too late: gdb would keep it for the next command."""
        if self._running and self._stop is None:
            with contextlib.suppress(gdb.error):
                gdb.execute("interrupt")
                self._sent = True

    def _stopped(self, event: Any) -> None:
        if self._executed:
            self._stop = Stop(EXITED, ANOTHER_PROGRAM)
            return
        theirs = self._not_ours(event)
        if theirs:
            self._stop = Stop(ELSEWHERE, f"break point {theirs[0].number}")
        elif self._stop is None:
            self._stop = self._reason(event)

    def _not_ours(self, event: Any) -> "list[Any]":
        """The user's own, perhaps where one of ours is too. gdb lists all that are
        there, those included whose condition does not hold."""
        if not isinstance(event, gdb.BreakpointEvent):
            return []
        theirs = [one for one in event.breakpoints if not isinstance(one, _Break)]
        return [one for one in theirs if stops(one) > self._stops.get(one.number, 0)]

    def _reason(self, event: Any) -> Stop:
        late = self._late
        if isinstance(event, gdb.SignalEvent):
            self._halted = late and event.stop_signal == "SIGSTOP"
            if event.stop_signal in ("SIGINT", "0") or late:
                reason = TIME_UP if late else INTERRUPTED
                if event.stop_signal == "SIGINT" and not late:
                    self._kept = event.stop_signal
                return Stop(reason, reason)
            return Stop(SIGNALLED, event.stop_signal)
        if isinstance(event, gdb.BreakpointEvent):
            if event.breakpoint in self._names:
                return Stop(AT_POINT, BY_NAME)
            if isinstance(event.breakpoint, _Break):
                # Without a word of the hit's: ^C ended its Python.
                return Stop(INTERRUPTED, INTERRUPTED)
            return Stop(ELSEWHERE, f"break point {event.breakpoint.number}")
        if late:
            return Stop(TIME_UP, TIME_UP)
        # What gdb tells without a word, at a trap that is not its own.
        self._kept = "SIGTRAP"
        return Stop(ELSEWHERE, self._kept)

    def _exited(self, event: Any) -> None:
        if self._executed:
            self._stop = Stop(EXITED, ANOTHER_PROGRAM)
            return
        code = getattr(event, "exit_code", None)
        if code is not None:
            self._stop = Stop(EXITED, f"exited with {code}")
            return
        self._stop = Stop(EXITED, f"ended by {exit_signal()}", normal=False)

    def pass_on(self) -> bool:
        self._passed = self._kept
        return bool(self._passed)

    def target(self) -> GdbTarget:
        if gdb.selected_thread() is None or self._executed:
            raise ThunkError("the process is gone")
        return PassingTarget()

    def thread(self) -> int:
        return int(gdb.selected_thread().num)

    def close(self) -> None:
        self.drop_names()
        self._delete_points()

    def _delete_points(self) -> None:
        for point in self._points.values():
            self._delete(point)
        self._points.clear()

    @staticmethod
    def _delete(point: _Break) -> None:
        with contextlib.suppress(gdb.error, RuntimeError):
            point.delete()
