"""A plain listener that only says where to go."""

import pytest
from twisted.python.failure import Failure

from sso_proxy.admission import Trail
from sso_proxy.edge.redirect import RedirectOnly
from sso_proxy.model import Response
from sso_proxy.net.coroutine import run
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request
from tests.support.doubles import Scene


def ask(line: bytes, host: bytes = b"app.example.com", port: int = 443) -> Response:
    scene, answers, trail = Scene(), list[Response](), Trail()
    incoming = read_request(
        line + b" HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        scheme="http",
        port=80,
        limits=HeadLimits(),
        managed=ManagedNames(),
    )
    redirect = RedirectOnly(scene.routes, port, scene.new_id)

    def done(verdict: object) -> None:
        assert isinstance(verdict, Response)
        answers.append(verdict)

    failures: list[Failure] = []
    run(redirect.decide(incoming, scene.facts, trail), done, failures.append)
    assert trail.request is not None
    assert trail.request.id == "id-1"
    return answers[0]


@pytest.mark.parametrize(
    ("line", "port", "status", "location"),
    [
        (b"GET /a?b", 443, 301, "https://app.example.com/a?b"),
        (b"HEAD /", 8443, 301, "https://app.example.com:8443/"),
        (b"POST /a", 443, 308, "https://app.example.com/a"),
    ],
)
def test_clients_are_sent_to_https(
    line: bytes, port: int, status: int, location: str
) -> None:
    answer = ask(line, port=port)
    assert (answer.status, answer.headers) == (status, (("location", location),))


def test_hosts_that_are_not_ours_are_not_sent_anywhere() -> None:
    assert ask(b"GET /", b"evil.example").status == 404
    assert ask(b"OPTIONS *").status == 404
