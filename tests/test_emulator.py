"""The oracle's own tests: what it must say of blocks whose truth is known.

The expectations were thought out from the contract, one fault at a time; they are
not copies of what the emulator answers. Whoever changes the judgement in
`emulator.py` should have to change one of these sets, and say why.
"""

from dataclasses import replace

import pytest

from blocks import RECIPES, Recipe, emit, resolve
from emulator import CLAIMS, first_failures, observe
from mutants import KINDS, Mutant, Spot, mutate, sound_spot, whole

SOUND = [name for name in RECIPES if "+" not in name and "section" not in name]

BROKEN = {
    # [L] is the saved frame record, or one word too far: three words are wrong, and
    # so is the anchor where the walker needs one.
    "arm64-windows+wrong-offset": "R2 R3 R4 R11",
    "arm64-unix+wrong-offset": "R2 R3 R4 R11",
    "x64-windows+wrong-offset": "R2 R3 R4",
    "x64-sysv+wrong-offset": "R2 R3 R4 R11",
    # Nothing but the alignment is wrong.
    "arm64-windows+misaligned-sp": "R5",
    "arm64-unix+misaligned-sp": "R5",
    "x64-windows+misaligned-sp": "R5",
    "x64-sysv+misaligned-sp": "R5",
    # arm64: LR is the stub's, `ret` goes round for ever. x64: only rbp is lost.
    "arm64-windows+frame-not-saved": "R9 R10",
    "arm64-unix+frame-not-saved": "R9 R10",
    "x64-windows+frame-not-saved": "R10",
    "x64-sysv+frame-not-saved": "R10",
    "arm64-windows+callinfo-lost": "R3",
    "arm64-unix+callinfo-lost": "R3",
    "x64-windows+callinfo-lost": "R3",
    "x64-sysv+callinfo-lost": "R3",
    # arm64 comes back by LR with a wrong SP; x64 returns to what is no address.
    "arm64-windows+epilogue-mismatch": "R10",
    "arm64-unix+epilogue-mismatch": "R10",
    "x64-windows+epilogue-mismatch": "R9 R10",
    "x64-sysv+epilogue-mismatch": "R9 R10",
    "arm64-windows+saved-scratch": "R10",
    "arm64-unix+saved-scratch": "R10",
    "x64-windows+saved-scratch": "R10",
    "x64-sysv+saved-scratch": "R10",
    # The interpreter's shadow space is the return address and the layout's begin.
    "x64-windows+no-shadow": "R5 R9 R10",
    # args[0] should be at L + 16, where fp was pushed; fp was never set.
    "section3": "R4 R11",
    # As section3; and x1 is a distance when the stub calls through it.
    "section7": "R4 R6 R9 R10 R11",
}

AT_CALL = {"R1", "R2", "R3", "R4", "R5", "R6", "R11"}


def failing(recipe: Recipe, seed: int = 0, size: int = 4096) -> set[str]:
    """The claims that this recipe fails."""
    spot = sound_spot(seed)
    block = resolve(recipe, spot.base, spot.interpreter, spot.hops, size)
    return set(first_failures(block.code(), spot.world(recipe, block)))


def failing_code(mutant: Mutant, code: bytes) -> set[str]:
    """The claims that these bytes fail in the mutant's world."""
    return set(first_failures(code, mutant.world))


def edited(name: str, old: str, new: str) -> Recipe:
    """The recipe with one instruction of its header replaced (by several, or none)."""
    recipe = RECIPES[name]
    at = recipe.header.index(old)
    middle = tuple(new.split(";")) if new else ()
    header = recipe.header[:at] + middle + recipe.header[at + 1 :]
    return replace(recipe, header=header)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_block_keeps_every_claim(name: str, seed: int) -> None:
    mutant = whole(name, seed)
    assert observe(mutant.code, mutant.world) == dict.fromkeys(CLAIMS, True)


@pytest.mark.parametrize("name", ["arm64-windows", "arm64-unix", "x64-sysv"])
def test_a_block_may_be_sixteen_kilobytes(name: str) -> None:
    assert failing(RECIPES[name], size=16384) == set()


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_fault_fails_its_claims_and_no_other(name: str) -> None:
    assert failing(RECIPES[name], seed=1) == set(BROKEN[name].split())


def test_every_recipe_has_an_expectation() -> None:
    assert set(RECIPES) == {*SOUND, *BROKEN}


def test_the_layout_of_the_engines_blocks() -> None:
    """Header sizes, stub counts and jump targets, as seen in running engines."""
    spot = Spot(0x6515310000, 0x7F4B1A203600, (40, 8, 112))
    for name, header, stubs, epilogue in (
        ("x64-windows", 96, None, 0xFD0),
        ("x64-sysv", 72, None, 0xFB0),
        ("arm64-windows", 64, None, 0xFE0),
        ("arm64-unix", 48, 501, 0xFE0),
    ):
        block = spot.block(RECIPES[name])
        assert (block.first_stub, block.epilogue_at) == (header, epilogue)
        assert stubs in (None, block.stub_count)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_stub_is_read_as_it_was_written(name: str) -> None:
    recipe, spot = RECIPES[name], sound_spot(0)
    block, (arch, _) = spot.block(recipe), recipe.machine
    code = emit(recipe, spot.base, spot.interpreter, spot.hops)
    assert len(code) == 4096
    for index in range(block.stub_count):
        at = block.first_stub + 8 * index
        stub = arch.parse_stub(code[at : at + 8], at)
        assert stub == (block.call, block.epilogue_at)


