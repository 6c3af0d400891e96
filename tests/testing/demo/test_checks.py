import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from sso_proxy.testing.demo.authorization_server import tls_options
from sso_proxy.testing.demo.call import Answer
from sso_proxy.testing.demo.checks import (
    CHECKS,
    NoTokenError,
    Result,
    fetch_token,
    run_check,
    see_challenge,
    see_invalid_token,
    see_user,
)
from sso_proxy.testing.demo.scene import HOST, choose_ports, prepare


def api_answer(*lines: str) -> Answer:
    return Answer(status=200, headers={}, body=json.dumps({"headers": lines}).encode())


def refusal(challenge: str) -> Answer:
    return Answer(status=401, headers={"www-authenticate": challenge}, body=b"")


def test_user_is_shown_if_the_api_was_told_no_other() -> None:
    assert see_user(api_answer("Host: a", "X-Remote-User: orders-app"))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["X-Remote-User: admin"],
        ["X-Remote-User: admin", "X-Remote-User: orders-app"],
        ["X-Remote-User: orders-app", "Authorization: Bearer x"],
    ],
)
def test_anything_else_at_the_api_is_a_failure(lines: list[str]) -> None:
    assert not see_user(api_answer(*lines))


def test_answer_that_is_not_the_apis_is_a_failure() -> None:
    assert not see_user(refusal("Bearer"))


def test_refusal_has_to_say_why() -> None:
    assert see_invalid_token(refusal('Bearer realm="a", error="invalid_token"'))
    assert not see_invalid_token(refusal('Bearer realm="a"'))
    assert see_challenge(refusal('Bearer realm="a"'))
    assert not see_challenge(refusal("Basic"))


def test_another_status_is_a_failure_whatever_is_seen() -> None:
    answer = api_answer("X-Remote-User: orders-app")
    result = Result(check=CHECKS[0], answer=answer, seen="something")
    assert result.passed
    assert not Result(check=CHECKS[1], answer=answer, seen="something").passed


def test_what_has_to_be_refused_outnumbers_what_has_to_pass() -> None:
    assert [check.status for check in CHECKS] == [200, 401, 401, 401, 200]


class NothingThere(Resource):
    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []

    def render(self, request: Request) -> bytes:
        self.asked.append(request)
        request.setResponseCode(404)
        return b"nothing"


class CheckTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.scene = prepare(directory, choose_ports(0))

    def listen(self, port: int, resource: Resource) -> None:
        options = tls_options(self.scene.proxy, self.scene.authority)
        site = Site(resource)
        listening = self.reactor.listenSSL(port, site, options, interface=HOST)
        self.addCleanup(listening.stopListening)

    async def test_no_token_is_an_error(self) -> None:
        self.listen(self.scene.ports.issuer, NothingThere())
        with pytest.raises(NoTokenError, match="404"):
            await fetch_token(self.reactor, self.scene)

    async def test_call_carries_what_the_check_says(self) -> None:
        there = NothingThere()
        self.listen(self.scene.ports.proxy, there)
        result = await run_check(self.reactor, self.scene, "a.b.c", CHECKS[4])
        sent = there.asked[0].requestHeaders
        assert sent.getRawHeaders("authorization") == ["Bearer a.b.c"]
        assert sent.getRawHeaders("x-remote-user") == ["admin"]
        assert not result.passed
