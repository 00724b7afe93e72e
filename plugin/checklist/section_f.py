"""F. Calling convention: caller, header and interpreter agree."""

from ..arch.decode import Instruction
from ..proof import Facts
from ..proof.values import Entry
from ..proof.words import cite
from .model import FAIL
from .sections import (
    Assessment,
    Check,
    Claims,
    from_claims,
    from_proof,
    not_here,
    plain,
)


def items(a: Assessment, claims: Claims) -> list[Check]:
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
        from_claims(
            "F4", f"the interpreter gets its pointer in {pointer}", claims, ["R1"]
        ),
        from_claims("F5", "SP is aligned when the interpreter starts", claims, ["R5"]),
    ]


def _clobbered(a: Assessment, claims: Claims) -> Check:
    """No argument register is overwritten before it was saved."""
    title = "no register is overwritten before it is saved"
    late = late_stores(a)
    if late:
        return plain("F3", title, FAIL, late)
    check = from_proof("F3", title, a, ["R2", "R3", "R4"])
    if check.verdict == FAIL and a.convention.caller_stores is not None:
        return not_here("F3", title, "the caller stores them here (G6)")
    return check


def late_stores(a: Assessment) -> list[str]:
    """Evidence for argument registers that were overwritten before their store."""
    return [line for line, _, _ in late_stores_of(a.facts)]


def late_stores_of(facts: Facts) -> "list[tuple[str, int, int]]":
    """(evidence, offset of the store, offset of what overwrote the register)."""
    found: list[tuple[str, int, int]] = []
    whole = all(facts.claims[claim].holds for claim in ("R2", "R3", "R4"))
    if whole or facts.convention.caller_stores is not None:
        # Nothing is lost: the words are all there, or the caller stored them.
        return found
    saved = {s.register for s in facts.saved}
    unsaved = set(facts.convention.arguments) - saved
    steps = facts.header
    for n, step in enumerate(steps):
        for name in _stored_registers(step.insn):
            if name not in unsaved or step.before.get(name) == Entry(name):
                continue
            for earlier in reversed(steps[:n]):
                if earlier.before.get(name) == Entry(name):
                    text = cite(earlier.insn, f"overwrites {name} before it is saved")
                    found.append((text, step.at, earlier.at))
                    break
    return found


def _stored_registers(insn: Instruction) -> list[str]:
    """The registers that an instruction stores to memory."""
    if insn.mnemonic == "push":
        return [insn.operands[0].register]
    if insn.mnemonic in ("stp", "str", "stur"):
        return [o.register for o in insn.operands if o.kind == "reg"]
    if insn.mnemonic == "mov" and insn.operands[0].kind == "mem":
        return [insn.operands[1].register]
    return []
