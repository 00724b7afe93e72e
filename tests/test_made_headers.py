"""More headers and epilogues of other shapes: what values are equal, which words are
pointers, what a condition decides, and where control goes.

Each is a recipe with instructions put before or in the place of others, what of it is
not known, and that the emulator contradicts nothing of the rest.
"""

import resource
from dataclasses import replace
from typing import NamedTuple

import pytest

from blocks import RECIPES
from judging import judge
from mutants import Mutant, sound_spot
from test_unusual_headers import ARM, BY_FP, X64, changed, facts, made
from thunk_inspect.arch import ARCHES
from thunk_inspect.chakra.thunk import parse
from thunk_inspect.proof import Facts, prove

ALL = "R1 R2 R3 R4 R5 R6 R7 R9 R10 R11"


class Case(NamedTuple):
    recipe: str
    first: str
    epilogue: str
    unknown: str
    """Claims of which nothing can be known; all others hold."""
    by_fp: bool = False


CASES = {
    # sub sp,sp,#32; ldr d0,[x29]; str d0,[sp]; ldr d0,[x29,#16]; str d0,[sp,#8]; ldp
    # x9,x10,[sp]; sub x9,x9,x10; add x19,x19,x9; add sp,sp,#32
    "two loads of a vector register": Case(
        ARM,
        "0xd10083ff; 0xfd4003a0; 0xfd0003e0; 0xfd400ba0; 0xfd0007e0; 0xa9402be9; "
        "0xcb0a0129; 0x8b090273; 0x910083ff",
        "",
        "R10",
    ),
    # sub sp,sp,#32; ldr d0,[x29]; str d0,[sp]; ldr d0,[x29,#16]; str d0,[sp,#8]; ldp
    # x9,x10,[sp]; add sp,sp,#32; sub x9,x9,x10; cbz x9,.+8; brk #1
    "a condition on two loads of it": Case(
        ARM,
        "0xd10083ff; 0xfd4003a0; 0xfd0003e0; 0xfd400ba0; 0xfd0007e0; 0xa9402be9; "
        "0x910083ff; 0xcb0a0129; 0xb4000049; 0xd4200020",
        "",
        ALL,
    ),
    "16 bits of a condition's target": Case(X64, "31c0; 85c0; 667401; cc", "", ALL),
    "bc.eq over a trap": Case(ARM, "0xeb1f03ff; 0x54000050; 0xd4200020", "", ALL),
    # ldur x9,[sp,-16]; ldur x10,[sp,-16]; sub x9,x9,x10; add x19,x19,x9
    "two reads below SP": Case(
        ARM, "0xf85f03e9; 0xf85f03ea; 0xcb0a0129; 0x8b090273", "", "R10"
    ),
    # mov rax,[rsp-136]; xor rax,[rsp-136]; add rbx,rax
    "two reads below the red zone": Case(
        X64, "488b842478ffffff; 4833842478ffffff; 4801c3", "", "R10"
    ),
    # sub sp,sp,#16; ldr x9,[sp]; add sp,sp,#16; sub sp,sp,#16; ldr x10,[sp]; add
    # sp,sp,#16; sub x9,x9,x10; add x19,x19,x9
    "a word given up between two reads": Case(
        ARM,
        "0xd10043ff; 0xf94003e9; 0x910043ff; 0xd10043ff; 0xf94003ea; 0x910043ff; "
        "0xcb0a0129; 0x8b090273",
        "",
        "R10",
    ),
    # cbnz x1,.+8; mov x1,xzr
    "a condition that settles x1": Case(
        "arm64-windows", "0xb5000041; 0xaa1f03e1", "", "R3"
    ),
    # cbnz x19,.+8; mov x19,xzr
    "a condition that settles x19": Case(ARM, "0xb5000053; 0xaa1f03f3", "", "R10"),
    # test rbx,rbx; jne .+4; xor ebx,ebx
    "a condition that settles rbx": Case(X64, "4885db; 7502; 31db", "", "R10"),
    # cbnz x9,.+8; add x19,x19,x9; ldp fp,lr,[sp],#16; ret
    "one behind the call": Case(
        ARM, "", "0xb5000049; 0x8b090273; ldp fp,lr,[sp],#16; ret", "R10"
    ),
    # sub rsp,16; mov rax,[rsp+8]; mov [rsp],rax | mov rcx,[rsp]; cmp rcx,[rsp+8]; je
    # .+3; int3; add rsp,16; pop rbp; ret
    "a word of the stack kept over the call": Case(
        X64,
        "4883ec10; 488b442408; 48890424",
        "488b0c24; 483b4c2408; 7401; cc; 4883c410; 5d; c3",
        "R9 R10",
        by_fp=True,
    ),
    # ldur x9,[sp,#20]; stur x9,[sp,#20]
    "a caller's word misaligned": Case(ARM, "0xf84143e9; 0xf80143e9", "", ""),
    # mov rax,[rsp+4]; mov [rsp+4],rax
    "the return address misaligned": Case(X64, "488b442404; 4889442404", "", ""),
    # mov eax,[rsp+32]; mov [rsp+32],eax
    "half of an argument": Case(X64, "8b442420; 89442420", "", ""),
    # or dword ptr [rsp+32],0
    "an argument or 0": Case(X64, "834c242000", "", ""),
    # xor [rsp+32],rax; xor [rsp+32],rax
    "an argument xored twice": Case(X64, "4831442420; 4831442420", "", "R4 R9"),
    # mov x9,#0; add sp,sp,#64; mov x9,sp; tbnz x9,#8,.+12; mov x9,#0; b .-16; mov
    # sp,x29
    "a loop that SP ends": Case(
        ARM,
        "0xd2800009; 0x910103ff; 0x910003e9; 0x37400069; 0xd2800009; 0x17fffffc; "
        "0x910003bf",
        "",
        ALL,
    ),
    "a word of memory that may be 0": Case(X64, "833d0020000000; 7401; cc", "", ALL),
    # ldur x9,[sp,#-64]; ldr x10,[x9]
    "a load by a word from below SP": Case(ARM, "0xf85c03e9; 0xf940012a", "", ALL),
    # sub sp,sp,#16; ldr d0,[x29]; str d0,[sp]; ldr x9,[sp]; ldr x10,[x9]; add
    # sp,sp,#16
    "a load by a vector's word": Case(
        ARM,
        "0xd10043ff; 0xfd4003a0; 0xfd0003e0; 0xf94003e9; 0xf940012a; 0x910043ff",
        "",
        ALL,
    ),
    # mov rcx,[rsp-200]; mov rcx,[rcx]; pop rbp; ret
    "a load behind the call": Case(
        X64, "", "488b8c2438ffffff; 488b09; 5d; c3", "R9 R10"
    ),
    # ldur x9,[sp,#-64]; str x9,[sp,#216]; ldp fp,lr,[sp],#16; ret
    "a word from below SP in the caller's frame": Case(
        ARM, "", "0xf85c03e9; 0xf9006fe9; ldp fp,lr,[sp],#16; ret", "R9"
    ),
    "the caller's frame below SP for a while": Case(
        ARM, "", "ldp fp,lr,[sp],#16; 0x910103ff; 0xd10103ff; ret", "R9"
    ),
    # sub sp,sp,#0xfff,lsl #12; add sp,sp,#0xfff,lsl #12
    "SP far away and back": Case(ARM, "0xd17fffff; 0x917fffff", "", ALL),
    # lea rsp,[rsp-0x70000000]; lea rsp,[rsp+0x70000000]; pop rbp; ret
    "SP far away and back, behind the call": Case(
        X64, "", "488da42400000090; 488da42400000070; 5d; c3", "R9 R10"
    ),
    # movabs rax,0x600000001000; push rax; ret
    "a return to code elsewhere": Case(X64, "48b80010000000600000; 50; c3", "", ALL),
    "a jump by a word elsewhere": Case(X64, "488b0500100000; ffe0", "", ALL),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_known_of_it(name: str) -> None:
    case = CASES[name]
    layout = BY_FP[case.recipe] if case.by_fp else ""
    mutant = changed(case.recipe, case.first, case.epilogue, layout=layout)
    found = {claim: one.holds for claim, one in facts(mutant).claims.items()}
    unknown = case.unknown.split()
    assert found == {claim: None if claim in unknown else True for claim in found}
    assert judge(mutant).wrong == []


def test_arguments_that_lay_below_sp() -> None:
    """ldr x9,[sp]; str x9,[sp]; the same 8 farther; add sp,sp,#32; sub sp,sp,#32: what
    was written back is what it was, but signals may have come."""
    recipe = RECIPES["arm64-windows"]
    first = ("f94003e9", "f90003e9", "f94007e9", "f90007e9", "910083ff", "d10083ff")
    header = (*(f"0x{word}" for word in first), *recipe.header)
    found = facts(made(replace(recipe, header=header))).claims
    assert found["R4"].holds is None and found["R9"].holds is None


@pytest.mark.parametrize(
    ("name", "test", "claim"),
    [
        # tbnz x3,#3,.+12; and x4,x3,#8; add x19,x19,x4: 0 for all that come there.
        (ARM, ("0x37180063", "0x927d0064", "0x8b040273"), "R10"),
    ],
)
def test_stubs_of_which_a_condition_takes_some(
    name: str, test: "tuple[str, ...]", claim: str
) -> None:
    """On each side there are examples of its own stubs only."""
    recipe = RECIPES[name]
    place = next(n for n, text in enumerate(recipe.header) if "{c}" in text) + 1
    header = (*recipe.header[:place], *test, *recipe.header[place:])
    mutant = made(replace(recipe, header=header))
    assert facts(mutant).claims[claim].holds is not False
    assert judge(mutant).wrong == []


def test_a_constant_that_is_the_only_stub_left() -> None:
    """x5 = stub 0; cmp x3,x5; b.ne .+8; mov x3,x5; br x3"""
    recipe, spot = RECIPES[ARM], sound_spot(0)
    header = ["0xf2800005"] * 4
    for _ in range(2):
        tests = ("0xeb05007f", "0x54000041", "0xaa0503e3", recipe.header[-1])
        made_of = (*recipe.header[:-1], *header, *tests)
        changed_recipe = replace(recipe, header=made_of)
        stub = spot.base + spot.block(changed_recipe).first_stub
        header = [
            f"{0xF2800005 | n << 21 | (stub >> 16 * n & 0xFFFF) << 5:#x}"
            for n in range(4)
        ]
    mutant = made(changed_recipe)
    assert facts(mutant).claims["R7"].holds is not False
    assert judge(mutant).wrong == []


def test_where_a_way_that_was_not_followed_may_come() -> None:
    """cbz x5,.+12; add x1,x1,#32; b.al .+4; br x3: of the branch's registers only one
    way is known, and x1 may be another."""
    recipe = RECIPES[ARM]
    more = ("0xb4000065", "0x91008021", "0x5400002e")
    header = (*recipe.header[:-1], *more, recipe.header[-1])
    found = facts(made(replace(recipe, header=header)))
    assert found.main.dispatch
    assert found.state_at(found.main.dispatch.at) is None
    assert found.state_at(0) is not None


def test_prefixes_that_are_read_over() -> None:
    """Before another one, or before REX; f3 before a move of whole vectors."""
    for code in ("f0f24983c308", "49f0f24839c2", "f0f330da", "f34f0f28f8"):
        mutant = changed(X64, code)
        assert parse(mutant.code, mutant.world.base, mutant.world.arch) is None


def test_the_shadow_space_that_the_epilogue_itself_uses() -> None:
    """mov [rsp+8],rax; mov rax,[rsp+8]: the callee has come back by then."""
    mutant = changed("x64-windows", epilogue="4889442408; 488b442408; 4883c428; c3")
    assert facts(mutant).claims["R5"].holds is True
    assert judge(mutant).wrong == []


def test_a_layout_far_below_the_stack() -> None:
    """sub x0,sp,#0xfff,lsl #12: whether it can be read there nobody knows."""
    mutant = changed(ARM, layout="0xd17fffe0")
    assert facts(mutant).claims["R1"].holds is None
    assert judge(mutant).wrong == []


def unasked(mutant: Mutant, interpreter: bool = True) -> Facts:
    """As the plugin asks: it knows no offsets but those of the header itself."""
    world = mutant.world
    thunk = parse(mutant.code, world.base, world.arch)
    assert thunk
    known = frozenset([world.interpreter] if interpreter else [])
    return prove(thunk, world.convention, None, known)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        # mov rax,[rdi+10h]; mov rax,[rax]: the slots of an object, which may be null.
        (X64, "488b4710; 488b00"),
        # ldr x9,[x0,#24]; ldr x9,[x9]
        (ARM, "0xf9400c09; 0xf9400129"),
    ],
)
def test_only_the_chain_leads_to_objects(name: str, first: str) -> None:
    found = unasked(changed(name, first)).claims
    assert {finding.holds for finding in found.values()} == {None}


