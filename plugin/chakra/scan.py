"""Looks through executable memory for blocks, a word of each page at a time.

The middle of a page of a block is a stub, whatever the block's size and header. Pages
whose word there is none are passed over; the others are looked at whole.
"""

from collections.abc import Iterator, Sequence
from typing import Optional

from ..arch import Arch
from ..local import PAGE, WORD, Local
from ..target import Memory, Region, ThunkError

MIDDLE = PAGE // 2
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
        left -= region.end - region.start
        start = -(-region.start // PAGE) * PAGE
        end = region.end // PAGE * PAGE
        for first, last in _parts(region, start, end, local):
            yield from _in_part(memory, first, last, arch, local)


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
        words = local.words(first + MIDDLE, count) if local else None
        if words is None:
            words = _by_debugger(memory, first, count)
        for mask, value in arch.stub_words:
            for n in _matching(words, mask, value):
                yield first + n * PAGE


def _matching(words: bytes, mask: int, value: int) -> Iterator[int]:
    """Numbers of the words that are `value` under `mask`. Searched by a byte of which
    every bit counts: that takes bytes.find, not a loop over all words."""
    column = mask.to_bytes(WORD, "little").index(0xFF)
    letter = value.to_bytes(WORD, "little")[column : column + 1]
    letters = words[column::WORD]
    n = letters.find(letter)
    while n >= 0:
        word = int.from_bytes(words[n * WORD : n * WORD + WORD], "little")
        if word & mask == value:
            yield n
        n = letters.find(letter, n + 1)


def _by_debugger(memory: Memory, first: int, count: int) -> bytes:
    """The same words through the debugger; 0 where it cannot read."""
    found = bytearray()
    for start in range(first, first + count * PAGE, CHUNK):
        size = min(CHUNK, first + count * PAGE - start)
        try:
            data = memoryview(memory.peek(start, size)).cast("Q")
            found += data[MIDDLE // WORD :: PAGE // WORD].tobytes()
        except ThunkError:
            for place in range(start + MIDDLE, start + size, PAGE):
                found += _word(memory, place)
    return bytes(found)


def _word(memory: Memory, address: int) -> bytes:
    try:
        return memory.peek(address, WORD)
    except ThunkError:
        return bytes(WORD)
