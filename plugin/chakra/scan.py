"""Looks through executable memory for blocks, a little of each page at a time.

In the middle of a page of a block are stubs, whatever the block's size and header.
Pages that have none there are passed over; the others are looked at whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional

from ..arch import WORD, Arch
from ..local import Local
from ..target import PAGE, Memory, Region, ThunkError
from .thunk import Thunk

MIDDLE = PAGE // 2
SAMPLE = 2 * WORD
"""Two stubs of each page: a break point may stand on one."""
CHUNK = 1 << 20
"""Bytes that the debugger reads at once where it has to."""
LIMIT = 1 << 36
"""Bytes of executable memory that are looked through at the most; of memory that only
the debugger can read, SLOW_LIMIT."""
SLOW_LIMIT = 1 << 31
BATCH = 1 << 14
"""Pages that are judged at once."""


def promising(
    memory: Memory, regions: Sequence[Region], arch: Arch, local: Optional[Local]
) -> Iterator[int]:
    """Pages of executable regions that may be a block's."""
    left = LIMIT if local else SLOW_LIMIT
    for region in regions:
        if "x" not in region.permissions or left <= 0:
            continue
        start = -(-region.start // PAGE) * PAGE
        end = min(region.end // PAGE * PAGE, start + left)
        left -= max(end - start, 0)
        for first, last in _parts(region, start, end, local):
            yield from _in_part(memory, first, last, arch, local)


def like(known: Optional[Thunk], start: int, local: Optional[Local]) -> Optional[Thunk]:
    """The block at an address, if it is a known one but for its place. Looked at past
    the debugger, whose break points would be a difference; None then, as for any."""
    code = local.read(start, known.size) if known and local else None
    if known is None or code is None:
        return None
    thunk = replace(known, address=start, code=code)
    return thunk if thunk.likeness == known.likeness else None


def _parts(
    region: Region, start: int, end: int, local: Optional[Local]
) -> Iterator[tuple[int, int]]:
    """Anonymous memory may be reserved and not there; a look would make it so."""
    if local and not region.name:
        yield from local.present(start, end)
    elif start < end:
        yield start, end


def _in_part(
    memory: Memory, start: int, end: int, arch: Arch, local: Optional[Local]
) -> Iterator[int]:
    for first in range(start, end, BATCH * PAGE):
        count = (min(end, first + BATCH * PAGE) - first) // PAGE
        samples = local.samples(first + MIDDLE, count, SAMPLE) if local else None
        if samples is None:
            samples = _by_debugger(memory, first, count)
        found = {
            place // SAMPLE
            for mask, value in arch.stub_words
            for place in _matching(samples, mask, value)
        }
        for n in sorted(found):
            yield first + n * PAGE


def _matching(samples: bytes, mask: int, value: int) -> Iterator[int]:
    """Places of the words that are `value` under `mask`. Searched by a byte of which
    every bit counts: that takes bytes.find, not a loop over all words."""
    column = mask.to_bytes(WORD, "little").index(0xFF)
    letter = value.to_bytes(WORD, "little")[column : column + 1]
    letters = samples[column::WORD]
    n = letters.find(letter)
    while n >= 0:
        word = int.from_bytes(samples[n * WORD : n * WORD + WORD], "little")
        if word & mask == value:
            yield n * WORD
        n = letters.find(letter, n + 1)


def _by_debugger(memory: Memory, first: int, count: int) -> bytes:
    """The same through the debugger; zeros where it cannot read."""
    found = bytearray()
    for start in range(first, first + count * PAGE, CHUNK):
        size = min(CHUNK, first + count * PAGE - start)
        try:
            data = memory.peek(start, size)
            for place in range(MIDDLE, size, PAGE):
                found += data[place : place + SAMPLE]
        except ThunkError:
            for place in range(start + MIDDLE, start + size, PAGE):
                found += _sample(memory, place)
    return bytes(found)


def _sample(memory: Memory, address: int) -> bytes:
    try:
        return memory.peek(address, SAMPLE)
    except ThunkError:
        return bytes(SAMPLE)
