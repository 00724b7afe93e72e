"""A. Entry point setup: what the function's own objects say.

That a piece of engine code ran is for a trace to see; what it left behind is read
here. Facts: lib/Runtime/Base/FunctionBody.cpp (GenerateDynamicInterpreterThunk).
"""

from .sections import (
    Assessment,
    Check,
    Claims,
    block_of,
    known,
    no_function,
    unread_function,
)

STOP = "stop in an interpreted call"


def items(a: Assessment, claims: Claims) -> list[Check]:
    return [_generated(a), _valid(a), _entry_point(a), _logged(a), _converted(a)]


def _generated(a: Assessment) -> Check:
    title = "GenerateDynamicInterpreterThunk() is called"
    text = no_function(a)
    goal = a.facts.goal(a.function.stub) if a.function else 0
    if a.function and a.thunk.stub_number(goal) is not None:
        text = f"memory shows its result ({a.function.stub:#x}), not the call itself"
    return known("A1", title, None, text, "break on it to see the call")


def _valid(a: Assessment) -> Check:
    title = "m_dynamicInterpreterThunk is a valid address"
    if not a.function:
        return known("A2", title, None, no_function(a), STOP)
    number = a.thunk.stub_number(a.facts.goal(a.function.stub))
    place = _stub_word(a)
    if number is None:
        return known("A2", title, False, f"{place}, which is no stub of the block")
    return known("A2", title, True, f"{place}, stub {number}")


def _entry_point(a: Assessment) -> Check:
    title = "SetOriginalEntryPoint() got the block's address"
    if not a.function:
        return known("A3", title, None, no_function(a), STOP)
    actual = a.function.entry_point
    text = f"[{a.function.info:#x}] originalEntryPoint = {actual:#x}"
    if actual == a.thunk.address:
        return known("A3", title, True, f"{text}, the block")
    symbol = a.memory.symbol_at(actual)
    if symbol:
        return known("A3", title, None, f"{text}, {symbol.at(actual)}")
    return known("A3", title, False, f"{text}, should be {a.thunk.address:#x}")


def _logged(a: Assessment) -> Check:
    title = "the value of m_dynamicInterpreterThunk is known"
    if not a.function:
        return known("A4", title, None, no_function(a), STOP)
    return known("A4", title, True, _stub_word(a))


def _converted(a: Assessment) -> Check:
    """ConvertToEntryPoint masks the stub with the block size."""
    title = "ConvertToEntryPoint() leads from the stub to the block"
    thunk, missing = a.thunk, unread_function(a)
    if a.function is None and missing:
        return known("A5", title, None, no_function(a), STOP)
    stub = a.function.stub if a.function else thunk.stub_address(thunk.stub_count - 1)
    return known("A5", title, *block_of(a, stub))


def _stub_word(a: Assessment) -> str:
    assert a.function
    offsets = a.facts.offsets
    place = a.function.body + (offsets.dynamic_thunk if offsets else 0)
    return f"[{place:#x}] m_dynamicInterpreterThunk = {a.function.stub:#x}"
