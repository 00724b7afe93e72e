"""thunk-inspect: what a ChakraCore dynamic interpreter thunk does, and whether it is
right, told from a stopped process."""
