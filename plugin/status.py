"""The exit status of the command line, the same for every command."""

STATUS = {"sound": 0, "broken": 1, "undecided": 3}
"""By the report's verdict."""
USAGE_ERROR = 2
"""Wrong usage, or an input that cannot be used."""
UNREACHED = 4
"""A process could not be started, reached or stopped in time."""
