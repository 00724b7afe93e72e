"""The selected thread in lldb, as a Target."""

from functools import cached_property
from typing import Any, Optional

import lldb

from ..arch import ARCHES
from ..local import Local, local_process
from ..settings import BLOCK_SIZE
from ..target import MASK64, PAGE, Frame, Region, Symbol, Unreadable, plain_name
from .reader import Reader, is_core
from .registers import Registers

ARCH_NAMES = {"arm64": "aarch64", "arm64e": "aarch64", "x86_64h": "x86_64"}

FAULTS = (4, 7, 10, 11)
"""SIGILL, SIGBUS on Linux and on macOS, SIGSEGV."""


class LldbTarget:
    source = "lldb"
    whole_map = True
    kept = None
    """lldb keeps what it has read by itself."""

    def __init__(self, target: Any, process: Any, thread: Any) -> None:
        self._target = target
        self._process = process
        self._thread = thread
        self._modules: dict[int, bool] = {}

    @cached_property
    def arch(self) -> str:
        return machine(self._target)

    @property
    def pid(self) -> Optional[int]:
        return None if is_core(self._process) else int(self._process.GetProcessID())

    @property
    def os(self) -> str:
        triple = self._target.GetTriple()
        if "macos" in triple or "darwin" in triple:
            return "macos"
        return "windows" if "windows" in triple else "linux"

    def registers(self) -> dict[str, int]:
        arch = ARCHES.get(self.arch)
        if arch is None:
            return {}
        registers = Registers(self._target, self._process, self.local, self.arch)
        names = (*arch.registers, *arch.extra)
        return registers.read(self._thread.GetFrameAtIndex(0), names)

    @cached_property
    def local(self) -> Optional[Local]:
        return local_process(self.pid) if self.arch in ARCHES else None

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._target, self._process, self.local, self.arch)

    def read(self, address: int, size: int) -> bytes:
        data = self._reader.past_lldb(address, size)
        if data is None and not self._mapped(address, size):
            raise Unreadable(address, size)
        return self._reader.by_lldb(address, size) if data is None else data

    def _mapped(self, address: int, size: int) -> bool:
        """False where the kernel's map has no byte of it, so that lldb need not try."""
        regions = self._map
        return not regions or any(
            region.start < address + size and address < region.end for region in regions
        )

    @cached_property
    def _map(self) -> Optional[list[Region]]:
        return self.local.regions() if self.local else None

    def regions(self) -> Optional[list[Region]]:
        """None where the list is empty: a stub without a map, or a core file's."""
        if self.local:
            return self._map
        if not self._process.GetProcessInfo().IsValid():
            return None
        regions = self._process.GetMemoryRegions()
        found: list[Region] = []
        info = lldb.SBMemoryRegionInfo()
        for n in range(regions.GetSize()):
            if regions.GetMemoryRegionAtIndex(n, info) and info.IsMapped():
                found.append(_region(info))
        return found or None

    @property
    def code_mask(self) -> int:
        """Older versions do not tell; all ones is lldb's word for no mask."""
        if self.arch != "aarch64" or not hasattr(self._process, "GetAddressMask"):
            return MASK64
        mask = int(self._process.GetAddressMask(lldb.eAddressMaskTypeCode)) & MASK64
        return MASK64 if mask == MASK64 else ~mask & MASK64

    @property
    def faulted(self) -> bool:
        reason = self._thread.GetStopReason()
        if reason == lldb.eStopReasonSignal:
            return self._thread.GetStopReasonDataAtIndex(0) in FAULTS
        return bool(reason == lldb.eStopReasonException)

    @property
    def block_size(self) -> Optional[int]:
        return BLOCK_SIZE.number

    def in_module(self, address: int) -> bool:
        """By pages: modules are mapped so, and frames are often of few functions."""
        page = address // PAGE
        if page not in self._modules:
            module = self._target.ResolveLoadAddress(address).GetModule()
            self._modules[page] = bool(module.IsValid())
        return self._modules[page]

    def symbol_at(self, address: int) -> Optional[Symbol]:
        resolved = self._target.ResolveLoadAddress(address)
        symbol = resolved.GetSymbol()
        if not symbol.IsValid() or not symbol.GetName():
            return None
        start = symbol.GetStartAddress().GetLoadAddress(self._target)
        if start == lldb.LLDB_INVALID_ADDRESS or start > address:
            return None
        return Symbol(plain_name(symbol.GetName()), start)

    def symbol_address(self, name: str) -> Optional[int]:
        return symbol_start(self._target, name)

    def frames(self, limit: int) -> list[Frame]:
        """Those of which SP is known. A frame provider's own have no registers: SP is
        where the frame of lldb's before them ends."""
        found, end, unknown = [], 0, (0, lldb.LLDB_INVALID_ADDRESS)
        for n in range(limit):
            # Not by their number: lldb would unwind the whole stack for that.
            frame = self._thread.GetFrameAtIndex(n)
            if not frame.IsValid():
                break
            sp = frame.GetSP()
            if sp == lldb.LLDB_INVALID_ADDRESS:
                sp = end
            if sp not in unknown:
                found.append(Frame(frame.GetPC(), sp & MASK64))
            end = frame.GetCFA()
        return found


def machine(target: Any) -> str:
    """A target's architecture, by the plugin's name where it has one."""
    name = target.GetTriple().split("-")[0]
    return ARCH_NAMES.get(name, str(name))


def symbol_start(target: Any, name: str) -> Optional[int]:
    """Where the first symbol of that name, mangled or plain, stands."""
    contexts = target.FindSymbols(name)
    for n in range(contexts.GetSize()):
        symbol = contexts.GetContextAtIndex(n).GetSymbol()
        start = symbol.GetStartAddress().GetLoadAddress(target)
        if start != lldb.LLDB_INVALID_ADDRESS:
            return int(start)
    return None


def _region(info: Any) -> Region:
    permissions = "".join(
        letter if has else "-"
        for letter, has in (
            ("r", info.IsReadable()),
            ("w", info.IsWritable()),
            ("x", info.IsExecutable()),
        )
    )
    return Region(
        info.GetRegionBase(), info.GetRegionEnd(), permissions, info.GetName() or ""
    )
