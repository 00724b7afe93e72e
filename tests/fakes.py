"""A Target and a Session made of plain values, for tests of single parts."""

from contextlib import nullcontext
from typing import ContextManager, Dict, List, Optional, Tuple

from thunk_inspect.report.page import Style
from thunk_inspect.target import (
    MASK64,
    Frame,
    Region,
    Symbol,
    Target,
    ThunkError,
    Unreadable,
)
from thunk_inspect.trace.points import Runner


class FakeTarget:
    """Memory in pieces, and a list of every read that was asked for."""

    source = "snapshot"
    whole_map = True
    pid = None
    block_size: Optional[int] = None
    code_mask = MASK64
    kept = None

    def __init__(
        self,
        pieces: Optional[Dict[int, bytes]] = None,
        registers: Optional[Dict[str, int]] = None,
        arch: str = "aarch64",
        os: str = "linux",
    ) -> None:
        self.pieces = pieces or {}
        self.arch = arch
        self.os = os
        self.reads: List[Tuple[int, int]] = []
        self.asked: List[object] = []
        self.symbols: Dict[int, Symbol] = {}
        self._registers = registers or {}

    def registers(self) -> Dict[str, int]:
        return dict(self._registers)

    def read(self, address: int, size: int) -> bytes:
        self.reads.append((address, size))
        for start, data in self.pieces.items():
            if start <= address and address + size <= start + len(data):
                return data[address - start : address - start + size]
        raise Unreadable(address, size)

    def regions(self) -> Optional[List[Region]]:
        self.asked.append("regions")
        return None

    def in_module(self, address: int) -> bool:
        return False

    def symbol_at(self, address: int) -> Optional[Symbol]:
        self.asked.append(address)
        return self.symbols.get(address)

    def symbol_address(self, name: str) -> Optional[int]:
        self.asked.append(name)
        return None

    def frames(self, limit: int) -> List[Frame]:
        self.asked.append(limit)
        return []


class FakeSession:
    """A debugger with these registers and symbols."""

    def __init__(self, registers: Dict[str, int], symbols: Dict[str, int]) -> None:
        self._registers = registers
        self._symbols = symbols

    def target(self) -> Target:
        return FakeTarget()

    def register(self, name: str) -> Optional[int]:
        return self._registers.get(name)

    def symbol(self, name: str) -> Optional[int]:
        return self._symbols.get(name)

    def style(self) -> Style:
        return Style()

    def runner(self) -> Runner:
        raise ThunkError("nothing runs here")

    def heeding(self) -> ContextManager[None]:
        return nullcontext()

    def say(self, line: str) -> None:
        raise AssertionError(f"nobody is to be told: {line}")
