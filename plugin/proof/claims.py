"""The claims R1-R7 and R9-R11, judged on every path through a block.

The text of the claims stands in docs/formats.md. A claim holds if it holds on every
path that a valid call can take; it fails if there is a valid call for which it does
not; else nothing is said but why.
"""

from collections.abc import Sequence
from typing import NamedTuple, Optional

from ..arch import ANCHOR, WORD, Convention
from ..arch.decode import Instruction
from ..chakra.thunk import Thunk
from .run import RESULT, CallSite, Path
from .state import State, chain, may_be_anything
from .values import (
    Const,
    Derived,
    Entry,
    Garbage,
    Load,
    Mask,
    Mixed,
    Slot,
    Sum,
    Unknown,
    Value,
    add,
    always,
    function_of,
    inputs,
    unknown_in,
)

AT_CALL = ("R1", "R2", "R3", "R4", "R5", "R6", "R11")
STATIC = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9", "R10", "R11")


NULL_PAGES = 0x10000
"""Addresses below this are mapped nowhere."""
BELOW = "below SP at the call, where the interpreter's own frame comes"


class Finding(NamedTuple):
    """A claim's verdict: True, False or None, with what decides it."""

    holds: Optional[bool]
    evidence: Sequence[str]
    """Each an instruction (address, bytes, text) and what it shows."""
    at: Optional[int] = None
    """Offset in the block of the instruction that decides it."""
    early: bool = False
    """Whether it was decided before the path became uncertain."""


def cite(insn: Instruction, what: str = "") -> str:
    """An instruction as evidence: address, bytes, text, and what it shows."""
    text = " ".join(insn.text.split())
    line = f"{insn.address:#x} {insn.code.hex()} {text}"
    return f"{line}: {what}" if what else line


