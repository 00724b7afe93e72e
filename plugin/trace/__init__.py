"""Traces: what calls through thunks did while the process ran, and where it hangs."""
