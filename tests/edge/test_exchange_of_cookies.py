"""Answers and requests of a route whose application's cookies are bound."""

import re
from typing import Any

import attrs
import pytest

from sso_proxy.model import CertificateFacts, TlsFacts
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.testing.fakes import make_certificate
from tests.support.cookie_binding import bound
from tests.support.doubles import FakeStream, Scene, make_reply
from tests.support.repeating import ByCookie

ALICE, MALLORY = make_certificate("CN=alice"), make_certificate("CN=mallory")
SETS = (
    b"HTTP/1.1 200 OK\r\nDate: now\r\nSet-Cookie: JSESSIONID=s3cr; Path=/\r\n"
    b"Set-Cookie: lang=de\r\nContent-Length: 0"
)
CORS = CorsRules(
    origins=frozenset({"https://a.example"}),
    methods="GET",
    headers="",
    exposed="",
    max_age=1,
)


def make(**route: Any) -> Scene:  # noqa: ANN401
    return Scene(**{"cookies": bound(), **route})


def connect(scene: Scene, certificate: CertificateFacts | None) -> FakeStream:
    """Connect with a certificate; all else is alike."""
    tls = TlsFacts(version="TLSv1.3", cipher="c", certificate=certificate)
    scene.facts = attrs.evolve(scene.facts, tls=tls)
    return scene.connect()[0]


def ask(scene: Scene, client: FakeStream, cookie: bytes = b"a=b") -> bytes:
    """Ask with cookies, and give what the backend gets of them."""
    scene.client = client
    scene.ask(b"GET / HTTP/1.1", b"Cookie: " + cookie)
    found = re.findall(rb"\r\nCookie: ([^\r]*)\r\n", scene.backend.head)
    return b"|".join(found)


def answer(scene: Scene, head: bytes = SETS) -> bytes:
    """Have the backend answer, and give what the client gets."""
    scene.client.take()
    scene.backend.exchange.whole(make_reply(head), b"")
    return scene.client.take()


def pair_in(sent: bytes) -> bytes:
    """Give the bound cookie in an answer."""
    (pair,) = re.findall(
        rb"\r\nSet-Cookie: (JSESSIONID=[^;]+); Path=/; Secure\r\n", sent
    )
    return bytes(pair)


def test_a_cookie_goes_out_sealed_and_comes_back_open() -> None:
    scene = make()
    client = connect(scene, ALICE)
    ask(scene, client)
    sent = answer(scene)
    assert b"s3cr" not in sent
    assert b"\r\nSet-Cookie: lang=de\r\n" in sent
    assert (
        ask(scene, client, b"lang=de; " + pair_in(sent)) == b"lang=de; JSESSIONID=s3cr"
    )


def test_one_answer_of_a_backend_is_sealed_for_each_client() -> None:
    """Backends repeat themselves: the octets of an answer's head are kept."""
    scene = make()
    alice, mallory = connect(scene, ALICE), connect(scene, MALLORY)
    reply, pairs = make_reply(SETS), []
    for client in (alice, mallory, alice):
        ask(scene, client)
        scene.client.take()
        scene.backend.exchange.whole(reply, b"")
        pairs.append(pair_in(client.take()))
    assert len(set(pairs)) == 3
    for client, pair, found in (
        (alice, pairs[0], b"JSESSIONID=s3cr"),
        (alice, pairs[1], b""),
        (mallory, pairs[1], b"JSESSIONID=s3cr"),
        (mallory, pairs[2], b""),
    ):
        assert ask(scene, client, pair) == found
        answer(scene)


def test_repeated_requests_on_other_connections_are_opened_for_these_alone() -> None:
    """The same octets come from the owner, again, and from a thief in between."""
    scene = make()
    first = connect(scene, ALICE)
    ask(scene, first)
    pair = pair_in(answer(scene))
    for certificate, found in [
        (ALICE, b"JSESSIONID=s3cr"),
        (ALICE, b"JSESSIONID=s3cr"),
        (MALLORY, b""),
        (None, b""),
        (ALICE, b"JSESSIONID=s3cr"),
        (MALLORY, b""),
    ]:
        client = connect(scene, certificate)
        for _ in range(3):
            assert ask(scene, client, pair) == found
            assert (
                (pair_in(answer(scene)) != b"")
                if certificate
                else answer_is_plain(scene)
            )