@pytest.mark.parametrize(
    "between", [(), ("90",) * 9, ("eb00",)], ids=["at once", "far", "by a jump"]
)
def test_another_dispatch_where_no_call_seems_to_come(
    between: "tuple[str, ...]",
) -> None:
    """A condition on another word than the stub skips a dispatch by that other word."""
    recipe = RECIPES["x64-sysv-variant-jmp-r8"]
    other = ("488b4728", "488b4008", "488b4058")
    # test al,1; jne .+2; jmp rax; …; jmp r8
    tail = ("a801", "7502", "ffe0", *between, "41ffe0")
    start, rest = recipe.header[:5], recipe.header[5:-1]
    mutant = made(replace(recipe, header=(*start, *other, *rest, *tail)))
    assert unasked(mutant).claims["R7"].holds is None


def test_stubs_that_the_dispatch_leads_astray() -> None:
    """or dl,8: half of the functions run another one's stub, the last the fill."""
    recipe = RECIPES["x64-sysv-variant-leave"]
    header = (*recipe.header[:-1], "80ca08", recipe.header[-1])
    mutant = made(replace(recipe, header=header))
    assert facts(mutant).claims["R7"].holds is False
    assert judge(mutant).wrong == []


@pytest.mark.parametrize(
    "epilogue",
    [
        # mov edx,[rsp+rbp-8]: which word that is nobody knows.
        "8b542cf8; 4883c428; c3",
        # Where nobody has looked.
        "e9fb7f0000",
        # So many ways that not all are followed; the last reads back.
        "; ".join(["7412", *["7400"] * 6, "4883c428; c3; 488b0c24; 4883c428; c3"]),
    ],
)
def test_the_shadow_space_where_not_all_is_followed(epilogue: str) -> None:
    mutant = changed("x64-windows", epilogue=epilogue)
    assert facts(mutant).claims["R5"].holds is None


