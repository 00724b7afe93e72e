"""F. Calling convention: caller, header and interpreter agree."""

from typing import List

from .model import FAIL
from .sections import Assessment, Check, Claims, from_claims, plain


def items(a: Assessment, claims: Claims) -> List[Check]:
    pointer = a.convention.arguments[0]
    abi = "AAPCS64" if a.arch.lr else "the x64 ABI"
    return [
        from_claims(
            "F1",
            "the convention is what the interpreter expects",
            claims,
            ["R2", "R3", "R4", "R12"],
        ),
        from_claims("F2", f"{abi} is kept", claims, ["R5", "R9", "R10"]),
        _clobbered(a, claims),
        from_claims("F4", f"the interpreter gets its pointer in {pointer}", claims, ["R1"]),
        from_claims("F5", "SP is aligned when the interpreter starts", claims, ["R5"]),
    ]


def _clobbered(a: Assessment, claims: Claims) -> Check:
    """No argument register is overwritten before it was saved."""
    title = "no register is overwritten before it is saved"
    late = late_stores(a)
    if late:
        return plain("F3", title, FAIL, late)
    return from_claims("F3", title, claims, ["R2", "R3", "R4"])


def late_stores(a: Assessment) -> List[str]:
    """Stores of an argument register that no longer holds the argument."""
    return [line for line, _, _ in late_store_steps(a)]


def late_store_steps(a: Assessment) -> "list[tuple[str, int, int]]":
    """(evidence, offset of the store, offset of what overwrote the register)."""
    from ..proof.claims import cite
    from ..proof.values import Entry

    found = []
    arguments = set(a.convention.arguments)
    saved = {s.register for s in a.facts.saved}
    steps = a.facts.header
    for n, step in enumerate(steps):
        stores = step.insn.mnemonic in ("stp", "str", "stur", "mov", "push")
        if not stores or not _writes_stack(step.insn.mnemonic, step.insn.operands):
            continue
        for operand in step.insn.operands:
            name = operand.register
            if operand.kind != "reg" or name not in arguments or name in saved:
                continue
            if operand is step.insn.operands[0] and step.insn.mnemonic == "mov":
                continue
            if step.before.get(name) == Entry(name):
                continue
            for earlier in reversed(steps[:n]):
                if earlier.before.get(name) == Entry(name):
                    text = cite(earlier.insn, f"overwrites {name} before it is saved")
                    found.append((text, step.at, earlier.at))
                    break
    return found


def _writes_stack(mnemonic: str, operands: "tuple[object, ...]") -> bool:
    if mnemonic == "push":
        return True
    memory = operands[0] if mnemonic == "mov" else operands[-1]
    if mnemonic in ("stp", "str", "stur"):
        return True
    return getattr(memory, "kind", "") == "mem"
