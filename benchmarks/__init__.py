"""What the plugin costs, beside the bare debugger: `make bench`.

A row of `rows.TABLE` names what is measured, its target and the function that does it;
the other modules hold one kind of row each. Sessions come from the tests' own harness.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))
