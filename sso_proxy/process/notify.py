"""Tell systemd how far we are (sd_notify(3)), if it wants to know."""

import socket
from collections.abc import MutableMapping

from twisted.logger import Logger

_log = Logger()


class Notifier:
    """
    Tells the service manager.

    Takes ``NOTIFY_SOCKET`` out of *environment*, so that no child speaks for us.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")

    def tell(self, state: str) -> None:
        """Tell *state*, such as ``READY=1``; a failure is logged, nothing more."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # Linux's abstract sockets
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(state.encode(), address)
        except OSError as e:
            _log.warn("cannot tell the service manager: {reason}", reason=e.strerror)
