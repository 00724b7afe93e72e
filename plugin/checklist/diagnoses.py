"""The six potential bugs of the document: which one this is, and the mend.

Exactly one cause is named for each kind of failure, so that a reader is not sent two
ways: a wrong offset is issue 1 (issue 6 names the same offset as copied from x64),
arithmetic that is no stack address at all is issue 6.
"""

from collections.abc import Sequence
from typing import Callable, NamedTuple, Optional

from ..chakra.callsite import find_call_site
from . import mends
from .assess import Assessment
from .claims import decisive
from .model import FAIL, UNKNOWN, Check, Diagnosis, Mend
from .section_f import late_stores

TITLES = {
    1: "stack layout offset calculation",
    2: "calling convention mismatch",
    3: "stack alignment",
    4: "register save and restore",
    5: "dynamic thunk address storage",
    6: "pointer arithmetic",
}

WATCHED = {
    1: ("R2", "R3", "R4"),
    2: ("R12",),
    3: ("R5",),
    4: ("R9", "R10"),
    5: ("R7",),
    6: ("R1",),
}
"""The claims that can show each issue."""

OF_THE_BLOCK = (1, 4, 6)
"""Issues that the instructions alone decide, whatever the call in hand shows."""

ITEMS = {
    1: ("C4", "C5", "D1", "D2", "D3", "D5"),
    2: ("B2", "F1", "G6"),
    3: ("C6", "F5"),
    4: ("C3", "F2", "F3", "G2", "G3"),
    5: ("A2", "E1", "E2"),
    6: ("C4", "F4"),
}
"""The checklist items that lead to each issue."""


class Present(NamedTuple):
    cause: str
    mend: Optional[Mend]


def diagnose(
    a: Assessment, claims: dict[str, Check], items: Sequence[Check]
) -> list[Diagnosis]:
    """Issues 1-6, in order."""
    rules: dict[int, Callable[[Assessment, dict[str, Check]], Optional[Present]]] = {
        1: _offset,
        2: _convention,
        3: _alignment,
        4: _saving,
        5: _address,
        6: _arithmetic,
    }
    failed = {check.id for check in items if check.verdict == FAIL}
    found: list[Diagnosis] = []
    for number, rule in rules.items():
        present = rule(a, claims)
        if present:
            because = [name for name in ITEMS[number] if name in failed]
            found.append(
                Diagnosis(
                    number,
                    TITLES[number],
                    "present",
                    because
                    or [n for n in WATCHED[number] if claims[n].verdict == FAIL],
                    present.cause,
                    present.mend,
                )
            )
            continue
        # What fails, and this rule does not blame, has another cause.
        undecided = [n for n in WATCHED[number] if claims[n].verdict == UNKNOWN]
        if number in OF_THE_BLOCK:
            proved = a.facts.claims
            undecided = [n for n in undecided if not proved[n].holds]
        state = "unknown" if undecided else "absent"
        found.append(Diagnosis(number, TITLES[number], state, undecided))
    return found


def _static_fails(a: Assessment, *names: str) -> bool:
    """Whether the block itself is wrong, for some call."""
    return any(a.facts.claims[name].holds is False for name in names)


def _offset(a: Assessment, claims: dict[str, Check]) -> Optional[Present]:
    if not _static_fails(a, "R2", "R3", "R4"):
        return None
    if late_stores(a) and not _static_fails(a, "R4"):
        return None
    if a.facts.claims["R1"].holds is False and a.facts.layout_from_entry is None:
        return None
    register = a.convention.arguments[0]
    mend = mends.layout_offset(a.facts)
    if a.facts.claims["R2"].holds is False:
        wrong = _what_it_finds(a)
        return Present(f"{register} does not point to the function: {wrong}", mend)
    if a.facts.style() == "pushed":
        return Present(_pushed(a), mend)
    place = next(n for n in ("R3", "R4") if a.facts.claims[n].holds is False)
    text = a.facts.claims[place].evidence[0].split(": ", 1)[-1]
    cause = f"{register} points to the function, but the layout is not whole: {text}"
    return Present(cause, mend)


def _pushed(a: Assessment) -> str:
    """The document's own pattern: the offset is right, and no offset can be."""
    facts = a.facts
    pointer, layout = a.convention.arguments[0], facts.layout_offset
    this = a.convention.register_args[0]
    places = {saved.register: saved.offset for saved in facts.saved}
    found = facts.claims["R4"].evidence[0].split(": ", 1)[-1]
    text = f"{pointer} = {a.arch.sp} + {layout} does point to the function, but pairs"
    text += " pushed one below the other leave the args apart from it: "
    if layout is not None and this in places:
        text += f"{this} (this) is at {pointer}{places[this] - layout:+d}, and "
    return f"{text}{found}. No other offset mends that"


def _what_it_finds(a: Assessment) -> str:
    return a.facts.claims["R2"].evidence[0].split(": ", 1)[-1]


