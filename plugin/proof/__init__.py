"""The proof: what a block does in every call that can come through it.

Bytes in, facts out. `prove` follows a call through header, stub, interpreter call,
epilogue and return by abstract interpretation, and judges the claims that can be
decided from the instructions alone. It knows nothing of debuggers.
"""

from .chain import Offsets
from .facts import Facts, prove

__all__ = ["Facts", "Offsets", "prove"]
