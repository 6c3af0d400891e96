"""
Our own paths as one resource tree, by default below ``/.sso/``.

Whatever is not here is nowhere: these paths never reach a backend.  The pipeline
answers for names that the tree does not have, with a page like all others of ours.
"""

from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request


class Endpoints(Resource):
    """The root of our own paths; children are put here by name."""

    def __init__(self) -> None:
        super().__init__()

    def names(self) -> frozenset[str]:
        """Give the first segments of all paths that there are."""
        return frozenset(name.decode("ascii") for name in self.listStaticNames())

    def getChild(self, path: bytes, request: Request) -> IResource:  # noqa: ARG002
        """Find nothing but what was put here by name."""
        return notFound()

    def render(self, request: Request) -> bytes:
        """Show no overview."""
        missing: bytes = notFound().render(request)
        return missing
