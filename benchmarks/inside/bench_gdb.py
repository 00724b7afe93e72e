"""The command `bench` in gdb; loaded with `source`."""

import os
import sys
import time
from typing import Any

import gdb

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

from benchmarks.inside.bench_timing import Side  # noqa: E402  # needs the path

GENERAL = {
    "aarch64": [*(f"x{n}" for n in range(31)), "sp", "pc", "cpsr"],
    "i386:x86-64": ["rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi"]
    + [f"r{n}" for n in range(8, 16)],
}


class GdbSide(Side):
    def execute(self, command: str) -> str:
        return str(gdb.execute(command, to_string=True))

    def target_class(self) -> Any:
        from thunk_inspect.gdb.target import GdbTarget

        return GdbTarget

    def floor_state(self) -> None:
        """All registers, 512 bytes of stack and the page that pc is in."""
        frame, inferior = gdb.newest_frame(), gdb.selected_inferior()
        names = GENERAL[frame.architecture().name()]
        values = {name: int(frame.read_register(name)) for name in names}
        inferior.read_memory(values["sp" if "sp" in values else "rsp"], 512)
        inferior.read_memory(frame.pc() & ~4095, 4096)

    def bare_hits(self, places: "list[str]", hits: int) -> "tuple[float, float]":
        left = [hits]
        points = [Bare(f"*{place}", left) for place in places]
        cpu, wall = time.process_time(), time.perf_counter()
        gdb.execute("continue", to_string=True)
        times = time.process_time() - cpu, time.perf_counter() - wall
        assert not left[0], "the program ended before the hits were counted"
        for point in points:
            point.delete()
        return times


class Bare(gdb.Breakpoint):  # type: ignore[misc]  # untyped
    """A stop in Python that does the least that is of any use."""

    def __init__(self, where: str, left: "list[int]") -> None:
        super().__init__(where, internal=True)
        self.silent = True
        self.left = left
        names = GENERAL[gdb.newest_frame().architecture().name()]
        self.names = ("sp", "x0", "x1") if "sp" in names else ("rsp", "rdi", "rsi")
        # Over a remote connection a frame costs packets; natively it is the cheaper.
        self.native = gdb.selected_inferior().connection.type == "native"

    def stop(self) -> bool:
        if self.native:
            read = gdb.newest_frame().read_register
            values = [int(read(name)) for name in self.names]
        else:
            values = [int(gdb.parse_and_eval(f"${name}")) for name in self.names]
        gdb.selected_inferior().read_memory(values[0], 64)
        self.left[0] -= 1
        return not self.left[0]


class Bench(gdb.Command):  # type: ignore[misc]  # untyped
    def __init__(self) -> None:
        super().__init__("bench", gdb.COMMAND_DATA)
        self.side = GdbSide()

    def invoke(self, line: str, from_tty: bool) -> None:
        gdb.write(self.side.answer(line) + "\n")


Bench()
