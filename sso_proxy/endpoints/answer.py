"""Whole answers of the operators' listener, and the size of what it is asked."""

import json
from io import BytesIO
from typing import Any, Final

import attrs
from twisted.web.server import Request

MOST_OCTETS: Final = 65536
"""Of a request's content."""

JSON: Final = b"application/json"

_REASONS: Final = {421: b"Misdirected Request"}
"""What Twisted does not know."""


@attrs.frozen
class Answer:
    """
    A whole answer.

    Attributes:
        status: The status code.
        content_type: ``Content-Type``.
        body: The content.
        headers: Further fields.
    """

    status: int
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()

    def send(self, request: Request) -> None:
        """Answer *request*."""
        request.setResponseCode(self.status, _REASONS.get(self.status))
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-content-type-options", b"nosniff")
        request.setHeader(b"content-type", self.content_type)
        request.setHeader(b"content-length", str(len(self.body)).encode())
        for name, value in self.headers:
            request.setHeader(name, value)
        request.write(self.body)
        request.finish()


def refusal(status: int, why: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Say *why* not."""
    return Answer(status, b"text/plain; charset=utf-8", f"{why}\n".encode(), headers)


def report(status: int, document: Any) -> Answer:  # noqa: ANN401
    """Give *document* as JSON."""
    return Answer(status, JSON, json.dumps(document).encode() + b"\n")


class BoundedRequest(Request):
    """
    A request whose content is kept up to `MOST_OCTETS`; the rest is dropped.

    Attributes:
        too_long: There was more.
    """

    too_long = False

    def gotLength(self, length: int | None) -> None:  # noqa: ARG002, N802
        """Make room; Twisted would keep whatever comes, in a file if need be."""
        self.content = self._kept = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """Keep *data* if there is room."""
        if self._kept.tell() + len(data) > MOST_OCTETS:
            self.too_long = True
        else:
            self._kept.write(data)
