"""The layout's words before the header has stored them: what it will store.

Until then earlier calls' words stand there. The proof says what each store takes from
where, and what the caller passed is still in registers, or saved already.
"""

from typing import Optional

from ..arch import WORD
from ..proof import Facts
from ..proof.state import State
from ..proof.values import Const, Entry, Slot, Value
from ..target import MASK64, Memory, ThunkError
from .call import CallInHand, passed_in
from .entry import states_at_calls
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
    layout = facts.layout_from_entry
    if found.at is None or call.stored or call.layout is None or layout is None:
        return memory
    ways = [_stored(state, layout) for state in states_at_calls(facts, call.stub)]
    words: dict[int, Optional[int]] = {}
    for place in set().union(*ways):
        address = (call.layout + place - layout) & MASK64
        value = ways[0].get(place)
        agreed = value is not None and all(way.get(place) == value for way in ways)
        words[address] = (
            _now(memory, found, facts, call, value) if value and agreed else None
        )
    return Coming(memory, words)


def _stored(state: State, layout: int) -> dict[int, Value]:
    """What a header has stored on one way to the stub's call, by distance from SP at
    entry."""
    places = {offset - (offset - layout) % WORD for offset in state.stack}
    return {
        place: state.read_stack(place, WORD)
        for place in places
        if any(state.byte(place + n).writer is not None for n in range(WORD))
    }


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
