"""Headers and epilogues of other shapes than the engine's: what is right is not called
wrong, what is wrong not right, and what nobody can know is not known.

Each is a recipe with instructions put before or in the place of others. It is judged by
the proof and, where an emulator can tell, held against what the block does there.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, List, Optional, Tuple

import pytest

from blocks import RECIPES, Recipe
from judging import judge, proved
from mutants import Mutant, sound_spot
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.interpreter import INTERPRETER, known_interpreters
from thunk_inspect.chakra.thunk import Thunk, parse
from thunk_inspect.checklist import listing
from thunk_inspect.checklist.assess import fitting as fitting_of_all
from thunk_inspect.proof import Facts, prove
from thunk_inspect.target import Symbol

ARM, X64 = "arm64-unix", "x64-sysv"


def made(recipe: Recipe) -> Mutant:
    spot = sound_spot(0)
    block = spot.block(recipe)
    return Mutant("", "", "", block.code(), spot.world(recipe, block))


def changed(
    name: str,
    first: str = "",
    epilogue: str = "",
    frame: Optional[str] = None,
    layout: str = "",
) -> Mutant:
    """`first` is put behind the frame of two instructions, which `frame` replaces, and
    `layout` takes the place of what takes the layout's address from SP."""
    recipe = RECIPES[name]
    kept, rest = recipe.header[:2], recipe.header[2:]
    if layout:
        place = next(n for n, text in enumerate(rest) if text in FROM_SP)
        rest = (*rest[:place], layout, *rest[place + 1 :])
    start = kept if frame is None else _split(frame)
    header = (*start, *_split(first), *rest)
    return made(
        replace(recipe, header=header, epilogue=_split(epilogue) or recipe.epilogue)
    )


FROM_SP = ("add x0,sp,#16", "488d7c2410")
BY_FP = {ARM: "add x0,fp,#16", X64: "488d7d10"}


def _split(text: str) -> Tuple[str, ...]:
    return tuple(part.strip() for part in text.split(";") if part.strip())


def facts(mutant: Mutant) -> Facts:
    found = proved(mutant)
    assert found
    return found


def holds(mutant: Mutant, claim: str) -> Optional[bool]:
    return facts(mutant).claims[claim].holds


