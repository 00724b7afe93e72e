"""The stack in a Report: its words, and the registers that point among them.

Two things speak of a word: what the instructions put there, for every call, and what
memory holds now. A word that the header has yet to store is judged by the first alone.
"""

from dataclasses import dataclass
from typing import Optional

from ..arch import ANCHOR, WORD
from ..chakra.layout import ARGS
from ..checklist import Assessment
from ..proof.state import State
from ..proof.values import Entry, Garbage, Slot, Value, always, inputs
from ..proof.words import Words
from ..target import MASK64, Memory, ThunkError
from .model import Pointer, StackWord

SHOWN_ARGS = 8


def stack(a: Assessment, shown: Optional[int] = None) -> list[StackWord]:
    """From the layout pointer: the words the interpreter reads, of the arguments as
    many as are `shown`; then the frame."""
    layout = a.facts.layout_from_entry
    if layout is None:
        return []
    count = _count(a)
    if a.layout and not a.layout.looks_sound:
        count = min(count, 2)
    words = 2 + min(count, shown or SHOWN_ARGS)
    places = [n * WORD for n in range(words)]
    kept = sorted(
        place + (a.facts.sp_at_dispatch or 0) - layout
        for place in {s.offset for s in a.facts.saved}
    )
    below = [place for place in kept if place < 0 or place >= words * WORD]
    return [_word(a, _cell(a, place)) for place in [*places, *below]]


def pointers(a: Assessment) -> list[Pointer]:
    """The layout register, SP and FP, as they are at the stub's call."""
    layout, call = a.facts.layout_from_entry, a.facts.call
    if layout is None or call is None:
        return []
    right = _right_place(a, layout)
    found = [Pointer(a.convention.arguments[0], 0, right)]
    if call.state.sp is not None:
        found.append(Pointer(a.arch.sp, call.state.sp - layout))
    if a.convention.anchored:
        fp = a.facts.fp_at_call
        place = None if fp is None else fp - layout
        should = (right or 0) - ANCHOR
        found.append(Pointer(a.arch.fp, place, None if place == should else should))
    return found


def _right_place(a: Assessment, layout: int) -> Optional[int]:
    """Where the function was stored, if the layout pointer points elsewhere."""
    place = a.convention.caller_stores
    if place is None:
        first, sp = a.convention.arguments[0], a.facts.sp_at_dispatch
        homes = [s.offset for s in a.facts.saved if s.register == first]
        if sp is None or not homes:
            return None
        place = sp + homes[0]
    return None if place == layout else place - layout


@dataclass(frozen=True)
class Cell:
    """A word of the stack, as the proof has it at the stub's call."""

    place: int
    """From the layout pointer."""
    value: Optional[Value]
    expected: Optional[Value]
    """What the caller passed that the interpreter reads here."""
    writer: Optional[int]
    """Offset of the instruction that stores it; None where the caller did."""
    pending: bool
    """Whether that instruction has yet to run."""

    @property
    def right(self) -> Optional[bool]:
        """Whether the instructions put there what the interpreter expects."""
        if self.value is None or self.expected is None:
            return None
        return always(self.value, self.expected)


def _cell(a: Assessment, place: int) -> Cell:
    layout, call = a.facts.layout_from_entry, a.facts.call
    assert layout is not None
    expected = _expected(a, place)
    if call is None:
        return Cell(place, None, expected, None, False)
    # A copy, because a look at the stack is noted in the state.
    state: State = call.state.fork()
    value = state.read_stack(layout + place, WORD)
    writer = state.byte(layout + place).writer
    return Cell(place, value, expected, writer, _pending(a, writer))


def _pending(a: Assessment, writer: Optional[int]) -> bool:
    at = a.found.at
    return writer is not None and at is not None and at <= writer


def _expected(a: Assessment, place: int) -> Optional[Value]:
    arguments = a.convention.arguments
    index = place // WORD
    if a.asm and index > 0:
        return None
    if 0 <= index < len(arguments):
        return Entry(arguments[index])
    if 2 <= index < 2 + _count(a):
        number = index - len(arguments)
        return Slot(a.convention.stack_arguments + WORD * number)
    return None


def _count(a: Assessment) -> int:
    """Arguments of the call in hand, as far as its callInfo can be believed."""
    return a.layout.call_info.arguments if a.layout and a.layout.call_info else 0


