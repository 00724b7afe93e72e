"""An Outcome back from the file that the debugger wrote it to.

The other half is `seam.write_outcome`. This side alone needs cattrs: inside a debugger
nothing is read back.
"""

import json
from pathlib import Path
from typing import Any

import cattrs

from .seam import Outcome


def read_outcome(path: str) -> Outcome:
    """The very Outcome that was written, a Report and a Trace in it included."""
    return _CONVERTER.structure(json.loads(Path(path).read_text("utf-8")), Outcome)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(bytes, lambda text, _: bytes.fromhex(text))
    # What has no type of its own is plain JSON already.
    converter.register_structure_hook_func(
        lambda kind: kind in (object, Any), lambda value, _: value
    )
    return converter


_CONVERTER = _converter()
