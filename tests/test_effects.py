"""What instructions do to a State, held against Unicorn one instruction at a time.

Every register, flag and byte of stack that an effect determines must be what the
emulator makes of it, in many concrete calls. effect_forms.py says which forms there
are and which of them may leave something open.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Optional

import pytest
from unicorn import UcError

from effect_forms import BRANCHES, FORMS, TRAPS, Form
from entry_states import STACK, Call, Start, Undetermined, starts
from single_step import (
    After,
    Piece,
    Scene,
    assembled,
    emulator,
    instructions,
    program,
    scene,
    state_of,
    trap_text,
    twin_scene,
)
from thunk_inspect.arch import ARCHES
from thunk_inspect.proof import aarch64, flow, x86_64
from thunk_inspect.proof import values as v
from thunk_inspect.proof.conditions import TESTS
from thunk_inspect.proof.run import EXECUTE
from thunk_inspect.proof.state import State

EFFECTS = {"aarch64": aarch64.EFFECTS, "x86_64": x86_64.EFFECTS}
CALLS, CALLS_WITH_FLAGS, MANY_CALLS = 2, 3, 60
SHOWN = 8
"""Differences in a failure's message."""

LINES = [
    pytest.param(list(forms), id=" ".join(key))
    for key, forms in groupby(FORMS, key=lambda form: (form.arch, form.line))
]


@dataclass(eq=False)
class Effect:
    """The state behind a piece of code, and where control goes."""

    start: Start
    piece: Piece
    state: State
    going: flow.Flow

    @property
    def forgotten(self) -> bool:
        return any("no known effect" in hazard.why for hazard in self.state.hazards)

    @property
    def keeps_flags(self) -> bool:
        return self.state.flags is state_of(self.start).flags

    @cached_property
    def stored(self) -> list[tuple[int, v.Value, int]]:
        """The bytes of stack that were written: (where, a value, which byte of it)."""
        before = state_of(self.start).stack
        return [
            (offset, byte.value, byte.part)
            for offset, byte in self.state.stack.items()
            if before.get(offset) is not byte
        ]

    @cached_property
    def branches(self) -> list[tuple[Piece, flow.Condition]]:
        """Every conditional branch, and its condition if it came next."""
        found, arch = [], self.start.arch
        for text in [] if self.keeps_flags else BRANCHES[arch.name]:
            piece = program(arch.name).pieces[text]
            (insn,) = instructions(arch, piece)
            going = EXECUTE[arch.name](self.state.fork(), insn)
            assert isinstance(going, flow.Branch)
            if going.condition:
                found.append((piece, going.condition))
        return found


def effect_of(start: Start, piece: Piece) -> Effect:
    state, going = state_of(start).fork(), None
    for insn in instructions(start.arch, piece):
        assert going is None, "a piece goes on behind a branch"
        state.at = insn.address - state.base
        going = EXECUTE[start.arch.name](state, insn)
        state.step += 1
    if isinstance(going, flow.Call) and start.arch.lr is None:
        # `run` does this push, because it judges SP as it is before it.
        top = v.add(state.get(start.arch.sp), -8)
        state.store(top, v.Const(piece.end), 8)
        state.set(start.arch.sp, top)
    return Effect(start, piece, state, going)