def _word(a: Assessment, cell: Cell) -> StackWord:
    place = cell.place
    address = None if a.call.layout is None else (a.call.layout + place) & MASK64
    role = _role(a, place)
    value = _value(a.memory, address)
    comment, wrong = _comment(a, cell, role, value)
    return StackWord(
        place,
        address,
        value,
        role,
        "caller" if cell.writer is None else f"+{cell.writer:03x}",
        comment,
        wrong,
        holds=_holds(a, cell),
        pending=cell.pending,
    )


def _holds(a: Assessment, cell: Cell) -> str:
    """What the instructions put there, where that is known."""
    nobodys = cell.value and any(isinstance(n, Garbage) for n in inputs(cell.value))
    if cell.value is None or nobodys:
        return ""
    return Words(a.thunk, a.convention).name(cell.value)


def _value(memory: Memory, address: Optional[int]) -> Optional[int]:
    if address is None:
        return None
    try:
        return memory.word(address)
    except ThunkError:
        return None


def _role(a: Assessment, place: int) -> str:
    if place == 0:
        return "function"
    if place == WORD:
        return "callInfo"
    saved = {s.offset - (a.facts.layout_offset or 0): s.register for s in a.facts.saved}
    index = (place - ARGS) // WORD
    if place >= ARGS and (index < _count(a) or place not in saved):
        return f"args[{index}]"
    names = {a.arch.fp: "saved fp", a.arch.lr: "saved lr"}
    register = saved.get(place, "")
    return names.get(register, f"saved {register}")


def _comment(
    a: Assessment, cell: Cell, role: str, value: Optional[int]
) -> "tuple[str, bool]":
    """What the word is, or what it should be."""
    read = not role.startswith("saved")
    if read and cell.right is False:
        return f"should be {_wanted(a, cell, value)}", True
    if a.layout is not None and cell.pending:
        return "not stored yet", False
    passed = None if read else _passed_in(a, cell)
    if passed is not None:
        return _unread(a, passed), False
    return ("", False) if a.layout is None else _comment_on_memory(a, cell.place)


def _passed_in(a: Assessment, cell: Cell) -> Optional[int]:
    """Which of the convention's argument registers a word holds."""
    registers, value = a.convention.arguments, cell.value
    if not isinstance(value, Entry) or value.register not in registers:
        return None
    return registers.index(value.register)


def _wanted(a: Assessment, cell: Cell, value: Optional[int]) -> str:
    """The value that should stand there, or else where the caller passed it: so too
    where the value that is there happens to be the right one."""
    passed = {0: a.call.passed_function, WORD: a.call.passed_call_info}.get(cell.place)
    if passed is not None and passed != value:
        return f"{passed:#x}"
    assert cell.expected is not None
    words = Words(a.thunk, a.convention)
    if isinstance(cell.expected, Entry):
        return cell.expected.register
    if isinstance(cell.expected, Slot):
        return f"[{words.place(cell.expected.offset)}]"
    return words.name(cell.expected)


def _unread(a: Assessment, index: int) -> str:
    """What a register carried whose word is not read as that: not in this call, or not
    in this place."""
    name = ("function", "callInfo", f"args[{index - 2}]")[min(index, 2)]
    known = a.layout is not None and a.layout.looks_sound and not a.asm
    unused = known and _count(a) <= index - 2
    return f"{name}, not passed" if unused else name


def _comment_on_memory(a: Assessment, place: int) -> "tuple[str, bool]":
    layout = a.layout
    assert layout is not None
    if place == 0:
        if layout.function:
            return layout.function.name or "a function object", False
        if a.call.passed_function not in (None, _value(a.memory, a.call.layout)):
            return f"should be {a.call.passed_function:#x}", True
        return "no function object", True
    if place == WORD and layout.call_info:
        return _comment_on_call_info(a)
    index = (place - ARGS) // WORD
    if place >= ARGS and index < len(layout.args):
        value = layout.args[index]
        return value.text, value.kind in ("unreadable", "null-pointer")
    if place == ARGS - ANCHOR - WORD and a.arch.lr:
        return _return_comment(a, place), False
    return "", False


def _comment_on_call_info(a: Assessment) -> "tuple[str, bool]":
    assert a.layout and a.layout.call_info
    info, passed = a.layout.call_info, a.call.passed_call_info
    if passed not in (None, info.raw):
        return f"should be {passed:#x}", True
    if info.problem:
        return info.problem.replace("callInfo is ", ""), True
    return f"count {info.count} {'|'.join(info.flags)}".rstrip(), False


def _return_comment(a: Assessment, place: int) -> str:
    assert a.call.layout is not None
    value = _value(a.memory, (a.call.layout + place) & MASK64)
    symbol = a.memory.symbol_at(value) if value else None
    return symbol.at(value) if symbol and value else ""
