"""Where a process is that did not end in time: looked at several times, then named."""

import time
from typing import Optional

from ..arch import ARCHES, Arch
from ..arch.decode import LONGEST, decode
from ..chakra.locate import Locator
from ..chakra.thunk import Thunk
from ..proof.words import cite
from ..target import Memory, ThunkError
from .model import INTERPRETER, Hang, Sample
from .plan import Watch
from .points import INTERRUPTED, TIME_UP, Hit, Runner

SAMPLES = 5
PAUSE = 0.05
"""Seconds between two looks."""
DEPTH = 64
"""Frames in which the interpreter is looked for."""
SYSTEM_CALLS = {"aarch64": (bytes.fromhex("010000d4"),), "x86_64": (b"\x0f\x05",)}
AT_CALL = "is at a system call at every look: it waits, or calls it again and again"
"""A loop round a call that comes back at once spends nearly all of its time there."""
INTERPRETS = "Js::InterpreterStackFrame::"


def look(runner: Runner, calls: int, looping: Optional[Watch]) -> Hang:
    """Sample the stopped process, let it go on a little between, and name what it is
    at. It stays stopped in the end, unless it ends in between.

    `calls`: how many were traced; `looping`: the block in which a call was seen to go
    round for ever.
    """
    samples: list[Sample] = []
    places: list[tuple[int, int]] = []
    met: list[str] = []
    for number in range(SAMPLES):
        memory = Memory(runner.target())
        samples.append(_sample(memory, runner.thread()))
        arch = ARCHES[memory.arch]
        places.append((samples[-1].pc, memory.registers().get(arch.sp, 0)))
        if number == SAMPLES - 1:
            break
        stop = runner.run(lambda hit: _meets(hit, met), time.monotonic() + PAUSE)
        # An interrupt of the look before may come only now.
        if stop.reason not in (TIME_UP, INTERRUPTED):
            text = f"the process was on its way: {stop.said} while it was looked at"
            return Hang("unknown", text, (), samples)
    memory = Memory(runner.target())
    named = _in_thunk(memory, samples, looping, bool(met))
    named = named or _waiting(memory, places, samples)
    return named or _working(memory, samples, calls, INTERPRETER in met)


def _meets(hit: Hit, met: "list[str]") -> bool:
    met.append(hit.point.kind)
    return False


def _sample(memory: Memory, thread: int) -> Sample:
    arch = ARCHES[memory.arch]
    registers = memory.registers()
    pc = registers.get(arch.pc, 0)
    back = registers.get(arch.lr) if arch.lr else _word(memory, registers.get(arch.sp))
    return Sample(thread, pc, _where(memory, arch, pc), back)


def _word(memory: Memory, address: Optional[int]) -> Optional[int]:
    try:
        return None if address is None else memory.word(address)
    except ThunkError:
        return None


def _where(memory: Memory, arch: Arch, pc: int) -> str:
    symbol = memory.symbol_at(pc)
    if symbol:
        return symbol.at(pc)
    thunk = Locator(memory, arch).block_at(pc)
    if thunk:
        return f"the block at {thunk.address:#x}, its {thunk.part(pc)}"
    return "code without a symbol"


def _in_thunk(
    memory: Memory, samples: list[Sample], looping: Optional[Watch], met: bool
) -> Optional[Hang]:
    """A call was seen to return again and again, or all looks fell into one block.

    Not where break points of ours were met between: at these a process that is sound
    and busy spends its time, and most of them are in the block.
    """
    arch = ARCHES[memory.arch]
    thunk = looping.facts.thunk if looping else None
    if looping is None and not met:
        thunk = _common(memory, arch, samples)
    if thunk is None:
        return None
    finding = None
    if looping and thunk:
        places = (place for one in samples for place in (one.pc, one.back))
        numbers = (thunk.stub_around(place) for place in places if place is not None)
        number = next((n for n in numbers if n is not None), None)
        finding = looping.facts.in_stub(number).claims["R9"]
    if finding and finding.holds is False:
        lines = list(finding.evidence)
    else:
        lines = [_cited(thunk, pc) for pc in sorted({one.pc for one in samples})]
    parts = ", ".join(dict.fromkeys(thunk.part(one.pc) for one in samples))
    text = f"loops in the thunk block at {thunk.address:#x} ({parts})"
    return Hang("thunk", text, lines, samples)


def _common(memory: Memory, arch: Arch, samples: list[Sample]) -> Optional[Thunk]:
    thunk = Locator(memory, arch).block_at(samples[0].pc)
    inside = thunk is not None and all(thunk.contains(one.pc) for one in samples)
    return thunk if inside else None


def _cited(thunk: Thunk, pc: int) -> str:
    at = pc - thunk.address
    insn = decode(thunk.code[at : at + LONGEST], pc, thunk.arch)
    return cite(insn) if insn else f"{pc:#x}"


def _waiting(
    memory: Memory, places: "list[tuple[int, int]]", samples: list[Sample]
) -> Optional[Hang]:
    """Every look found the same place, just behind a system call."""
    if len(set(places)) > 1:
        return None
    pc = samples[0].pc
    for code in SYSTEM_CALLS[memory.arch]:
        try:
            if memory.read(pc - len(code), len(code)) == code:
                text = f"{AT_CALL}: {samples[0].where}"
                return Hang("waiting", text, (), samples)
        except ThunkError:
            continue
    return None


def _working(
    memory: Memory, samples: list[Sample], calls: int, interprets: bool
) -> Hang:
    """It runs: the interpreter, or other native code."""
    names = {one.where for one in samples}
    interprets = interprets or any(
        (symbol := memory.symbol_at(frame.pc)) and symbol.name.startswith(INTERPRETS)
        for frame in memory.frames(DEPTH)
    )
    shown = ", ".join(sorted(names)[:3])
    count = "1 call" if calls == 1 else f"{calls} calls"
    if interprets:
        text = f"still runs JavaScript after {count}: {shown}"
        return Hang("interpreter", text, (), samples)
    return Hang("native", f"still runs after {count}: {shown}", (), samples)
