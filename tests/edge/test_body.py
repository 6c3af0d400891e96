"""A body is read before the decision if somebody asks, and then goes on whole."""

import math

import pytest

from sso_proxy.config.limits import LimitsConfig
from sso_proxy.model import Authenticated, NotPresented, Outcome, Rejected, Request
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from tests.support.doubles import HOST, Scene, answer_ok, status_of

POST = b"POST / HTTP/1.1\r\n" + HOST
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
TWELVE = FORM + b"Content-Length: 12\r\n\r\n"
CHUNKED = FORM + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b"a=1&t=xy&b=2"
REST = b"a=1&b=2"


class Reads(FakeAuthenticator):
    """Reads bodies, and lets in who has one; then what it was made with."""

    def __init__(self, *answers: Outcome, limit: int = 64) -> None:
        super().__init__(*answers)
        self.limit = limit
        self.read: list[bytes] = []

    async def authenticate(self, request: Request) -> Outcome:
        if request.body is not None:
            self.read.append(await request.body.read(self.limit))
        return await super().authenticate(request)


def scene(*answers: Outcome, limit: int = 64) -> tuple[Scene, Reads]:
    reads = Reads(*answers, limit=limit)
    made = Scene(authenticators=(reads,), reads_form=True, consumed_fields=("t",))
    return made, reads


def test_a_body_that_is_here_is_read_without_waiting() -> None:
    made, reads = scene()
    made.client.receive(POST + TWELVE + BODY)
    assert reads.read == [BODY]
    assert made.backend.head.endswith(b"Content-Length: 7\r\n\r\n" + REST)
    outgoing = made.backend.asked[0][1]
    assert outgoing.bodyless
    assert not outgoing.replayable


def test_a_body_is_waited_for() -> None:
    made, reads = scene()
    made.client.receive(POST + TWELVE, BODY[:5])
    assert made.backend.asked == []
    assert made.connection.deadline < math.inf
    made.client.receive(BODY[5:])
    assert reads.read == [BODY]
    assert made.backend.head.endswith(REST)
    answer_ok(made.backend.exchange)
    assert made.statuses() == [200]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_chunks_are_put_together(size: int) -> None:
    made, reads = scene()
    coded = b"5;x=y\r\na=1&t\r\n7\r\n=xy&b=2\r\n0\r\nT: t\r\n\r\n"
    pieces = [coded[at : at + size] for at in range(0, len(coded), size)]
    made.client.receive(POST + CHUNKED, *pieces)
    assert reads.read == [BODY]
    assert made.backend.head.endswith(b"Content-Length: 7\r\n\r\n" + REST)
    assert b"hunked" not in made.backend.head


def test_what_follows_a_body_is_the_next_request() -> None:
    made, _ = scene()
    following = b"GET /next HTTP/1.1\r\n" + HOST + b"\r\n"
    made.client.receive(POST + TWELVE + BODY[:4], BODY[4:] + following)
    answer_ok(made.backend.exchange)
    assert made.backend.head.startswith(b"GET /next ")
    answer_ok(made.backend.exchange)
    assert made.statuses() == [200, 200]


def test_a_body_without_a_credential_goes_on_as_it_was_read() -> None:
    made, reads = scene()
    made.client.receive(POST + b"Content-Length: 12\r\n\r\n" + BODY)
    assert reads.read == [BODY]
    assert made.backend.head.endswith(b"Content-Length: 12\r\n\r\n" + BODY)


def test_nothing_but_a_credential_leaves_an_empty_body() -> None:
    made, _ = scene()
    made.client.receive(POST + FORM + b"Content-Length: 3\r\n\r\nt=x")
    assert made.backend.head.endswith(b"Content-Length: 0\r\n\r\n")


def test_nothing_is_read_where_nobody_looks_into_forms() -> None:
    reads = Reads()
    made = Scene(authenticators=(reads,))
    made.client.receive(POST + TWELVE)
    assert reads.read == []
    assert reads.asked[0].body is None


def test_who_waits_for_100_is_told_to_go_on_once() -> None:
    made, reads = scene()
    made.client.receive(POST + b"Expect: 100-continue\r\n" + TWELVE)
    assert made.client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    made.client.receive(BODY)
    assert reads.read == [BODY]
    answer_ok(made.backend.exchange)
    assert status_of(made.client.take()) == 200


def test_who_waits_for_100_may_be_refused_after_it() -> None:
    made, _ = scene(Rejected(reason="token-expired"))
    made.client.receive(POST + b"Expect: 100-continue\r\n" + TWELVE, BODY)
    assert made.backend.asked == []
    assert made.statuses() == [403]


def test_nobody_who_presents_nothing_gets_through() -> None:
    made, _ = scene(NotPresented())
    made.client.receive(POST + TWELVE + BODY[:3], BODY[3:])
    assert made.statuses() == [403]
    made.client.receive(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert made.statuses() == [403, 403]  # the connection is as good as before


@pytest.mark.parametrize("head", [TWELVE, CHUNKED + b"c\r\n"])
def test_more_than_is_read_is_413(head: bytes) -> None:
    made, reads = scene(limit=11)
    made.client.receive(POST + head + BODY[:2], BODY[2:] + b"\r\n")
    assert made.statuses() == [413]
    assert reads.read == []
    assert made.backend.asked == []


def test_what_is_no_body_is_400() -> None:
    for pieces in ([CHUNKED + b"x\r\n"], [CHUNKED, b"1\r\n", b"abc\r\n"]):
        made, _ = scene()
        made.client.receive(POST + pieces[0], *pieces[1:])
        assert made.statuses() == [400]
        assert made.backend.asked == []


def test_a_body_that_does_not_come_is_408() -> None:
    made, reads = scene()
    made.client.receive(POST + TWELVE, BODY[:5])
    made.connection.timed_out()
    assert made.statuses() == [408]
    made.client.receive(BODY[5:])
    assert reads.read == []
    assert made.backend.asked == []


def test_a_body_that_comes_too_slowly_is_408() -> None:
    made = Scene(
        authenticators=(Reads(),),
        reads_form=True,
        limits=LimitsConfig(body_idle_timeout=1.0),
    )
    made.client.receive(POST + TWELVE, BODY[:1])
    made.connection.check_progress(made.connection.deadline + 60)
    assert made.reasons() == ["body-too-slow"]


def test_a_client_that_ends_in_the_middle_is_400() -> None:
    made, _ = scene()
    made.client.receive(POST + TWELVE, BODY[:5])
    made.client.end()
    assert made.statuses() == [400]


def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    made, reads = scene()
    made.client.receive(POST + TWELVE, BODY[:5])
    made.client.lose()
    assert made.reasons() == ["client-gone"]
    assert reads.read == []


def test_the_size_that_the_route_takes_counts_too() -> None:
    reads = Reads(Authenticated(make_identity()))
    made = Scene(authenticators=(reads,), reads_form=True, body_bytes=10)
    made.client.receive(POST + TWELVE + BODY)
    assert made.statuses() == [413]
