"""What a thunk block does when it runs: the independent truth for the proof.

`observe` runs a block in Unicorn from many entry states and says which claims of the
contract (R1 … R11) held in all of them. Only running and judging belong here; nothing
here may look at the proof or share code with it, or it could not judge it.
"""

import random
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, NamedTuple, Optional

import capstone
from unicorn import Uc, UcError, arm64_const, unicorn_const, x86_const

from calls import (
    OBJECTS,
    PAGE,
    RETURN,
    STACK,
    STACK_END,
    Counts,
    Entry,
    World,
    entry_state,
    image,
)
from thunk_inspect.arch import ANCHOR, Arch, Convention

CLAIMS = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9", "R10", "R11")
MAX_STEPS = 400
DEEP, NOT_MAPPED = 0x7FFC5A2D0000, 0x1B5F00C0000
READ_EXECUTE = unicorn_const.UC_PROT_READ | unicorn_const.UC_PROT_EXEC
COUNTS: Counts = ((3, 0), (9, 0), (0, 0), (13, 0), (6, 8), (1, 0), (6, 0))  # ExtraArg


def observe(code: bytes, world: World) -> dict[str, bool]:
    """For each claim: whether it held in every entry state."""
    failed = first_failures(code, world)
    return {claim: claim not in failed for claim in CLAIMS}


def first_failures(code: bytes, world: World) -> dict[str, str]:
    """The claims that did not hold, each with the first entry state to show it."""
    return failures_with(COUNTS, code, world)


def failures_with(counts: Counts, code: bytes, world: World) -> dict[str, str]:
    """As first_failures, for calls with these Counts and flags."""
    machine = _machine(world.arch, world.convention, counts)
    machine.load(code, world)
    failed: dict[str, str] = {}
    for entry, stub in machine.cases():
        held = machine.once(entry, world.base + world.first_stub + 8 * stub)
        for claim in (claim for claim in CLAIMS if claim not in held):
            failed.setdefault(claim, f"{entry.label}, stub {stub}")
        if len(failed) == len(CLAIMS):
            break
    return failed


class Call(NamedTuple):
    """What stood where when a call instruction was about to run."""

    layout: int
    sp: int
    fp: int
    words: bytes


@dataclass
class Run:
    """What has been seen of one call through the block.

    `last` is the instruction begun last, `dispatched` whether the header was left by
    an indirect branch to the stub, `call` the last call instruction, `stub_call` the
    first one of a stub, `reached` whether that came to the interpreter. `judged` are
    the stub's call and all others that came there, `read` the bytes read afterwards,
    but for those `written` before.
    """

    entry: Entry
    stub: int
    steps: int = 0
    last: int = 0
    stopped: bool = False
    dispatched: Optional[bool] = None
    call: Optional[Call] = None
    stub_call: Optional[Call] = None
    judged: list[Call] = field(default_factory=list)
    reached: bool = False
    visits: int = 0
    returned: bool = False
    read: set[int] = field(default_factory=set)
    written: set[int] = field(default_factory=set)


CALL, INDIRECT, TRAP = 1, 2, 4
_PORTS = ("in", "insb", "insw", "insd", "out", "outsb", "outsw", "outsd")
_SYSTEM = {capstone.CS_GRP_PRIVILEGE, capstone.CS_GRP_INT}
_X64 = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
_X64.detail = True


def _arm_kind(word: int) -> int:
    if word >> 25 == 0xD6000000 >> 25:
        return INDIRECT | (CALL if word >> 21 & 3 == 1 else 0)
    user = word & 0xFFFFE000 == 0xD5032000 or word >> 16 & 7 == 3
    trap = word >> 24 == 0xD4 or word >> 22 == 0xD5000000 >> 22 and not user
    return TRAP if trap else CALL if word >> 26 == 0x94000000 >> 26 else 0


