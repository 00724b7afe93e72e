"""thunk-inspect on its user's machine: the line in the debuggers' init files
(`thunk-inspect setup`), and what is there and works (`thunk-inspect doctor`).

Nothing here knows of thunks, nor needs a package that pip has to install: what says
that one is missing must do without it.
"""
