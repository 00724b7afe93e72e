"""The claims R1-R7 and R9-R11, judged on every path through a block.

The text of the claims stands in docs/formats.md. A claim holds if it holds on every
path that a valid call can take; it fails if there is a valid call for which it does
not; else nothing is said but why.
"""

from collections.abc import Sequence
from typing import Optional

from ..arch import Convention
from ..arch.decode import Instruction
from ..chakra.thunk import Thunk
from .at_call import AtCall
from .cells import BELOW_SP
from .chain import Offsets
from .path import RESULT, Path
from .state import State
from .values import Const, Entry, Slot, Value, add, always
from .words import Finding, cite, last_writer, worst

AT_CALL = ("R1", "R2", "R3", "R4", "R5", "R6", "R11")
STATIC = ("R1", "R2", "R3", "R4", "R5", "R6", "R7", "R9", "R10", "R11")


class Judge(AtCall):
    """Judges one block's paths under one convention."""

    def judge(self, path: Path) -> dict[str, Finding]:
        """Every claim on one path."""
        if not path.steps:
            return {claim: Finding(None, [path.why]) for claim in STATIC}
        findings = {"R7": self._dispatch(path)}
        at_call = [self.at_call(path, call) for call in path.calls]
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
            why = cite(insn, hazard.why)
            for claim in touched:
                if claim == "R7" and step > dispatched:
                    continue
                if found[claim].holds is not False or hazard.certain:
                    found[claim] = Finding(None, [why], at)
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
        insn = last.insn
        text = "returns to the caller's return address, with the interpreter's result"
        if holds is not True:
            insn = last_writer(path, self.arch.result) or insn
            text = f"{self.arch.result} holds {self.name(result)}, not the result"
        at = insn.address - self.thunk.address
        return Finding(holds, [cite(insn, text)], at)

    def _callers_frame(self, state: State, last: Instruction) -> Optional[Finding]:
        """A word above all that the caller handed over is the caller's own, in a call
        with few arguments. One below SP was given up, not written: R10's business."""
        found = []
        for place, value, writer in state.callers(self.convention.stack_arguments):
            if value is BELOW_SP and state.sp is not None and place < state.sp:
                continue
            insn = last if writer is None else self.insn(writer)
            text = f"it overwrites the caller's frame at {self.place(place)}"
            if value is BELOW_SP:
                text = f"the caller's frame at {self.place(place)}: {BELOW_SP.why}"
            holds = self.same(value, Slot(place))
            at = insn.address - self.thunk.address
            found.append(Finding(holds, [cite(insn, text)], at))
        return worst(found) if found else None

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
        kept = (*self.convention.callee_saved, *self.convention.reserved)
        wanted: dict[str, Value] = {register: Entry(register) for register in kept}
        wanted[arch.sp] = add(Entry(arch.sp), arch.return_slot)
        bad: list[Finding] = []
        for register, value in wanted.items():
            actual = state.get(register)
            holds = self.same(actual, value)
            if holds is not True:
                insn = last_writer(path, register) or last.insn
                text = f"{register} comes back as {self.name(actual)}"
                at = insn.address - self.thunk.address
                bad.append(Finding(holds, [cite(insn, text)], at))
        for register in self.convention.callee_saved_vectors:
            if state.get(register) != Entry(register):
                text = f"{register} was changed; whether it comes back is not followed"
                bad.append(Finding(None, [cite(last.insn, text)], last.at))
        if bad:
            return worst(bad)
        names = ", ".join(wanted)
        return Finding(True, [cite(last.insn, f"as at entry: {names}")], last.at)


def judge(
    thunk: Thunk,
    convention: Convention,
    interpreters: frozenset[int],
    offsets: Optional[Offsets],
    paths: Sequence[Path],
) -> dict[str, Finding]:
    """Every static claim over all paths."""
    judge = Judge(thunk, convention, interpreters, offsets)
    collected: dict[str, list[Finding]] = {claim: [] for claim in STATIC}
    for path in paths:
        judge.steps = {step.at: step.insn for step in path.steps}
        judge.of_stubs(path.numbers)
        for claim, finding in judge.judge(path).items():
            certain = path.doubt_at is None or finding.early
            if path.numbers <= thunk.doubtful or path.shown and _by_value(claim, path):
                certain = False
            if finding.holds is False and not certain:
                finding = finding._replace(holds=None)
            collected[claim].append(finding)
    return {claim: worst(findings) for claim, findings in collected.items()}


def _by_value(claim: str, path: Path) -> bool:
    """Whether a claim fails by what a value is, which a condition on the way may have
    settled: the example that goes there need not be one that shows the failure."""
    if claim == "R9":
        return path.end == "returned"
    if claim == "R7":
        return path.dispatch is not None
    return claim != "R5"


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
