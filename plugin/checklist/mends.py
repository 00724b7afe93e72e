"""Mends: the smallest edit of instructions that puts a block right.

Every mend is applied to a copy of the block and proved again; `proved` says that with
it all static claims hold. What cannot be proved is only a hint.
"""

from collections.abc import Iterator
from typing import Optional

from ..arch import WORD
from ..arch.decode import Instruction, decode
from ..chakra.patterns import emitted, pattern_of
from ..chakra.thunk import Thunk, parse
from ..proof import Facts, Offsets, prove
from ..proof.edit import (
    Edit,
    apply,
    change_number,
    rename,
    reordered,
    replaced,
)
from ..proof.path import Step
from .assess import steps_of
from .model import Mend

SCRATCH = {
    "aarch64": ("x9", "x10", "x11", "x12", "x16", "x17"),
    "x86_64": ("rax", "rcx", "rdx", "rsi", "rdi"),
}
"""Registers that a header may use as it likes; each is tried, and proved."""

MAX_FRAME = 128
"""Bytes of the frames that are tried for an epilogue."""

MOST_STEPS = 2048
"""Instructions on all paths of a proof, beyond which no edit is tried: with those of a
block that is wrong in one place it has a few hundred, with lost stubs thousands, and
each edit would take as long to prove."""


def holds(facts: Facts, thunk: Optional[Thunk]) -> bool:
    """Whether an edited block satisfies every static claim."""
    if thunk is None:
        return False
    again = prove(thunk, facts.convention, _offsets(facts), _interpreters(facts))
    return all(finding.holds is True for finding in again.claims.values())


def _interpreters(facts: Facts) -> "frozenset[int]":
    own = frozenset([facts.interpreter]) if facts.interpreter else frozenset()
    return facts.asked.interpreters or own


def _offsets(facts: Facts) -> Optional[Offsets]:
    return facts.asked.offsets or facts.offsets


def _proved(facts: Facts, edits: list[Edit]) -> Optional[Mend]:
    if not edits or steps_of(facts) > MOST_STEPS:
        return None
    if not holds(facts, apply(facts.thunk, edits)):
        return None
    return Mend([edit.text for edit in edits], proved=True)


def layout_offset(facts: Facts) -> Optional[Mend]:
    """Another number in the instruction that makes the layout pointer."""
    for edit in _pointer_edits(facts):
        mend = _proved(facts, [edit])
        if mend:
            return mend
    return whole_header(facts)


def _pointer_edits(facts: Facts) -> Iterator[Edit]:
    """The layout pointer moved to where the function was stored."""
    layout, setter = facts.layout_from_entry, facts.layout_setter
    if layout is None or setter is None:
        return
    for place in _function_places(facts):
        code = change_number(setter, place - layout, facts.thunk.arch)
        if code is not None and place != layout:
            yield replaced(setter, code, facts.thunk)


def _function_places(facts: Facts) -> list[int]:
    """Where the function object stands, from entry SP."""
    if facts.convention.caller_stores is not None:
        return [facts.convention.caller_stores]
    sp = facts.sp_at_dispatch
    wanted = facts.convention.arguments[0]
    if sp is None:
        return []
    return [sp + saved.offset for saved in facts.saved if saved.register == wanted]


def alignment(facts: Facts) -> Optional[Mend]:
    """A frame of eight bytes more, or less, with all that is relative to SP."""
    for by in (WORD, -WORD):
        edits = _resized(facts, by)
        mend = _proved(facts, edits) if edits else None
        if mend:
            return mend
    return whole_header(facts)


def _resized(facts: Facts, by: int) -> list[Edit]:
    """Every edit that a frame of another size needs; none if one is impossible."""
    sp, arch = facts.thunk.arch.sp, facts.thunk.arch
    edits: list[Edit] = []
    inside = False
    for step in facts.main.steps:
        insn = step.insn
        sizes = _resizes_stack(insn, sp)
        if sizes and insn.mnemonic == "sub" and not inside:
            inside, change = True, by
        elif sizes and insn.mnemonic == "add" and inside:
            inside, change = False, by
        elif inside and _relative_to(insn, sp):
            change = by
        else:
            continue
        code = change_number(insn, change, arch)
        if code is None:
            return []
        edits.append(replaced(insn, code, facts.thunk))
    return edits


