"""A process that has ended, as a Target: what it leaves to be read is nothing.

Events that still wait for their words when the process ends get them without it.
"""

from typing import Optional

from ..target import MASK64, Frame, Region, Symbol, Unreadable


class Gone:
    source = "gone"
    os = "linux"
    whole_map = True
    pid = None
    block_size = None
    code_mask = MASK64
    kept = None

    def __init__(self, arch: str) -> None:
        self.arch = arch

    def registers(self) -> dict[str, int]:
        return {}

    def read(self, address: int, size: int) -> bytes:
        raise Unreadable(address, size)

    def regions(self) -> Optional[list[Region]]:
        return None

    def in_module(self, address: int) -> bool:
        return False

    def symbol_at(self, address: int) -> Optional[Symbol]:
        return None

    def symbol_address(self, name: str) -> Optional[int]:
        return None

    def frames(self, limit: int) -> list[Frame]:
        return []
