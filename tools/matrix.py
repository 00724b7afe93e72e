"""Runs what the suite asks of a debugger in other debuggers than Debian's newest.

`make test-matrix` installs them. gef and pwndbg are taken along where their files are
given: GEF=/path/to/gef.py, PWNDBG=/path/to/gdbinit.py. One that does not pass is shown
at the end, and the status is 1.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
OTHERS = (
    ("gdb", "THUNK_GDB", CACHE / "gdb-new" / "bin" / "gdb", ()),
    (
        "lldb",
        "THUNK_LLDB",
        CACHE / "lldb-old" / "lldb",
        (
            "test_commands.py::test_completion_in_lldb",
            "test_backtrace.py::test_a_script_on_the_real_engine",
            "test_threads.py::test_a_break_point_for_once",
            "test_soak.py::test_lldb_keeps_nothing_of_what_it_prints",
        ),
    ),
    (
        "lldb",
        "THUNK_LLDB",
        CACHE / "lldb-new" / "bin" / "lldb",
        (
            "test_lldb_frames.py::test_lldb_without_frame_providers",
            "test_threads.py::test_every_call_of_every_thread[lldb-x86_64",
            "test_threads.py::test_threads_that_end_within_calls[lldb-x86_64",
            "test_threads.py::test_calls_that_began_before[lldb-x86_64",
            "test_threads.py::test_a_fault_in_every_thread[lldb-x86_64",
            "test_threads.py::test_the_thread_that_a_signal_stopped",
            "test_threads.py::test_a_break_point_that_does_not_stop",
        ),
    ),
)
"""(which of the suite's sessions, the variable that names the program, the program,
tests that it cannot pass: docs/compatibility.md says why)."""
BESIDE = ("GEF", "PWNDBG")
"""Variables that name the files of plugins beside which ours must work."""


def version(program: Path) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True)
    return said.stdout.splitlines()[0] if said.stdout else "does not start"


def main() -> int:
    failed = []
    for name, variable, program, cannot in OTHERS:
        print(f"\n=== {version(program)}", flush=True)
        words = [sys.executable, "-m", "pytest", "-q", "--in", name, *sys.argv[1:]]
        words += [word for test in cannot for word in ("--deselect", f"tests/{test}")]
        done = subprocess.run(
            words, cwd=ROOT, env={**os.environ, variable: str(program)}, check=False
        )
        if done.returncode:
            failed.append(version(program))
    beside = " and ".join(name.lower() for name in BESIDE if os.environ.get(name))
    if beside:
        print(f"\n=== beside {beside}", flush=True)
        words = [sys.executable, "-m", "pytest", "-q", "tests/test_coexistence.py"]
        if subprocess.run(words, cwd=ROOT, check=False).returncode:
            failed.append(beside)
    for one in failed:
        print(f"did not pass: {one}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
