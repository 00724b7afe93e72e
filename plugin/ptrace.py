"""Registers of a stopped thread as the kernel has them, all in one call.

Only the process that traces a thread gets them: gdb itself; not lldb, whose server does
that. Linux only; anywhere else, or if the kernel refuses, nothing is known. A debugger
may show others than these, if what it recorded has no process behind it: whoever asks
compares what it knows.
"""

import ctypes
import os
import platform
import struct
from typing import Any

GETREGSET, NT_PRSTATUS = 0x4204, 1
"""The request, and the set of general registers (linux/ptrace.h, linux/elf.h)."""
ORDER = {
    "aarch64": (*(f"x{n}" for n in range(31)), "sp", "pc", "pstate"),
    "x86_64": (
        *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8"),
        *("rax", "rcx", "rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp"),
        *("ss", "fs_base", "gs_base", "ds", "es", "fs", "gs"),
    ),
}
"""struct user_pt_regs and user_regs_struct."""


class Piece(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class Kernel:
    """What gives the registers of threads that this process traces."""

    def __init__(self) -> None:
        self._names = ORDER.get(platform.machine(), ()) if os.name == "posix" else ()
        self._format = struct.Struct(f"<{len(self._names)}Q")
        self._buffer = ctypes.create_string_buffer(self._format.size)
        self._piece = Piece(ctypes.addressof(self._buffer), self._format.size)
        self._call: Any = getattr(ctypes.CDLL(None), "ptrace", None)
        if self._call is None:
            self._names = ()
        else:
            numbers = (ctypes.c_long, ctypes.c_int, ctypes.c_size_t)
            self._call.argtypes = (*numbers, ctypes.POINTER(Piece))
            self._call.restype = ctypes.c_long

    def registers(self, thread: int) -> "dict[str, int]":
        """By name; empty if the kernel does not give them, or not just these."""
        if not self._names:
            return {}
        piece = self._piece
        piece.size = self._format.size
        done = self._call(GETREGSET, thread, NT_PRSTATUS, ctypes.byref(piece))
        if done != 0 or piece.size != self._format.size:
            return {}
        return dict(zip(self._names, self._format.unpack(self._buffer)))