class Judge:
    """Judges one block's paths under one convention."""

    def __init__(
        self,
        thunk: Thunk,
        convention: Convention,
        interpreters: frozenset[int],
    ) -> None:
        self.thunk = thunk
        self.arch = thunk.arch
        self.convention = convention
        self.interpreters = interpreters

    # What the user calls places on the stack and values.

    def place(self, offset: int) -> str:
        sp = self.arch.sp
        return f"entry {sp} {'+' if offset >= 0 else '-'} {abs(offset)}"

    def name(self, value: Value) -> str:
        """A value in the user's words."""
        convention, arch = self.convention, self.arch
        if isinstance(value, Entry):
            if value.register in convention.arguments:
                return self.argument(convention.arguments.index(value.register))
            if value.register == arch.fp:
                return f"the caller's {arch.fp} (frame pointer)"
            if value.register == arch.lr:
                return f"the caller's {arch.lr} (return address)"
            if value.register == arch.sp:
                return f"entry {arch.sp}"
            return f"the caller's {value.register}"
        if isinstance(value, Slot):
            if not arch.lr and value.offset == 0:
                return "the return address"
            index, rest = divmod(value.offset - convention.stack_arguments, WORD)
            if index >= 0 and not rest:
                number = index + len(convention.register_args)
                return f"args[{number}] ({self.place(value.offset)})"
            return f"the caller's stack word at {self.place(value.offset)}"
        if isinstance(value, Const):
            return f"{value.value:#x}"
        if isinstance(value, Sum):
            sign = "+" if value.offset >= 0 else "-"
            return f"{self.name(value.base)} {sign} {abs(value.offset)}"
        if isinstance(value, Load):
            return f"[{self.name(value.address)}]"
        if isinstance(value, Mask):
            return f"{self.name(value.base)} & {value.mask:#x}"
        if isinstance(value, (Garbage, Unknown)):
            return f"something unknown ({value.why})"
        if isinstance(value, Mixed):
            return "bytes of " + ", ".join(
                dict.fromkeys(self.name(part) for part in value.parts)
            )
        if value == RESULT:
            return value.operation
        return " ".join(value.operation.split())

    def argument(self, index: int) -> str:
        """function, callInfo or args[i], with the register that carries it."""
        names = ("function", "callInfo")
        text = names[index] if index < 2 else f"args[{index - 2}]"
        return f"{text} ({self.convention.arguments[index]})"

    # Claims.

    def judge(self, path: Path) -> dict[str, Finding]:
        """Every claim on one path."""
        if not path.steps:
            return {claim: Finding(None, [path.why]) for claim in STATIC}
        findings = {"R7": self._dispatch(path)}
        at_call = [self._at_call(path, call) for call in path.calls]
        for claim in AT_CALL:
            findings[claim] = (
                _at_each([found[claim] for found in at_call])
                if at_call
                else Finding(None, [f"the stub's call is not reached: {_ending(path)}"])
            )
        findings["R9"] = self._returns(path)
        findings["R10"] = self._restored(path)
        if any(
            found["R6"].holds is False or not isinstance(call.target, Const)
            for found, call in zip(at_call, path.calls)
        ):
            self._without_interpreter(findings)
        return self._weaken(path, findings)

    @staticmethod
    def _without_interpreter(findings: dict[str, Finding]) -> None:
        """What is called is not the interpreter: nobody knows whether it returns."""
        for claim in ("R9", "R10"):
            if findings[claim].holds:
                why = ["what the stub calls may not be the interpreter: see R6"]
                findings[claim] = Finding(None, why, findings["R6"].at)

    def _weaken(self, path: Path, found: dict[str, Finding]) -> dict[str, Finding]:
        """An access that may fault takes the certainty from all that comes after."""
        if not path.state or not path.state.hazards:
            return found
        never = len(path.steps)
        called = path.calls[0].step if path.calls else never
        dispatched = path.dispatch.step if path.dispatch else never
        for hazard in path.state.hazards:
            step = hazard.step
            insn = path.steps[step].insn
            at = path.steps[step].at
            touched = STATIC if step <= called else ("R9", "R10")
            for claim in touched:
                if claim == "R7" and step > dispatched:
                    continue
                if found[claim].holds is not False or hazard.certain:
                    found[claim] = Finding(None, [cite(insn, hazard.why)], at)
            if hazard.certain:
                blamed = "R7" if step <= dispatched else "R9"
                early = path.doubt_at is not None and step < path.doubt_at
                text = cite(insn, f"{hazard.why}: it crashes")
                found[blamed] = Finding(False, [text], at, early)
        return found

    def _dispatch(self, path: Path) -> Finding:
        if path.dispatch is None:
            if path.calls:
                text = cite(path.calls[0].insn, "reached without a dispatch branch")
                return Finding(False, [text], path.calls[0].at)
            certain = path.end in ("trap", "lost", "loop", "returned")
            last = path.steps[-1]
            stubs = len(path.numbers)
            text = f"{_ending(path)} before the dispatch ({stubs} stubs concerned)"
            return Finding(False if certain else None, [cite(last.insn, text)], last.at)
        verdict, insn = path.own_stub, path.dispatch.insn
        good = "goes to the function's own stub, through its m_dynamicInterpreterThunk"
        return Finding(
            verdict.holds, [cite(insn, verdict.why or good)], path.dispatch.at
        )

    def _at_call(self, path: Path, call: CallSite) -> dict[str, Finding]:
        state = call.state.fork()
        sp, arch = state.sp, self.arch
        layout = state.get(self.convention.arguments[0])
        if sp is not None and arch.return_slot:
            behind = Const(call.insn.end)
            state.store(add(state.get(arch.sp), -WORD), behind, WORD)
        setter = _writer_of(path, self.convention.arguments[0], call)
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
            return Finding(False if bad else None, [text], at)
        if offset % WORD:
            return Finding(False, [f"{text}, which is not 8-byte aligned"], at)
        sp = call.state.sp
        if sp is None:
            return Finding(None, [f"{text}, but SP at the call is not known"], at)
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
        holds = always(actual, expected)
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
            insn = self._insn(writer)
            return Finding(True, [cite(insn, text)], writer)
        evidence = [cite(setter, text)]
        if writer is not None:
            evidence.append(cite(self._insn(writer), "stored it"))
        return Finding(holds, evidence, setter.address - self.thunk.address)

    def _insn(self, at: int) -> Instruction:
        return self._steps[at]

    _steps: dict[int, Instruction] = {}

    def _arguments(self, state: State, layout: Value, setter: Instruction) -> Finding:
        """args[i] for every i: those from registers, then those from the stack."""
        start = add(layout, 2 * WORD)
        good: list[str] = []
        at: Optional[int] = None
        for i, register in enumerate(self.convention.register_args):
            place = add(start, WORD * i)
            actual = state.load(place, WORD)
            holds = always(actual, Entry(register))
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
        for place in sorted(state.stack):
            cell = state.stack[place]
            home = Slot(place - place % WORD)
            if place < first or (cell.value == home and cell.part == place % WORD):
                continue
            number = (place - first) // WORD + count
            holds = None if unknown_in(cell.value) else False
            text = f"it overwrites args[{number}] at {self.place(place)}"
            insn = setter if cell.writer is None else self._insn(cell.writer)
            return Finding(
                holds,
                [cite(insn, f"{text}; hits every Count from {number + 1} up")],
                at,
            )
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
        trouble = self._shadow_trouble(path, call, sp, layout)
        if trouble:
            return Finding(False, [cite(call.insn, trouble)], call.at)
        if path.state is None or path.state.sp is None:
            text += ", but what is read back after the call is not known"
            return Finding(None, [cite(call.insn, text)], call.at)
        text += f", {self.convention.shadow} bytes of shadow space free above it"
        return Finding(True, [cite(call.insn, text)], call.at)

    def _shadow_trouble(
        self, path: Path, call: CallSite, sp: int, layout: Value
    ) -> str:
        """What lies in the callee's shadow space although somebody needs it."""
        end = sp + self.convention.shadow
        if sp < WORD and end > 0:
            return f"the shadow space reaches the return address ({self.place(0)})"
        start = call.state.from_entry_sp(layout)
        if start is not None:
            # The layout goes on upwards for as many args as a call has.
            if start < end:
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
        setter = _writer_of(path, register, call)
        unknown = unknown_in(target)
        if unknown:
            return Finding(None, [cite(call.insn, unknown.why)], at)
        text = f"{register} = {self.name(target)}"
        if not isinstance(target, Const):
            holds = False
            if _may_be_same(target) and not self._never_interpreter(path, target):
                holds = None
            text = f"{text}, which is not the interpreter"
            return Finding(holds, [cite(call.insn, text)], at)
        if not self.interpreters:
            why = f"{text}; where the interpreter stands is not known"
            return Finding(None, [cite(setter, why)], at)
        if target.value in self.interpreters:
            return Finding(True, [cite(setter, f"{text}, the interpreter")], at)
        wanted = " or ".join(f"{address:#x}" for address in sorted(self.interpreters))
        return Finding(False, [cite(setter, f"{text}, should be {wanted}")], at)

    def _never_interpreter(self, path: Path, target: Value) -> bool:
        """Whether a target computed from the stub misses the interpreter for all stubs.

        Without a known interpreter, only what is no address at all can be ruled out.
        """
        for part in inputs(target):
            steps = chain(part, self.convention.arguments[0])
            number_of = function_of(target, part) if steps and len(steps) == 3 else None
            if number_of is None:
                continue
            goals = [number_of(self.thunk.stub_address(n)) for n in path.numbers]
            if self.interpreters:
                return self.interpreters.isdisjoint(goals)
            return all(goal < NULL_PAGES for goal in goals)
        return False

    def _anchor(
        self, path: Path, call: CallSite, layout: Value, setter: Instruction
    ) -> Finding:
        if not self.convention.anchored:
            return Finding(True, ["this convention needs no frame pointer"], None)
        fp = self.arch.fp
        value = call.state.get(fp)
        insn = _writer_of(path, fp, call)
        at = insn.address - self.thunk.address
        for part in (value, layout):
            unknown = unknown_in(part)
            if unknown:
                return Finding(None, [cite(insn, unknown.why)], at)
        text = f"{fp} + {ANCHOR} = {self.name(add(value, ANCHOR))}"
        if add(value, ANCHOR) == layout and not isinstance(layout, Garbage):
            return Finding(True, [cite(insn, f"{text} = the layout")], at)
        if any(
            isinstance(p, (Derived, Mask)) for v in (value, layout) for p in inputs(v)
        ):
            return Finding(None, [cite(insn, text)], at)
        return Finding(
            False, [cite(insn, f"{text}, but the layout is {self.name(layout)}")], at
        )

    def _returns(self, path: Path) -> Finding:
        last = path.steps[-1]
        if path.end == "loop":
            return Finding(False, self._loop(path), path.loop[0].at)
        if not path.calls:
            return Finding(None, [cite(last.insn, _ending(path))], last.at)
        if path.end in ("limit", "undecoded"):
            return Finding(None, [cite(last.insn, path.why)], last.at)
        if path.end != "returned":
            target = ""
            if path.state and path.end == "lost" and self.arch.lr:
                value = path.state.get(self.arch.lr)
                target = f": {self.arch.lr} = {self.name(value)}"
            return Finding(False, [cite(last.insn, path.why + target)], last.at)
        if len(path.calls) > 1:
            text = cite(path.calls[1].insn, "a second call")
            return Finding(False, [text], path.calls[1].at)
        assert path.state
        overwritten = self._callers_frame(path.state, last.insn)
        if overwritten:
            return overwritten
        result = path.state.get(self.arch.result)
        holds = always(result, RESULT)
        text = "returns to the caller's return address, with the interpreter's result"
        if holds is not True:
            text = f"{self.arch.result} holds {self.name(result)}, not the result"
        return Finding(holds, [cite(last.insn, text)], last.at)

    def _callers_frame(self, state: State, last: Instruction) -> Optional[Finding]:
        """A word above all that the caller handed over is the caller's own, in a call
        with few arguments."""
        for place in sorted(state.stack):
            cell = state.stack[place]
            home = Slot(place - place % WORD)
            own = place >= self.convention.stack_arguments
            if not own or (cell.value == home and cell.part == place % WORD):
                continue
            insn = last if cell.writer is None else self._insn(cell.writer)
            text = f"it overwrites the caller's frame at {self.place(place)}"
            holds = None if unknown_in(cell.value) else False
            at = insn.address - self.thunk.address
            return Finding(holds, [cite(insn, text)], at)
        return None

    def _loop(self, path: Path) -> list[str]:
        """The instructions that go round, and why: mostly a lost return address."""
        lines = [cite(step.insn) for step in path.loop]
        lines[0] += f": these {len(lines)} instructions go round for ever"
        return lines

    def _restored(self, path: Path) -> Finding:
        last = path.steps[-1]
        if path.end != "returned" or not path.state or not path.calls:
            return Finding(None, [cite(last.insn, _ending(path))], last.at)
        state, arch = path.state, self.arch
        wanted: dict[str, Value] = {
            register: Entry(register) for register in self.convention.callee_saved
        }
        wanted[arch.sp] = add(Entry(arch.sp), arch.return_slot)
        bad: list[Finding] = []
        for register, value in wanted.items():
            actual = state.get(register)
            holds = always(actual, value)
            if holds is not True:
                insn = _last_writer(path, register) or last.insn
                text = f"{register} comes back as {self.name(actual)}"
                at = insn.address - self.thunk.address
                bad.append(Finding(holds, [cite(insn, text)], at))
        if bad:
            return worst(bad)
        names = ", ".join(wanted)
        return Finding(True, [cite(last.insn, f"as at entry: {names}")], last.at)


