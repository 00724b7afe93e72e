"""Scripted sessions: a program, a debugger and, for a foreign machine, an emulator,
started, watched and ended by `thunk-inspect run`."""
