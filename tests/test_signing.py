"""Requests that are signed for their backends."""

import itertools
from typing import Any, Final

import attrs
import pytest

from sso_proxy.model import Authenticated, Request
from sso_proxy.routing import RouteHeaders, Supply
from sso_proxy.signing import RequestSigner
from sso_proxy.specs.http.signature_check import (
    SignatureError,
    SignatureRules,
    Verified,
)
from sso_proxy.specs.http.signature_keys import (
    read_check_secret,
    read_request_key,
    read_request_secret,
)
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeAuthenticator, FakeTokenSource, make_identity
from sso_proxy.testing.signatures import verify_received
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.delivery import CookieDelivery, HeaderDelivery
from tests.support.doubles import Scene, answer_ok, status_of
from tests.support.signatures import example_private

NOW: Final = SettableClock().time()
KEYS: Final = {"k": read_check_secret(b"s" * 32)}
DEFAULT: Final = ("@method", "@authority", "@path", "@query", "identity")
RULES: Final = SignatureRules(
    fields=("x-remote-user", "x-claim-email", "authorization"), nonce=True
)
WITH_DIGEST: Final = attrs.evolve(
    RULES, components=(*RULES.components, "content-digest")
)
POST: Final = b"POST /orders?id=1 HTTP/1.1\r\nHost: app.example.com\r\n"


def make_signer(**options: Any) -> RequestSigner:  # noqa: ANN401
    """Make a signer with the usual options."""
    numbers = itertools.count()
    given: dict[str, Any] = {
        "key": read_request_secret(b"s" * 32, keyid="k"),
        "components": DEFAULT,
        "new_nonce": lambda: f"nonce-{next(numbers)}",
        "body_bytes": 20,
        "clock": SettableClock(),
        **options,
    }
    return RequestSigner(**given)


def scene(signer: RequestSigner | None = None, **route: Any) -> Scene:  # noqa: ANN401
    """Make a proxy whose backend answers at once, with signed requests."""
    signer = signer or make_signer()
    given = {
        "signer": signer,
        "removed": signer.consumes,
        "reads_form": signer.digest,
        **route,
    }
    made = Scene(**given)
    made.backend.at_once = answer_ok
    return made


def verify(octets: bytes, rules: SignatureRules = RULES) -> Verified:
    """Check what a backend got."""
    return verify_received(octets, KEYS, rules, now=NOW)


def arrived(made: Scene) -> bytes:
    """Give all that the backend got of the last request."""
    return made.backend.head + made.backend.sink.data


def test_a_request_is_signed_as_its_backend_sees_it() -> None:
    """Method, host, path, query and user, each as they stand in the octets."""
    made = scene()
    made.ask(b"GET /orders?id=1 HTTP/1.1")
    found = verify(arrived(made))
    assert found.values == {
        "@method": "GET",
        "@authority": "app.example.com",
        "@path": "/orders",
        "@query": "?id=1",
        "x-remote-user": "alice",
    }
    assert found.label == "sso"


def test_the_host_that_the_backend_gets_is_signed() -> None:
    """Not the client's, where they differ."""
    made = scene(upstream_host="backend.internal:8080")
    made.ask()
    assert verify(arrived(made)).values["@authority"] == "backend.internal:8080"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET /", b"PUT /"),
        (b"/orders?", b"/admin?"),
        (b"id=1", b"id=2"),
        (b"X-Remote-User: alice", b"X-Remote-User: root"),
        (b"X-Remote-User: alice\r\n", b""),
        (b"Host: app", b"Host: other"),
        (b"\r\n\r\n", b"\r\nX-Claim-Email: root@example.com\r\n\r\n"),
    ],
)
def test_what_is_changed_on_the_way_is_noticed(old: bytes, new: bytes) -> None:
    """Whoever stands between proxy and backend."""
    made = scene()
    made.ask(b"GET /orders?id=1 HTTP/1.1")
    octets = arrived(made)
    assert old in octets
    with pytest.raises(SignatureError):
        verify(octets.replace(old, new, 1))


def test_everything_that_says_who_calls_is_signed() -> None:
    """Claims, and tokens of every route's own, wherever they stand."""
    someone = Authenticated(make_identity(claims={"email": "a@example.com"}))
    places = HeaderDelivery("Authorization", "Bearer"), CookieDelivery("legacy")
    supplies = [
        Supply(
            name="t",
            source=FakeTokenSource(Token(value="abc")),
            audience=Audience(),
            delivery=place,
        )
        for place in places
    ]
    made = scene(
        authenticators=(FakeAuthenticator(someone),),
        headers=RouteHeaders(claims=(("email", "X-Claim-Email"),)),
        supplies=tuple(supplies),
    )
    made.ask(b"GET / HTTP/1.1", b"Cookie: theme=dark")
    values = verify(arrived(made)).values
    assert values["x-claim-email"] == "a@example.com"
    assert values["authorization"] == "Bearer abc"
    assert values["cookie"] == "theme=dark; legacy=abc"


