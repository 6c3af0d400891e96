"""
With whom a host shares the keys of device-bound sessions, for browsers that ask.

The document is part of the configuration.  A browser reads it before it takes the key
of one site's session for another's (W3C DBSC, "Federated sessions").
"""

from typing import Final

import attrs

from sso_proxy.model import Headers, RequestHead, Response
from sso_proxy.specs.dbsc.federation import WELL_KNOWN

_DOCUMENT: Final[Headers] = (
    ("content-type", "application/json"),
    ("cache-control", "public, max-age=300"),
    ("x-content-type-options", "nosniff"),
)
_ALLOW: Final[Headers] = (("allow", "GET, HEAD"),)


@attrs.frozen
class DeviceDocument:
    """
    The document of the hosts of one pattern.

    Attributes:
        document: What it says, as JSON.
    """

    document: bytes

    def get(self, path: str) -> bytes | None:
        """Give what is at a path, as rules compare it."""
        return self.document if path == WELL_KNOWN else None

    def answer(self, head: RequestHead) -> Response:
        """Answer a request for it."""
        if head.method in {"GET", "HEAD"}:
            return Response(
                status=200,
                reason="device-document",
                headers=_DOCUMENT,
                body=self.document,
            )
        return Response(status=405, reason="method", headers=_ALLOW)