RIGHT = {
    "rep ret": (X64, "", "5d; f3c3"),
    "a loop that ends by its flags": (
        X64,
        "b801000000; 83f800; 7405; 83f801; ebf9",  # cmp eax,0; L: je; cmp eax,1; jmp L
        "",
    ),
    "movaps [rbp-32],xmm0": (X64, "0f2945e0", ""),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right(name: str) -> None:
    mutant = changed(*RIGHT[name])
    assert not judge(mutant).wrong
    assert {finding.holds for finding in facts(mutant).claims.values()} == {True}


def test_a_jump_within_the_header() -> None:
    """adr x9,.+8; br x9 is no dispatch, though stubs might begin behind it."""
    mutant = changed(ARM, "0x10000049; 0xd61f0120")
    assert holds(mutant, "R7") is True
    assert not judge(mutant).wrong


NOT_KNOWN = {
    "jp over a trap": (X64, "31c0; 7a01; cc", "", "R7"),
    "jrcxz over a trap": (X64, "e301; cc", "", "R7"),
    "b.vc over a trap": (ARM, "0xeb1f03ff; 0x54000047; 0xd4200020", "", "R7"),
    "b.al over a trap": (ARM, "0x5400004e; 0xd4200020", "", "R7"),
    "pop rcx; lfence; jmp rcx": (X64, "", "5d; 59; 0faee8; ffe1", "R9"),
    "yield; br x30": (ARM, "", "ldp fp,lr,[sp],#16; 0xd503203f; 0xd61f03c0", "R9"),
    "clz x9,x9; br x30": (ARM, "", "ldp fp,lr,[sp],#16; 0xdac01129; 0xd61f03c0", "R9"),
    # With a range check behind it the block's size is not what the check has.
    "lea rax,[rip+2]; jmp rax": (X64, "488d0502000000; ffe0", "", "R7"),
    "an epilogue elsewhere": (X64, "", "e9fb7f0000", "R9"),
    # movabs rcx,<elsewhere>; jmp rcx
    "an epilogue far away": (X64, "", "48b90010000000600000; ffe1", "R9"),
    "a header elsewhere": (X64, "e9fb7f0000", "", "R7"),
    "call .+5; pop rax": (X64, "e800000000; 58", "", "R7"),
    "a call of a helper": (X64, "e8fb7f0000", "", "R7"),
    "push rdx; ret": (X64, "488b47{a}; 488b48{b}; 488b51{c}; 52; c3", "", "R7"),
    # mov rax,[rdi+8]; cmp dword ptr [rax],27; je .+3; int3
    "the type's id": (X64, "488b4708; 83381b; 7401; cc", "", "R7"),
    # ldr x9,[x0]; cbnz x9,.+8; brk
    "the vtable": (ARM, "0xf9400009; 0xb5000049; 0xd4200020", "", "R7"),
    "int 80h": (X64, "cd80", "", "R7"),
    # adr x9,<behind the last stub's call>; cmp x30,x9; b.eq .+8; brk
    "the return address of one stub": (
        ARM,
        "",
        "0x10ffffe9; 0xeb0903df; 0x54000040; 0xd4200020; ldp fp,lr,[sp],#16; ret",
        "R9",
    ),
    # add x30,x30,#8; ret: into the next stub, but for the last one.
    "the next stub": (ARM, "", "0x910023de; ret", "R9"),
    # and x30,x30,#~3; ret: it has no such bits.
    "bits of the return address": (
        ARM,
        "",
        "ldp fp,lr,[sp],#16; 0x927ef7de; ret",
        "R9",
    ),
    # xchg rdi,rsp twice; mov x9,sp; mov sp,x0; mov sp,x9
    "a stack elsewhere, x64": (X64, "4887e7; 4887e7", "", "R7"),
    "a stack elsewhere, arm64": (ARM, "0x910003e9; 0x9100001f; 0x9100013f", "", "R7"),
}


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known(name: str) -> None:
    """A branch that the proof has no effect for, or what nobody looked at."""
    recipe, first, epilogue, claim = NOT_KNOWN[name]
    mutant = changed(recipe, first, epilogue)
    assert holds(mutant, claim) is None
    assert not judge(mutant).wrong


# An emulator does not show what comes now: it checks no alignment, sends no signals.


def test_stack_that_the_processor_refuses() -> None:
    """An access by a SP that is not a multiple of 16 faults on arm64 systems."""
    mutant = changed(ARM, frame="0xf81f8ffe; 0xf81f8ffd; add fp,sp,#0")
    assert holds(mutant, "R7") is None and holds(mutant, "R10") is None
    two_steps = "0xf84087fd; 0xf84087fe; ret"  # ldr x29,[sp],#8; ldr x30,[sp],#8
    mutant = changed(ARM, epilogue=two_steps)
    assert holds(mutant, "R7") is True and holds(mutant, "R9") is None


def test_vector_that_the_processor_refuses() -> None:
    """movaps [rbp-24],xmm0: rbp is a multiple of 16."""
    mutant = changed(X64, "0f2945e8")
    assert holds(mutant, "R7") is None


@pytest.mark.parametrize(
    ("system", "size"), [("linux", 0), ("windows", 16), ("macos", 0), ("", 0)]
)
def test_the_red_zone_is_the_systems(system: str, size: int) -> None:
    """Blocks in the style of Windows are judged on Linux too."""
    conventions = ARCHES["aarch64"].conventions_on(system)
    (registers,) = [c for c in conventions if c.name == "arm64-registers"]
    assert registers.red_zone == size


# Which word is the stub's address.

OTHER_WORD = "488b4728; 488b4008; 488b4058"
"""mov rax,[rdi+28h]; mov rax,[rax+8]; mov rax,[rax+58h]: no chain of the header's."""


@pytest.mark.parametrize(
    "test",
    [
        # mov rcx,<some stub>; cmp rax,rcx; jae .+1
        "48b9{stub}; 4839c8; 7301; cc",
        # test al,1; je .+1
        "a801; 7401; cc",
        # test dl,1; je over a whole dispatch: that by +50h cannot be right as well.
        "f6c201; 7402; ffe0",
    ],
)
def test_another_word_than_the_stub(test: str) -> None:
    """Nobody says that the word at +58h is a stub's address."""
    stub = (sound_spot(0).base + 0x100).to_bytes(8, "little").hex()
    mutant = changed(X64, f"{OTHER_WORD}; {test.format(stub=stub)}")
    thunk = parse(mutant.code, mutant.world.base, mutant.world.arch)
    assert thunk
    unasked = prove(thunk, mutant.world.convention)
    assert unasked.claims["R7"].holds is None
    assert not judge(mutant).wrong


# What differs before and after the call.

ADDED = "0xcb0a0129; 0x8b090273; ldp fp,lr,[sp],#16; ret"  # x19 += x9 - x10


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        # csel x9,x19,x20,ne twice: nobody says that it gives the same twice.
        ("0x9a941269; 0xa9bf27e9", "0x9a941269"),
        # ldr x9,[x0,#16], and by the saved x0 again: the interpreter may write there.
        ("0xf9400809; 0xa9bf03e9", "0xf9400969"),
    ],
)
def test_what_the_call_may_change(before: str, behind: str) -> None:
    """x19 is as it was only if x9 is."""
    epilogue = f"0xa8c12fea; {behind}; {ADDED}"
    mutant = changed(ARM, before, epilogue, layout=BY_FP[ARM])
    assert holds(mutant, "R10") is not True
    assert not judge(mutant).wrong


