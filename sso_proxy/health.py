"""
Ask the operators' listener for its health, as containers' probes do.

``python -m sso_proxy.health unix:/run/sso-proxy/admin.sock ready`` ends with 0 if it is
well.  It imports next to nothing: it runs every few seconds.
"""

import http.client
import socket
import sys
from collections.abc import Sequence

_TIMEOUT = 4.0
_USAGE = "usage: python -m sso_proxy.health unix:/PATH|ADDRESS:PORT live|ready\n"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(self._path)


def main(arguments: Sequence[str]) -> int:
    """
    Ask; print what it said.

    Returns:
        0 if it is well, 1 if not or if nobody answers, 2 for other arguments.
    """
    if len(arguments) != 2 or arguments[1] not in {"live", "ready"}:
        sys.stderr.write(_USAGE)
        return 2
    address, what = arguments
    connection: http.client.HTTPConnection
    if address.startswith("unix:"):
        connection = _UnixConnection(address.removeprefix("unix:"))
    else:
        connection = http.client.HTTPConnection(address, timeout=_TIMEOUT)
    try:
        connection.request("GET", f"/health/{what}")
        answer = connection.getresponse()
        sys.stdout.write(answer.read(65536).decode(errors="replace").rstrip() + "\n")
    except (OSError, http.client.HTTPException) as e:
        sys.stdout.write(f"{address} does not answer: {e}\n")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
