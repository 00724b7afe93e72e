"""Makes the Report of an inspection. The road's end: all is judged before."""

from dataclasses import asdict
from typing import Optional

from ..arch import ANCHOR, WORD
from ..arch.decode import Instruction
from ..chakra.layout import ARGS
from ..checklist import Assessment, Check, judge_claims, judge_items, overall
from ..checklist.diagnoses import diagnose
from ..proof.notes import notes
from ..target import MASK64, Memory, ThunkError
from .model import CodeLine, FramePart, Report, StackWord, ThunkPart

SHOWN_ARGS = 8


def build(a: Assessment) -> Report:
    claims = judge_claims(a)
    items = judge_items(a, claims)
    report = empty(a.memory, a.arch.pc, _shown(a))
    report.thunk = _thunk(a)
    report.frame = _frame(a)
    report.layout = a.layout
    report.claims = list(claims.values())
    report.checklist = items
    report.issues = diagnose(a, claims, items)
    report.verdict = overall(claims)
    if a.layout is None:
        report.problems.append(f"layout: {a.call.how}")
    report.code = _code(a, claims)
    report.stack = _stack(a)
    return report


def empty(memory: Memory, pc: str, shown: list[str]) -> Report:
    registers = memory.registers()
    return Report(
        arch=memory.arch,
        os=memory.os,
        source=memory.source,
        pc=registers.get(pc),
        registers=registers,
        shown=[name for name in shown if name in registers],
    )


def _shown(a: Assessment) -> list[str]:
    """SP, the layout register and the dispatch register of this convention."""
    names = [a.arch.sp, a.convention.arguments[0]]
    dispatch = a.facts.main.dispatch
    if dispatch and dispatch.insn.operands[0].kind == "reg":
        names.append(dispatch.insn.operands[0].register)
    else:
        names.append(a.arch.shown[-1])
    return names


def _thunk(a: Assessment) -> ThunkPart:
    thunk, facts = a.thunk, a.facts
    offsets = facts.offsets
    symbol = a.memory.symbol_at(facts.interpreter) if facts.interpreter else None
    return ThunkPart(
        block=thunk.address,
        block_size=thunk.size,
        header_size=thunk.first_stub,
        header=thunk.header,
        found_by=a.found.by,
        style=facts.style(),
        convention=a.convention.name,
        first_stub=thunk.stub_address(0),
        stub_count=thunk.stub_count,
        stub_size=thunk.arch.stub_size,
        epilogue=thunk.address + thunk.epilogue,
        interpreter=facts.interpreter,
        interpreter_name=symbol.name if symbol else None,
        offsets=asdict(offsets) if offsets else None,
        stub=a.call.stub,
        stub_address=a.stub_address,
    )


def _frame(a: Assessment) -> Optional[FramePart]:
    if a.facts.frame_size is None:
        return None
    saved: list[dict[str, object]] = [
        {"register": s.register, "offset": s.offset} for s in a.facts.saved
    ]
    return FramePart(saved, a.facts.layout_offset, a.facts.frame_size)


def _code(a: Assessment, claims: dict[str, Check]) -> list[CodeLine]:
    """Header, stub and epilogue as a call runs through them, each once."""
    blamed = {
        finding.at
        for finding in a.facts.claims.values()
        if finding.holds is False and finding.at is not None
    }
    what = notes(a.facts)
    lines: dict[int, CodeLine] = {}
    for step in a.facts.main.steps:
        lines.setdefault(
            step.at, _line(step.at, step.insn, what.get(step.at, ""), step.at in blamed)
        )
    return list(lines.values())


def _line(at: int, insn: Instruction, note: str, blamed: bool) -> CodeLine:
    return CodeLine(at, insn.code.hex(), insn.text, note, blamed)


def _stack(a: Assessment) -> list[StackWord]:
    """From the layout pointer: the words the interpreter reads, then the frame."""
    layout = a.facts.layout_from_entry
    if layout is None:
        return []
    count = a.layout.call_info.arguments if a.layout and a.layout.call_info else 0
    if a.layout and not a.layout.looks_sound:
        count = min(count, 2)
    words = 2 + min(count, SHOWN_ARGS)
    places = [n * WORD for n in range(words)]
    kept = sorted(
        place + (a.facts.sp_at_dispatch or 0) - layout
        for place in {s.offset for s in a.facts.saved}
    )
    below = [place for place in kept if place < 0 or place >= words * WORD]
    return [_stack_word(a, place) for place in [*places, *below]]


def _stack_word(a: Assessment, place: int) -> StackWord:
    layout = a.facts.layout_from_entry
    call = a.facts.call
    assert layout is not None
    cell = call.state.byte(layout + place) if call else None
    writer = f"+{cell.writer:03x}" if cell and cell.writer is not None else "caller"
    address = None if a.call.layout is None else (a.call.layout + place) & MASK64
    value = _value(a.memory, address)
    role = _role(a, place)
    comment, wrong = _comment(a, place)
    return StackWord(place, address, value, role, writer, comment, wrong)


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
    count = a.layout.call_info.arguments if a.layout and a.layout.call_info else 0
    index = (place - ARGS) // WORD
    if place >= ARGS and (index < count or place not in saved):
        return f"args[{index}]"
    names = {a.arch.fp: "saved fp", a.arch.lr: "saved lr"}
    register = saved.get(place, "")
    return names.get(register, f"saved {register}")


def _comment(a: Assessment, place: int) -> "tuple[str, bool]":
    """What the word is, or what it should be."""
    layout = a.layout
    if layout is None:
        return "", False
    if place == 0:
        if layout.function:
            return layout.function.name or "a function object", False
        if a.call.passed_function is not None:
            return f"should be {a.call.passed_function:#x}", True
        return "no function object", True
    if place == WORD and layout.call_info:
        info = layout.call_info
        if info.problem:
            return info.problem.replace("callInfo is ", ""), True
        return f"count {info.count} {'|'.join(info.flags)}".rstrip(), False
    index = (place - ARGS) // WORD
    if place >= ARGS and index < len(layout.args):
        value = layout.args[index]
        return value.text, value.kind in ("unreadable", "null-pointer")
    if place == ARGS - ANCHOR - WORD and a.arch.lr:
        return _return_comment(a, place), False
    return "", False


def _return_comment(a: Assessment, place: int) -> str:
    assert a.call.layout is not None
    value = _value(a.memory, (a.call.layout + place) & MASK64)
    symbol = a.memory.symbol_at(value) if value else None
    return symbol.at(value) if symbol and value else ""
