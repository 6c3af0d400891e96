"""
Our own paths as one resource tree, by default below ``/.sso/``.

Whatever is not here is nowhere: these paths never reach a backend.
"""

from twisted.web.resource import Resource
from twisted.web.server import Request


class NotHere(Resource):
    """Says 404."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()

    def render(self, request: Request) -> bytes:
        """Answer in a few words."""
        request.setResponseCode(404)
        request.setHeader("content-type", "text/plain; charset=utf-8")
        request.setHeader("cache-control", "no-store")
        return b"There is nothing here.\n"


class Endpoints(Resource):
    """The root of our own paths."""

    def __init__(self) -> None:
        super().__init__()

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: ARG002
        """Find nothing but what was put here by name."""
        return NotHere()

    def render(self, request: Request) -> bytes:
        """Show no overview."""
        return NotHere().render(request)
