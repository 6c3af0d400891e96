"""Answers of the operators' listener, and how much is read of a question."""

from typing import Any

import treq
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.endpoints.answer import (
    MOST_OCTETS,
    Answer,
    BoundedRequest,
    refusal,
    report,
)

REACTOR: Any = running_reactor


class Told(Resource):
    """Says how much it was told."""

    isLeaf = True

    def render(self, request: Request) -> int:
        assert isinstance(request, BoundedRequest)
        assert request.content is not None
        length = len(request.content.read())
        answer = report(200, {"length": length, "too_long": request.too_long})
        answer.send(request)
        return NOT_DONE_YET


class ContentTests(TestCase):
    async def told(self, content: bytes) -> Any:  # noqa: ANN401
        site = Site(Told(), requestFactory=BoundedRequest, reactor=REACTOR)
        site.noisy = False
        port = REACTOR.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        response = await treq.post(
            f"http://127.0.0.1:{port.getHost().port}/",
            data=content,
            persistent=False,
            timeout=10,
        )
        assert response.headers.getRawHeaders("content-type") == ["application/json"]
        return await response.json()

    async def test_content_is_kept(self) -> None:
        told = await self.told(b"x" * MOST_OCTETS)
        assert told == {"length": MOST_OCTETS, "too_long": False}

    async def test_what_is_too_much_is_dropped(self) -> None:
        told = await self.told(b"x" * (MOST_OCTETS + 5_000_000))
        assert told["too_long"]
        assert told["length"] <= MOST_OCTETS


def test_refusals_are_plain_text() -> None:
    answer = refusal(405, "not so", (b"allow", b"GET"))
    assert answer == Answer(
        405, b"text/plain; charset=utf-8", b"not so\n", ((b"allow", b"GET"),)
    )
