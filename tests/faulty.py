"""Memory that cannot be trusted, and the saved calls that are inspected through it.

`Faulty` is a snapshot's Target of which one read, or one piece of memory, goes wrong.
The calls are saved once for all workers, whole pages of them, so that an inspection
that has to look elsewhere finds something there.
"""

import fcntl
import json
import os
import random
import re
from pathlib import Path
from typing import (
    Callable,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
)

import pytest

from fakes import FakeSession
from reports import Document
from sessions import Session
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra import thunk as shape
from thunk_inspect.checklist.assess import prove_block
from thunk_inspect.checklist.model import Check
from thunk_inspect.proof import prove
from thunk_inspect.report.model import Report
from thunk_inspect.snapshot import SnapshotTarget
from thunk_inspect.target import PAGE, Memory, Target, Unreadable

T = TypeVar("T")

STACK = 4 * PAGE
"""Bytes above SP that are saved."""


class Call(NamedTuple):
    """A call of chakra_like, and where it is stopped."""

    arch: str
    convention: str
    fault: str
    place: str
    arguments: str = "3"

    @property
    def name(self) -> str:
        return "-".join(self)


CALLS = (
    Call("aarch64", "homing", "none", "interpreter"),
    Call("aarch64", "caller-stack", "none", "depth_5", "12"),
    Call("aarch64", "homing", "offset16", "header"),
    Call("aarch64", "caller-stack", "regs-only", "header"),
    Call("x86_64", "sysv", "none", "interpreter"),
    Call("x86_64", "windows", "none", "depth_5", "12"),
)
MORE_CALLS = (
    Call("aarch64", "homing", "none", "depth_5", "12"),
    Call("aarch64", "caller-stack", "none", "interpreter"),
    Call("aarch64", "homing", "thunk-offset", "header"),
    Call("aarch64", "caller-stack", "no-fplr", "header"),
    Call("aarch64", "section3", "none", "header"),
    Call("aarch64", "section7", "none", "header"),
    Call("x86_64", "sysv", "callee-saved", "header"),
    Call("x86_64", "sysv", "none", "dispatch"),
    Call("x86_64", "sysv", "none", "stub"),
    Call("x86_64", "windows", "none", "header"),
)


