"""gdb's connection to a remote stub, as a Line."""

from typing import Optional

import gdb

from ..answering import Line

ASKED = 2
"""Times that gdb 13 and 18 wait at the least, before a packet has failed: seven times
where the stub acknowledges packets."""


def _patience() -> Optional[float]:
    connection = gdb.selected_inferior().connection
    if connection is None or "remote" not in connection.type:
        return None
    seconds = gdb.parameter("remotetimeout")
    return seconds if isinstance(seconds, int) and seconds > 0 else None


def _reads(address: int) -> bool:
    try:
        gdb.selected_inferior().read_memory(address, 1)
    except gdb.error:
        return False
    return True


LINE = Line("remotetimeout", _patience, _reads, ASKED)
