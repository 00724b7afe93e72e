"""The layout's words before the header has stored them: what it will store.

Until then earlier calls' words stand there. The proof says what each store takes from
where, and what the caller passed is still in registers, or saved already.
"""

from typing import Optional

from ..arch import WORD
from ..proof import Facts
from ..proof.values import Const, Entry, Slot, Value
from ..target import MASK64, Memory, ThunkError
from .call import CallInHand, passed_in
from .layout import Words
from .locate import Found


class Coming:
    """Memory as the header will leave it, as far as that can be told."""

    def __init__(self, memory: Memory, words: "dict[int, Optional[int]]") -> None:
        self._memory = memory
        self._words = words

    def word(self, address: int) -> int:
        if address not in self._words:
            return self._memory.word(address)
        value = self._words[address]
        if value is None:
            raise ThunkError(f"what will be stored at {address:#x} is not known yet")
        return value

    def read(self, address: int, size: int) -> bytes:
        places = range(address, address + size, WORD)
        return b"".join(self.word(n).to_bytes(WORD, "little") for n in places)


def words_of(memory: Memory, found: Found, facts: Facts, call: CallInHand) -> Words:
    """Where the words of the call's layout are."""
    at_call, layout = facts.call, facts.layout_from_entry
    if found.at is None or call.stored or call.layout is None:
        return memory
    if at_call is None or layout is None:
        return memory
    words: dict[int, Optional[int]] = {}
    state = at_call.state.fork()
    for place in {offset - (offset - layout) % WORD for offset in state.stack}:
        if any(state.byte(place + n).writer is not None for n in range(WORD)):
            value = state.read_stack(place, WORD)
            address = (call.layout + place - layout) & MASK64
            words[address] = _now(memory, found, facts, call, value)
    return Coming(memory, words)


def _now(
    memory: Memory, found: Found, facts: Facts, call: CallInHand, value: Value
) -> Optional[int]:
    """A value that the proof speaks of, in the call in hand."""
    if isinstance(value, Const):
        return value.value
    if isinstance(value, Entry):
        return passed_in(value.register, memory, found, facts, call.entry_sp)
    if isinstance(value, Slot) and call.entry_sp is not None:
        try:
            return memory.word((call.entry_sp + value.offset) & MASK64)
        except ThunkError:
            return None
    return None
