"""Calls of a block as they stand at its first instruction, for the emulator.

What surrounds a block, and what registers, stack and objects hold when it is called,
belong here; nothing here runs anything.
"""

import random
import struct
from dataclasses import dataclass
from typing import Any, Callable

from thunk_inspect.arch import Arch, Convention

PAGE = 0x1000
STACK, STACK_END = 0x7FFC5A3D0000, 0x7FFC5A3D4000
OBJECTS, RETURN = 0x5213C6A40000, 0x4F0012358128
Counts = tuple[tuple[int, int], ...]
"""Pairs of Count and the flag that stands for one argument more, or 0."""
Snapshot = Callable[[dict[str, int], random.Random], Any]
"""Saves these registers, with random others beside them, as the emulator keeps them."""


@dataclass(frozen=True)
class World:
    """What stands around a block. `first_stub` is an offset in it, `offsets` are
    function -> info, info -> body and body -> stub, at most 0xA00."""

    arch: Arch
    convention: Convention
    base: int
    interpreter: int
    offsets: tuple[int, int, int]
    first_stub: int
    stub_count: int


@dataclass(frozen=True)
class Entry:
    """One call as it stands at the block's first instruction.

    `words` are the layout as it should be, `objects` function, info and body. From
    `end` on the stack is the caller's own. `context` holds every register at entry,
    `clobbered` as a callee may leave them; it leaves `rubble` below SP.
    """

    label: str
    sp: int
    words: tuple[int, ...]
    objects: tuple[int, ...]
    stack: bytes
    end: int
    saved: list[int]
    result: int
    context: Any
    clobbered: Any
    rubble: bytes


def noise(rng: random.Random) -> int:
    """What may stand in a register or a word that nobody speaks for."""
    wide, small, tagged = rng.getrandbits(64), rng.randrange(64), 1 << 48
    unmapped = rng.randrange(0x10000, 0x7FFF00000000) & ~0xF
    return rng.choice((wide, wide | 1, small, tagged | wide & 0xFFFFFFFF, unmapped))


def image(rng: random.Random, size: int) -> bytearray:
    return bytearray().join(noise(rng).to_bytes(8, "little") for _ in range(size // 8))


def entry_state(
    convention: Convention, arch: Arch, snapshot: Snapshot, counts: Counts, index: int
) -> Entry:
    """The entry state of that number, with contents of its own."""
    rng = random.Random(f"{convention.name} {index}")
    count, more = counts[index % len(counts)]
    places = (OBJECTS + n * PAGE + 0x400 for n in range(3))
    objects = tuple(place + 16 * rng.randrange(16) for place in places)
    info = (more | rng.choice((0, 1, 2, 3, 0x82))) << 24 | count
    words = (objects[0], info, *(noise(rng) for _ in range(count + bool(more))))
    sp = STACK + 0x2000 + 16 * rng.randrange(32) + arch.entry_misalignment
    stack = image(rng, STACK_END - STACK)
    if arch.return_slot:
        struct.pack_into("<Q", stack, sp - STACK, RETURN)
    stored, at = words[len(convention.arguments) :], convention.stack_arguments
    if convention.caller_stores is not None:
        stored, at = words, convention.caller_stores
    struct.pack_into(f"<{len(stored)}Q", stack, sp + at - STACK, *stored)
    values = {name: noise(rng) for name in arch.registers if name != arch.pc}
    clobbered = snapshot(values, rng)
    values.update((name, noise(rng)) for name in list(values))
    values.update(zip(convention.arguments, words))
    values[arch.sp] = sp
    values[arch.fp] = rng.choice((values[arch.fp], sp + 0x400 + 16 * rng.randrange(32)))
    values.update({arch.lr: RETURN} if arch.lr else {})
    return Entry(
        f"Count {count}{' and one more' if more else ''}, state {index}",
        *(sp, words, objects, bytes(stack), sp + at + 8 * len(stored)),
        [values[name] for name in convention.callee_saved],
        *(rng.getrandbits(63) | 3 << 50, snapshot(values, rng), clobbered),
        bytes(image(rng, PAGE)),
    )
