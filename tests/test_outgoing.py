"""What a backend gets."""

from typing import Any

import attrs
import pytest

from sso_proxy import outgoing
from sso_proxy.admission import Admission
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Caller
from sso_proxy.outgoing import (
    build_block,
    build_identity,
    build_outgoing,
    display_name,
    sort_removed,
)
from sso_proxy.routing import HostRoutes, RouteHeaders, Supply
from sso_proxy.session import Session
from sso_proxy.specs.http.incoming import Framing, Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request
from sso_proxy.testing.fakes import (
    FakeTokenSource,
    make_certificate,
    make_identity,
    make_request,
)
from sso_proxy.token import Audience
from sso_proxy.tokens.delivery import CookieDelivery
from sso_proxy.upstream.request import Outgoing
from tests.support.doubles import FakeUpstream, Scene, make_route

UPGRADE = Framing(upgrade="websocket")
SOCKET = {
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def incoming(*fields: str) -> Incoming:
    return read_request(
        "\r\n".join(["GET / HTTP/1.1", "Host: a.example", *fields, "", ""]).encode(),
        scheme="https",
        port=443,
        limits=HeadLimits(),
        managed=ManagedNames(),
    )


def block(
    *fields: str,
    claims: dict[str, Any] | None = None,
    user: str = "alice",
    known: bool = True,
    **route: Any,  # noqa: ANN401
) -> bytes:
    read = incoming(*fields)
    request = make_request(certificate=make_certificate())
    request = attrs.evolve(request, head=read.head)
    identity = make_identity(claims=claims) if known else None
    made = make_route(FakeUpstream(), **route)
    block = build_block(read, request, made, "proxy", consumed=identity is not None)
    if identity is None:
        return block
    return block + build_identity(request, made, identity, user)


def test_consumed_credentials_stay_here() -> None:
    field, consumed = "Authorization: Bearer x", frozenset({"authorization"})
    assert b"Bearer" not in block(field, consumed=consumed)
    assert b"Bearer" in block(field)
    assert b"Bearer" in block(field, consumed=consumed, known=False)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("__Host-sso=x", None),
        ("a=1; __Host-sso=x; __Host-sso.1=y;b=2", b"Cookie: a=1; b=2\r\n"),
        ("a=__Host-sso", b"Cookie: a=__Host-sso\r\n"),
        ("__Secure-sso-admin=x;a=1", b"Cookie: a=1\r\n"),
        ("__Secure-sso=x", None),
    ],
)
def test_our_cookies_stay_here(sent: str, kept: bytes | None) -> None:
    made = block(f"Cookie: {sent}")
    assert (kept in made) if kept else (b"Cookie" not in made)


def test_what_a_backend_must_not_get_stays_here() -> None:
    """However its name is spelt: some backends take all spellings for one."""
    removed = frozenset({"authorization", "x-legacy-user", "cookie"})
    sent = ("Authorization: Basic x", "X-Legacy-User: root", "X_Legacy.User: root")
    made = block(*sent, "Cookie: a=b", "Accept: c/d", removed=removed)
    assert b"Accept: c/d\r\n" in made
    for gone in (b"Basic", b"root", b"Cookie"):
        assert gone not in made
        assert gone in block(*sent, "Cookie: a=b")


def test_a_token_in_a_cookie_is_no_cookie_of_the_clients() -> None:
    supply = Supply(
        name="t",
        source=FakeTokenSource(),
        audience=Audience(),
        delivery=CookieDelivery("legacy"),
    )
    scene = Scene(supplies=(supply,), removed=frozenset({"cookie"}))
    scene.ask(b"GET / HTTP/1.1", b"Cookie: a=b; legacy=forged")
    assert scene.backend.head.count(b"Cookie: legacy=t0ken\r\n") == 1
    assert b"a=b" not in scene.backend.head


def test_what_is_removed_is_sorted() -> None:
    """Fields as they are compared, cookies as they are called."""
    names = ("Authorization", "X_Legacy", "cookie:a", "cookie:B")
    fields = frozenset({"authorization", "x-legacy"})
    assert sort_removed(names, None) == (fields, ("a", "B"))


def test_aliases_of_what_holds_a_credential_go_no_further() -> None:
    """CGI and WSGI find ``X_Legacy`` where they look for ``X-Legacy``."""
    fields, _ = sort_removed((), None, ["x-legacy", "authorization"])
    assert fields == {"x-legacy"}


def test_via_is_continued() -> None:
    assert b"Via: 1.0 one, 1.1 proxy\r\n" in block("Via: 1.0 one")


def test_a_host_of_the_backends_own() -> None:
    assert block(upstream_host="inner").startswith(b"Host: inner\r\n")
    assert b"X-Forwarded-Host: a.example\r\n" in block(upstream_host="inner")


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        *((True, b"true"), (False, b"false"), (7, b"7"), ("x", b"x"), (1.5, b"1.5")),
        (["a", "b"], b"a,b"),
        ([1, True], b"1,true"),
    ],
)
def test_claims_are_told(claim: object, text: bytes) -> None:
    headers = RouteHeaders(claims=(("c", "X-Claim-c"), ("none", "X-Claim-none")))
    made = block(claims={"c": claim}, headers=headers)
    assert b"X-Claim-c: %b\r\n" % text in made
    assert b"X-Claim-none" not in made


@pytest.mark.parametrize("claim", [{"a": 1}, ["a,b"], [["a", "b,c"]], [{}], [None]])
def test_claims_with_two_readings_are_refused(claim: object) -> None:
    headers = RouteHeaders(claims=(("c", "X-Claim-c"),))
    with pytest.raises(ValueError, match="claim"):
        block(claims={"c": claim}, headers=headers)