def _resizes_stack(insn: Instruction, sp: str) -> bool:
    first, last = insn.operands[:1], insn.operands[-1:]
    return bool(first and first[0].register == sp and last[0].kind == "imm")


def _relative_to(insn: Instruction, sp: str) -> bool:
    if any(operand.kind == "mem" and operand.base == sp for operand in insn.operands):
        return True
    sources = insn.operands[1:]
    return len(sources) == 2 and sources[0].register == sp


def late_store(facts: Facts) -> Optional[Mend]:
    """The stores moved before what overwrites their register."""
    stores = _late(facts)
    if not stores:
        return whole_header(facts)
    header = [step.insn for step in _straight_header(facts)]
    moves = {store.address: before.address for store, before in stores}
    if not {insn.address for insn in header}.issuperset({*moves, *moves.values()}):
        # One stands behind a condition.
        return whole_header(facts)
    order = reordered(header, moves)
    start = header[0].address - facts.thunk.address
    code = b"".join(insn.code for insn in order)
    text = "; ".join(
        f"move `{' '.join(store.text.split())}` from"
        f" block+{store.address - facts.thunk.address:#x} to before"
        f" `{' '.join(before.text.split())}` at"
        f" block+{before.address - facts.thunk.address:#x}"
        for store, before in stores
    )
    return _proved(facts, [Edit(start, code, text)]) or whole_header(facts)


def _straight_header(facts: Facts) -> list[Step]:
    """The header's instructions up to the first branch: these may change places."""
    steps = []
    for step in facts.header:
        if any(guard.at == step.at for guard in facts.main.guards):
            break
        steps.append(step)
    return steps


def _late(facts: Facts) -> "list[tuple[Instruction, Instruction]]":
    from .section_f import late_stores_of

    by_offset = {step.at: step.insn for step in facts.header}
    pairs: dict[int, int] = {}
    for _, store, earlier in late_stores_of(facts):
        pairs.setdefault(store, earlier)
    return [(by_offset[a], by_offset[b]) for a, b in pairs.items()]


def restore(facts: Facts) -> Optional[Mend]:
    """What brings SP, FP, LR and callee-saved registers back."""
    for edits in _restoring(facts):
        mend = _proved(facts, edits)
        if mend:
            return mend
    return whole_header(facts)


def _restoring(facts: Facts) -> Iterator[list[Edit]]:
    """Candidates, smallest first."""
    yield from _epilogue_numbers(facts)
    yield from _renamed(facts)
    for epilogue in _epilogues(facts):
        yield [epilogue]
    for prologue in _prologues(facts):
        for epilogue in _epilogues(facts):
            edits = [prologue, epilogue]
            yield edits
            made = apply(facts.thunk, edits)
            if made:
                again = prove(made, facts.convention, None, frozenset())
                for pointer in _pointer_edits(again):
                    yield [*edits, pointer]


def _epilogue_numbers(facts: Facts) -> Iterator[list[Edit]]:
    arch, sp = facts.thunk.arch, facts.thunk.arch.sp
    for step in facts.main.steps:
        insn = step.insn
        if step.at < facts.thunk.epilogue or not insn.operands:
            continue
        moves = _resizes_stack(insn, sp) or insn.post
        if not moves or insn.operands[-1].kind != "imm":
            continue
        now = insn.operands[-1].immediate
        for size in range(0, MAX_FRAME + 1, WORD):
            code = change_number(insn, size - now, arch) if size != now else None
            if code is not None:
                yield [replaced(insn, code, facts.thunk)]


def _renamed(facts: Facts) -> Iterator[list[Edit]]:
    """Another register in place of a callee-saved one that the header destroys."""
    state = facts.main.state
    if state is None:
        return
    arch = facts.thunk.arch
    destroyed = [
        name
        for name in (*facts.convention.callee_saved, *facts.convention.reserved)
        if name in state.registers and name != arch.fp
    ]
    for old in destroyed:
        users = [s.insn for s in facts.header if _mentions(s.insn, old)]
        for new in SCRATCH[arch.name]:
            codes = [rename(insn, old, new, arch) for insn in users]
            if users and all(code is not None for code in codes):
                yield [
                    replaced(insn, code, facts.thunk)
                    for insn, code in zip(users, codes)
                    if code is not None
                ]