def _convention(a: Assessment, claims: dict[str, Check]) -> Optional[Present]:
    if claims["R12"].verdict != FAIL:
        return None
    registers = a.convention.arguments
    sp = a.arch.sp
    cause = (
        "caller and thunk disagree: this header reads function, callInfo and arguments"
        " from the caller's stack; "
    )
    if a.layout is None or a.layout.function is None:
        cause += f"the caller left them in {registers[0]}, {registers[1]}, …"
    else:
        cause += f"what stands there is wrong: {claims['R12'].evidence[0]}"
    text = (
        f"store {registers[0]}, {registers[1]} and the arguments at [{sp}], [{sp}+8], …"
        f" before {_the_call(a)}, or store the argument registers in the header"
    )
    if a.convention.lowered_in:
        text += f" (the JIT makes its calls in {a.convention.lowered_in})"
    return Present(cause, Mend([text], proved=False))


def _the_call(a: Assessment) -> str:
    """The caller's call instruction and where it stands, as far as it can be told."""
    site = find_call_site(a.memory, a.facts, a.call.entry_sp, a.found)
    if site.call is None or site.return_address is None:
        return "the call"
    place, _, text = site.call.split(" ", 2)
    symbol = a.memory.symbol_at(int(place, 16))
    where = f" ({symbol.at(int(place, 16))})" if symbol else ""
    return f"the `{text}` at {place}{where}"


def _alignment(a: Assessment, claims: dict[str, Check]) -> Optional[Present]:
    if claims["R5"].verdict != FAIL:
        return None
    cause = claims["R5"].evidence[-1].split(": ", 1)[-1]
    if "not a multiple" not in cause and _static_fails(a, "R9", "R10"):
        # The epilogue takes back what lies in the shadow space: that is its fault.
        return None
    if a.facts.claims["R5"].holds:
        entry = a.arch.entry_misalignment
        text = f"enter with {a.arch.sp} % 16 == {entry}, as every call must"
        cause = decisive(claims["R5"])
        return Present(f"the caller's: {cause}", Mend([text], proved=False))
    return Present(f"SP at the stub's call: {cause}", mends.alignment(a.facts))


def _saving(a: Assessment, claims: dict[str, Check]) -> Optional[Present]:
    late = late_stores(a)
    if late and _static_fails(a, "R2", "R3", "R4"):
        cause = f"an argument is lost before it is saved: {late[0].split(': ', 1)[-1]}"
        return Present(cause, mends.late_store(a.facts))
    for name in ("R9", "R10"):
        finding = a.facts.claims[name]
        if finding.holds is False:
            return Present(_lost(a, name), mends.restore(a.facts))
    return None


def _lost(a: Assessment, name: str) -> str:
    """What is not brought back, in words; the lost-LR loop by its name."""
    finding, arch = a.facts.claims[name], a.arch
    saved = {s.register for s in a.facts.saved}
    if a.facts.main.end == "loop" and arch.lr and arch.lr not in saved:
        return (
            f"the return address is lost: {arch.lr} is not saved, the stub's call"
            f" overwrites it, and {len(a.facts.main.loop)} instructions go round for"
            " ever"
        )
    return finding.evidence[0].split(": ", 1)[-1]


def _address(a: Assessment, claims: dict[str, Check]) -> Optional[Present]:
    if claims["R7"].verdict != FAIL:
        return None
    if a.facts.claims["R7"].holds is False:
        text = a.facts.claims["R7"].evidence[0].split(": ", 1)[-1]
        return Present(f"the dispatch goes astray: {text}", None)
    function = a.function
    if function is None:
        return None
    value = function.stub
    if not value:
        cause = "m_dynamicInterpreterThunk is null: no dynamic thunk was made for it"
        text = (
            "enter it by StaticInterpreterThunk, or call EnsureDynamicInterpreterThunk"
        )
        return Present(cause, Mend([text], proved=False))
    if a.thunk.stub_number(value) is not None:
        return Present(decisive(claims["R7"]), None)
    if a.thunk.stub_number(a.thunk.address + value) is not None:
        right = a.thunk.address + value
        cause = f"m_dynamicInterpreterThunk holds the offset {value:#x}, no address"
        mend = Mend([f"store block + offset = {right:#x}"], proved=False)
        return Present(cause, mend)
    cause = f"m_dynamicInterpreterThunk = {value:#x} is no stub of the block"
    text = "store the stub's address that GetNextThunk returned"
    return Present(cause, Mend([text], proved=False))


def _arithmetic(a: Assessment, claims: dict[str, Check]) -> Optional[Present]:
    if a.facts.claims["R1"].holds is not False:
        return None
    cause = a.facts.claims["R1"].evidence[0].split(": ", 1)[-1]
    return Present(f"the layout pointer is wrong: {cause}", None)
