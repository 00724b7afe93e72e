"""What x86-64 instructions do to a State: one small effect per mnemonic.

An instruction that is not in the table makes everything unknown, on purpose. Each
entry is held against an emulator in tests/test_effects.py.
"""

from typing import Callable

from ..arch import WORD
from ..arch.decode import Instruction, Operand
from .flow import Branch, Call, Condition, Flow, Jump, Return, Trap, Unmodelled
from .state import Flags, State
from .values import MASK64, Const, Unknown, Value, add, combine, derived, mask

Effect = Callable[[State, Instruction], Flow]

_LEGACY = ("ax", "bx", "cx", "dx", "si", "di", "bp", "sp")


def _names() -> dict[str, tuple[str, int, int]]:
    """Every register name as (64-bit name, first byte, size)."""
    names: dict[str, tuple[str, int, int]] = {}
    for name in _LEGACY:
        wide = "r" + name
        names[wide], names["e" + name], names[name] = (
            (wide, 0, 8),
            (wide, 0, 4),
            (wide, 0, 2),
        )
        short = name[0] if name[1] == "x" else name
        names[short + "l"] = (wide, 0, 1)
        if name[1] == "x":
            names[short + "h"] = (wide, 1, 1)
    for number in range(8, 16):
        wide = f"r{number}"
        for suffix, size in (("", 8), ("d", 4), ("w", 2), ("b", 1)):
            names[wide + suffix] = (wide, 0, size)
    return names


NAMES = _names()


def _read(state: State, register: str) -> Value:
    if register not in NAMES:
        raise Unmodelled
    wide, first, size = NAMES[register]
    value = state.get(wide)
    if first:
        value = combine("shr", value, Const(8 * first))
    return mask(value, (1 << 8 * size) - 1)


def _write(state: State, register: str, value: Value) -> None:
    """32-bit writes clear the upper half; narrower ones keep the rest."""
    if register not in NAMES:
        raise Unmodelled
    wide, first, size = NAMES[register]
    if size < 4:
        field = ((1 << 8 * size) - 1) << 8 * first
        kept = mask(state.get(wide), ~field)
        piece = mask(value, (1 << 8 * size) - 1)
        if first:
            piece = combine("shl", piece, Const(8 * first))
        value = combine("or", kept, piece)
    state.set(wide, mask(value, 0xFFFFFFFF) if size == 4 else value)


def _address(state: State, operand: Operand, insn: Instruction) -> Value:
    if operand.segment:
        raise Unmodelled
    displacement = operand.displacement
    if operand.base == "rip":
        base: Value = Const(insn.end)
    else:
        base = _read(state, operand.base) if operand.base else Const(0)
    if operand.base in NAMES and NAMES[operand.base][2] != WORD:
        raise Unmodelled
    if operand.index:
        index = _read(state, operand.index)
        if operand.scale != 1:
            index = combine("shl", index, Const(operand.scale.bit_length() - 1))
        base = combine("add", base, index)
    return add(base, displacement)


def _source(state: State, operand: Operand, insn: Instruction) -> Value:
    if operand.kind == "reg":
        return _read(state, operand.register)
    if operand.kind == "imm":
        return Const(operand.immediate & MASK64)
    return state.load(_address(state, operand, insn), operand.size)


def _target(state: State, operand: Operand, insn: Instruction, value: Value) -> None:
    if operand.kind == "reg":
        _write(state, operand.register, value)
    else:
        state.store(_address(state, operand, insn), value, operand.size)