def test_a_vector_register_that_the_call_may_change() -> None:
    """movaps xmm0,xmm6; movaps xmm6,xmm1 before, movaps xmm6,xmm0 behind."""
    name = "x64-windows-variant-r10"
    behind = "; ".join(("0f28f0", *RECIPES[name].epilogue))
    mutant = changed(name, "0f28c6; 0f28f1", behind)
    assert holds(mutant, "R10") is None
    assert not judge(mutant).wrong


@pytest.mark.parametrize(
    ("name", "behind", "lost"),
    [
        (X64, "31c0; 5d; c3", "xor eax, eax"),
        (X64, "4889d8; 5d; c3", "mov rax, rbx"),
        (ARM, "ldp fp,lr,[sp],#16; 0xaa1303e0; ret", "mov x0, x19"),
    ],
)
def test_a_result_that_is_lost(name: str, behind: str, lost: str) -> None:
    mutant = changed(name, epilogue=behind)
    found = facts(mutant).claims["R9"]
    assert found.holds is False and lost in found.evidence[0]
    assert not judge(mutant).wrong


def test_a_result_that_may_be_null() -> None:
    """test rax,rax; jne .+1; int3: nobody says that it ever is."""
    mutant = changed(X64, epilogue="4885c0; 7501; cc; 5d; c3")
    assert holds(mutant, "R9") is None


@pytest.mark.parametrize(
    ("name", "behind"),
    [
        # xor ecx,ecx; test ecx,ecx; je .+1
        (X64, "31c9; 85c9; 7401; cc; 5d; ret"),
        # xor ecx,ecx; add rbx,rcx
        (X64, "31c9; 4801cb; 5d; ret"),
        # lea rax',[rcx+8]; sub of the same: rbx += rcx + 8 - (rcx + 8)
        (X64, "488d5108; 4883c108; 4829ca; 4801d3; 5d; ret"),
        # mov rcx,[rsp-8]; xor rcx,[rsp-8]; add rbx,rcx: the red zone
        (X64, "488b4c24f8; 48334c24f8; 4801cb; 5d; ret"),
        # eor w9,w9,w9; add x19,x19,x9
        (ARM, "0x4a090129; 0x8b090273; ldp fp,lr,[sp],#16; ret"),
    ],
)
def test_what_nobody_determines_is_one_number_all_the_same(
    name: str, behind: str
) -> None:
    mutant = changed(name, epilogue=behind.replace("ret", RECIPES[name].epilogue[-1]))
    assert holds(mutant, "R9") is True and holds(mutant, "R10") is True
    assert not judge(mutant).wrong


def test_a_link_register_that_is_loaded_again() -> None:
    """Three frames hold the epilogue's own address: it runs four times, and ends."""
    recipe = RECIPES[ARM]
    plain = changed(ARM, layout=BY_FP[ARM])
    epilogue = facts(plain).thunk.epilogue
    # adr x9, epilogue; stp x29,x9,[sp,#-16]! three times
    adr = 0x10000009 | (epilogue - 8) // 4 << 5
    pushes = "; ".join(3 * ["0xa9bf27fd"])
    mutant = changed(ARM, f"{adr:#x}; {pushes}", layout=BY_FP[ARM])
    assert recipe.epilogue == ("ldp fp,lr,[sp],#16", "ret")
    assert holds(mutant, "R9") is not False
    assert not judge(mutant).wrong


