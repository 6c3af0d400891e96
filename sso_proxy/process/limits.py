"""What the system lets a process have."""

import gc
import resource

from twisted.logger import Logger

_OTHER_FILES = 1024
"""Descriptors for anything but requests: idle connections to backends above all."""

_log = Logger()


_YOUNG = 20_000
"""New objects before the collector looks for cycles among them.  Requests leave none
behind, and looking at the requests under way is work for nothing."""


def settle_memory() -> None:
    """Tell the collector that what is there now stays, and to look less often."""
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def free_replaced() -> None:
    """
    Free what a reload has replaced, contexts of TLS with all that they trust above all.

    There are cycles in it, and `settle_memory` has them sought so rarely that many
    reloads would take many times the memory.
    """
    gc.collect()


def raise_file_limit(connections: int) -> None:
    """Allow this process and its workers two descriptors for each of *connections*."""
    needed = 2 * connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard} or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, max(hard, needed)))
    except (OSError, ValueError):  # only root may go beyond the hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        _log.warn(
            "only {hard} open files are allowed; {connections} connections may take"
            " {needed}: raise the limit (LimitNOFILE) or lower server.connections",
            hard=hard,
            connections=connections,
            needed=needed,
        )
