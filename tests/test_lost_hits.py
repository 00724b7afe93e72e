"""The Follower where a debugger has lost hits, or told one twice."""

import pytest

from following import SOUND, Process, claims
from thunk_inspect.trace.plan import CLOSED
from thunk_inspect.trace.points import BACK, Hit, Point

EVERY = pytest.mark.parametrize("name", SOUND)


@EVERY
@pytest.mark.parametrize("arrives", [True, False])
@pytest.mark.parametrize("deeper", [0, 0x200])
def test_an_entry_that_was_not_seen_behind_an_exception(
    name: str, arrives: bool, deeper: int
) -> None:
    """In the place of the call that the exception left, which is not blamed for it."""
    process = Process(name)
    here = process.sp
    for sp in (here, here - deeper) if deeper else (here,):
        process.entry(sp)
        process.dispatch()
        if arrives:
            process.arrival()
    process.sp = here
    assert process.dispatch([0x10, 0x02000001, 0x20]) == []
    assert not claims(process.arrival())
    changed = {register: 7 for register in process.kept}
    assert process.leave(**changed) == []
    assert not claims(process.call())


@EVERY
def test_calls_that_were_not_seen_to_enter_are_counted(name: str) -> None:
    """Once each: whether they come back or not, and not when they are told twice, nor
    what does not come from a stub."""
    process = Process(name)
    follower = process.follower
    process.call()
    here, other = process.sp, {process.arch.lr or BACK: 0x405000}
    for depth in range(3):
        process.sp = here - 0x100 * depth
        (seen,) = process.arrival()
        assert seen.call is None and not seen.problems
    process.arrival(**other)
    assert process.leave() == [] and follower.missed == 3
    process.sp = here
    assert process.leave() == [] and follower.strangers == 0
    process.entry()
    process.dispatch()
    assert len(process.arrival()) == 1 and process.arrival() == []
    assert len(process.leave()) == 1
    assert (follower.missed, follower.strangers) == (3, 0)


@EVERY
def test_a_dispatch_that_is_told_twice(name: str) -> None:
    process = Process(name)
    process.entry()
    assert len(process.dispatch()) == 1 and process.dispatch() == []
    assert len(process.arrival()) == len(process.leave()) == 1
    assert process.follower.strangers == 0


@EVERY
def test_all_but_the_return_lost_behind_an_exception(name: str) -> None:
    """Of the other call only the interpreter's start was seen, and its return."""
    process = Process(name)
    process.entry()
    process.dispatch()
    process.arrival()
    assert not claims(process.arrival(6))
    changed = {register: 7 for register in process.kept}
    assert process.leave(**changed) == []
    assert (process.follower.missed, process.follower.strangers) == (1, 0)


@EVERY
def test_calls_of_other_threads_while_blocks_are_freed(name: str) -> None:
    """No point was in any block meanwhile: another call may be in the same place."""
    process, other = Process(name), Process(name, thread=2)
    other.follower = process.follower
    other.watch = process.watch
    for one in (process, other):
        one.entry()
        one.dispatch()
        one.arrival()
    values = {process.arch.sp: process.sp, process.arch.lr or BACK: 0x405000}
    process.follower.take(Hit(Point(CLOSED, 0x405000, ()), 1, values, b""))
    changed = {register: 7 for register in process.kept}
    assert other.leave(**changed) == [] and process.follower.strangers == 1
    assert len(process.leave()) == 1
