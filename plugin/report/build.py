"""Makes the Report of an inspection. The road's end: all is judged before."""

from dataclasses import asdict
from typing import Optional

from ..arch.decode import Instruction
from ..checklist import Assessment, Check, judge_claims, judge_items, overall
from ..checklist.diagnoses import diagnose
from ..checklist.held import MAY_BE_ASM
from ..proof.notes import notes
from ..target import Memory
from .model import CodeLine, FramePart, Report, ThunkPart
from .stack import pointers, stack

MAX_UNREAD = 4
"""Addresses that could not be read and are told."""


def build(a: Assessment, shown: Optional[int] = None) -> Report:
    """`shown`: arguments of the call in hand in the picture of the stack."""
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
    elif a.may_be_asm and not a.asm:
        report.problems.append(f"layout: {MAY_BE_ASM}")
    report.code = _code(a, claims)
    report.stack = stack(a, shown)
    report.pointers = pointers(a)
    if report.verdict == "undecided" or a.layout is None:
        report.problems += _not_read(a.memory)
    return report


def _not_read(memory: Memory) -> list[str]:
    """What may be missing: memory that could not be read though it may be there."""
    lines = [
        str(error)
        for error in memory.unread.values()
        if not memory.lacks(error.address, error.size)
    ]
    more = len(lines) - MAX_UNREAD
    return lines[:MAX_UNREAD] + ([f"nor at {more} addresses more"] if more > 0 else [])


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
