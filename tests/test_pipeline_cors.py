"""What pages of other origins may ask, before anybody is asked who they are."""

import attrs
import pytest

from sso_proxy.errors import UnavailableError
from sso_proxy.model import TlsFacts
from sso_proxy.routing import RouteHeaders
from sso_proxy.specs.http.cors import CorsRules, without_cors
from sso_proxy.testing.fakes import FakeAuthenticator, make_certificate
from tests.support.deciding import PEER, Asked, read, refusing, require

APP = "https://app.example.com"
CORS = CorsRules(
    origins=frozenset({APP}),
    methods="GET, PUT",
    headers="Authorization",
    exposed="DPoP-Nonce, WWW-Authenticate",
    max_age=600,
)
PASSED_ON = attrs.evolve(CORS, preflight="backend")
ASKS = (f"Origin: {APP}", "Access-Control-Request-Method: PUT")
ALLOWED = ("access-control-allow-origin", APP)


def test_a_preflight_is_answered_before_anybody_is_asked() -> None:
    first = refusing()
    asked = Asked(
        read("OPTIONS /", *ASKS), first, cors=CORS, methods=frozenset({"PUT"})
    )
    assert asked.refused == (204, "preflight")
    assert asked.response.headers == (
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "Authorization"),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
        ALLOWED,
        ("access-control-expose-headers", "DPoP-Nonce, WWW-Authenticate"),
    )
    assert first.asked == []


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("OPTIONS /", ("Origin: https://evil.example", ASKS[1])),
        ("OPTIONS /", ("Origin: null", ASKS[1])),
        ("OPTIONS /", (ASKS[0],)),
        ("OPTIONS /", (ASKS[1],)),
        ("OPTIONS /", (*ASKS, "Authorization: Bearer a")),
        ("OPTIONS /", (*ASKS, "Cookie: a=b")),
        ("GET /", ASKS),
        ("POST /", ASKS),
    ],
)
@pytest.mark.parametrize("cors", [CORS, PASSED_ON])
def test_anything_else_has_to_prove_who_it_is(
    line: str, fields: tuple[str, ...], cors: CorsRules
) -> None:
    asked = Asked(read(line, *fields), refusing(), cors=cors)
    assert asked.refused == (401, "no-credential")


def test_without_cors_a_preflight_is_a_request_like_others() -> None:
    asked = Asked(read("OPTIONS /", *ASKS), refusing())
    assert asked.refused == (401, "no-credential")
    names = {name for name, _ in asked.response.headers}
    assert names == {"cache-control", "www-authenticate"}


def test_a_preflight_for_the_backend_says_nothing_about_anybody() -> None:
    certificate = make_certificate("CN=alice")
    tls = TlsFacts(version="TLSv1.3", cipher="x", certificate=certificate)
    asked = Asked(
        read("OPTIONS /a?access_token=s3cret&b=1", *ASKS),
        refusing(),
        connection=attrs.evolve(PEER, tls=tls),
        cors=PASSED_ON,
        consumed_parameters=("access_token",),
        headers=RouteHeaders(client_certificate=True),
    )
    admission = asked.admission
    assert admission.caller.identity is None
    assert admission.caller.user == ""
    assert b"X-Remote-User" not in admission.block
    assert b"Client-Cert" not in admission.block
    assert b"Origin: https://app.example.com\r\n" in admission.block
    assert admission.caller.request.head.query == "b=1"
    assert admission.rewrite is None
    assert admission.answer == b""


def test_a_preflight_for_the_backend_is_never_a_precedent() -> None:
    """The same bytes after another request line are another request."""
    asked = Asked(read("OPTIONS /", *ASKS), refusing(), cors=PASSED_ON)
    assert asked.admission.reuse_until == 0.0
    assert asked.admission.shared == 0
    anonymous = Asked(read("GET /", *ASKS), cors=CORS)
    assert anonymous.admission.reuse_until == 0.0
    other = Asked(read("GET /", ASKS[0]), cors=CORS)
    assert other.admission.reuse_until == 30.0


@pytest.mark.parametrize(
    "field", ["Content-Length: 1", "Transfer-Encoding: chunked", "Max-Forwards: 0"]
)
def test_what_no_browser_sends_is_no_preflight_for_the_backend(field: str) -> None:
    asked = Asked(read("OPTIONS /", *ASKS, field), refusing(), cors=PASSED_ON)
    assert asked.refused == (401, "no-credential")


@pytest.mark.parametrize("cors", [CORS, PASSED_ON])
def test_refusals_can_be_read_by_pages_of_listed_origins(cors: CorsRules) -> None:
    asked = Asked(read("GET /", ASKS[0]), refusing(), cors=cors)
    assert ALLOWED in asked.response.headers
    assert ("vary", "Origin") in asked.response.headers
    down = FakeAuthenticator(UnavailableError("keys"))
    asked = Asked(read("GET /", ASKS[0]), down, cors=cors)
    assert asked.refused == (503, "unavailable")
    assert ALLOWED in asked.response.headers
    asked = Asked(read("GET /", ASKS[0]), requirements=require("scope:x"), cors=cors)
    assert asked.refused[0] == 403
    assert ALLOWED in asked.response.headers
    foreign = Asked(
        read("GET /", "Origin: https://evil.example"), refusing(), cors=cors
    )
    assert [v for n, v in foreign.response.headers if n.startswith("access-")] == []
    assert ("vary", "Origin") in foreign.response.headers


def test_answers_get_our_fields_or_the_backends_never_both() -> None:
    ours = Asked(read("GET /", ASKS[0]), cors=CORS).admission
    assert ours.rewrite is without_cors
    assert ours.answer == (
        b"Vary: Origin\r\n"
        b"Access-Control-Allow-Origin: https://app.example.com\r\n"
        b"Access-Control-Expose-Headers: DPoP-Nonce, WWW-Authenticate\r\n"
    )
    theirs = Asked(read("GET /", ASKS[0]), cors=PASSED_ON).admission
    assert theirs.rewrite is None
    assert theirs.answer == b""
    nobody = Asked(read("GET /"), cors=CORS).admission
    assert nobody.rewrite is without_cors
    assert nobody.answer == b"Vary: Origin\r\n"
