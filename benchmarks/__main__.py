"""`python -m benchmarks`: measures every row and prints the table; status 1 if a row
misses its target."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from . import render
from .figures import median
from .load import gdb_starts
from .rows import GDB_STARTS, TABLE, Row


def main(words: Optional[Sequence[str]] = None) -> int:
    options = arguments().parse_args(words)
    rows = [row for row in TABLE if not options.only or row.name in options.only]
    results = []
    for row in rows:
        start = time.monotonic()
        results.append(measure(row, options.quick))
        seconds = time.monotonic() - start
        print(f"{render.line(render.cells(results[-1]))}  {seconds:.0f} s",
              file=sys.stderr, flush=True)  # fmt: skip
    if options.json:
        Path(options.json).write_text(render.as_json(results) + "\n", "utf-8")
    print(render.as_markdown(results) if options.markdown else render.as_text(results))
    return 0 if all(result.met for result in results) else 1


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    names = [row.name for row in TABLE]
    parser.add_argument("--only", action="append", choices=names, metavar="ROW",
                        help=f"one of {', '.join(names)}; may be repeated")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", metavar="FILE", help="everything measured, as JSON")
    parser.add_argument("--markdown", action="store_true", help="the table in Markdown")
    return parser


def measure(row: Row, quick: bool) -> render.Result:
    """A row that cannot be measured is told in the table; the others go on. How fast
    the machine is changes in minutes: it is looked at before and after."""
    starts = gdb_starts() if row.in_time else []
    try:
        measured = row.measure(row.quick if quick else row.rounds)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return render.Result(row, None, text)
    starts += gdb_starts() if row.in_time else [GDB_STARTS]
    return render.Result(row, measured, slowness=median(starts) / GDB_STARTS)


if __name__ == "__main__":
    sys.exit(main())