def test_nobody_becomes_somebody() -> None:
    """A caller without a name has no such field, and nobody can add one."""
    made = scene(headers=RouteHeaders(user=""))
    made.ask()
    octets = arrived(made)
    assert "x-remote-user" not in verify(octets).values
    with pytest.raises(SignatureError, match="x-remote-user"):
        verify(octets.replace(b"\r\n\r\n", b"\r\nX-Remote-User: root\r\n\r\n"))


def test_each_request_has_a_signature_of_its_own() -> None:
    """Repeated heads of a connection, too: what was decided is not sent again."""
    made = scene()
    for line in (b"GET /a HTTP/1.1", b"GET /b HTTP/1.1", b"GET /b HTTP/1.1"):
        made.ask(line)
    found = [verify(outgoing.head) for _, outgoing, _ in made.backend.asked]
    assert [each.values["@path"] for each in found] == ["/a", "/b", "/b"]
    assert len({each.nonce for each in found}) == 3


class ByToken:
    """Knows callers by what they send."""

    consumes = ("authorization", "dpop")

    async def authenticate(self, request: Request) -> Authenticated:
        (name,) = request.head.values("authorization")
        return Authenticated(make_identity(subject=name.partition(" ")[2]))


def test_heads_that_differ_in_the_caller_are_signed_for_their_caller() -> None:
    """What is kept of the last one is what all callers have in common."""
    consumed = frozenset(ByToken.consumes)
    made = scene(authenticators=(ByToken(),), consumed=consumed)
    for name in (b"alice", b"bob", b"carol", b"carol"):
        made.ask(b"GET / HTTP/1.1", b"Authorization: Bearer " + name)
    found = [verify(outgoing.head) for _, outgoing, _ in made.backend.asked]
    names = [each.values["x-remote-user"] for each in found]
    assert names == ["alice", "bob", "carol", "carol"]


