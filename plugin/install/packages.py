"""Programs that are wanted, and what installs one that is missing."""

PACKAGES = {
    "gdb": "gdb",
    "gdb-multiarch": "gdb-multiarch",
    "lldb": "lldb-19",
    "qemu-aarch64": "qemu-user",
    "qemu-x86_64": "qemu-user",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
}
"""By program; the names are Debian's."""


def installs(program: str) -> str:
    """The command that installs a program."""
    return f"apt-get install {PACKAGES[program]}"