def judge(
    thunk: Thunk,
    convention: Convention,
    interpreters: frozenset[int],
    paths: Sequence[Path],
) -> dict[str, Finding]:
    """Every static claim over all paths."""
    judge = Judge(thunk, convention, interpreters)
    collected: dict[str, list[Finding]] = {claim: [] for claim in STATIC}
    for path in paths:
        judge._steps = {step.at: step.insn for step in path.steps}
        for claim, finding in judge.judge(path).items():
            certain = path.doubt_at is None and not path.numbers <= thunk.doubtful
            if finding.holds is False and not (certain or finding.early):
                finding = finding._replace(holds=None)
            collected[claim].append(finding)
    return {claim: worst(findings) for claim, findings in collected.items()}


def worst(findings: Sequence[Finding]) -> Finding:
    """The first that fails, else the first that is not known, else the first."""
    for wanted in (False, None):
        for finding in findings:
            if finding.holds is wanted:
                return finding
    return findings[0]


def _may_be_same(value: Value) -> bool:
    """Whether a value is computed so that it may come out right all the same."""
    return any(isinstance(part, (Unknown, Derived, Mask)) for part in inputs(value))


def _at_each(findings: Sequence[Finding]) -> Finding:
    """The first call is the stub's; a further one (R9's business) only casts doubt."""
    first, *further = findings
    for finding in further:
        if first.holds and not finding.holds:
            return finding._replace(holds=None)
    return first


def _ending(path: Path) -> str:
    """How a path ended, in words."""
    words = {
        "returned": "control returns to the caller",
        "trap": f"control stops at {' '.join(path.why.split())}",
        "loop": "control goes round for ever",
    }
    return words.get(path.end, path.why)


def _writer_of(path: Path, register: str, call: CallSite) -> Instruction:
    """The instruction that gave a register its value at a call; the call if none."""
    return _last_writer(path, register, call) or call.insn


def _last_writer(
    path: Path, register: str, call: Optional[CallSite] = None
) -> Optional[Instruction]:
    """The last instruction after which the register was not what it was before."""
    steps = list(path.steps)
    after = [step.before for step in steps[1:]]
    if call:
        steps, after = steps[: call.step], after[: call.step]
    elif path.state:
        after.append(path.state)
    for step, state in reversed(list(zip(steps, after))):
        if step.before.get(register) != state.get(register):
            return step.insn
    return None