class Comparison:
    """An effect beside what the emulator did in one call."""

    def __init__(self, effect: Effect, call: Call, after: After) -> None:
        self.effect, self.call, self.after = effect, call, after
        self.wrong: list[str] = []
        self.open: list[tuple[str, v.Value]] = []
        """Places that are not determined, and what they hold."""
        self.known: dict[int, tuple[v.Value, Optional[int]]] = {}

    def number(self, place: str, value: v.Value) -> Optional[int]:
        """The number that a value is in the call, if it is determined and right."""
        if id(value) not in self.known:
            self.known[id(value)] = value, self._number(place, value)
        return self.known[id(value)][1]

    def _number(self, place: str, value: v.Value) -> Optional[int]:
        try:
            return self.call.number(value)
        except Undetermined:
            self.open.append((place, value))
        except LookupError as error:
            self.wrong.append(f"{place} cannot be {value}: {error}")
        return None

    def expect(self, place: str, value: v.Value, actual: int) -> None:
        expected = self.number(place, value)
        if expected not in (None, actual):
            self.wrong.append(f"{place} is {actual:#x}, not {expected:#x} as {value}")

    def everything(self, before: Scene) -> "Comparison":
        state = self.effect.state
        for name, actual in self.after.registers.items():
            self.expect(name, state.get(name), actual)
        self.stack(bytearray(before.before.stack))
        objects_same = self.after.objects == before.before.objects
        if not state.objects_changed and not objects_same:
            self.wrong.append("an object is changed")
        if self.effect.keeps_flags and self.after.flags != before.before.flags:
            self.wrong.append(f"the flags are {self.after.flags:#x}, and not kept")
        self.following()
        return self

    def stack(self, image: bytearray) -> None:
        """What was not written is as it was before."""
        actual, base = self.after.stack, self.call.sp - STACK
        for offset, value, part in self.effect.stored:
            number = self.number(f"[{offset:+#x}]", value)
            at = base + offset
            image[at] = actual[at] if number is None else number >> 8 * part & 0xFF
        if self.effect.state.lost:
            self.open.append(("stack", self.effect.state.lost))
        elif image != actual:
            places = [n - base for n, byte in enumerate(image) if byte != actual[n]]
            self.wrong.append(f"stack differs at SP {places}")

    def following(self) -> None:
        """Where control goes."""
        going, end = self.effect.going, self.effect.piece.end
        if going is None:
            self.expect("next", v.Const(end), self.after.next)
        elif isinstance(going, (flow.Jump, flow.Call, flow.Return)):
            self.expect("next", going.target, self.after.next)
        elif isinstance(going, flow.Branch):
            assert isinstance(going.target, v.Const)
            taken = self.verdict(going.condition) if going.condition else None
            actual = self.after.next == going.target.value
            if self.after.next not in (going.target.value, end):
                self.wrong.append(f"goes to {self.after.next:#x}: {going}")
            elif taken not in (None, actual) and going.target.value != end:
                self.wrong.append(f"taken is {actual}: {going}")
        else:
            self.wrong.append(f"no trap: {going}")

    def verdict(self, condition: flow.Condition) -> Optional[bool]:
        """Whether a condition holds; None when that is not known."""
        test = TESTS.get((condition.operation, condition.test))
        a = self.number("flags", condition.a) if test else None
        b = self.number("flags", condition.b) if test else None
        if test is None or a is None or b is None:
            return None
        return test(a, b, 8 * condition.size)

    def conditions(self) -> Iterator[tuple[flow.Condition, bool, Optional[bool]]]:
        """(condition, taken in the emulator, taken as the proof has it) of every
        conditional branch behind the piece."""
        machine = emulator(self.effect.start.arch.name)
        for piece, condition in self.effect.branches:
            taken = machine.branches(piece, self.after.flags)
            yield condition, taken, self.verdict(condition)


def comparison(effect: Effect, before: Scene) -> Comparison:
    after = emulator(effect.start.arch.name).run(effect.piece, before.before)
    return Comparison(effect, before.call, after).everything(before)


def dependent(done: Comparison, number: int) -> Iterator[str]:
    """Open registers that are no function of what they are said to be made of."""
    effect = done.effect
    for place, value in done.open:
        parts = list(v.inputs(value))
        vague = any(isinstance(part, (v.Garbage, v.Unknown)) for part in parts)
        if vague or place not in done.after.registers:
            continue
        before = twin_scene(done.call, value, 1000 + number)
        after = emulator(effect.start.arch.name).run(effect.piece, before.before)
        if after.registers[place] != done.after.registers[place]:
            yield f"{place} depends on more than {value}"


def check(effect: Effect, form: Form) -> tuple[list[str], bool]:
    """(what is wrong in some call, whether something is left open in some)."""
    wrong: list[str] = []
    some_open = False
    for number in range(CALLS_WITH_FLAGS if effect.branches else CALLS):
        try:
            done = comparison(effect, scene(effect.start, number))
        except UcError as error:
            return [f"{form.text} ({effect.start}): the emulator stops: {error}"], False
        for condition, taken, said in done.conditions():
            if said not in (None, taken):
                done.wrong.append(f"{condition} is {taken}")
        if effect.start.style == "entry":
            done.wrong += dependent(done, number)
        wrong += [f"{form.text} ({effect.start}): {what}" for what in done.wrong]
        some_open = some_open or bool(done.open)
    return wrong, some_open


