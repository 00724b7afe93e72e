"""A stopped call whose registers and memory a test can change, and have judged."""

import struct
from typing import Callable, Dict, List, Tuple

from reports import Document
from thunk_inspect.inspection import inspect
from thunk_inspect.report.as_json import to_dict
from thunk_inspect.snapshot import SnapshotTarget
from thunk_inspect.target import LINE

WORD = 8
NOP = 0xD503201F
"""On arm64."""


class Stopped:
    """A snapshot whose registers and memory can be changed."""

    def __init__(self, document: Document) -> None:
        self.document = document

    def register(self, name: str) -> int:
        return int(self.document["registers"][name], 16)

    def set(self, **values: int) -> None:
        for name, value in values.items():
            self.document["registers"][name] = hex(value)

    def read(self, address: int, size: int) -> bytes:
        for chunk in self.document["memory"]:
            start = address - int(chunk["address"], 16)
            data = bytes.fromhex(chunk["bytes"])
            if 0 <= start <= len(data) - size:
                return data[start : start + size]
        raise AssertionError(f"{address:#x} is not in the snapshot")

    def word(self, address: int) -> int:
        return int.from_bytes(self.read(address, WORD), "little")

    def write(self, address: int, data: bytes) -> None:
        for chunk in self.document["memory"]:
            start = address - int(chunk["address"], 16)
            old = bytearray.fromhex(chunk["bytes"])
            if 0 <= start <= len(old) - len(data):
                old[start : start + len(data)] = data
                chunk["bytes"] = old.hex()
                return
        raise AssertionError(f"{address:#x} is not in the snapshot")

    def overwrite(self, address: int, data: bytes) -> None:
        """Write, whatever of it was saved: that goes by lines."""
        while data:
            piece = data[: LINE - address % LINE]
            try:
                self.write(address, piece)
            except AssertionError:
                self.add(address, piece)
            address, data = address + len(piece), data[len(piece) :]

    def put(self, address: int, value: int) -> None:
        self.write(address, value.to_bytes(WORD, "little"))

    def add(self, address: int, data: bytes) -> None:
        self.document["memory"].append({"address": hex(address), "bytes": data.hex()})

    def report(self) -> Document:
        return to_dict(inspect(SnapshotTarget(self.document)))

    def block(self) -> int:
        return int(self.report()["thunk"]["block"], 16)

    def layout(self) -> int:
        return int(self.report()["layout"]["address"], 16)

    def chain(self) -> Tuple[int, int, int]:
        """FunctionInfo, FunctionBody, and where the body has the stub."""
        report = self.report()
        offsets = report["thunk"]["offsets"]
        function = int(report["layout"]["function"]["address"], 16)
        info = self.word(function + offsets["function_info"])
        body = self.word(info + offsets["function_proxy"])
        return info, body, body + offsets["dynamic_thunk"]


Opened = Callable[..., Stopped]
"""What the fixture `stopped` gives: (convention, place, arguments) -> a sound call."""


def words(*code: int) -> bytes:
    """Instructions of arm64."""
    return struct.pack(f"<{len(code)}I", *code)


def verdict_of(report: Document, item: str) -> str:
    checks: List[Dict[str, str]] = [*report["claims"], *report["checklist"]]
    return next(check["verdict"] for check in checks if check["id"] == item)
