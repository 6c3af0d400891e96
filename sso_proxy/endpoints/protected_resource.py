"""
Protected resource metadata at its well-known places (RFC 9728 section 3).

The documents are part of the configuration: nothing of a request gets into one.
Anybody may read them, pages of any origin too; that is what they are for.
"""

from collections.abc import Iterable
from typing import Final

import attrs

from sso_proxy.model import Headers, RequestHead, Response
from sso_proxy.specs.http.target import matching_path
from sso_proxy.specs.oauth.protected_resource import Identifier

_OPEN: Final[Headers] = (("access-control-allow-origin", "*"),)
_DOCUMENT: Final[Headers] = (
    ("content-type", "application/json"),
    ("cache-control", "public, max-age=300"),
    ("x-content-type-options", "nosniff"),
    *_OPEN,
)
_PREFLIGHT: Final[Headers] = (
    ("allow", "GET, HEAD, OPTIONS"),
    ("access-control-allow-methods", "GET, HEAD"),
    ("access-control-allow-headers", "*"),
    ("access-control-max-age", "86400"),
    *_OPEN,
)


@attrs.frozen
class ProtectedResource:
    """A resource, and its metadata as JSON."""

    identifier: Identifier
    document: bytes = attrs.field(repr=False)


class PublishedResources:
    """The metadata of all resources whose hosts have the same routes."""

    def __init__(self, resources: Iterable[ProtectedResource]) -> None:
        self._by_path: dict[str, dict[str, bytes]] = {}
        for resource in resources:
            path = matching_path(resource.identifier.metadata_path)
            hosts = self._by_path.setdefault(path, {})
            hosts[resource.identifier.host] = resource.document
        self.get = self._by_path.get
        """Whether a path, as rules compare it, is one of ours: not None."""

    def answer(self, head: RequestHead) -> Response:
        """Answer a request for one of our paths."""
        document = self._by_path[matching_path(head.path)].get(head.host)
        if document is None:  # another name of the same routes: another resource
            return Response(status=404, reason="no-resource")
        if head.method in {"GET", "HEAD"}:
            return Response(
                status=200, reason="metadata", headers=_DOCUMENT, body=document
            )
        if head.method == "OPTIONS":
            return Response(status=204, reason="preflight", headers=_PREFLIGHT)
        allow = ("allow", "GET, HEAD, OPTIONS")
        return Response(status=405, reason="method", headers=(allow, *_OPEN))
