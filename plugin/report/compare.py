"""`thunk-compare`: the thunk in hand beside what the engine's emitter makes.

Every cell is read from instructions: those of the block, and those of the emitter's
patterns, which are proved in the same way.
"""

import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import Optional

from ..arch import ANCHOR, ARCHES, Arch
from ..arch.decode import LONGEST, Instruction, decode
from ..chakra.patterns import (
    EXAMPLE_OFFSETS,
    PATTERNS,
    emitted,
    pattern_block,
    pattern_of,
)
from ..chakra.thunk import Thunk
from ..checklist import Assessment
from ..checklist.model import FAIL
from ..proof import Facts, prove
from .page import Page, Style
from .text import COLOURS

ROWS = (
    "argument registers",
    "saved by",
    "frame pointer",
    "return address",
    "shadow space",
    "allocation",
    "SP at the call",
    "layout pointer",
    "range check",
    "control flow",
    "epilogue",
)

JUMPS = ("br", "jmp")


def cells(facts: Facts) -> dict[str, str]:
    """A header in eleven short facts, in the order of ROWS."""
    return {
        "argument registers": _arguments(facts),
        "saved by": _savers(facts),
        "frame pointer": _frame_pointer(facts),
        "return address": _return_address(facts),
        "shadow space": f"{facts.convention.shadow} bytes"
        if facts.convention.shadow
        else "none",
        "allocation": _allocation(facts),
        "SP at the call": _alignment(facts),
        "layout pointer": _pointer(facts),
        "range check": "yes" if facts.main.guards else "none",
        "control flow": _text(facts.main.dispatch.insn) if facts.main.dispatch else "?",
        "epilogue": _epilogue(facts),
    }


def expected(convention: str) -> tuple[str, Facts]:
    """(title, facts) of the emitter's pattern for a convention."""
    arch = _arch_of(convention)
    thunk = pattern_block(convention, arch)
    return PATTERNS[convention].title, prove(thunk, arch.convention(convention))


def _arch_of(convention: str) -> Arch:
    return next(
        arch
        for arch in ARCHES.values()
        if any(c.name == convention for c in arch.conventions)
    )


def _text(insn: Instruction) -> str:
    return " ".join(insn.text.split())


def _arguments(facts: Facts) -> str:
    names = facts.convention.arguments
    text = f"{names[0]}-{names[-1]}" if len(names) > 4 else ", ".join(names)
    stored = facts.convention.caller_stores is not None
    return f"{text} + stack" if stored else text


def _savers(facts: Facts) -> str:
    wanted = set(facts.convention.arguments)
    by_offset = {step.at: step.insn.mnemonic for step in facts.header}
    used = [by_offset.get(s.at, "?") for s in facts.saved if s.register in wanted]
    if not used:
        return "the caller" if facts.convention.caller_stores is not None else "nobody"
    kinds = ", ".join(dict.fromkeys(used))
    return f"{kinds} of {len(used)} registers"


def _frame_pointer(facts: Facts) -> str:
    fp, layout = facts.fp_at_call, facts.layout_from_entry
    name = facts.thunk.arch.fp
    if fp is None:
        return f"{name} not set"
    if layout is not None and fp + ANCHOR == layout:
        return f"{name} = layout - {ANCHOR}"
    return f"{name} = entry {fp:+d}"


def _return_address(facts: Facts) -> str:
    lr = facts.thunk.arch.lr
    if lr is None:
        return "on the stack"
    places = [s.offset for s in facts.saved if s.register == lr]
    return f"{lr} at sp{places[0]:+d}" if places else f"{lr} not saved"


def _allocation(facts: Facts) -> str:
    size = facts.frame_size
    return "unknown" if size is None else f"{size} bytes"


def _alignment(facts: Facts) -> str:
    good = facts.claims["R5"].holds
    sp = facts.call.state.sp if facts.call else None
    if sp is None:
        return "unknown"
    return f"entry {sp:+d}, {'aligned' if good else 'wrong'}"


def _pointer(facts: Facts) -> str:
    setter = facts.layout_setter
    return _text(setter) if setter else f"{facts.convention.arguments[0]} unchanged"


def _epilogue(facts: Facts) -> str:
    lines = [_text(s.insn) for s in facts.main.steps if s.at >= facts.thunk.epilogue]
    return "; ".join(dict.fromkeys(lines)) or "not reached"


def _columns(a: Assessment) -> list[tuple[str, dict[str, str]]]:
    """This block, its convention's pattern if there is one, then the other patterns,
    those of the same machine first."""
    own = a.convention.name
    names = sorted(PATTERNS, key=lambda n: (n != own, _arch_of(n).name != a.arch.name))
    patterns = [expected(name) for name in names]
    return [
        ("this thunk", cells(a.facts)),
        *((title, cells(facts)) for title, facts in patterns),
    ]


