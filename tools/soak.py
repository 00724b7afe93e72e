"""Inspections and traces without end in one debugger: `make soak N=10000`.

Says for each kind how the debugger's memory, open files and threads grew, and how long
a command took at the beginning and at the end. Exit status 1 if something piled up.
"""

import argparse
import importlib.util
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

MOST_KIB = 2048
"""Growth in 1,000 commands from which on something of ours piles up. Debuggers grow by
themselves, by up to 1.3 MiB in 1,000 traces; a leak of a page in each is twice that."""


def main() -> int:
    if importlib.util.find_spec("thunk_inspect") is None:
        raise SystemExit("run `make install` first")
    from soaking import KINDS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--in", dest="debuggers", action="append")
    parser.add_argument("--kind", dest="kinds", action="append", choices=list(KINDS))
    parser.add_argument("--qemu", action="store_true", help="of an arm64 program")
    options = parser.parse_args()
    good = True
    for debugger in options.debuggers or ("gdb", "lldb"):
        for kind in options.kinds or KINDS:
            arch = "aarch64" if options.qemu else "x86_64"
            good &= measure(debugger, kind, options.count, arch)
    return int(not good)


def measure(debugger: str, kind: str, count: int, arch: str) -> bool:
    from sessions import Session
    from soaking import KINDS, soak, start

    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        session = Session(debugger, Path(folder))
        try:
            start(session, arch)
            found = soak(session, KINDS[kind], count)
        finally:
            session.close()
    before, after, part = found.before, found.after, max(1, min(1000, count // 10))
    first, last = found.middle(slice(part)), found.middle(slice(-part, None))
    print(
        f"{debugger:4} {kind:5} {count} times:"
        f" {before.rss} -> {after.rss} KiB, {found.growth:+.0f} KiB in 1,000;"
        f" files {before.fds} -> {after.fds}, threads {before.threads} ->"
        f" {after.threads}; {first:.2f} ms -> {last:.2f} ms,"
        f" longest {1000 * max(found.seconds):.0f} ms",
        flush=True,
    )
    grown = after.fds > before.fds or after.threads > before.threads
    return kind == "bare" or (not grown and found.growth < MOST_KIB)


if __name__ == "__main__":
    sys.exit(main())
