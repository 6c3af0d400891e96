"""What one connection has decided, used by others that are alike, and by no others."""

from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs
import pytest

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.edge.known import holds_elsewhere
from sso_proxy.model import (
    ANONYMOUS,
    Authenticated,
    CertificateFacts,
    Decision,
    Identity,
    Request,
    TlsFacts,
)
from sso_proxy.routing import Route
from sso_proxy.session import Session
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.repeating import (
    ByToken,
    admitted,
    asked_about,
    begin,
    check_as_fresh,
    request_of,
    scene_by_token,
    send,
)

TLS = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384")
CERTIFICATE = CertificateFacts(
    der=b"x",
    verified=True,
    thumbprint="t",
    subject="CN=x",
    issuer="CN=y",
    serial="1",
    not_after=0.0,
)


def test_what_was_decided_on_one_connection_holds_on_another() -> None:
    scene = scene_by_token()
    begin(scene, b"alice", b"bob")
    other = begin(scene, b"carol")
    for name in (b"alice", b"bob", b"carol"):
        exchange = check_as_fresh(scene, scene_by_token, request_of(name), other)
        assert exchange is not None
        answer_ok(exchange)
    assert asked_about(scene) == ["alice", "bob", "carol"]


def test_what_came_before_the_last_request_is_known_too() -> None:
    scene = scene_by_token()
    begin(scene, b"alice", b"bob", b"alice", b"bob", b"alice")
    assert asked_about(scene) == ["alice", "bob"]


def test_it_is_routed_and_authorised_by_its_own_request_line() -> None:
    only = Requirements([compile_condition("path == '/a'", "require[0]")])
    scene = scene_by_token(requirements=only)
    client, _ = scene.connect()
    send(scene, client, request_of(b"alice", b"GET /a HTTP/1.1"))
    other, _ = scene.connect()
    send(scene, other, request_of(b"bob", b"GET /a HTTP/1.1"))
    send(scene, other, request_of(b"alice", b"GET /b HTTP/1.1"))
    assert scene.statuses() == [200, 200, 403]


@pytest.mark.parametrize(
    "change",
    [
        {"peer": "192.0.2.2"},
        {"trusted": True},
        {"listener_port": 8443},
        {"tls": attrs.evolve(TLS, server_name="app.example.com")},
        {"tls": attrs.evolve(TLS, certificate=CERTIFICATE)},
    ],
)
def test_it_is_unknown_to_connections_of_which_anything_else_is_known(
    change: dict[str, Any],
) -> None:
    scene = scene_by_token()
    scene.facts = attrs.evolve(scene.facts, tls=TLS)
    begin(scene, b"alice")
    scene.facts = attrs.evolve(scene.facts, **change)
    begin(scene, b"alice", b"bob")
    assert asked_about(scene) == ["alice", "alice", "bob"]


def test_the_first_request_of_a_connection_may_be_known() -> None:
    scene = scene_by_token()
    begin(scene, b"alice")
    other, _ = scene.connect()
    for name in (b"alice", b"bob", b"carol", b"alice"):
        exchange = check_as_fresh(scene, scene_by_token, request_of(name), other)
        assert exchange is not None
        answer_ok(exchange)
    assert asked_about(scene) == ["alice", "bob", "carol"]


def change_rules(scene: Scene) -> None:
    scene.site.rules = scene.make_rules()


@pytest.mark.parametrize(
    "change", [change_rules, lambda scene: scene.site.decide_anew()]
)
def test_nothing_is_known_after_a_reload_or_a_revocation(
    change: Callable[[Scene], None],
) -> None:
    scene = scene_by_token()
    first = begin(scene, b"alice")
    second = begin(scene, b"bob")
    change(scene)
    send(scene, second, request_of(b"alice"))
    send(scene, first, request_of(b"bob"))
    assert asked_about(scene) == ["alice", "bob", "alice", "bob"]


def test_what_is_over_is_decided_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_by_token()
    begin(scene, b"alice")
    other = begin(scene, b"bob")
    now = monotonic() + 31
    monkeypatch.setattr("sso_proxy.edge.memo.monotonic", lambda: now)
    send(scene, other, request_of(b"alice"))
    assert asked_about(scene) == ["alice", "bob", "alice"]
    begin(scene, b"bob")
    assert asked_about(scene) == ["alice", "bob", "alice", "bob"]


@pytest.mark.parametrize("first_closes", [True, False])
def test_a_connection_that_is_to_be_closed_is(first_closes: bool) -> None:  # noqa: FBT001
    closing = request_of(b"alice").replace(b"Accept", b"Connection: close\r\nAccept")
    scene = scene_by_token()
    one = begin(scene)
    send(scene, one, closing if first_closes else request_of(b"alice"))
    other = begin(scene, b"bob")
    send(scene, other, closing)
    assert other.closed
    assert b"\r\nConnection: close\r\n" in other.take()


def test_so_is_each_that_asks_for_it_with_what_is_known() -> None:
    scene = scene_by_token()
    for name in (b"alice", b"bob", b"alice", b"bob"):
        closing = request_of(name).replace(b"Accept", b"Connection: close\r\nAccept")
        client = begin(scene)
        send(scene, client, closing)
        assert client.closed
        assert b"\r\nConnection: close\r\n" in client.take()
    assert asked_about(scene) == ["alice", "bob"]


# What holds on one connection alone


