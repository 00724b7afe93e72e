"""The claims about the moment of the stub's call: R1-R6 and R11."""

from collections.abc import Collection
from typing import Optional

from ..arch import ANCHOR, WORD, Convention
from ..arch.decode import Instruction
from ..chakra.thunk import Thunk
from .chain import Offsets
from .path import CallSite, Path
from .state import NEAR, State, may_be_anything
from .values import (
    Const,
    Entry,
    Load,
    Slot,
    Sum,
    Unknown,
    Value,
    add,
    always,
    computed,
    inputs,
    unknown_in,
)
from .witness import examples_of
from .words import Finding, Words, cite, worst, writer_of

NULL_PAGES = 0x10000
"""Addresses below this are mapped nowhere."""
BELOW = "below SP at the call, where the interpreter's own frame comes"


class AtCall(Words):
    """Judges one call of one path."""

    def __init__(
        self,
        thunk: Thunk,
        convention: Convention,
        interpreters: frozenset[int],
        offsets: Optional[Offsets],
    ) -> None:
        super().__init__(thunk, convention)
        self.offsets = offsets
        self.examples = examples_of(thunk, convention, offsets)
        self.interpreters = interpreters
        self.steps: dict[int, Instruction] = {}
        """Instructions of the path that is being judged, by offset."""

    def of_stubs(self, numbers: Collection[int]) -> None:
        """Judge by examples of calls of functions with these stubs."""
        args = (self.thunk, self.convention, self.offsets)
        self.examples = examples_of(*args, sorted(numbers))

    def at_call(self, path: Path, call: CallSite) -> dict[str, Finding]:
        state = call.state.fork()
        sp, arch = state.sp, self.arch
        layout = state.get(self.convention.arguments[0])
        if sp is not None and arch.return_slot:
            behind = Const(call.insn.end)
            state.store(add(state.get(arch.sp), -WORD), behind, WORD)
        setter = writer_of(path, self.convention.arguments[0], call)
        found = self._words_at_call(path, call, state, layout, setter)
        offset = state.from_entry_sp(layout)
        for n, claim in enumerate(("R2", "R3", "R4")):
            if offset is not None and sp is not None and offset + n * WORD < sp:
                found[claim] = found["R1"]._replace(holds=False)
        return found

    def _words_at_call(
        self,
        path: Path,
        call: CallSite,
        state: State,
        layout: Value,
        setter: Instruction,
    ) -> dict[str, Finding]:
        return {
            "R1": self._layout(layout, setter, call, state),
            "R2": self._word(state, layout, 0, 0, setter),
            "R3": self._word(state, layout, WORD, 1, setter),
            "R4": self._arguments(state, layout, setter),
            "R5": self._stack_pointer(path, call, layout),
            "R6": self._callee(path, call),
            "R11": self._anchor(path, call, layout, setter),
        }

    def _layout(
        self, layout: Value, setter: Instruction, call: CallSite, state: State
    ) -> Finding:
        offset = state.from_entry_sp(layout)
        at = setter.address - self.thunk.address
        register = self.convention.arguments[0]
        text = cite(setter, f"{register} = {self.name(layout)}")
        if offset is None:
            base = layout.base if isinstance(layout, Sum) else layout
            bad = may_be_anything(base, self.arch, self.convention)
            bad = bad or self.examples.some(layout, _no_pointer)
            return Finding(False if bad else None, [text], at)
        if offset % WORD:
            return Finding(False, [f"{text}, which is not 8-byte aligned"], at)
        sp = call.state.sp
        if sp is None:
            return Finding(None, [f"{text}, but SP at the call is not known"], at)
        if offset < sp - NEAR:
            return Finding(None, [f"{text}, far {BELOW}"], at)
        if offset < sp:
            # It can be read; what the interpreter finds there is R2's business.
            return Finding(True, [f"{text}, {BELOW}"], at)
        if offset > self._known_top():
            why = "beyond what a caller is known to have stored"
            return Finding(None, [f"{text}, {why}"], at)
        return Finding(True, [text], at)

    def _known_top(self) -> int:
        """The last place above entry SP where a layout of this call can be read."""
        stored = self.convention.caller_stores
        return stored if stored is not None else self.convention.stack_arguments

    def _word(
        self,
        state: State,
        layout: Value,
        distance: int,
        index: int,
        setter: Instruction,
    ) -> Finding:
        """[L + distance] against the register that the caller passed it in."""
        place = add(layout, distance)
        actual = state.load(place, WORD)
        expected = Entry(self.convention.arguments[index])
        holds = self.same(actual, expected)
        wanted = self.argument(index)
        label = f"[L+{distance}]" if distance else "[L]"
        text = f"{label} = [{self.name(place)}] holds {self.name(actual)}"
        if not holds:
            text += f", should be {wanted}"
        return self._with_writer(state, place, holds, text, setter)

    def _with_writer(
        self,
        state: State,
        place: Value,
        holds: Optional[bool],
        text: str,
        setter: Instruction,
    ) -> Finding:
        """Evidence with the instruction that stored the word, if one did."""
        offset = state.from_entry_sp(place)
        writer = state.writer(offset) if offset is not None else None
        if holds and writer is not None:
            insn = self.insn(writer)
            return Finding(True, [cite(insn, text)], writer)
        evidence = [cite(setter, text)]
        if writer is not None:
            evidence.append(cite(self.insn(writer), "stored it"))
        return Finding(holds, evidence, setter.address - self.thunk.address)

    def insn(self, at: int) -> Instruction:
        return self.steps[at]

    def _arguments(self, state: State, layout: Value, setter: Instruction) -> Finding:
        """args[i] for every i: those from registers, then those from the stack."""
        start = add(layout, 2 * WORD)
        good: list[str] = []
        at: Optional[int] = None
        for i, register in enumerate(self.convention.register_args):
            place = add(start, WORD * i)
            actual = state.load(place, WORD)
            holds = self.same(actual, Entry(register))
            text = f"args[{i}] at [L+{16 + WORD * i}] is {self.name(actual)}"
            if holds is not True:
                text += f", should be {register}; hits every Count from {i + 1} up"
                return self._with_writer(state, place, holds, text, setter)
            found = self._with_writer(state, place, True, text, setter)
            good, at = good + list(found.evidence), found.at
        joined = self._stack_arguments(state, start, setter)
        if joined.holds:
            return Finding(True, good + list(joined.evidence), at)
        return joined

    def _stack_arguments(
        self, state: State, start: Value, setter: Instruction
    ) -> Finding:
        """Whether the caller's stack arguments follow without a gap, untouched."""
        convention, count = self.convention, len(self.convention.register_args)
        offset = state.from_entry_sp(start)
        at = setter.address - self.thunk.address
        if offset is None:
            text = f"args start at {self.name(start)}, not on the stack"
            holds = None if _may_be_same(start) else False
            return Finding(holds, [cite(setter, text)], at)
        first = offset + WORD * count
        if first != convention.stack_arguments:
            text = (
                f"args[{count}] is read at {self.place(first)}, the caller stores it at"
                f" {self.place(convention.stack_arguments)}; hits every Count from"
                f" {count + 1} up"
            )
            return Finding(False, [cite(setter, text)], at)
        if state.lost:
            return Finding(None, [cite(setter, state.lost.why)], at)
        found = []
        for place, value, writer in state.callers(first):
            number = (place - first) // WORD + count
            unknown = unknown_in(value)
            holds = self.same(value, Slot(place))
            text = f"it overwrites args[{number}] at {self.place(place)}"
            if unknown:
                text = f"args[{number}] at {self.place(place)}: {unknown.why}"
            insn = setter if writer is None else self.insn(writer)
            text = f"{text}; hits every Count from {number + 1} up"
            found.append(Finding(holds, [cite(insn, text)], at))
        if found:
            return worst(found)
        text = f"args[{count}] and on stand at {self.place(first)}, where the caller"
        return Finding(True, [cite(setter, f"{text} stored them")], at)

    def _stack_pointer(self, path: Path, call: CallSite, layout: Value) -> Finding:
        sp, arch = call.state.sp, self.arch
        if sp is None:
            text = f"{arch.sp} = {self.name(call.state.get(arch.sp))}"
            return Finding(None, [cite(call.insn, text)], call.at)
        where = self.place(sp)
        if (sp + arch.entry_misalignment) % 16:
            text = f"{arch.sp} = {where}, not a multiple of 16"
            return Finding(False, [cite(call.insn, text)], call.at)
        text = f"{arch.sp} = {where}, a multiple of 16"
        if not self.convention.shadow:
            return Finding(True, [cite(call.insn, text)], call.at)
        start = call.state.from_entry_sp(layout)
        trouble = self._shadow_trouble(path, call, sp, start)
        if trouble:
            return Finding(False, [cite(call.insn, trouble)], call.at)
        far = start is not None and start < sp - NEAR
        if start is None or far or self._vague(path, call):
            text += ", but what is read back after the call is not known"
            return Finding(None, [cite(call.insn, text)], call.at)
        text += f", {self.convention.shadow} bytes of shadow space free above it"
        return Finding(True, [cite(call.insn, text)], call.at)

    def _vague(self, path: Path, call: CallSite) -> bool:
        """Whether it is not known what is read of the stack after a call."""
        state, target = path.state, call.target
        if not isinstance(target, Const) or self.thunk.contains(target.value):
            return True
        if state is None or state.sp is None or path.end in ("limit", "undecoded"):
            return True
        return state.vague_read is not None and state.vague_read > call.step

    def _shadow_trouble(
        self, path: Path, call: CallSite, sp: int, start: Optional[int]
    ) -> str:
        """What lies in the callee's shadow space although somebody needs it."""
        end = sp + self.convention.shadow
        if sp < WORD and end > 0:
            return f"the shadow space reaches the return address ({self.place(0)})"
        # The layout goes on upwards for as many args as a call has.
        if start is not None and sp - NEAR <= start < end:
            return "the shadow space overlaps the layout"
        for step, offset, size in path.state.reads if path.state else ():
            if step > call.step and offset < end and sp < offset + size:
                at = path.steps[step].at
                return f"what +{at:#x} reads back lies in the shadow space"
        return ""

    def _callee(self, path: Path, call: CallSite) -> Finding:
        target, at = call.target, call.at
        names = [operand.register for operand in call.insn.operands]
        register = names[0] if names else ""
        setter = writer_of(path, register, call)
        unknown = unknown_in(target)
        if unknown:
            return Finding(None, [cite(call.insn, unknown.why)], at)
        text = f"{register} = {self.name(target)}"
        if not isinstance(target, Const):
            doubt = _may_be_same(target) and not self._misses_interpreter(target)
            holds = None if doubt else False
            text = f"{text}, which is not the interpreter"
            return Finding(holds, [cite(call.insn, text)], at)
        if target.value < NULL_PAGES or self.thunk.contains(target.value):
            text = f"{text}, which is no function"
            return Finding(False, [cite(setter, text)], at)
        if not self.interpreters:
            why = f"{text}; where the interpreter stands is not known"
            return Finding(None, [cite(setter, why)], at)
        if target.value in self.interpreters:
            return Finding(True, [cite(setter, f"{text}, the interpreter")], at)
        wanted = " or ".join(f"{address:#x}" for address in sorted(self.interpreters))
        return Finding(False, [cite(setter, f"{text}, should be {wanted}")], at)

    def _misses_interpreter(self, target: Value) -> bool:
        """Whether a computed target is no interpreter in some valid call.

        Without a known interpreter, only what is no address at all can be ruled out.
        """
        if self.interpreters:
            return self.examples.some(target, lambda n: n not in self.interpreters)
        return self.examples.some(target, lambda n: n < NULL_PAGES)

    def same(self, actual: Value, expected: Value) -> Optional[bool]:
        """Whether two values are the same number in every call."""
        holds = always(actual, expected)
        if holds is None and self.examples.differ(actual, expected):
            return False
        return holds

    def _anchor(
        self, path: Path, call: CallSite, layout: Value, setter: Instruction
    ) -> Finding:
        if not self.convention.anchored:
            return Finding(True, ["this convention needs no frame pointer"], None)
        fp = self.arch.fp
        value = call.state.get(fp)
        insn = writer_of(path, fp, call)
        at = insn.address - self.thunk.address
        for part in (value, layout):
            unknown = unknown_in(part)
            if unknown:
                return Finding(None, [cite(insn, unknown.why)], at)
        text = f"{fp} + {ANCHOR} = {self.name(add(value, ANCHOR))}"
        if add(value, ANCHOR) == layout:
            return Finding(True, [cite(insn, f"{text} = the layout")], at)
        if any(computed(part) for v in (value, layout) for part in inputs(v)):
            return Finding(None, [cite(insn, text)], at)
        return Finding(
            False, [cite(insn, f"{text}, but the layout is {self.name(layout)}")], at
        )


def _no_pointer(number: int) -> bool:
    return number < NULL_PAGES or number % WORD != 0


def _may_be_same(value: Value) -> bool:
    """Whether a value is computed, or read from memory, so that it may come out right
    all the same."""
    return any(
        computed(part) or isinstance(part, (Unknown, Load)) for part in inputs(value)
    )