@lru_cache(maxsize=1 << 16)
def _kind(code: bytes, arm: bool) -> int:
    """CALL and INDIRECT for branches; TRAP for what no user program may do."""
    if arm:
        return _arm_kind(int.from_bytes(code, "little"))
    decoded = next(_X64.disasm(code, 0, 1), None)
    if decoded is None:
        return 0
    groups, port = decoded.groups, decoded.mnemonic.split()[-1] in _PORTS
    if port or not _SYSTEM.isdisjoint(groups):
        return TRAP
    call = CALL if capstone.CS_GRP_CALL in groups else 0
    branch = call or capstone.CS_GRP_JUMP in groups
    known = branch and decoded.operands[0].type == capstone.CS_OP_IMM
    indirect = branch and not known or capstone.CS_GRP_RET in groups
    return call | (INDIRECT if indirect else 0)


class Machine:
    """One Unicorn for one convention, with its entry states laid out."""

    code: bytes
    world: World
    run: Run

    def __init__(self, arch: Arch, convention: Convention, counts: Counts) -> None:
        self.arch, self.convention, self.arm = arch, convention, arch.lr is not None
        self.counts = counts
        if self.arm:
            self.uc = Uc(unicorn_const.UC_ARCH_ARM64, unicorn_const.UC_MODE_ARM)
        else:
            self.uc = Uc(unicorn_const.UC_ARCH_X86, unicorn_const.UC_MODE_64)
        self.saved = self.ids(convention.callee_saved)
        self.at_call = self.ids((convention.arguments[0], arch.sp, arch.fp))
        self.sp, self.pc, self.result = self.ids((arch.sp, arch.pc, arch.result))
        self.kept = [self.sp, *self.saved, *self.ids((arch.lr,) if arch.lr else ())]
        self.mapped: dict[int, int] = {}
        self.kinds: dict[int, int] = {}
        self.entries = [
            entry_state(convention, arch, self.snapshot, counts, index)
            for index in range(4 * len(counts))
        ]
        self.filler = image(random.Random("objects"), 3 * PAGE)
        self.uc.mem_map(DEEP, STACK_END - DEEP)
        self.uc.mem_map(OBJECTS, 3 * PAGE)
        self.uc.mem_map(RETURN & -PAGE, PAGE, READ_EXECUTE)
        self.uc.ctl_exits_enabled(True)
        self.uc.hook_add(unicorn_const.UC_HOOK_CODE, self.on_step)
        if convention.shadow:
            self.uc.hook_add(unicorn_const.UC_HOOK_MEM_READ, self.on_read)
            self.uc.hook_add(unicorn_const.UC_HOOK_MEM_WRITE, self.on_write)

    def ids(self, names: Iterable[str]) -> list[int]:
        constants: Any = arm64_const if self.arm else x86_const
        prefix = "UC_ARM64_REG_" if self.arm else "UC_X86_REG_"
        return [getattr(constants, prefix + name.upper()) for name in names]

    def snapshot(self, values: dict[str, int], rng: random.Random) -> Any:
        """These registers, with random flags and vector registers beside them."""
        vector, count, more = "q", 32, {"nzcv": rng.getrandbits(4) << 28}
        if not self.arm:
            vector, count, more = "xmm", 16, {"eflags": 2 | rng.getrandbits(12) & 0x8D5}
            more.update(fs_base=NOT_MAPPED, gs_base=NOT_MAPPED)
        more.update((f"{vector}{n}", rng.getrandbits(128)) for n in range(count))
        more.update(values)
        for number, value in zip(self.ids(more), more.values()):
            self.uc.reg_write(number, value)
        return self.uc.context_save()

    def load(self, code: bytes, world: World) -> None:
        """Map the block and the interpreter; forget the block before."""
        size = max(-(-len(code) // PAGE), 1) * PAGE
        pages = {world.base: size, world.interpreter & -PAGE: PAGE}
        while pages != self.mapped and self.mapped:
            self.uc.mem_unmap(*self.mapped.popitem())
        for address in pages.keys() - self.mapped.keys():
            try:
                self.uc.mem_map(address, pages[address], READ_EXECUTE)
            except UcError:
                raise ValueError(f"no room for {world}") from None
            self.mapped[address] = pages[address]
        self.uc.ctl_set_exits([world.interpreter, RETURN])
        self.uc.mem_write(world.base, code.ljust(size, b"\xcc"))
        self.uc.ctl_flush_tb()
        self.code, self.world, self.kinds = code, world, {}

    def cases(self) -> Iterable[tuple[Entry, int]]:
        """Every entry state with a stub, the outermost among them, then the stubs
        that are no shifted copy of the usual one (four at most) with every Count."""
        first, count = self.world.first_stub, self.world.stub_count
        rng = random.Random(self.world.interpreter)
        outer = [count - 1, 0, count // 2, max(count - 2, 0), 1 % count]
        picks = outer + [rng.randrange(count) for _ in self.entries[len(outer) :]]
        yield from zip(self.entries, picks)
        there = self.code[first : first + 8 * count]
        words = struct.unpack(f"<{len(there) // 8}Q", there[: len(there) // 8 * 8])
        steps = Counter((a - b) % 2**64 for a, b in zip(words, words[1:]))
        step = max(steps, key=steps.__getitem__, default=0)
        shapes = Counter((word + n * step) % 2**64 for n, word in enumerate(words))
        usual = max(shapes, key=shapes.__getitem__, default=0)
        odd = [n for n, word in enumerate(words) if (word + n * step) % 2**64 != usual]
        yield from ((entry, n) for n in odd[:4] for entry in self.entries[::4])

    def once(self, entry: Entry, stub: int) -> set[str]:
        """Run one call through the block: the claims that held."""
        self.run, objects = Run(entry, stub), bytearray(self.filler)
        links = zip(entry.objects, self.world.offsets, (*entry.objects[1:], stub))
        for at, offset, value in links:
            struct.pack_into("<Q", objects, at + offset - OBJECTS, value)
        self.uc.mem_write(STACK, entry.stack)
        self.uc.mem_write(OBJECTS, bytes(objects))
        self.uc.context_restore(entry.context)
        place: Optional[int] = self.world.base
        while place:
            place = self.stretch(place)
        if any(call.sp < STACK + PAGE for call in self.run.judged):  # a huge frame
            self.uc.mem_write(DEEP, entry.rubble * ((STACK - DEEP) // PAGE))
        return self.at_calls() | self.at_return(objects)

    def stretch(self, start: int) -> Optional[int]:
        """Run up to the interpreter or the caller: where to go on, None at the end."""
        try:
            self.uc.emu_start(start, 0)
        except UcError:
            return None
        at = None if self.run.stopped else self.uc.reg_read(self.pc)
        self.run.returned = at == RETURN
        return self.interpret() if at == self.world.interpreter else None

    def interpret(self) -> Optional[int]:
        """Do what the interpreter may do, and return to where it was called from."""
        run, entry, slot = self.run, self.run.entry, self.arch.return_slot
        run.visits += 1
        if run.call and self.kinds[run.last] & CALL:
            run.reached = run.reached or run.call is run.stub_call
            run.judged += [] if run.call is run.stub_call else [run.call]
        values = list(map(self.uc.reg_read, self.kept))
        sp, back = values[0], int(values[-1])
        if not DEEP + PAGE <= sp <= STACK_END - PAGE or run.visits > 2:
            return None
        self.uc.mem_write(sp - PAGE, entry.rubble)
        self.uc.mem_write(sp + slot, entry.rubble[: self.convention.shadow])
        if slot:
            back = int.from_bytes(self.uc.mem_read(sp, slot), "little")
        values[0] = sp + slot
        self.uc.context_restore(entry.clobbered)
        for number, value in zip(self.kept, values):
            self.uc.reg_write(number, value)
        self.uc.reg_write(self.result, entry.result)
        return back

    def on_step(self, uc: Uc, address: int, size: int, _data: object) -> None:
        """Before each instruction. What does not stand in the block is a trap."""
        run, offset = self.run, address - self.world.base
        run.steps += 1
        if (kind := self.kinds.get(address)) is None:
            inside = 0 <= offset <= len(self.code) - size
            code = self.code[offset : offset + size]
            kind = self.kinds[address] = _kind(code, self.arm) if inside else TRAP
        if run.dispatched is None and not 0 <= offset < self.world.first_stub:
            branched = self.kinds.get(run.last, 0) & INDIRECT
            run.dispatched = address == run.stub and branched > 0
        run.last = address
        if kind & CALL:
            self.on_call((offset - self.world.first_stub) // 8)
        if kind & TRAP or run.steps > MAX_STEPS:
            run.stopped = True
            uc.emu_stop()

    def on_call(self, stub: int) -> None:
        run, words = self.run, b""
        layout, sp, fp = map(self.uc.reg_read, self.at_call)
        with suppress(UcError):
            words = bytes(self.uc.mem_read(layout, 8 * len(run.entry.words)))
        run.call = Call(layout, sp, fp, words)
        if not run.stub_call and 0 <= stub < self.world.stub_count:
            run.stub_call = run.call
            run.judged.append(run.call)

    def on_read(self, _uc: Uc, _kind: int, at: int, size: int, *_rest: object) -> None:
        if self.run.visits:
            self.run.read.update({*range(at, at + size)} - self.run.written)

    def on_write(self, _uc: Uc, _kind: int, at: int, size: int, *_rest: object) -> None:
        if self.run.visits:
            self.run.written.update(range(at, at + size))

    def at_calls(self) -> set[str]:
        """R1 … R7 and R11."""
        run, unanchored = self.run, not self.convention.anchored
        found = [self.at_one_call(call) for call in run.judged]
        held = set.intersection(*found) if found else set()
        more = {"R6": run.reached, "R7": run.dispatched, "R11": unanchored}
        return held | _true(more)

    def at_one_call(self, call: Call) -> set[str]:
        """Words below SP are not held: the interpreter's own frame goes there."""
        entry, layout = self.run.entry, call.layout
        should = struct.pack(f"<{len(entry.words)}Q", *entry.words)
        shadow = range(call.sp, call.sp + self.convention.shadow)
        needed = {*range(layout, layout + len(should)), *range(entry.sp, entry.sp + 8)}
        needed.update(at for at in self.run.read if at < entry.sp)
        found = {
            "R1": layout % 8 == 0 and len(call.words) >= 16,
            "R2": layout >= call.sp and call.words[:8] == should[:8],
            "R3": layout + 8 >= call.sp and call.words[8:16] == should[8:16],
            "R4": layout + 16 >= call.sp and call.words[16:] == should[16:],
            "R5": call.sp % 16 == 0 and needed.isdisjoint(shadow),
            "R11": call.fp == (layout - ANCHOR) % (1 << 64),
        }
        return _true(found)

    def at_return(self, objects: bytearray) -> set[str]:
        """R9 and R10."""
        run, entry, read = self.run, self.run.entry, self.uc.reg_read
        if not run.returned:
            return set()
        above = self.uc.mem_read(entry.end, STACK_END - entry.end)
        same = self.uc.mem_read(OBJECTS, len(objects)) == objects
        intact = same and above == entry.stack[entry.end - STACK :]
        once = run.visits == 1 and read(self.result) == entry.result
        saved = [read(number) for number in (*self.saved, self.sp)]
        kept = saved == [*entry.saved, entry.sp + self.arch.return_slot]
        return _true({"R9": once and intact, "R10": kept})


def _true(claims: Mapping[str, object]) -> set[str]:
    return {claim for claim, held in claims.items() if held}


_machine = cache(Machine)
