"""Becomes the program that a debugger is to run: run by itself, as a file.

A debugger would have a shell take the program's arguments apart, and give the program
its own pipes. This gets over a socket what the program is to have, exactly: standard
streams as open files, arguments, environment and folder; then it turns into it. An
exec that fails is told to the other end.
"""

import ctypes
import json
import os
import signal
import socket
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    # lldb's server would leave the program running when it dies; gdb does not.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    place = socket.socket(socket.AF_UNIX)
    place.connect(sys.argv[1])
    _, files, _, _ = socket.recv_fds(place, 1, 3)
    with place.makefile("rb") as stream:
        wanted = json.load(stream)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # Python ignores these, and a program would inherit that.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    arguments = [text.encode("latin-1") for text in wanted["arguments"]]
    environment = {
        name.encode("latin-1"): value.encode("latin-1")
        for name, value in wanted["environment"].items()
    }
    try:
        os.chdir(wanted["folder"].encode("latin-1"))
        os.execve(wanted["program"].encode("latin-1"), arguments, environment)
    except OSError as error:
        place.sendall((error.strerror or "it does not say why").encode())
        os._exit(127)


main()