def to_json(a: Assessment) -> str:
    columns = dict(_columns(a))
    columns["this thunk"]["claims that fail"] = ", ".join(_failing(a)) or "none"
    known = pattern_of(a.convention.name) is not None
    same = "as emitted" if known else "the emitter knows no such convention"
    columns["this thunk"]["instructions"] = _changed(a) or same
    return json.dumps(columns, indent=2)


def _failing(a: Assessment) -> dict[str, str]:
    """Claims that the block breaks, whatever its cells say, with what decides each."""
    skipped = {"R3", "R4"} if a.asm else set()
    if not a.convention.anchored:
        skipped.add("R11")
    return {
        name: finding.evidence[0] if finding.evidence else ""
        for name, finding in a.facts.claims.items()
        if finding.holds is False and name not in skipped
    }


def _changed(a: Assessment) -> str:
    """The first instruction that the emitter would have made another, where it knows
    the convention; constants that it fills in are no difference."""
    facts, thunk = a.facts, a.thunk
    if pattern_of(a.convention.name) is None:
        return ""
    offsets, target = facts.offsets or EXAMPLE_OFFSETS, facts.interpreter or 0
    code = emitted(thunk, a.convention.name, offsets, target)
    for first, last in ((0, JUMPS), (thunk.epilogue, ("ret",))):
        ours = _run(thunk.code, first, last, thunk)
        theirs = _run(code, first, last, thunk)
        for mine, other in zip_longest(ours, theirs):
            if mine is None or other is None or _shape(mine) != _shape(other):
                words = [_text(one) if one else "nothing" for one in (mine, other)]
                place = (mine or other or ours[-1]).address
                return f"{place:#x} is `{words[0]}`, emitted is `{words[1]}`"
    return ""


def _run(
    code: bytes, first: int, last: Sequence[str], thunk: Thunk
) -> list[Instruction]:
    """Instructions up to one of these."""
    found: list[Instruction] = []
    at = first
    while at < thunk.size and not (found and found[-1].mnemonic in last):
        insn = decode(code[at : at + LONGEST], thunk.address + at, thunk.arch)
        if insn is None:
            break
        found.append(insn)
        at += len(insn.code)
    return found


def _shape(insn: Instruction) -> str:
    """Its text, without a constant that is filled in."""
    filled = insn.mnemonic.startswith("mov") or insn.mnemonic == "cmp"
    constant = filled and any(o.kind == "imm" for o in insn.operands)
    return _text(insn).rpartition(",")[0] if constant else _text(insn)


def render(a: Assessment, style: Style, everything: bool = False) -> str:
    """This thunk beside its pattern; `everything`: then each other pattern too."""
    page = Page(style)
    this, *patterns = _columns(a)
    for other in patterns if everything else patterns[:1]:
        _table(page, this, other)
        page.gap()
    differences = sum(this[1][name] != patterns[0][1][name] for name in ROWS)
    same = not _changed(a) and not _failing(a)
    page.text("", _differences(differences, patterns[0][0], same))
    if not differences:
        _page_more(page, a)
    if not everything:
        page.text("", ("(thunk-compare --all: the other conventions too)", "dim"))
    return page.render()


def _page_more(page: Page, a: Assessment) -> None:
    """What the rows do not show."""
    changed = _changed(a)
    if changed:
        page.wrapped("", f"an instruction is another: {changed}", COLOURS[FAIL])
    for name, text in _failing(a).items():
        page.wrapped("", f"{name} fails: {text}", COLOURS[FAIL])


def _differences(count: int, title: str, same: bool) -> str:
    if not count:
        return f"no difference {'' if same else 'in these rows '}to {title}"
    return f"{count} difference{'s' if count > 1 else ''} to {title}, each marked ≠"


def _table(
    page: Page, this: tuple[str, dict[str, str]], other: tuple[str, dict[str, str]]
) -> None:
    label = max(map(len, ROWS)) + 2
    room = (page.style.width - label - 5) // 2
    page.row(f"{'':<{label}}", f"{this[0]:<{room}}   {other[0]}")
    for name in ROWS:
        ours, theirs = this[1][name], other[1][name]
        _pair(page, f"{name:<{label}}", ours, theirs, room)


def _pair(page: Page, label: str, ours: str, theirs: str, room: int) -> None:
    """One row, on as many lines as the longer cell needs."""
    import textwrap

    mark: Optional[str] = "≠ " if ours != theirs else "  "
    left = textwrap.wrap(ours, room) or [""]
    right = textwrap.wrap(theirs, room) or [""]
    for n in range(max(len(left), len(right))):
        one = left[n] if n < len(left) else ""
        two = right[n] if n < len(right) else ""
        style = COLOURS[FAIL] if ours != theirs else ""
        page.row(label, (mark or "  ", style), (f"{one:<{room}} ", style), f" {two}")
        label, mark = " " * len(label), None
