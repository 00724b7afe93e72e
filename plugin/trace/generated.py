"""A thunk that was generated, or a block that was encoded: what there is to say of it,
and whether the engine's own fields agree (A1-A5 of the checklist)."""

from typing import NamedTuple, Optional

from ..chakra.objects import BACK_POINTER, ENTRY_POINT, read_name
from ..target import Memory, ThunkError
from .plan import Watch
from .watching import Watching


class Generated(NamedTuple):
    """What GenerateDynamicInterpreterThunk left behind in one FunctionBody."""

    name: Optional[str]
    values: dict[str, int]
    text: str
    problems: tuple[str, ...]


def generated(memory: Memory, watching: Watching, body: int) -> Generated:
    """Read right after GenerateDynamicInterpreterThunk returned for this body."""
    stub = watching.stub_of(memory, body)
    if stub is None:
        return Generated(None, {"body": body}, "its thunk cannot be read", ())
    if not stub:
        text = "no dynamic thunk: StaticInterpreterThunk serves it"
        return Generated(None, {"body": body, "stub": 0}, text, ())
    watch = watching.block(memory, stub)
    if watch is None:
        text = f"A2: m_dynamicInterpreterThunk is {stub:#x}, in no block"
        return Generated(None, {"body": body, "stub": stub}, f"{stub:#x}", (text,))
    return _in_block(memory, watching, watch, body, stub)


def _in_block(
    memory: Memory, watching: Watching, watch: Watch, body: int, stub: int
) -> Generated:
    thunk = watch.facts.thunk
    number = thunk.stub_number(stub)
    problems = []
    if number is None:
        text = f"A2: m_dynamicInterpreterThunk is {stub:#x}, the block's"
        problems.append(f"{text} {thunk.part(stub)}, no stub")
    converted = stub & ~(thunk.size - 1)
    if converted != thunk.address:
        text = f"A5: ConvertToEntryPoint gives {converted:#x}"
        problems.append(f"{text}, should be {thunk.address:#x}")
    values = {"body": body, "stub": stub, "converted": converted}
    entry = _entry_point(memory, body)
    said = ""
    if entry is not None:
        values["entry_point"] = entry
        said = f"  entry point {entry:#x}"
        if entry == converted:
            said += " = ConvertToEntryPoint"
    offsets = watching.offsets()
    name = read_name(memory, body, offsets) if offsets and entry is not None else None
    text = f"stub {number} {stub:#x}{said}"
    return Generated(name, values, text, tuple(problems))


def _entry_point(memory: Memory, body: int) -> Optional[int]:
    """FunctionInfo::originalEntryPoint. Not judged: it may be set later, and a
    profiler or a debugger of scripts puts thunks of its own there."""
    try:
        info = memory.word(body + BACK_POINTER)
        return memory.word(info + ENTRY_POINT)
    except ThunkError:
        return None


def encoded_text(watch: Watch, memory: Memory) -> str:
    """A block, as it was when it was first seen."""
    thunk, facts = watch.facts.thunk, watch.facts
    target = facts.interpreter
    symbol = memory.symbol_at(target) if target is not None else None
    name = symbol.name.split("::")[-1] if symbol else ""
    calls = "" if target is None else f"  calls {target:#x} {name}".rstrip()
    return (
        f"{thunk.address:#x} {thunk.size // 1024} KiB, {thunk.stub_count} stubs from"
        f" {thunk.stub_address(0):#x}{calls}"
    )