def test_registers_that_were_not_homed_are_missed_by_high_counts_only() -> None:
    recipe = edited("arm64-windows", "stp x6,x7,[sp,#64]", "")
    assert failing(recipe) == {"R4"}
    spot = sound_spot(0)
    block = spot.block(recipe)
    found = first_failures(block.code(), spot.world(recipe, block))
    assert found["R4"].startswith("Count 9")


def test_the_upper_half_of_callinfo_counts() -> None:
    lost = "stp x0,x1,[fp,#16]; movz x9,#1,lsl #32; str x9,[fp,#24]".replace("; ", ";")
    recipe = edited("arm64-unix-variant-stored-again", "stp x0,x1,[fp,#16]", lost)
    assert failing(recipe) == {"R3"}


def test_writing_to_the_callers_frame_is_no_return() -> None:
    recipe = edited("arm64-unix", "add fp,sp,#0", "add fp,sp,#0;str x1,[fp,#256]")
    assert failing(recipe) == {"R9"}


def test_writing_to_the_callers_own_padding_is_no_return() -> None:
    """With Count 0 the word behind callInfo is already the caller's."""
    recipe = edited("arm64-unix", "add fp,sp,#0", "add fp,sp,#0;str x1,[fp,#32]")
    assert failing(recipe) == {"R4", "R9"}


def test_writing_to_the_function_object_is_no_return() -> None:
    recipe = edited("arm64-unix", "add fp,sp,#0", "add fp,sp,#0;str x1,[x0,#200]")
    assert failing(recipe) == {"R9"}


def test_a_slot_in_the_shadow_space_that_is_read_back() -> None:
    """mov [rsp-28h],rbx before the frame, mov rbx,[rsp] after the call."""
    recipe = edited("x64-windows", "4883ec28", "48895c24d8;4883ec28")
    recipe = replace(recipe, epilogue=("488b1c24", *recipe.epilogue))
    assert failing(recipe) == {"R5", "R10"}


def test_a_layout_below_sp_is_not_held() -> None:
    """Saved to where the interpreter's own frame will be."""
    recipe = edited("arm64-unix", "add x0,sp,#16", "stp x0,x1,[sp,#-64];sub x0,sp,#64")
    assert failing(recipe) == {"R2", "R3", "R4", "R11"}


def test_the_result_must_come_back() -> None:
    recipe = RECIPES["arm64-unix"]
    recipe = replace(recipe, epilogue=("movz x0,#1,lsl #0", *recipe.epilogue))
    assert failing(recipe) == {"R9"}


def test_registers_that_a_callee_may_change_are_no_place_to_save() -> None:
    recipe = edited("arm64-unix", "stp fp,lr,[sp,#-16]!", "sub sp,sp,#16;mov x9,x30")
    recipe = replace(recipe, epilogue=("mov x30,x9", "add sp,sp,#16", "ret"))
    assert failing(recipe) == {"R9", "R10"}


def test_a_dispatch_straight_to_the_interpreter() -> None:
    """No stub calls; the interpreter returns past the epilogue."""
    assert failing(edited("arm64-unix", "br x3", "br x1")) == AT_CALL | {"R7", "R10"}


def test_a_header_that_falls_into_the_first_stub() -> None:
    recipe = edited("arm64-unix", "br x3", "add x3,x3,#0;add x3,x3,#0")
    assert failing(recipe) == {"R7"}


@pytest.mark.parametrize("name", ["arm64-windows", "x64-windows", "x64-sysv"])
def test_one_odd_stub_breaks_the_block(name: str) -> None:
    """It calls through a register that nobody set: R1 … R5 are as they were."""
    mutant = whole(name)
    recipe, at = RECIPES[name], mutant.world.first_stub + 8 * 77
    call = b"\xa0\x02\x3f\xd6" if recipe.arm else b"\xff\xd3"
    block = sound_spot(0).block(recipe)
    code = bytearray(mutant.code)
    code[at : at + 8] = block.stub_at(at, call, block.epilogue_at)
    assert failing_code(mutant, bytes(code)) == {"R6", "R9", "R10"}


@pytest.mark.parametrize("name", ["arm64-unix", "x64-windows"])
def test_bytes_that_are_missing_do_nothing(name: str) -> None:
    mutant = whole(name)
    epilogue = sound_spot(0).block(RECIPES[name]).epilogue_at
    anchor = {"R11"} if mutant.world.convention.anchored else set()
    assert failing_code(mutant, mutant.code[: epilogue + 16]) == set()
    assert failing_code(mutant, mutant.code[:epilogue]) == {"R9", "R10"}
    stubs = mutant.code[: mutant.world.first_stub]
    expected = (AT_CALL - {"R11"}) | anchor | {"R9", "R10"}
    assert failing_code(mutant, stubs) == expected
    assert failing_code(mutant, b"") == expected | {"R7"}


def test_what_ran_before_does_not_matter() -> None:
    first, other = whole("x64-sysv"), mutate("x64-sysv", 5)
    once = first_failures(other.code, other.world)
    assert first_failures(first.code, first.world) == {}
    assert first_failures(other.code, other.world) == once


def test_a_seed_always_gives_the_same_mutant() -> None:
    for name in SOUND:
        assert mutate(name, 12) == mutate(name, 12)


def test_mutants_of_every_kind_run_without_an_error() -> None:
    names, kinds, changed = sorted(RECIPES), set(), 0
    for seed in range(250):
        mutant = mutate(names[seed % len(names)], seed)
        truth = observe(mutant.code, mutant.world)
        assert tuple(truth) == CLAIMS
        kinds.add(mutant.kind)
        changed += mutant.code != whole(mutant.recipe, seed).code
    assert kinds == set(KINDS)
    assert changed > 240