def test_rounds_of_a_loop_that_ends() -> None:
    """push rbp; sub eax,1; jne: which round a thread is stopped in nobody can tell."""
    mutant = changed(X64, "b802000000; 55; 83e801; 75fa; 4883c410", layout=BY_FP[X64])
    found = facts(mutant)
    assert not judge(mutant).wrong
    assert found.claims["R7"].holds is True
    push = next(
        step.at
        for step in found.main.steps
        if step.insn.text == "push  rbp" and step.at
    )
    assert found.state_at(push) is None
    assert found.state_at(0) is not None


# What behaves like the interpreter.

READS_TWO = bytes.fromhex("488b07 488b4f08 488d5710 c3").ljust(256, b"\xcc")
"""mov rax,[rdi]; mov rcx,[rdi+8]; lea rdx,[rdi+16]: a string's methods do that too."""
OURS, STRING = "Js::InterpreterStackFrame::InterpreterThunk", "std::string::_M_append"


@pytest.mark.parametrize(
    ("symbols", "there", "known"),
    [
        (False, None, {0x5000}),
        (False, Symbol("MyInterpreterThunk", 0x5000), {0x5000}),
        (False, Symbol(STRING, 0x5000), set()),
        (False, Symbol(OURS, 0x4FFF), set()),
        (True, None, set()),
        (True, Symbol(STRING, 0x5000), set()),
        (True, Symbol(OURS, 0x4FFC), set()),
        (True, Symbol("interpreter_of_another_convention", 0x5000), {0x4000, 0x5000}),
    ],
)
def test_who_else_behaves_like_the_interpreter(
    symbols: bool, there: Optional[Symbol], known: "set[int]"
) -> None:
    """Nothing is known of where the interpreter is, rather than something wrong."""
    arch = ARCHES["x86_64"]
    memory: Any = SimpleNamespace(
        symbol_address=lambda name: 0x4000 if symbols and name == INTERPRETER else None,
        symbol_at=lambda address: there,
        read=lambda address, size: READS_TWO[:size],
        lacks=lambda address, size: False,
    )
    found = known_interpreters(memory, arch, arch.convention("x64-sysv"), 0x5000)
    assert found == known


def test_a_list_of_blocks_that_are_placed() -> None:
    """lea rcx,[rip+100000h]: blocks with the same bytes call different places."""
    recipe = RECIPES["x64-sysv-variant-jmp-r8"]
    far = ["488d0d00001000" if "interp" in text else text for text in recipe.header]
    mutant = made(replace(recipe, header=tuple(far)))
    memory: Any = SimpleNamespace(os="linux", symbol_at=lambda address: None)
    blocks: Any = [
        SimpleNamespace(thunk=parse(mutant.code, place, mutant.world.arch))
        for place in (0x10000, 0x20000, 0x50000)
    ]
    called = [line.told.interpreter for line in listing.listed(memory, blocks)]
    # push rbp; mov rbp,rsp; three loads of four bytes; lea itself.
    behind = 0x100000 + 1 + 3 + 3 * 4 + 7
    assert called == [behind + place for place in (0x10000, 0x20000, 0x50000)]


@pytest.mark.parametrize("name", RECIPES)
def test_blocks_that_are_alike_are_proved_once(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred of them would take half a second, one by one."""
    proofs: List[int] = []
    prove = fitting_of_all

    def fitting(system: str, thunk: Thunk) -> Facts:
        proofs.append(thunk.address)
        return prove(system, thunk)

    monkeypatch.setattr(listing, "fitting", fitting)
    memory: Any = SimpleNamespace(os="linux", symbol_at=lambda address: None)
    recipe, spot = RECIPES[name], sound_spot(0)
    blocks: Any = []
    for base in (spot.base, spot.base + 0x10000, spot.base + 0x90000):
        code = spot._replace(base=base).block(recipe).code()
        blocks.append(SimpleNamespace(thunk=parse(code, base, recipe.machine[0])))
    assert len(listing.listed(memory, blocks)) == 3
    assert len(proofs) == len({block.thunk.likeness for block in blocks})
