"""G. What the document leaves out and the engine depends on."""

from .sections import Assessment, Check, Claims, block_of, from_claims, known


def items(a: Assessment, claims: Claims) -> list[Check]:
    return [
        from_claims("G1", f"{a.arch.fp} anchors the layout", claims, ["R11"]),
        from_claims("G2", "the epilogue undoes the prologue", claims, ["R9", "R10"]),
        from_claims("G3", "callee-saved registers survive", claims, ["R10"]),
        from_claims("G4", "the stub calls the interpreter", claims, ["R6"]),
        _block_size(a),
        from_claims("G6", "the caller stored what this header reads", claims, ["R12"]),
    ]


def _block_size(a: Assessment) -> Check:
    """Every stub, masked with the block size, must give the block."""
    title = "the block size agrees with ConvertToEntryPoint"
    thunk = a.thunk
    last = thunk.stub_address(thunk.stub_count - 1)
    good, text = block_of(a, last)
    return known("G5", title, good, f"{thunk.size} bytes, last stub: {text}")