def saved(call: Call, factory: pytest.TempPathFactory) -> Document:
    """The snapshot of a call; made by whichever worker wants it first."""
    folder = factory.getbasetemp()
    if folder.name.startswith("popen-"):
        folder = folder.parent
    path = folder / f"{call.name}.json"
    with (folder / f"{call.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            made = json.dumps(_save(call, folder / call.name))
            path.write_text(made)
    document: Document = json.loads(path.read_text())
    return document


def _save(call: Call, folder: Path) -> Document:
    session = Session("gdb", folder)
    try:
        session.load(call.convention, call.fault, call.arguments, arch=call.arch)
        for place in dict.fromkeys(("header", *_on_the_way(call), call.place)):
            session.go_on_to(place)
        for command in ("thunk-bt --all", "thunk-find", f"thunk-snapshot {folder}/s"):
            answer = session.run(command)
            assert not answer.error, answer.error
        document: Document = json.loads((folder / "s").read_text())
        return _with_pages(session, document)
    finally:
        session.close()


def _on_the_way(call: Call) -> Tuple[str, ...]:
    return ("dispatch",) if call.place == "stub" else ()


def _with_pages(session: Session, document: Document) -> Document:
    """The same with the whole of each page of which something was looked at."""
    sp = int(document["registers"]["sp" if session.arch == "aarch64" else "rsp"], 16)
    pages = {place // PAGE for place in range(sp, sp + STACK, PAGE)}
    for piece in document["memory"]:
        start = int(piece["address"], 16)
        end = start + len(piece["bytes"]) // 2
        pages.update(range(start // PAGE, -(-end // PAGE)))
    memory = []
    for page in sorted(pages):
        start, path = page * PAGE, session.folder / "page"
        said = session.run(f"dump binary memory {path} {start:#x} {start + PAGE:#x}")
        if not said.error:
            memory.append({"address": hex(start), "bytes": path.read_bytes().hex()})
    return {**document, "memory": memory}


Fault = Callable[[int, int, bytes, int], bytes]
"""What becomes of a read: (address, its number, the right bytes, size) -> bytes."""
SWEEP_ALL = os.environ.get("THUNK_SWEEP") == "all"
"""Every place in turn, in more calls: `THUNK_SWEEP=all pytest tests/test_sweep.py`."""


class Faulty(SnapshotTarget):
    """A snapshot of which reads go wrong; remembers what it said last."""

    remembers = True

    def __init__(self, document: Document, fault: Optional[Fault] = None) -> None:
        super().__init__(document)
        self.fault = fault
        self.reads: List[Tuple[int, int]] = []
        self.told: Dict[int, int] = {}

    def again(self, fault: Optional[Fault]) -> "Faulty":
        """The same memory with another fault, without reading the document again."""
        other = Faulty.__new__(Faulty)
        other.__dict__.update(self.__dict__)
        other.fault, other.reads, other.told = fault, [], {}
        return other

    def right(self, address: int, size: int) -> bytes:
        return super().read(address, size)

    def read(self, address: int, size: int) -> bytes:
        number = len(self.reads)
        self.reads.append((address, size))
        data = super().read(address, size)
        if self.fault:
            data = self.fault(address, number, data, size)
        for n, byte in enumerate(data[:size] if self.remembers else b""):
            self.told[address + n] = byte
        return data


def refused(number: int) -> Fault:
    """This read fails, once."""
    return lambda address, n, data, size: _none(address, size) if n == number else data


def dying(number: int) -> Fault:
    """Every read fails from this one on: the process is gone."""
    return lambda address, n, data, size: _none(address, size) if n >= number else data


def short(number: int, length: int) -> Fault:
    """This read gives fewer bytes than were asked for."""
    return lambda address, n, data, size: data[:length] if n == number else data


def shorter(number: int) -> Fault:
    """Every read from this one on lacks its last byte."""
    return lambda address, n, data, size: data[:-1] if n >= number else data


def longer(number: int) -> Fault:
    """This read gives more bytes than were asked for."""
    return lambda address, n, data, size: data + b"\0" * 8 if n == number else data


def unreadable(start: int, length: int) -> Fault:
    """Memory that cannot be read, whoever asks."""

    def fault(address: int, n: int, data: bytes, size: int) -> bytes:
        if address < start + length and start < address + size:
            return _none(address, size)
        return data

    return fault


def cut(start: int) -> Fault:
    """Reads end where memory does, without a word."""

    def fault(address: int, n: int, data: bytes, size: int) -> bytes:
        return data[: max(0, start - address)] if address + size > start else data

    return fault


def other(start: int, content: bytes, since: int = 0) -> Fault:
    """Other memory; or memory that changes before a read of this number."""

    def fault(address: int, n: int, data: bytes, size: int) -> bytes:
        first, end = max(start, address), min(start + len(content), address + size)
        if n < since or first >= end:
            return data
        mine = content[first - start : end - start]
        return data[: first - address] + mine + data[end - address :]

    return fault


def _none(address: int, size: int) -> bytes:
    raise Unreadable(address, size)


def garbage(address: int, size: int, seed: int = 0) -> Iterator[Tuple[str, bytes]]:
    """What may stand where something else did."""
    own = b"".join((address + n).to_bytes(8, "little") for n in range(0, size, 8))
    yield "zeros", bytes(size)
    yield "ones", b"\xff" * size
    yield "random", random.Random(address + seed).randbytes(size)
    yield "own address", own[:size]


class TargetSession(FakeSession):
    """A debugger that is stopped at this target."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.registers(), {})
        self._target = target

    def target(self) -> Target:
        return self._target


def some(cases: Sequence[T], count: int, seed: int = 0) -> List[T]:
    """That many of the cases, always the same ones; or all, if that is wanted."""
    if SWEEP_ALL or len(cases) <= count:
        return list(cases)
    return random.Random(seed).sample(list(cases), count)


def plain(text: str) -> bool:
    """Whether a terminal shows it as it is."""
    return all(ch == "\n" or ch.isprintable() for ch in text)


WORD = re.compile(r"\[(0x[0-9a-f]+)\] (?:\w+ )?= (0x[0-9a-f]+)")
"""A word of memory, as evidence cites it."""


def checks(report: Report) -> Dict[str, Check]:
    return {check.id: check for check in (*report.claims, *report.checklist)}


def untold(report: Report, target: Faulty) -> List[str]:
    """Evidence of what passes that cites a word that was never read."""
    wrong = []
    for check in checks(report).values():
        for place, value in WORD.findall(" ".join(check.evidence)):
            address = int(place, 16)
            told = bytes(target.told.get(address + n, 0) for n in range(8))
            if check.verdict == "pass" and int.from_bytes(told, "little") != int(
                value, 16
            ):
                wrong.append(f"{check.id}: {place} = {value}, was read as {told.hex()}")
    return wrong


def unproved(report: Report, target: Faulty) -> List[str]:
    """Claims that pass though a fresh proof of the block as it was read does not."""
    part = report.thunk
    assert part
    code = bytes(target.told.get(part.block + n, 0) for n in range(part.block_size))
    shape._known_rows.clear()
    prove.cache_clear()
    thunk = shape.parse(code, part.block, ARCHES[report.arch])
    if thunk is None:
        return [f"what was read at {part.block:#x} is no block"]
    facts = prove_block(Memory(target), thunk)
    return [
        f"{check.id}: {check.evidence}, but {facts.claims[check.id].evidence}"
        for check in report.claims
        if check.verdict == "pass"
        and check.id in facts.claims
        and facts.claims[check.id].holds is not True
    ]


def untrue(report: Report, target: Faulty) -> List[str]:
    """Claims that pass though the words of memory, followed here without any of the
    plugin's rooms, say otherwise. For a thread at the interpreter's first instruction.
    """
    thunk, passes = report.thunk, {c.id for c in report.claims if c.verdict == "pass"}
    if thunk is None or report.pc != thunk.interpreter or thunk.offsets is None:
        return []

    def word(address: int) -> int:
        data = bytes(target.told.get(address + n, 0) for n in range(8))
        return int.from_bytes(data, "little")

    arch, registers = ARCHES[report.arch], report.registers
    layout = registers["x0" if arch.lr else "rdi"]
    back = registers[arch.lr] if arch.lr else word(registers[arch.sp])
    function, stub = word(layout), back // 8 * 8
    info = word(function + thunk.offsets["function_info"])
    body = word(info + thunk.offsets["function_proxy"])
    chain = word(body + thunk.offsets["dynamic_thunk"])
    confirmed = word(body + 0x10) == info
    truth = {
        "R1": layout % 8 == 0
        and (report.layout is None or report.layout.address == layout),
        "R2": confirmed and chain == stub,
        "R3": word(layout + 8) >> 32 == 0,
        "R5": registers[arch.sp] % 16 == (0 if arch.lr else 8),
        "R7": confirmed and chain == stub,
        "R11": registers[arch.fp] + 16 == layout,
    }
    read = report.layout is not None and report.layout.function_address is not None
    return [
        f"{claim} passes"
        for claim, holds in truth.items()
        if claim in passes and not holds and (read or claim in ("R1", "R5", "R11"))
    ]


def grown(report: Report, base: Report) -> List[str]:
    """What a look that failed made better or worse than it is: nothing may."""
    if not (report.thunk and base.thunk and report.thunk.block == base.thunk.block):
        return [f"sound: {report.thunk}"] if report.verdict == "sound" else []
    wrong = []
    before = checks(base)
    told = [line for claim in report.claims for line in claim.evidence]
    missing = MISSING.search(" ".join((*told, *report.problems)))
    for name, check in checks(report).items():
        was = before[name].verdict
        if check.verdict != was and check.verdict in ("pass", "fail"):
            wrong.append(f"{name} was {was}, is {check.verdict}: {check.evidence}")
        named = MISSING.search(" ".join(check.evidence)) or missing
        if (was, check.verdict) == ("pass", "unknown") and not named:
            wrong.append(f"{name} does not say what is missing: {check.evidence}")
    return wrong


MISSING = re.compile("cannot (be )?read")
