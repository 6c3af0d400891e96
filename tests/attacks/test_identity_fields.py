"""Section A of the reference: nobody but us says who is calling, or from where."""

import itertools
import time

import pytest

from tests.attacks.conftest import LAST, Scene
from tests.attacks.test_payloads import OURS

BEARER_OURS = OURS | {"x-remote-user", "x-claim-email", "x-claim-groups"}


def spellings(name: str) -> list[str]:
    """Give aliases that CGI, WSGI and their kin fold into *name*."""
    found = [name, name.lower(), name.upper(), name.swapcase()]
    found += [name.replace("-", mark) for mark in "_.!~"]
    found += [name.replace("-", "_", 1), name.replace("-", ".", 1).lower()]
    return found


MANAGED = [
    *("X-Remote-User", "Remote-User", "X-Forwarded-User", "X-Forwarded-Email"),
    *("X-Auth-User", "X-Id-Email", "X-Claim-Email", "X-Claim-Groups"),
    *("X-Claim-Anything", "Client-Cert", "Client-Cert-Chain", "Ssl-Client-Verify"),
    *("X-Client-Cert", "X-SSL-Client-Cert", "X-Forwarded-Tls-Client-Cert"),
    *("Proxy", "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"),
    *("X-Envoy-Original-Path", "X-Envoy-External-Address", "Script-Name"),
    *("X-Client-IP", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"),
    *("X-Cluster-Client-IP", "Fastly-Client-IP", "X-Forwarded-Prefix"),
    *("X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-Method"),
    *("Sec-Provided-Token-Binding-ID", "X-Forwarded-Server", "X-Scheme"),
    *("Sec-Other-Token-Binding-ID", "Sec-Token-Binding-Context", "Sec-Token-Binding"),
]


@pytest.mark.parametrize("path", ["/", "/mapped/x"])
@pytest.mark.parametrize("name", MANAGED)
def test_managed_names_are_stripped_in_every_spelling(
    scene: Scene, name: str, path: str
) -> None:
    """On anonymous routes too, and also names that only another route sets."""
    fields = [each.encode() + b": admin" for each in spellings(name)]
    assert scene.get(path, *fields).status == 200
    [seen] = scene.seen()
    assert seen.names == OURS
    assert not [value for _, value in seen.headers if "admin" in value]


FORWARDED = {
    b"Forwarded": b"for=6.6.6.6;host=evil;proto=https",
    b"X-Forwarded-For": b"6.6.6.6",
    b"X-Forwarded-Proto": b"https",
    b"X-Forwarded-Host": b"evil",
    b"X-Forwarded-Port": b"666",
    b"X-Request-Id": b"evil",
    b"Via": b"1.1 evil",
}


@pytest.mark.parametrize("alias", [b"-", b"_", b"."])
def test_what_is_said_about_the_client_is_made_anew(scene: Scene, alias: bytes) -> None:
    """A peer that is no trusted proxy says nothing about addresses and schemes."""
    fields = [
        name.replace(b"-", alias) + b": " + value for name, value in FORWARDED.items()
    ]
    assert scene.get("/", *fields).status == 200
    [seen] = scene.seen()
    assert seen.names == OURS
    assert seen.values("forwarded") == ["for=127.0.0.1;host=a;proto=http"]
    assert seen.values("x-forwarded-for") == ["127.0.0.1"]
    assert seen.values("x-forwarded-proto") == ["http"]
    assert seen.values("x-forwarded-host") == ["a"]
    assert seen.values("x-forwarded-port") == ["80"]
    assert seen.values("x-request-id") != ["evil"]


def test_a_claim_that_is_missing_is_not_the_clients_to_give(scene: Scene) -> None:
    fields = [each.encode() + b": admin" for each in spellings("X-Claim-Email")]
    assert scene.get("/token/", scene.token(), *fields).status == 200
    [seen] = scene.seen()
    assert seen.names == OURS | {"x-remote-user"}
    assert seen.values("x-remote-user") == ["alice"]


def test_claims_arrive_once_whatever_the_client_says(scene: Scene) -> None:
    names = ("X-Remote-User", "X-Claim-Email", "X-Claim-Groups")
    fields = [each.encode() + b": admin" for n in names for each in spellings(n)]
    line = scene.token(email="alice@example.com", groups=["a", "b"])
    assert scene.get("/token/", line, *fields).status == 200
    [seen] = scene.seen()
    assert seen.names == BEARER_OURS
    assert seen.values("x-remote-user") == ["alice"]
    assert seen.values("x-claim-email") == ["alice@example.com"]
    assert seen.values("x-claim-groups") == ["a,b"]


@pytest.mark.parametrize(
    "fields",
    [
        [b"Connection: , X-Forwarded-For"],
        [b"Connection:", b"Connection: x-claim-email"],
        [b"Connection: close", b"Connection: X-Remote-User"],
        [b"Connection: keep-alive, Authorization"],
        [b"Connection: X_Remote_User"],
        [b"Connection: Via"],
        [b"Connection: Forwarded"],
    ],
)
def test_connection_takes_none_of_our_fields_away(
    scene: Scene, fields: list[bytes]
) -> None:
    head = [b"GET /token/ HTTP/1.1", b"Host: a", scene.token(email="x@y"), *fields]
    [refused] = scene.ask(b"\r\n".join([*head, b"", b""]))
    assert refused.status == 400
    assert scene.seen() == []


def test_connection_takes_other_fields_away(scene: Scene) -> None:
    request = (
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\nConnection: x-a\r\nX-C: d\r\n\r\n"
    )
    assert [got.status for got in scene.ask(request)] == [200, 200]
    [seen] = scene.seen()
    assert seen.names == OURS | {"x-c"}


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\rb", "a\0b", "a\x85b"])
def test_a_claim_with_control_characters_is_not_sent(scene: Scene, value: str) -> None:
    assert scene.get("/token/", scene.token(email=value)).status == 403
    assert scene.seen() == []


def test_a_claim_beyond_ascii_is_escaped(scene: Scene) -> None:
    assert scene.get("/token/", scene.token(email="é%@ü.example")).status == 200
    [seen] = scene.seen()
    assert seen.values("x-claim-email") == ["%C3%A9%25@%C3%BC.example"]


def test_a_claim_of_any_length_breaks_no_backend(scene: Scene) -> None:
    """Either it fits a header field, or the caller is refused; never cut short."""
    groups = [f"group-{number:04}" for number in range(800)]
    assert scene.get("/token/", scene.token(groups=groups)).status == 403
    assert scene.seen() == []


def test_a_claim_that_is_another_kind_of_list_is_not_guessed(scene: Scene) -> None:
    assert scene.get("/token/", scene.token(groups=["a,admin"])).status == 403
    assert scene.seen() == []


def test_credentials_go_nowhere_else(scene: Scene) -> None:
    """Neither to the backend of the route nor, when refused, to any other."""
    assert scene.get("/token/", scene.token()).status == 200
    [seen] = scene.seen()
    assert "authorization" not in seen.names
    scene.recorder.clear()
    assert scene.get("/token/", b"Authorization: Bearer e30.e30.e30").status == 401
    assert scene.get("/token/", b"Cookie: a=b").status == 401
    assert scene.seen() == []


def test_our_cookies_do_not_reach_a_backend(scene: Scene) -> None:
    cookies = (b"Cookie: a=b; __Host-sso=secret; __Host-sso.1=x", b"Cookie: c=d")
    assert scene.get("/", *cookies).status == 200
    [seen] = scene.seen()
    assert seen.values("cookie") == ["a=b; c=d"]


def test_a_repetition_does_not_outlive_its_token(scene: Scene) -> None:
    """What was decided for equal octets is used no longer than the token is good."""
    line = scene.token(exp=int(time.time()) + 2)
    request = b"GET /token/ HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n"
    with scene.client() as client:
        client.send(request).read(1)
        client.send(request).read(2)
        time.sleep(2.1)
        answers = client.send(request).read(3)
    assert [got.status for got in answers] == [200, 200, 401]


def test_a_repetition_gets_the_fields_of_its_own_request(scene: Scene) -> None:
    """The short way for equal heads never serves what differs in one octet."""
    lines = [scene.token(sub=sub, email=f"{sub}@example") for sub in ("alice", "bob")]
    requests = [
        b"GET /token/%d HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % (number, line)
        for number, line in enumerate(
            itertools.chain(*([line] * 2 for line in lines * 2))
        )
    ]
    with scene.client() as client:
        for count, request in enumerate(requests, 1):
            client.send(request).read(count)
        answers = client.send(LAST).read_to_end()
    assert [got.status for got in answers] == [200] * 9
    users = [seen.values("x-remote-user") for seen in scene.seen()]
    assert users == [["alice"], ["alice"], ["bob"], ["bob"]] * 2
