"""Where the process keeps what outlives it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SYSTEM = Path("/var/lib/sso-proxy")

OPERATORS_FILE: Final = "admin.secret"
"""The file in it with what operators have to know at a TCP port."""


def state_directory(
    configured: str | None, *, uid: int, environ: Mapping[str, str]
) -> Path:
    """
    Give the state directory.

    Args:
        configured: The option ``server.state_dir``.
        uid: The user id that the process runs as.
        environ: Its environment; systemd sets ``STATE_DIRECTORY`` for a service.
    """
    if configured is not None:
        return Path(configured)
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if uid == 0:
        return SYSTEM
    home = environ.get("XDG_STATE_HOME", "")
    # The specification: what is not absolute is to be ignored.
    if home.startswith("/"):
        return Path(home) / "sso-proxy"
    try:
        return Path.home() / ".local/state/sso-proxy"
    except RuntimeError:  # a container's user that is in no list
        return SYSTEM
