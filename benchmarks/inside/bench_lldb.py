"""The command `bench` in lldb; loaded with `command script import`."""

import os
import sys
import time
from typing import Any, Optional

import lldb

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))

from benchmarks.inside.bench_timing import Side  # noqa: E402  # needs the path

GENERAL = {
    "aarch64": [*(f"x{n}" for n in range(29)), "fp", "lr", "sp", "pc", "cpsr"],
    "x86_64": ["rip", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi"]
    + [f"r{n}" for n in range(8, 16)],
}
CALLBACK = "import bench_lldb; return bench_lldb.hit(frame)"
POINTERS = {"aarch64": ("sp", "x0", "x1"), "x86_64": ("rsp", "rdi", "rsi")}


def _machine(target: Any) -> str:
    name = target.GetTriple().split("-")[0]
    return "aarch64" if name in ("arm64", "aarch64") else str(name)


class LldbSide(Side):
    def __init__(self, debugger: Any) -> None:
        self.debugger = debugger
        self.left = 0
        self.names: tuple[str, ...] = ()

    def execute(self, command: str) -> str:
        result = lldb.SBCommandReturnObject()
        interpreter = self.debugger.GetCommandInterpreter()
        interpreter.HandleCommand(command, self.context(), result, False)
        if not result.Succeeded():
            raise RuntimeError(f"{command}: {result.GetError()}")
        return str(result.GetOutput() or "")

    def context(self) -> Any:
        """What is selected now: lldb keeps what was when `bench` was called."""
        target = self.debugger.GetSelectedTarget()
        thread = target.GetProcess().GetSelectedThread()
        return lldb.SBExecutionContext(thread.GetSelectedFrame())

    def summary(self) -> str:
        """The events go to lldb's own output, the command's answer is the summary."""
        return self.text

    def target_class(self) -> Any:
        from thunk_inspect.lldb.target import LldbTarget

        return LldbTarget

    def floor_state(self) -> None:
        """All registers, 512 bytes of stack and the page that pc is in."""
        target = self.debugger.GetSelectedTarget()
        process = target.GetProcess()
        frame = process.GetSelectedThread().GetFrameAtIndex(0)
        for name in GENERAL[_machine(target)]:
            frame.FindRegister(name).GetValueAsUnsigned()
        error = lldb.SBError()
        process.ReadMemory(frame.GetSP(), 512, error)
        process.ReadMemory(frame.GetPC() & ~4095, 4096, error)

    def bare_hits(self, places: "list[str]", hits: int) -> "tuple[float, float]":
        global _counting
        target = self.debugger.GetSelectedTarget()
        self.left, self.names = hits, POINTERS[_machine(target)]
        points = [target.BreakpointCreateByAddress(int(at, 16)) for at in places]
        for point in points:
            point.SetScriptCallbackBody(CALLBACK)
        _counting = self
        cpu, wall = time.process_time(), time.perf_counter()
        target.GetProcess().Continue()
        times = time.process_time() - cpu, time.perf_counter() - wall
        assert not self.left, "the program ended before the hits were counted"
        for point in points:
            target.BreakpointDelete(point.GetID())
        return times

    def bare_hit(self, frame: Any) -> bool:
        values = [frame.FindRegister(name).GetValueAsUnsigned() for name in self.names]
        frame.GetThread().GetProcess().ReadMemory(values[0], 64, lldb.SBError())
        self.left -= 1
        return not self.left


_counting: Optional[LldbSide] = None


def hit(frame: Any) -> bool:
    """A stop in Python that does the least that is of any use."""
    return _counting is None or _counting.bare_hit(frame)


def bench(debugger: Any, line: str, context: Any, result: Any, names: Any) -> None:
    result.AppendMessage(LldbSide(debugger).answer(line))


def __lldb_init_module(debugger: Any, internal_dict: Any) -> None:
    debugger.HandleCommand(f"command script add -o -f {__name__}.bench bench")
