"""What ARM64 instructions do to a State: one small effect per mnemonic.

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
_LOW32 = 0xFFFFFFFF


def _wide(register: str) -> str:
    """The 64-bit name of a general register."""
    return "x" + register[1:] if register[0] == "w" else register


def _general(register: str) -> bool:
    return register[0] in "xw" or register in ("sp", "wsp")


def _read(state: State, register: str) -> Value:
    if register in ("xzr", "wzr"):
        return Const(0)
    if register == "wsp":
        return mask(state.get("sp"), _LOW32)
    value = state.get(_wide(register))
    return mask(value, _LOW32) if register[0] == "w" else value


def _write(state: State, register: str, value: Value) -> None:
    if register in ("xzr", "wzr"):
        return
    if register in ("wsp",):
        raise Unmodelled
    if register[0] == "w":
        value = mask(value, _LOW32)
    state.set(_wide(register), value)


def _shifted(value: Value, operand: Operand) -> Value:
    if operand.extend:
        raise Unmodelled
    if not operand.shift:
        return value
    operation = {"lsl": "shl", "lsr": "shr"}.get(operand.shift)
    if operation is None:
        raise Unmodelled
    if operand.kind == "reg" and operand.size == 4 and operation == "shl":
        return mask(combine("shl", value, Const(operand.amount)), _LOW32)
    return combine(operation, value, Const(operand.amount))


def _source(state: State, operand: Operand) -> Value:
    if operand.kind == "reg":
        if not _general(operand.register) and operand.register not in ("xzr", "wzr"):
            raise Unmodelled
        return _shifted(_read(state, operand.register), operand)
    if operand.kind == "imm":
        return _shifted(Const(operand.immediate & MASK64), operand)
    raise Unmodelled


def _two(operation: str, sets_flags: bool = False) -> Effect:
    """`op d, a, b`."""

    def effect(state: State, insn: Instruction) -> Flow:
        if len(insn.operands) != 3:
            raise Unmodelled
        target, *sources = insn.operands
        a, b = (_source(state, operand) for operand in sources)
        value = (
            state.bitwise_and(a, b) if operation == "and" else combine(operation, a, b)
        )
        if sets_flags:
            state.flags = Flags(operation, a, b, target.size)
        _write(state, target.register, value)
        return None

    return effect


def _inverted(operation: str) -> Effect:
    """bic, orn, eon: the second source is complemented."""

    def effect(state: State, insn: Instruction) -> Flow:
        target, a, b = insn.operands
        inverse = combine("xor", _source(state, b), Const(MASK64))
        _write(state, target.register, combine(operation, _source(state, a), inverse))
        return None

    return effect


def _compare(operation: str) -> Effect:
    def effect(state: State, insn: Instruction) -> Flow:
        a, b = (_source(state, operand) for operand in insn.operands)
        state.flags = Flags(operation, a, b, insn.operands[0].size)
        return None

    return effect


def _move(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    if target.kind != "reg" or not (
        _general(target.register) or target.register in ("xzr", "wzr")
    ):
        raise Unmodelled
    _write(state, target.register, _source(state, source))
    return None


def _move_not(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    value = combine("xor", _source(state, source), Const(MASK64))
    _write(state, target.register, value)
    return None


def _move_keep(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    shift = source.amount if source.shift else 0
    kept = mask(_read(state, target.register), ~(0xFFFF << shift))
    piece = Const((source.immediate & 0xFFFF) << shift)
    _write(state, target.register, combine("or", kept, piece))
    return None


def _negate(state: State, insn: Instruction) -> Flow:
    target, source = insn.operands
    value = combine("sub", Const(0), _source(state, source))
    _write(state, target.register, value)
    return None


def _address(state: State, insn: Instruction) -> Flow:
    """adr and adrp; Capstone has done the arithmetic."""
    target, source = insn.operands
    _write(state, target.register, Const(source.immediate & MASK64))
    return None


def _undetermined(state: State, insn: Instruction) -> Flow:
    """A function of registers that nobody needs in detail: csel, ubfx, mul …"""
    target, *sources = insn.operands
    if not _general(target.register):
        raise Unmodelled
    values = tuple(_source(state, operand) for operand in sources)
    for value in values:
        if isinstance(value, Unknown):
            _write(state, target.register, value)
            return None
    operation = insn.text
    if state.flags:
        values += (state.flags.a, state.flags.b)
        operation += f" after {state.flags.operation} of {state.flags.size} bytes"
    _write(state, target.register, derived(operation, values))
    return None


def _memory(state: State, operand: Operand) -> Value:
    """The address of a memory operand, before any write-back."""
    base = _read(state, operand.base)
    if operand.base == "sp" and state.sp is not None:
        # Systems have the processor check that, whatever is added to it.
        state.check_alignment(base, 16, "sp")
    if operand.index:
        if operand.extend:
            raise Unmodelled
        index = _read(state, operand.index)
        if operand.shift:
            index = combine("shl", index, Const(operand.amount))
        base = combine("add", base, index)
    return add(base, operand.displacement)


def _access(state: State, insn: Instruction, count: int) -> tuple[Value, Value]:
    """(address accessed, new base) of an instruction with `count` data registers."""
    operand = insn.operands[count]
    if operand.kind != "mem":
        raise Unmodelled
    address = _memory(state, operand)
    after = address
    if insn.post:
        after = combine("add", address, _source(state, insn.operands[count + 1]))
    return address, after


def _write_back(state: State, insn: Instruction, count: int, after: Value) -> None:
    if insn.writeback or insn.post:
        state.set(insn.operands[count].base, after)


def _overlaps(insn: Instruction, count: int) -> bool:
    """Write-back into a data register is undefined on this machine."""
    names = {_wide(op.register) for op in insn.operands[:count]}
    return (insn.writeback or insn.post) and insn.operands[count].base in names


def _vector(state: State, register: str, size: int) -> Value:
    """What is stored of a vector. Of a whole one calls keep half at the most: two that
    are stored are two values."""
    whole = (Const(state.step),) if size > WORD else ()
    return derived("vector", (state.get("v" + register[1:]), *whole))


def _store(count: int, size: int = 0) -> Effect:
    def effect(state: State, insn: Instruction) -> Flow:
        if _overlaps(insn, count):
            raise Unmodelled
        address, after = _access(state, insn, count)
        stored: list[tuple[Value, Value, int]] = []
        for n, operand in enumerate(insn.operands[:count]):
            width = size or operand.size
            if not width:
                raise Unmodelled
            if _general(operand.register) or operand.register in ("xzr", "wzr"):
                value = _read(state, operand.register)
            else:
                value = _vector(state, operand.register, width)
            stored.append((add(address, n * width), value, width))
        # First: what is stored at the new SP does not lie below it.
        _write_back(state, insn, count, after)
        for place, value, width in stored:
            state.store(place, value, width)
        return None

    return effect


def _load(count: int, size: int = 0, signed: bool = False) -> Effect:
    def effect(state: State, insn: Instruction) -> Flow:
        names = [operand.register for operand in insn.operands[:count]]
        if _overlaps(insn, count) or len(set(map(_wide, names))) < count:
            raise Unmodelled
        if insn.operands[count].kind == "imm":
            address: Value = Const(insn.operands[count].immediate & MASK64)
            after = address
        else:
            address, after = _access(state, insn, count)
        for n, operand in enumerate(insn.operands[:count]):
            width = size or operand.size
            if not width:
                raise Unmodelled
            value = state.load(add(address, n * width), width)
            if signed:
                value = combine("sext", value, Const(width))
            if _general(operand.register):
                _write(state, operand.register, value)
            elif operand.register not in ("xzr", "wzr"):
                name = "v" + operand.register[1:]
                state.set(name, Unknown(f"{name} was loaded"))
        _write_back(state, insn, count, after)
        return None

    return effect


def _jump(state: State, insn: Instruction) -> Flow:
    return Jump(_source(state, insn.operands[0]))


def _branch(test: str) -> Effect:
    def effect(state: State, insn: Instruction) -> Flow:
        flags = state.flags
        condition = Condition(test, *flags) if flags else None
        return Branch(_source(state, insn.operands[0]), condition)

    return effect


def _compare_branch(test: str) -> Effect:
    """cbz, cbnz."""

    def effect(state: State, insn: Instruction) -> Flow:
        register, target = insn.operands
        value = _source(state, register)
        condition = Condition(test, "sub", value, Const(0), register.size)
        return Branch(_source(state, target), condition)

    return effect


def _test_branch(test: str) -> Effect:
    """tbz, tbnz."""

    def effect(state: State, insn: Instruction) -> Flow:
        register, bit, target = insn.operands
        value = mask(_read(state, register.register), 1 << bit.immediate)
        return Branch(
            _source(state, target), Condition(test, "sub", value, Const(0), 8)
        )

    return effect


def _call(state: State, insn: Instruction) -> Flow:
    target = _source(state, insn.operands[0])
    state.set("x30", Const(insn.end))
    return Call(target)


def _return(state: State, insn: Instruction) -> Flow:
    register = insn.operands[0].register if insn.operands else "x30"
    return Return(_read(state, register))


def _trap(state: State, insn: Instruction) -> Flow:
    return Trap(insn.text)


def _nothing(state: State, insn: Instruction) -> Flow:
    return None


TESTS = ["eq", "ne", "hs", "lo", "mi", "pl", "hi", "ls", "ge", "lt", "gt", "le"]

EFFECTS: dict[str, Effect] = {
    "mov": _move,
    "movz": _move,
    "mvn": _move_not,
    "movk": _move_keep,
    "neg": _negate,
    "adr": _address,
    "adrp": _address,
    "add": _two("add"),
    "sub": _two("sub"),
    "and": _two("and"),
    "orr": _two("or"),
    "eor": _two("xor"),
    "adds": _two("add", sets_flags=True),
    "subs": _two("sub", sets_flags=True),
    "ands": _two("and", sets_flags=True),
    "bic": _inverted("and"),
    "orn": _inverted("or"),
    "eon": _inverted("xor"),
    "cmp": _compare("sub"),
    "cmn": _compare("add"),
    "tst": _compare("and"),
    "lsl": _undetermined,
    "lsr": _undetermined,
    "asr": _undetermined,
    "ror": _undetermined,
    "csel": _undetermined,
    "ubfx": _undetermined,
    "sbfx": _undetermined,
    "mul": _undetermined,
    "str": _store(1),
    "stur": _store(1),
    "stp": _store(2),
    "strb": _store(1, 1),
    "sturb": _store(1, 1),
    "strh": _store(1, 2),
    "sturh": _store(1, 2),
    "ldr": _load(1),
    "ldur": _load(1),
    "ldp": _load(2),
    "ldrb": _load(1, 1),
    "ldurb": _load(1, 1),
    "ldrh": _load(1, 2),
    "ldurh": _load(1, 2),
    "ldrsw": _load(1, 4, signed=True),
    "ldpsw": _load(2, 4, signed=True),
    "b": _jump,
    "br": _jump,
    "cbz": _compare_branch("eq"),
    "cbnz": _compare_branch("ne"),
    "tbz": _test_branch("eq"),
    "tbnz": _test_branch("ne"),
    "bl": _call,
    "blr": _call,
    "ret": _return,
    "brk": _trap,
    "hlt": _trap,
    "udf": _trap,
    "nop": _nothing,
    "bti": _nothing,
    "dmb": _nothing,
    "dsb": _nothing,
    "isb": _nothing,
    "prfm": _nothing,
    **{f"b.{test}": _branch(test) for test in TESTS},
}


def execute(state: State, insn: Instruction) -> Flow:
    """Apply one instruction; what the table does not hold makes all unknown."""
    effect = EFFECTS.get(insn.mnemonic)
    try:
        if effect is None:
            raise Unmodelled
        return effect(state, insn)
    except (Unmodelled, ValueError, IndexError, KeyError):
        state.forget(f"+{state.at:#04x} {insn.text}: no known effect")
        return None