def begin_twice(scene: Scene) -> None:
    """Ask the same over two connections, about two things in turn."""
    for _ in range(2):
        client, _ = scene.connect()
        for path in (b"/first", b"/second", b"/third"):
            send(scene, client, request_of(b"alice", b"GET " + path + b" HTTP/1.1"))
            other = request_of(b"alice").replace(b"*/*", b"*")
            send(scene, client, other)


class ByKeys(ByToken):
    """Looks at what no two connections share."""

    async def authenticate(self, request: Request) -> Any:  # noqa: ANN401
        assert request.tls is not None
        request.tls.export_key(b"EXPORTER-Channel-Binding", 32, b"")
        return await super().authenticate(request)


def in_session(identity: Identity) -> Session:
    return Session(id="s", identity=identity, created=0.0, used=0.0, expires=1e12)


@pytest.mark.parametrize(
    ("authenticator", "inside", "times"),
    [
        (ByToken(), False, 2),
        (ByToken(), True, 12),
        (ByKeys(), False, 12),
    ],
    ids=["known", "served inside", "by keys"],
)
def test_what_may_differ_between_connections_is_decided_by_each(
    authenticator: Any,  # noqa: ANN401
    inside: bool,  # noqa: FBT001
    times: int,
) -> None:
    scene = scene_by_token(authenticators=(authenticator,))
    scene.backend.inside = inside
    exporter = attrs.evolve(TLS, exporter=lambda *_: b"k" * 32)
    scene.facts = attrs.evolve(scene.facts, tls=exporter)
    begin_twice(scene)
    assert len(authenticator.asked) == times


class Looking(Requirements):
    """Looks at the connection's own keys for one path, and at nothing for others."""

    def __init__(self) -> None:
        super().__init__(())
        self.depends_on_request = True
        self.saw: list[bytes] = []

    def check(self, identity: Identity, request: Request) -> Decision:
        if request.head.path == "/keys" and request.tls is not None:
            self.saw.append(request.tls.export_key(b"EXPORTER-x", 32, b""))
        return super().check(identity, request)


def test_nobody_is_judged_by_another_connection_s_keys() -> None:
    """Where they were not looked at before, what was decided is known to all."""
    looking = Looking()
    scene = scene_by_token(requirements=looking)
    for key in (b"one", b"two", b"three"):
        tls = attrs.evolve(TLS, exporter=lambda *_, key=key: key)
        scene.facts = attrs.evolve(scene.facts, tls=tls)
        client = begin(scene, b"bob", b"alice")
        looking.saw.clear()
        send(scene, client, request_of(b"alice", b"GET /keys HTTP/1.1"))
        assert looking.saw[-1] == key
    assert len(asked_about(scene)) > 4


def test_a_backend_that_says_nothing_of_itself_may_look_at_the_connection() -> None:
    admission = admitted(route=make_route(FakeUpstream()))
    assert holds_elsewhere(admission)
    admission = admitted(route=attrs.evolve(admission.route, upstream=object()))
    assert not holds_elsewhere(admission)


def test_what_was_decided_for_nobody_in_particular_holds_elsewhere() -> None:
    nobody = Authenticated(make_identity("x", issuer=ANONYMOUS))
    authenticator = FakeAuthenticator(nobody)
    begin_twice(scene_by_token(authenticators=(authenticator,)))
    assert len(authenticator.asked) == 2


def test_what_a_session_is_about_stays_with_its_connection() -> None:
    admission = admitted()
    request = admission.caller.request
    identity = admission.caller.identity
    assert identity is not None
    request = attrs.evolve(request, session=in_session(identity))
    caller = attrs.evolve(admission.caller, request=request)
    assert not holds_elsewhere(attrs.evolve(admission, caller=caller))


def test_one_route_s_decision_may_be_for_one_connection_alone() -> None:
    """The other route's stays what others find, without it."""
    inside = FakeUpstream()
    inside.inside = True
    by = ByToken()

    def routes(backend: FakeUpstream) -> list[Route]:
        taken = frozenset({"authorization", "dpop"})
        both: dict[str, Any] = {"authenticators": (by,), "consumed": taken}
        return [make_route(backend, **both), make_route(inside, path="/in/", **both)]

    scene = Scene(routes=routes)
    asked = []
    for _ in range(2):
        client = begin(scene, b"bob")
        for path in (b"/", b"/in/", b"/", b"/in/"):
            client.receive(request_of(b"alice", b"GET " + path + b" HTTP/1.1"))
            upstream = inside if path == b"/in/" else scene.backend
            answer_ok(upstream.exchange)
        asked.append(by.asked.count("alice"))
    assert asked == [2, 3]


def test_two_routes_in_any_order() -> None:
    """What holds on one connection alone is not published with what does not."""
    inside = FakeUpstream()
    inside.inside = True
    by = ByToken()

    def routes(backend: FakeUpstream) -> list[Route]:
        taken = frozenset({"authorization", "dpop"})
        both: dict[str, Any] = {"authenticators": (by,), "consumed": taken}
        return [make_route(backend, **both), make_route(inside, path="/in/", **both)]

    scene = Scene(routes=routes)
    for expected in (2, 4):
        client = begin(scene, b"bob")
        for path in (b"/in/", b"/"):
            client.receive(request_of(b"alice", b"GET " + path + b" HTTP/1.1"))
            upstream = inside if path == b"/in/" else scene.backend
            answer_ok(upstream.exchange)
        assert by.asked.count("alice") == expected
