"""Events in words: what was seen becomes an Event, with names and values decoded.

Made soon after the hit, when the process is stopped again at the latest. What may have
changed by then is not decoded: an object is shown by its address unless the thread
still stands where it was seen.
"""

from collections.abc import Sequence
from typing import Optional

from ..arch import WORD, Arch
from ..chakra.layout import ARGS, CallInfo
from ..chakra.objects import try_function
from ..chakra.values import decode
from ..target import MASK64, Memory
from .follow import Seen
from .judge import Call, return_address
from .model import (
    AFTERWARDS,
    ASIDE,
    CALL,
    DISPATCH,
    ENTERED,
    INTERPRETER,
    RETURNED,
    STRAIGHT,
    Event,
    Site,
)
from .plan import ARGS_KEPT, word_of

SHOWN_ARGS = 6


class Namer:
    """Names of functions, each looked up once for its stub: a function object may be
    another function's soon after. A call that is on its way to its stub has its object
    in hand, and is looked up each time."""

    def __init__(self) -> None:
        self._known: dict[int, Optional[str]] = {}

    def knows(self, call: Call) -> bool:
        return call.stub_address in self._known

    def name(self, memory: Memory, call: Call) -> Optional[str]:
        if call.name is None and self.knows(call):
            call.name = self._known[call.stub_address or 0]
        elif call.name is None:
            found = try_function(memory, call.function, call.watch.facts.offsets)
            call.name = found.name if found else None
        if call.stub_address is not None:
            self._known[call.stub_address] = call.name
        return call.name

    def forget(self, start: int, size: int) -> None:
        """The stubs there are other functions' from now on."""
        for stub in [one for one in self._known if start <= one < start + size]:
            del self._known[stub]