def _mentions(insn: Instruction, register: str) -> bool:
    return any(register in (o.register, o.base) for o in insn.operands)


def _epilogues(facts: Facts) -> Iterator[Edit]:
    """The emitter's epilogue for this convention, with this header's frame size."""
    thunk, pattern = facts.thunk, pattern_of(facts.convention.name)
    if pattern is None:
        return
    first = decode(pattern.epilogue, thunk.address + thunk.epilogue, thunk.arch)
    assert first
    rest = pattern.epilogue[len(first.code) :]
    numbers = [facts.frame_size, None]
    for number in dict.fromkeys(numbers):
        code: Optional[bytes] = first.code
        if number is not None and first.operands[-1].kind == "imm":
            by = number - first.operands[-1].immediate
            code = change_number(first, by, thunk.arch)
        if code is None:
            continue
        text = _listing(code + rest, thunk, thunk.epilogue)
        yield Edit(thunk.epilogue, code + rest, f"epilogue at block+{text}")


def _prologues(facts: Facts) -> Iterator[Edit]:
    """The emitter's first two instructions over this header's first ones."""
    thunk, pattern = facts.thunk, pattern_of(facts.convention.name)
    if pattern is None:
        return
    size = 8 if thunk.arch.lr else 4
    first = decode(pattern.header, thunk.address, thunk.arch)
    assert first
    sizes = {facts.frame_size, None}
    for number in sorted(sizes, key=str):
        code: Optional[bytes] = first.code
        if number and thunk.arch.lr:
            by = -number - first.operands[-1].displacement
            code = change_number(first, by, thunk.arch)
        if code is None:
            continue
        code += pattern.header[len(code) : size]
        text = _listing(code, thunk, 0)
        yield Edit(0, code, f"prologue at block+{text}")


def _listing(code: bytes, thunk: Thunk, at: int) -> str:
    lines = []
    place = 0
    while place < len(code):
        insn = decode(code[place:], thunk.address + at + place, thunk.arch)
        if insn is None:
            break
        lines.append(" ".join(insn.text.split()))
        place += len(insn.code)
    return f"{at:#x} -> `{'; '.join(lines)}`"


def whole_header(facts: Facts) -> Optional[Mend]:
    """The emitter's own header for this convention, where nothing smaller will do."""
    pattern = pattern_of(facts.convention.name)
    offsets, known = _offsets(facts), _interpreters(facts)
    if offsets is None or pattern is None:
        return None
    own = facts.interpreter if facts.interpreter in known else None
    interpreter = own or min(known, default=_stand_in(facts))
    code = emitted(facts.thunk, facts.convention.name, offsets, interpreter)
    made = parse(code, facts.thunk.address, facts.thunk.arch)
    if made is None:
        return None
    again = prove(made, facts.convention, offsets, known)
    good = all(finding.holds is True for finding in again.claims.values())
    frame = "; ".join(
        " ".join(step.insn.text.split())
        for step in again.header
        if _touches_frame(step.insn, facts)
    )
    epilogue = _listing(pattern.epilogue, facts.thunk, facts.thunk.epilogue)
    title = f"{pattern.title} ({len(pattern.header)} bytes){_needs(facts)}"
    return Mend(
        [
            f"emit the header of {title}: `{frame}`",
            f"and its epilogue at block+{epilogue}",
        ],
        proved=good,
    )


def _needs(facts: Facts) -> str:
    """What a header asks of its callers that those of other systems do not do."""
    mine, arch = facts.convention, facts.thunk.arch
    stored = [c for c in arch.conventions if c.arguments == mine.arguments[:2]]
    if mine.caller_stores is not None or not stored:
        return ""
    names = mine.register_args
    return f", for callers that pass args in {names[0]}-{names[-1]} as there"


def _touches_frame(insn: Instruction, facts: Facts) -> bool:
    """Whether an instruction makes the frame or the layout: not the chain's loads."""
    arch = facts.thunk.arch
    return any(
        name in (operand.register, operand.base)
        for operand in insn.operands
        for name in (arch.sp, arch.fp)
    )


def _stand_in(facts: Facts) -> int:
    """An address for the interpreter's place in a header that never had one."""
    return facts.thunk.address + facts.thunk.size
