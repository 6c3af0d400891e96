"""The origin by which browsers know us."""

import attrs
import pytest

from sso_proxy.model import Request
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.testing.fakes import make_request


@pytest.mark.parametrize(
    ("request_", "origin"),
    [
        (make_request(), "https://app.example.com"),
        (make_request(tls=False), "https://app.example.com"),
        (make_request(host="127.0.0.1", tls=False), "http://127.0.0.1"),
        (make_request(host="localhost", tls=False), "http://localhost"),
        (make_request(host="[::1]", tls=False), "http://[::1]"),
        (make_request(host="10.0.0.1", tls=False), "https://10.0.0.1"),
    ],
)
def test_browsers_come_back_by_https(request_: Request, origin: str) -> None:
    """A code in a URL is for nobody else to read."""
    assert own_origin(request_.head) == origin


def test_other_ports_stay() -> None:
    head = attrs.evolve(make_request().head, port=8443)
    assert own_origin(head) == "https://app.example.com:8443"
