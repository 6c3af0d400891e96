"""What backends' tests check signed requests with."""

import pytest

from sso_proxy.signing import RequestSigner
from sso_proxy.specs.http.signature_check import SignatureError, SignatureRules
from sso_proxy.specs.http.signature_keys import read_check_secret, read_request_secret
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.signatures import read_received, verify_received

NOW = SettableClock().time()
KEYS = {"k": read_check_secret(b"s" * 32)}
RULES = SignatureRules(components=("@method", "content-digest"))
SIGNER = RequestSigner(
    key=read_request_secret(b"s" * 32, keyid="k"),
    components=("@method", "@scheme"),
    digest=True,
    clock=SettableClock(),
)
BEGIN = b"POST /a?b HTTP/1.1\r\nHost: app\r\nContent-Length: 4\r\n"
SIGNED = SIGNER.sign(BEGIN, method="POST", target="/a?b", identity=(), content=b"body")
WHOLE = BEGIN + SIGNED + b"\r\nbody"


def test_a_signed_request_holds() -> None:
    """With its content."""
    found = verify_received(WHOLE, KEYS, RULES, now=NOW)
    assert found.values["@method"] == "POST"


@pytest.mark.parametrize(
    "octets",
    [
        WHOLE.replace(b"POST", b"PUT", 1),
        WHOLE[:-1] + b"Y",
        WHOLE + b"more",
        WHOLE.replace(b"Content-Digest", b"X-Digest"),
        BEGIN + b"\r\nbody",
    ],
)
def test_what_was_changed_does_not(octets: bytes) -> None:
    """Neither head nor content."""
    with pytest.raises(SignatureError):
        verify_received(octets, KEYS, RULES, now=NOW)


def test_how_it_came_counts() -> None:
    """A request that was signed for a plain connection did not come by TLS."""
    with pytest.raises(SignatureError, match="signature"):
        verify_received(WHOLE, KEYS, RULES, now=NOW, scheme="https")


@pytest.mark.parametrize(
    "octets", [b"", b"GET /", b"GET / HTTP/1.1\r\n", b"GET http://a/ HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_is_said(octets: bytes) -> None:
    """It is the test that is wrong then."""
    with pytest.raises(ValueError, match="no whole request"):
        read_received(octets)


def test_a_request_is_read() -> None:
    """Line, fields, content."""
    received = read_received(WHOLE)
    request = received.request
    assert (request.method, request.target, received.content) == (
        "POST",
        "/a?b",
        b"body",
    )
    assert request.fields["host"] == ("app",)
