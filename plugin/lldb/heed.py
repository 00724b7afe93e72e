"""^C while a command of ours is at work in lldb.

lldb only notes it, and tells it to nobody but the thread that the command runs in. A
timer has that thread ask, between two steps of its Python, and stop itself.
"""

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from typing import Any

HEED = 0.2
"""Seconds within which a ^C is heeded."""
_active: list[tuple[Any, threading.Event]] = []
"""The command interpreter, while a command may be interrupted, and where to say so."""


def _ask(nothing: Any) -> int:
    """In the command's thread; what is raised here would be lost."""
    for interpreter, asked in _active:
        if interpreter.WasInterrupted():
            asked.set()
    return 0


_ASK = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_ask)
"""Kept: one may still be pending when the command is done, and then does nothing."""


@contextlib.contextmanager
def heeding(interpreter: Any) -> Iterator[None]:
    """KeyboardInterrupt within, when ^C was pressed."""
    over, asked, turn = threading.Event(), threading.Event(), threading.Lock()
    python = ctypes.pythonapi
    thread = ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        while not over.wait(HEED):
            with turn:
                if asked.is_set() and not over.is_set():
                    stop = ctypes.py_object(KeyboardInterrupt)
                    python.PyThreadState_SetAsyncExc(thread, stop)
                    return
            python.Py_AddPendingCall(_ASK, None)

    threading.Thread(target=watch, daemon=True).start()
    _active.append((interpreter, asked))
    try:
        yield
    finally:
        _active.clear()
        with turn:
            over.set()
            python.PyThreadState_SetAsyncExc(thread, None)