@pytest.mark.parametrize("forms", LINES)
def test_effects_are_what_the_emulator_does(forms: list[Form]) -> None:
    wrong: list[str] = []
    for form in forms:
        piece = program(form.arch).pieces[form.text]
        some_open = False
        for start in starts(form.arch):
            effect = effect_of(start, piece)
            if (form.mark == "!") != effect.forgotten:
                known = "no effect" if effect.forgotten else "an effect"
                wrong.append(f"{form.text} ({start}): {known} is known")
            if effect.forgotten:
                continue
            found, is_open = check(effect, form)
            wrong += found
            some_open = some_open or is_open and start.exact
        if form.mark != "!" and some_open != (form.mark == "~"):
            wrong.append(f"{form.text}: {'some' if some_open else 'no'}thing is open")
    assert not wrong, "\n".join([f"{len(wrong)} differences", *wrong[:SHOWN]])


@pytest.mark.parametrize("arch", EFFECTS)
def test_what_has_no_effect_makes_all_unknown(arch: str) -> None:
    start = starts(arch)[0]
    for form in FORMS:
        if (form.arch, form.mark) != (arch, "!"):
            continue
        effect = effect_of(start, program(arch).pieces[form.text])
        if not effect.forgotten:
            continue
        state = effect.state
        values = {name: state.get(name) for name in start.arch.registers}
        values["stack"] = state.read_stack(0, 8)
        for place, value in values.items():
            assert isinstance(value, v.Unknown), f"{form.text}: {place} is {value}"
        assert state.flags is None and state.objects_changed and effect.going is None


@pytest.mark.parametrize("arch", EFFECTS)
def test_every_mnemonic_has_a_form(arch: str) -> None:
    texts = [form.text for form in FORMS if form.arch == arch and form.mark != "!"]
    texts += [trap_text(arch, trap) for trap in TRAPS[arch]]
    seen = {
        insn.mnemonic
        for text in texts
        for insn in instructions(ARCHES[arch], program(arch).pieces[text])
    }
    assert EFFECTS[arch].keys() - seen == set()


@pytest.mark.parametrize(
    "arch, trap", [(arch, trap) for arch in TRAPS for trap in TRAPS[arch]]
)
def test_nothing_runs_behind_a_trap(arch: str, trap: str) -> None:
    start, piece = starts(arch)[0], program(arch).pieces[trap_text(arch, trap)]
    insn = next(instructions(start.arch, piece))
    state = state_of(start).fork()
    assert isinstance(EXECUTE[arch](state, insn), flow.Trap)
    before, machine = scene(start, 0), emulator(arch)
    try:
        after = machine.run(piece, before.before)
    except UcError:
        return
    assert after.next != piece.end and after.registers[start.arch.result] != 0x1234


@pytest.mark.parametrize("arch", EFFECTS)
def test_every_condition_goes_both_ways(arch: str) -> None:
    """All tests that `run` knows are seen taken and not taken, and right."""
    start, seen = starts(arch)[0], defaultdict(set)
    texts = {
        "aarch64": ("cmp x1, x2", "tst x1, x2"),
        "x86_64": ("cmp rax, rdx", "test rax, rdx"),
    }
    for text in texts[arch]:
        effect = effect_of(start, program(arch).pieces[text])
        for number in range(MANY_CALLS):
            done = comparison(effect, scene(start, number))
            for condition, taken, said in done.conditions():
                if said is not None:
                    seen[condition.operation, condition.test].add((taken, said))
    assert seen == {key: {(True, True), (False, False)} for key in TESTS}


@pytest.mark.parametrize("arch", EFFECTS)
def test_stack_at_entry(arch: str) -> None:
    """What nobody has written is what the convention says of it."""
    for start in starts(arch):
        before = scene(start, 0)
        for offset in range(0x200):
            byte = state_of(start).byte(offset)
            number = before.call.number(byte.value) >> 8 * byte.part & 0xFF
            assert number == before.before.stack[before.call.sp + offset - STACK]


@pytest.mark.parametrize("arch", EFFECTS)
def test_a_missing_assembler_is_named(
    arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RuntimeError, match="is missing: apt-get install binutils-"):
        assembled(arch, "")