class Writer:
    """Makes Events of one trace."""

    def __init__(self, arch: Arch) -> None:
        self.arch = arch
        self.names = Namer()
        self._number = 0
        self._symbols: dict[int, Optional[str]] = {}

    def stranger(self, seen: Seen) -> bool:
        """Whether it is of a function that has not been named yet: to be done while
        the function is certain to be there, and by its stub."""
        call = seen.call
        if call is None or call.name is not None:
            return False
        on_its_way = seen.kind in (CALL, ENTERED)
        return not on_its_way and not self.names.knows(call)

    def event(self, seen: Seen, memory: Memory, fresh: bool) -> Event:
        """`fresh`: the process still stands where this was seen."""
        call, hit = seen.call, seen.hit
        function = call.function if call else None
        name = None
        if call:
            name = self.names.name(memory, call)
        return self.plain(
            seen.kind,
            hit.thread,
            _site(seen),
            self._text(seen, memory, fresh),
            dict(hit.values),
            call=call.number if call else None,
            depth=seen.depth,
            function=function,
            name=name,
            problems=list(seen.problems),
            site=self._site(seen, call, memory) if seen.kind == CALL and call else None,
        )

    def plain(
        self,
        kind: str,
        thread: int,
        address: int,
        text: str,
        values: "dict[str, int]",
        call: Optional[int] = None,
        depth: int = 0,
        function: Optional[int] = None,
        name: Optional[str] = None,
        problems: Sequence[str] = (),
        site: Optional[Site] = None,
    ) -> Event:
        self._number += 1
        return Event(
            self._number,
            kind,
            thread,
            call,
            depth,
            address,
            function,
            name,
            text,
            values,
            tuple(problems),
            site,
        )

    def _text(self, seen: Seen, memory: Memory, fresh: bool) -> str:
        hit, call, arch = seen.hit, seen.call, self.arch
        values = hit.values
        if seen.kind == CALL and call:
            return self._call_text(seen, call, memory)
        if seen.kind == ENTERED and call:
            names = call.watch.convention.arguments[:4]
            more = "".join(f"  {n} {values[n]:#x}" for n in names if n in values)
            return f"{arch.sp} {values.get(arch.sp, 0):#x}{more}"
        if seen.kind == DISPATCH and call:
            pointer = call.watch.convention.arguments[0]
            if pointer not in values:
                return "is not reached"
            stub = "" if call.stub is None else f"  -> stub {call.stub}"
            distance = values.get(pointer, 0) - values.get(arch.sp, 0)
            place = f"{arch.sp}{distance:+d}" if abs(distance) < 1 << 16 else "far away"
            return f"layout {pointer} {values.get(pointer, 0):#x} = {place}{stub}"
        if seen.kind == INTERPRETER and hit.point.piece:
            layout = values.get(hit.point.piece.register, 0)
            if call and not call.watch.call_info:
                return f"{'asm.js ' if call.watch.asm else ''}layout {layout:#x}"
            return self._layout_text(layout, hit.memory, memory, fresh)
        if seen.kind == RETURNED and call:
            kept = len(call.kept)
            good = f", {arch.fp} and {kept - 1} registers as at entry"
            if any(text.startswith("R10") for text in seen.problems):
                good = ""
            goes = return_address(hit, arch)
            back = call.back if goes is None else goes
            return f"to {back or 0:#x}{good}"
        return ""

    def _call_text(self, seen: Seen, call: Call, memory: Memory) -> str:
        """The call site, and what is where."""
        names = call.watch.convention.arguments[:2]
        where, how = self._place(_site(seen), memory), _how(seen, call)
        if how == AFTERWARDS:
            where = f"returns to {where}"
        if how == ASIDE:
            where = f"{where} by way of {self._place(_target(seen) or 0, memory)}"
        words = (call.function, call.call_info)
        text = "  ".join(f"{name} {word:#x}" for name, word in zip(names, words))
        both = ", and both on the stack" if call.stored else ""
        return f"{where}  {text}{both}"

    def _site(self, seen: Seen, call: Call, memory: Memory) -> Site:
        named = self._symbol(_site(seen), memory) is not None
        return Site(named, _how(seen, call))

    def _place(self, address: int, memory: Memory) -> str:
        return self._symbol(address, memory) or f"{address:#x}"

    def _symbol(self, address: int, memory: Memory) -> Optional[str]:
        if address not in self._symbols:
            symbol = memory.symbol_at(address)
            self._symbols[address] = symbol.at(address) if symbol else None
        return self._symbols[address]

    def _layout_text(
        self, pointer: int, data: bytes, memory: Memory, fresh: bool
    ) -> str:
        raw = word_of(data, WORD)
        if raw is None:
            return f"the layout at {pointer:#x} cannot be read"
        info = CallInfo(raw)
        if info.problem:
            return info.problem
        flags = "|".join(info.flags)
        shown = []
        for n in range(1, min(info.arguments, ARGS_KEPT, SHOWN_ARGS + 1)):
            value = word_of(data, ARGS + WORD * n)
            if value is not None:
                shown.append(_value(value, memory, fresh))
        more = info.arguments - 1 - len(shown)
        if more > 0:
            shown.append(f"… {more} more")
        return f"({', '.join(shown)})  count {info.count} {flags}".rstrip()


def _site(seen: Seen) -> int:
    """The call instruction's address, or the return address that told of it."""
    return seen.hit.point.address if seen.site is None else seen.site


def _target(seen: Seen) -> Optional[int]:
    """Where a call instruction was seen to go."""
    return seen.hit.values.get(seen.hit.point.registers[0])


def _how(seen: Seen, call: Call) -> str:
    if seen.site is not None:
        return AFTERWARDS
    return STRAIGHT if _target(seen) in (call.watch.address, None) else ASIDE


def _value(raw: int, memory: Memory, fresh: bool) -> str:
    """A number as it is; an object by its address where it may be another by now."""
    number = raw >> 48
    if fresh or number:
        return decode(raw, memory).text
    return f"{raw & MASK64:#x}"