def test_a_user_that_would_not_stay_one_line_does_not() -> None:
    assert b"\nEvil" not in block(user="a%0d").replace(b"\r\n", b"")
    with pytest.raises(ValueError):  # noqa: PT011
        block(user="a\r\nEvil: x")


def test_the_user_is_told_only_where_wanted() -> None:
    assert b"alice" not in block(headers=RouteHeaders(user=""))
    assert b"X-Remote-User" not in block(user="")


def test_tokens_of_the_session_are_told_only_where_wanted() -> None:
    identity = make_identity()
    session = Session(
        id="1",
        identity=identity,
        created=1.0,
        used=1.0,
        expires=2.0,
        data={"access_token": "at-1", "refresh_token": "rt-1"},
    )
    request = attrs.evolve(make_request(), session=session)
    route = make_route(FakeUpstream())
    assert b"at-1" not in build_identity(request, route, identity, "alice")

    wanted = (("access_token", "X-Token"), ("id_token", "X-Id-Token"))
    route = make_route(FakeUpstream(), headers=RouteHeaders(tokens=wanted))
    made = build_identity(request, route, identity, "alice")
    assert b"X-Token: at-1\r\n" in made
    assert b"X-Id-Token" not in made
    assert b"rt-1" not in made


def test_a_client_certificate_is_told_where_wanted() -> None:
    assert b"Client-Cert" not in block()
    made = block(headers=RouteHeaders(client_certificate=True))
    assert b"Client-Cert: :" in made
    assert b"Client-Cert-Chain" not in made


def test_a_client_certificates_chain_is_told() -> None:
    certificate = attrs.evolve(make_certificate(), chain=(b"above",))
    read, request = incoming(), make_request(certificate=certificate)
    route = make_route(FakeUpstream(), headers=RouteHeaders(client_certificate=True))
    made = build_block(read, request, route, "proxy", consumed=True)
    made += build_identity(request, route, make_identity(), "alice")
    assert b"Client-Cert-Chain: :" in made


def build(
    framing: Framing,
    method: str = "GET",
    *,
    headers: dict[str, str] | None = None,
    query: str | None = None,
    **route: Any,  # noqa: ANN401
) -> Outgoing:
    made = make_route(FakeUpstream(), **route)
    request = make_request(method, "/a", headers=headers, query=query)
    admission = Admission(
        route=made,
        caller=Caller(request=request, identity=None, user=""),
        block=b"Host: a\r\n",
        stable="",
        host_routes=HostRoutes([made]),
    )
    return build_outgoing(admission, framing, "id-1")


BEGIN = b" /a HTTP/1.1\r\nX-Request-Id: id-1\r\nHost: a\r\n"


@pytest.mark.parametrize(
    ("method", "framing", "tail", "again"),
    [
        ("GET", Framing(), b"", True),
        ("POST", Framing(), b"Content-Length: 0\r\n", False),
        ("PUT", Framing(), b"Content-Length: 0\r\n", True),
        ("PUT", Framing(length=3), b"Content-Length: 3\r\n", False),
        ("GET", Framing(length=3), b"Content-Length: 3\r\n", False),
        ("POST", Framing(length=None), b"Transfer-Encoding: chunked\r\n", False),
        ("DELETE", Framing(), b"", True),
    ],
)
def test_framing_is_ours(
    method: str,
    framing: Framing,
    tail: bytes,
    again: bool,  # noqa: FBT001
) -> None:
    made = build(framing, method)
    assert made.head == method.encode() + BEGIN + tail + b"\r\n"
    assert made.replayable == again
    assert made.bodyless == (framing.length == 0)


def test_the_query_goes_as_it_came() -> None:
    assert build(Framing(), query="x=%zz").head.startswith(b"GET /a?x=%zz HTTP")
    assert build(Framing(), query="").head.startswith(b"GET /a? HTTP")


def test_a_body_that_is_too_large_is_413() -> None:
    assert build(Framing(length=10), body_bytes=10).head
    with pytest.raises(BadMessageError) as caught:
        build(Framing(length=11), body_bytes=10)
    assert caught.value.status == 413


def test_an_upgrade_has_to_be_allowed() -> None:
    assert b"Upgrade" not in build(UPGRADE).head
    allowed = frozenset({"websocket", "other"})
    made = build(UPGRADE, headers=SOCKET, upgrades=allowed)
    assert made.head.endswith(b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert (made.upgrade, made.upgrade_key) == (
        "websocket",
        SOCKET["Sec-WebSocket-Key"],
    )
    assert build(Framing(upgrade="other"), upgrades=allowed).upgrade_key == ""


def test_a_web_socket_of_a_foreign_page_is_403() -> None:
    allowed, foreign = frozenset({"websocket"}), "https://evil.example"
    headers = SOCKET | {"Origin": foreign}
    with pytest.raises(BadMessageError) as caught:
        build(UPGRADE, headers=headers, upgrades=allowed)
    assert caught.value.status == 403
    assert build(UPGRADE, headers=headers, upgrades=allowed, origins=(foreign,)).head


def test_names_are_written_as_most_do() -> None:
    assert display_name("content-type") == "Content-Type"


def test_names_from_clients_do_not_fill_memory() -> None:
    begin = outgoing._Begin()  # noqa: SLF001
    for number in range(9000):
        assert begin[f"x-{number}"] == f"X-{number}: "
    assert len(begin) <= 4096