def _move(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    _target(state, target, insn, _source(state, source, insn))
    return None


def _sign_extend(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    value = combine("sext", _source(state, source, insn), Const(source.size))
    _target(state, target, insn, value)
    return None


def _lea(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    _write(state, target.register, _address(state, source, insn))
    return None


def _two(operation: str, keep: bool = True) -> Effect:
    """`op target, source`, which also sets the flags; cmp and test keep no result."""

    def effect(state: State, insn: Instruction) -> Flow:
        target, source = insn.operands
        a, b = (_source(state, operand, insn) for operand in (target, source))
        width = (1 << 8 * target.size) - 1
        b = mask(b, width)
        if keep:
            value = _result(state, operation, a, b)
            value = mask(value, width) if target.size != WORD else value
            _target(state, target, insn, value)
        state.flags = Flags(operation, a, b, target.size)
        return None

    return effect


def _result(state: State, operation: str, a: Value, b: Value) -> Value:
    return state.bitwise_and(a, b) if operation == "and" else combine(operation, a, b)


def _shift(operation: str) -> Effect:
    def effect(state: State, insn: Instruction) -> Flow:
        target, source = insn.operands
        if target.size != WORD or source.kind != "imm":
            raise Unmodelled
        value = combine(
            operation, _source(state, target, insn), Const(source.immediate & 63)
        )
        _target(state, target, insn, value)
        state.flags = None
        return None

    return effect


def _step(distance: int) -> Effect:
    """inc, dec."""

    def effect(state: State, insn: Instruction) -> Flow:
        (target,) = insn.operands
        value = add(_source(state, target, insn), distance)
        _target(state, target, insn, mask(value, (1 << 8 * target.size) - 1))
        state.flags = None
        return None

    return effect


def _exchange(state: State, insn: Instruction) -> Flow:
    one, other = insn.operands
    a, b = (_source(state, operand, insn) for operand in (one, other))
    if one.kind != "reg" or other.kind != "reg":
        raise Unmodelled
    _write(state, one.register, b)
    _write(state, other.register, a)
    return None


def _grow(state: State, size: int = WORD) -> Value:
    top = add(state.get("rsp"), -size)
    state.set("rsp", top)
    return top


def _pop_word(state: State) -> Value:
    top = state.get("rsp")
    value = state.load(top, WORD)
    state.set("rsp", add(top, WORD))
    return value


def _push(state: State, insn: Instruction) -> Flow:
    (source,) = insn.operands
    if source.kind != "imm" and source.size != WORD:
        raise Unmodelled
    value = _source(state, source, insn)
    state.store(_grow(state), value, WORD)
    return None


def _pop(state: State, insn: Instruction) -> Flow:
    (target,) = insn.operands
    if target.kind != "reg" or target.size != WORD:
        raise Unmodelled
    _write(state, target.register, _pop_word(state))
    return None


def _leave(state: State, insn: Instruction) -> Flow:
    state.set("rsp", state.get("rbp"))
    state.set("rbp", _pop_word(state))
    return None


def _goal(state: State, insn: Instruction) -> Value:
    """Where a jump or a call goes; far ones are not modelled. The decoder gives those
    a size of eight as well, and only its text tells (`ptr`, and not `qword ptr`)."""
    (target,) = insn.operands
    if (target.kind != "imm" and target.size != WORD) or "ptr" in insn.text:
        raise Unmodelled
    return _source(state, target, insn)


def _jump(state: State, insn: Instruction) -> Flow:
    return Jump(_goal(state, insn))


def _branch(test: str) -> Effect:
    def effect(state: State, insn: Instruction) -> Flow:
        flags = state.flags
        condition = Condition(test, *flags) if flags else None
        return Branch(_source(state, insn.operands[0], insn), condition)

    return effect


def _call(state: State, insn: Instruction) -> Flow:
    """The push of the return address is left to `run`, which judges SP before it."""
    return Call(_goal(state, insn))


def _return(state: State, insn: Instruction) -> Flow:
    target = _pop_word(state)
    if insn.operands:
        state.set("rsp", add(state.get("rsp"), insn.operands[0].immediate))
    return Return(target)


def _vector_move(state: State, insn: Instruction) -> Flow:
    """Between vector registers and memory: only what is stored matters here."""
    target, source = insn.operands
    memory = next((op for op in insn.operands if op.kind == "mem"), None)
    if memory and insn.mnemonic in ALIGNED:
        state.check_alignment(_address(state, memory, insn), 16, "the address")
    if target.kind == "mem":
        value = derived("vector", (state.get(source.register),))
        state.store(_address(state, target, insn), value, target.size)
    elif source.kind == "mem":
        state.load(_address(state, source, insn), source.size)
        state.set(target.register, Unknown(f"{target.register} was loaded"))
    else:
        state.set(target.register, state.get(source.register))
    return None


def _trap(state: State, insn: Instruction) -> Flow:
    return Trap(insn.text)


def _interrupt(state: State, insn: Instruction) -> Flow:
    """Others than these may be system calls, which come back."""
    if insn.operands[0].immediate not in (3, 0x29):
        raise Unmodelled
    return Trap(insn.text)


def _nothing(state: State, insn: Instruction) -> Flow:
    return None


ALIGNED = ("movaps", "movdqa")
"""Moves that fault at an address that is not a multiple of 16."""
TESTS = {
    "je": "eq",
    "jne": "ne",
    "jae": "hs",
    "jb": "lo",
    "js": "mi",
    "jns": "pl",
    "ja": "hi",
    "jbe": "ls",
    "jge": "ge",
    "jl": "lt",
    "jg": "gt",
    "jle": "le",
}

EFFECTS: dict[str, Effect] = {
    "mov": _move,
    "movabs": _move,
    "movzx": _move,
    "movsx": _sign_extend,
    "movsxd": _sign_extend,
    "lea": _lea,
    "movaps": _vector_move,
    "movups": _vector_move,
    "movdqa": _vector_move,
    "movdqu": _vector_move,
    "add": _two("add"),
    "sub": _two("sub"),
    "and": _two("and"),
    "or": _two("or"),
    "xor": _two("xor"),
    "cmp": _two("sub", keep=False),
    "test": _two("and", keep=False),
    "shl": _shift("shl"),
    "shr": _shift("shr"),
    "inc": _step(1),
    "dec": _step(-1),
    "xchg": _exchange,
    "push": _push,
    "pop": _pop,
    "leave": _leave,
    "jmp": _jump,
    "call": _call,
    "ret": _return,
    "int3": _trap,
    "int": _interrupt,
    "ud2": _trap,
    "hlt": _trap,
    "nop": _nothing,
    "endbr64": _nothing,
    **{mnemonic: _branch(test) for mnemonic, test in TESTS.items()},
}


SHORT_STACK = ("push", "pop", "leave")
"""What moves 16 bits with a prefix, though no operand says so. Of what leads elsewhere
some processors take but 16 bits, and others heed no prefix."""


def _plain(insn: Instruction) -> bool:
    """Whether no prefix makes it another instruction than its mnemonic says."""
    memory = any(operand.kind == "mem" for operand in insn.operands)
    short = insn.short and (insn.leads or insn.mnemonic in SHORT_STACK)
    return not (insn.narrow and memory) and not short


def execute(state: State, insn: Instruction) -> Flow:
    """Apply one instruction; what the table does not hold makes all unknown."""
    effect = EFFECTS.get(insn.mnemonic)
    try:
        if effect is None or not _plain(insn):
            raise Unmodelled
        return effect(state, insn)
    except (Unmodelled, ValueError, IndexError, KeyError):
        state.forget(f"+{state.at:#04x} {insn.text}: no known effect")
        return None
