"""What is true of the engine: its blocks, objects, values and stacks."""
