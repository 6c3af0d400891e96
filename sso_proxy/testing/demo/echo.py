"""An API that knows nothing of tokens: it answers with what it was sent."""

import json

from twisted.web.http import Request as WebRequest
from twisted.web.resource import Resource


class Echo(Resource):
    """Answers every request with its method, target, header fields and body length."""

    isLeaf = True

    def render(self, request: WebRequest) -> bytes:
        """Answer with JSON; each header field is a line of its own."""
        body = b"" if request.content is None else request.content.read()
        seen = {
            "method": request.method.decode("latin-1"),
            "target": request.uri.decode("latin-1"),
            "headers": [
                b": ".join((name, value)).decode("latin-1")
                for name, values in request.requestHeaders.getAllRawHeaders()
                for value in values
            ],
            "body_octets": len(body),
        }
        request.setHeader(b"content-type", b"application/json")
        return json.dumps(seen, indent=2).encode() + b"\n"