def answer_is_plain(scene: Scene) -> bool:
    """Say whether who has no key gets all cookies but the bound one."""
    sent = answer(scene)
    return b"JSESSIONID" not in sent and b"\r\nSet-Cookie: lang=de\r\n" in sent


def test_who_differs_in_a_credential_gets_own_cookies_only() -> None:
    """Heads that differ in a consumed cookie share what does not depend on it."""
    scene = make(authenticators=(ByCookie(),), consumed_cookies=("t",))
    client = connect(scene, ALICE)
    ask(scene, client, b"t=alice")
    pair = pair_in(answer(scene))
    for name in (b"alice", b"bob", b"carol", b"bob"):
        assert (
            ask(scene, client, b"a=b; t=" + name + b"; " + pair)
            == b"a=b; JSESSIONID=s3cr"
        )
        answer(scene)
        assert ask(scene, client, b"a=b; t=" + name + b"; JSESSIONID=s3cr") == b"a=b"
        answer(scene)


@pytest.mark.parametrize("status", [b"302 Found", b"404 Not Found", b"500 Oops"])
def test_every_answer_is_sealed_whatever_it_says(status: bytes) -> None:
    scene = make()
    client = connect(scene, ALICE)
    ask(scene, client)
    assert pair_in(answer(scene, SETS.replace(b"200 OK", status)))


def test_an_answer_in_pieces_is_sealed() -> None:
    scene = make()
    ask(scene, connect(scene, ALICE))
    scene.client.take()
    head = SETS.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    scene.backend.exchange.begin(make_reply(head), b"one")
    assert pair_in(scene.client.take())


def test_the_answer_to_an_upgrade_is_sealed() -> None:
    scene = make(upgrades=frozenset({"other"}))
    client = connect(scene, ALICE)
    client.receive(
        b"GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\n"
        b"Upgrade: other\r\n\r\n"
    )
    backend = FakeStream(client.handler)
    switched = SETS.replace(b"200 OK", b"101 Go").replace(
        b"Content-Length: 0", b"Connection: Upgrade\r\nUpgrade: other"
    )
    scene.backend.exchange.switch(make_reply(switched), backend, b"")
    assert pair_in(client.take())


def test_cors_fields_are_ours_as_well() -> None:
    scene = make(cors=CORS)
    ask(scene, connect(scene, ALICE))
    more = SETS + b"\r\nAccess-Control-Allow-Origin: *"
    sent = answer(scene, more)
    assert pair_in(sent)
    assert b"Access-Control-Allow-Origin" not in sent


def test_the_answer_to_a_preflight_is_sealed() -> None:
    scene = make(cors=attrs.evolve(CORS, preflight="backend"))
    client = scene.client = connect(scene, ALICE)
    scene.ask(
        b"OPTIONS / HTTP/1.1",
        b"Origin: https://a.example",
        b"Access-Control-Request-Method: GET",
    )
    scene.backend.exchange.whole(make_reply(SETS), b"")
    assert pair_in(client.take())


def test_a_cookie_of_ours_in_the_same_answer_is_not_sealed() -> None:
    """What we set besides, such as a ticket's cookie, is for others to read."""
    scene = make(cookies=bound("*"))
    ask(scene, connect(scene, ALICE))
    admission = scene.backend.exchange.admission
    assert admission is not None
    ours = b"Set-Cookie: auth_pubtkt=x\r\n"
    scene.backend.exchange.admission = attrs.evolve(admission, answer=ours)
    assert b"\r\n" + ours in answer(scene)


def test_a_route_without_bound_cookies_is_as_it_was() -> None:
    scene = Scene()
    assert ask(scene, connect(scene, ALICE), b"JSESSIONID=x") == b"JSESSIONID=x"
    assert b"\r\nSet-Cookie: JSESSIONID=s3cr; Path=/\r\n" in answer(scene)
