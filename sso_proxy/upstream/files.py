"""A directory's files, and nothing about what others there are."""

import os
import re
from typing import Final, Self

from twisted.web import http, pages
from twisted.web.resource import IResource
from twisted.web.server import Request
from twisted.web.static import File

_is_one_range = re.compile(rb"bytes=(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})").fullmatch

_NOT_FOUND: Final[IResource] = pages.notFound(message="There is nothing here.")


class Directory(File):
    """
    Serves regular files below a directory.

    Not served: listings, names that begin with a dot, and whatever a symbolic link
    outside of the directory leads to.
    """

    def __init__(
        self,
        path: str,
        root: str = "",
    ) -> None:
        super().__init__(path, "application/octet-stream")
        self._root = root or os.path.realpath(path)
        self.indexNames = ["index.html", "index.htm"]
        self.childNotFound = _NOT_FOUND  # type: ignore[assignment]
        self.forbidden = _NOT_FOUND  # type: ignore[assignment]

    def createSimilarFile(self, path: str) -> Self:  # noqa: N802
        """Make the resource for a file below."""
        return self.__class__(path, root=self._root)

    def directoryListing(self) -> IResource:  # noqa: N802
        """Show no listing."""
        return _NOT_FOUND

    def getChild(self, path: bytes, request: Request) -> IResource:
        """Go one segment down, if it leads nowhere else."""
        try:
            name = path.decode("utf-8")
        except UnicodeDecodeError:
            return _NOT_FOUND
        if name.startswith(".") or "/" in name or "\0" in name:
            return _NOT_FOUND
        child: IResource = super().getChild(path, request)  # type: ignore[no-untyped-call]
        if isinstance(child, Directory) and not child.is_inside():
            return _NOT_FOUND
        return child

    def is_inside(self) -> bool:
        """Say whether this is a file or directory below the root, links resolved."""
        real = os.path.realpath(self.path)
        inside = real == self._root or real.startswith(self._root.rstrip("/") + "/")
        # A named pipe would hold up whoever opens it.
        return inside and (self.isdir() or self.isfile())

    def render(self, request: Request) -> bytes | int:
        """Answer those who want to read."""
        if request.method not in {b"GET", b"HEAD"}:
            request.setResponseCode(http.NOT_ALLOWED)
            request.setHeader(b"allow", b"GET, HEAD")
            return b""
        return self.render_GET(request)

    def render_GET(self, request: Request) -> bytes | int:
        """Send the file, or the part asked for."""
        if not self.is_inside():
            missing: bytes = _NOT_FOUND.render(request)
            return missing
        request.setHeader(b"x-content-type-options", b"nosniff")
        _check_range(request, self.getModificationTime(), self.getsize())
        answer: bytes | int = super().render_GET(request)  # type: ignore[no-untyped-call]
        return answer

    def redirect(self, request: Request) -> bytes:
        """Add the slash to a directory's path; the path is canonical, so no ``//``."""
        path, question, query = request.uri.partition(b"?")
        request.setResponseCode(http.MOVED_PERMANENTLY)
        request.setHeader(b"location", path + b"/" + question + query)
        return b""


def _check_range(request: Request, modified: float, size: int) -> None:
    """
    Drop a ``Range`` that is not for this file, or asks for more than one part.

    Many overlapping parts are a cheap way to ask for much (CVE-2011-3192); RFC 9110
    section 14.2 lets a server ignore them.
    """
    wanted = request.getHeader(b"range")
    if wanted is None:
        return
    condition = request.getHeader(b"if-range")
    stale = condition is not None and condition != http.datetimeToString(
        int(-(-modified // 1))
    )
    longer = wanted.startswith(b"bytes=-") and int(wanted[7:20] or b"0") > size
    if stale or not _is_one_range(wanted) or longer:
        request.requestHeaders.removeHeader(b"range")