def test_a_client_that_waits_is_told_to_go_on() -> None:
    """Before its body can be signed, it has to come."""
    made = scene(make_signer(digest=True))
    made.client.receive(POST + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert made.client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not made.backend.asked
    made.client.receive(b"body")
    verify(arrived(made), WITH_DIGEST)


def test_a_client_that_goes_meanwhile_leaves_nothing() -> None:
    """Half a body is no body."""
    made = scene(make_signer(digest=True))
    made.client.receive(POST + b"Content-Length: 5\r\n\r\n", b"12")
    made.client.lose()
    assert not made.backend.asked
    assert made.reasons() == ["client-gone"]


def test_a_request_that_is_sent_again_is_signed_again() -> None:
    """The backend may have seen the nonce before its connection broke."""
    made = scene()
    made.ask()
    first = made.backend.asked[-1][1]
    again = first.again()
    assert verify(first.head).nonce != verify(again.head).nonce
    assert again.replayable


def test_an_unsigned_request_is_sent_again_as_it_is() -> None:
    """Nothing in it is good only once."""
    made = Scene()
    made.ask()
    outgoing = made.backend.asked[-1][1]
    assert outgoing.again() is outgoing


def test_clients_cannot_sign_for_us() -> None:
    """Their signatures and digests stay behind, however a backend may read them."""
    made = scene(make_signer(digest=True))
    made.ask(
        b"GET / HTTP/1.1",
        b'Signature-Input: sso=("@method");created=1;tag="sso-proxy"',
        b"Signature: sso=:AAAA:",
        b"Signature_Input: x",
        b"Signature~Input: x",
        b"Content-Digest: sha-256=:AAAA:",
    )
    octets = arrived(made)
    assert octets.count(b"Signature-Input") == octets.count(b"Content-Digest: ") == 1
    assert b"AAAA" not in octets
    assert b"ignature_" not in octets
    assert b"ignature~" not in octets
    verify(octets, WITH_DIGEST)


def test_the_body_is_signed() -> None:
    """As it is forwarded, whole and of known length."""
    made = scene(make_signer(digest=True))
    made.client.receive(POST + b"Content-Length: 5\r\n\r\n", b"12", b"345")
    octets = arrived(made)
    assert octets.endswith(b"\r\n\r\n12345")
    assert verify(octets, WITH_DIGEST).values["@method"] == "POST"
    with pytest.raises(SignatureError, match="content"):
        verify(octets[:-1] + b"6", WITH_DIGEST)


def test_a_body_of_unknown_length_is_signed() -> None:
    """Its pieces are put together first."""
    made = scene(make_signer(digest=True))
    made.client.receive(
        POST + b"Transfer-Encoding: chunked\r\n\r\n",
        b"2\r\nab\r\n",
        b"1\r\nc\r\n0\r\n\r\n",
    )
    octets = arrived(made)
    assert octets.endswith(b"\r\n\r\nabc")
    assert b"Content-Length: 3\r\n" in octets
    verify(octets, WITH_DIGEST)


def test_no_body_is_signed_as_none() -> None:
    """So that a body cannot be added on the way."""
    made = scene(make_signer(digest=True))
    made.ask()
    octets = arrived(made)
    verify(octets, WITH_DIGEST)
    with pytest.raises(SignatureError, match="content"):
        verify(octets + b"body", WITH_DIGEST)


@pytest.mark.parametrize("body_bytes", [1000, 20])
def test_a_body_that_is_too_large_is_refused(body_bytes: int) -> None:
    """What is held in memory has a limit, the lower one of two."""
    limits = {"body_bytes": 20 if body_bytes == 1000 else 1000}
    made = scene(make_signer(digest=True, body_bytes=body_bytes), **limits)
    made.client.receive(POST + b"Content-Length: 21\r\n\r\n", b"x" * 21)
    assert status_of(made.client.take()) == 413
    assert not made.backend.asked


def test_a_body_that_is_not_signed_is_not_held() -> None:
    """It goes on as it comes."""
    made = scene()
    made.backend.at_once = None
    made.client.receive(POST + b"Content-Length: 50\r\n\r\n", b"x" * 21)
    assert arrived(made).endswith(b"x" * 21)
    verify(arrived(made))


def test_upgrades_are_signed() -> None:
    """A WebSocket handshake says who calls, too."""
    made = scene(make_signer(digest=True), upgrades=frozenset({"websocket"}))
    made.backend.at_once = None
    made.ask(
        b"GET /ws HTTP/1.1",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    assert verify(arrived(made), WITH_DIGEST).values["@path"] == "/ws"


def test_the_public_key_is_published_and_a_secret_is_not() -> None:
    """What backends check with is for everybody, or for nobody else."""
    assert make_signer().public_keys == ()
    key = read_request_key(example_private("test-key-ed25519"), keyid="a")
    (public,) = make_signer(key=key).public_keys
    assert (public["kid"], public["crv"], "d" in public) == ("a", "Ed25519", False)


def test_our_own_paths_are_not_signed() -> None:
    """They are served here."""
    made = scene(own_names=frozenset({"login"}))
    made.ask(b"GET /.sso/login HTTP/1.1")
    assert b"Signature" not in made.backend.head


def test_fields_are_signed_by_name() -> None:
    """Those that a request does not have are left out; request id and all can be."""
    names = ("@target-uri", "@scheme", "@request-target", "x-request-id", "accept")
    made = scene(make_signer(components=names, scheme="https", new_nonce=None))
    made.ask(b"GET /a?b HTTP/1.1")
    rules = SignatureRules(components=names[:4])
    found = verify_received(arrived(made), KEYS, rules, now=NOW, scheme="https")
    assert found.values == {
        "@target-uri": "https://app.example.com/a?b",
        "@scheme": "https",
        "@request-target": "/a?b",
        "x-request-id": "id-1",
    }
    assert found.nonce is None


def test_octets_beyond_ascii_are_signed() -> None:
    """A client's field, octet by octet."""
    made = scene(make_signer(components=("@method", "user-agent")))
    made.ask(b"GET / HTTP/1.1", b"User-Agent: Zo\xc3\xab")
    rules = SignatureRules(components=("user-agent",))
    assert verify(arrived(made), rules).values["user-agent"] == "Zo\xc3\xab"
    with pytest.raises(SignatureError):
        verify(arrived(made).replace(b"\xab", b"\xaa"), rules)


def test_a_signature_says_how_long_it_holds() -> None:
    """Label, tag, times, key and algorithm."""
    made = scene(make_signer(label="proxy", tag="orders", expires=7))
    made.ask()
    told = made.backend.head.partition(b"Signature-Input: ")[2].partition(b"\r\n")[0]
    assert told == (
        b'proxy=("@method" "@authority" "@path" "@query" "x-remote-user")'
        b';created=%d;expires=%d;nonce="nonce-0";alg="hmac-sha256";keyid="k"'
        b';tag="orders"' % (NOW, NOW + 7)
    )