@pytest.mark.parametrize("setter", ["31c9", "488d0df9ffffff"])
def test_a_call_of_what_is_no_function(setter: str) -> None:
    """xor ecx,ecx, or the block itself: no interpreter, whether one is known or not."""
    recipe = RECIPES["x64-sysv-variant-jmp-r8"]
    header = tuple(setter if "interp" in text else text for text in recipe.header)
    found = unasked(made(replace(recipe, header=header)), interpreter=False).claims
    assert found["R6"].holds is False
    assert found["R9"].holds is None and found["R10"].holds is None


def test_the_interpreter_in_a_word_elsewhere() -> None:
    """mov rax,[rip+1000h]: nobody knows what stands there."""
    recipe = RECIPES[X64]
    header = tuple(
        "488b0500100000" if "interp" in text else text for text in recipe.header
    )
    assert facts(made(replace(recipe, header=header))).claims["R6"].holds is None


def test_a_register_that_the_system_keeps() -> None:
    """ldr x16,[x18,#16]: the thread's block, as stack probes read it on Windows."""
    mutant = changed("arm64-windows", "0xf9400a50")
    world = mutant.world
    (convention,) = [
        one
        for one in ARCHES["aarch64"].conventions_on("windows")
        if one.name == world.convention.name
    ]
    thunk = parse(mutant.code, world.base, world.arch)
    assert thunk
    assert prove(thunk, convention).claims["R7"].holds is None


def test_memory_of_a_proof_is_bounded() -> None:
    """Six forks, then a loop that lifts SP by 4080 bytes a round: what lies below is
    given up byte by byte, and each instruction has its own state."""
    forks = "; ".join(["7400"] * 6)
    mutant = changed(X64, f"{forks}; 4881c4f00f0000; 48ffc0; ebfb")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert facts(mutant).claims["R7"].holds is None
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 256 << 10
