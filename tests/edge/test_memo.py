"""Requests that are repetitions, and requests that only look like it."""

from typing import Any

import attrs
import pytest

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.config.limits import LimitsConfig
from sso_proxy.edge.memo import Memo
from sso_proxy.edge.place import Place
from sso_proxy.model import Authenticated, NotPresented
from sso_proxy.specs.http.request import read_request
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from tests.support.doubles import (
    HOST,
    Scene,
    WaitingAuthenticator,
    answer_ok,
    make_route,
    status_of,
)
from tests.support.repeating import (
    BROWSER,
    ByToken,
    check_as_fresh,
    request_of,
    scene_by_token,
)

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def test_a_repeated_head_is_not_decided_on_again() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask(b"GET /a HTTP/1.1")
    first = scene.backend.head
    answer_ok(scene.backend.exchange)
    scene.ask(b"GET /b?c HTTP/1.1")
    assert len(authenticator.asked) == 1
    wanted = first.replace(b"/a", b"/b?c").replace(b"id-1", b"id-2")
    assert scene.backend.head == wanted
    answer_ok(scene.backend.exchange)
    assert scene.statuses() == [200, 200]
    assert scene.records[1].path == "/b"


@pytest.mark.parametrize(
    "line",
    [
        b"GET /.sso/x HTTP/1.1",
        b"GET /%61 HTTP/1.1",
        b"POST / HTTP/1.1",
        b"GET / HTTP/1.0",
    ],
)
def test_what_is_not_plainly_a_repetition_goes_the_whole_way(line: bytes) -> None:
    scene = Scene(own_names=frozenset({"x"})).ask()
    answer_ok(scene.backend.exchange)
    scene.ask(line)
    assert scene.read_whole()
    assert len(scene.backend.asked) == 2


@pytest.mark.parametrize(
    "name", [b"access_token", b"access%5ftoken", b"%61ccess_token"]
)
def test_a_repetition_with_a_token_in_its_query_goes_the_whole_way(name: bytes) -> None:
    """It is one more than the one that was decided on (RFC 6750 section 2)."""
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.ask(b"GET /?a=1&" + name + b"=t HTTP/1.1")
    assert len(authenticator.asked) == 2


def test_nothing_is_a_repetition_where_the_query_says_who_calls() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,), reads_query=True).ask()
    answer_ok(scene.backend.exchange)
    scene.ask(b"GET /b HTTP/1.1")
    assert len(authenticator.asked) == 2


def test_a_repetition_with_a_line_that_is_too_long_is_414() -> None:
    scene = Scene(limits=LimitsConfig(request_line=64)).ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"GET /" + b"a" * 50 + b" HTTP/1.1")
    answer_ok(scene.backend.exchange)
    assert status_of(scene.client.take()) == 200
    scene.ask(b"GET /" + b"a" * 51 + b" HTTP/1.1")
    assert status_of(scene.client.take()) == 414


def test_a_reload_makes_repetitions_be_decided_on_again() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.site.rules = scene.make_rules()
    scene.ask()
    assert len(authenticator.asked) == 2


def test_a_revocation_makes_repetitions_be_decided_on_again() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.site.decide_anew()
    scene.ask()
    assert len(authenticator.asked) == 2


def test_an_expired_identity_makes_repetitions_be_decided_on_again() -> None:
    authenticator = FakeAuthenticator(Authenticated(make_identity(expires=1.0)))
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.ask()
    assert len(authenticator.asked) == 2


def test_a_repetition_is_authorised_by_its_own_method() -> None:
    condition = compile_condition("method == 'GET'", "require")
    scene = Scene(requirements=Requirements((condition,))).ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"GET /next HTTP/1.1")
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"OPTIONS / HTTP/1.1")
    assert status_of(scene.client.take()) == 403


def test_a_repetition_is_routed_by_its_own_path_and_method() -> None:
    closed = FakeAuthenticator(NotPresented())
    scene = Scene(
        routes=lambda backend: [
            make_route(backend, methods=frozenset({"GET"})),
            make_route(backend, path="/closed/", authenticators=(closed,)),
        ]
    ).ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"GET /closed/x HTTP/1.1")
    assert status_of(scene.client.take()) == 403
    scene.ask(b"HEAD / HTTP/1.1")
    assert status_of(scene.client.take()) == 405


def test_a_failed_repetition_of_head_has_no_body() -> None:
    scene = Scene().ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"HEAD / HTTP/1.1")
    scene.backend.exchange.fail(502, "backend-closed")
    sent = scene.client.take()
    assert status_of(sent) == 502
    assert sent.endswith(b"\r\n\r\n")
    assert not scene.client.closed


# Requests that differ in their credential


def test_who_differs_in_the_credential_gets_what_a_fresh_connection_gets(
    read_whole: list[str],
) -> None:
    requests = [
        request_of(b"alice"),
        request_of(b"bob", b"GET /b?c HTTP/1.1"),
        request_of(b"bob", b"GET /d HTTP/1.1"),
        request_of(b"carol.x", b"HEAD / HTTP/1.1"),
        request_of(b"alice"),
    ]
    kept = scene_by_token()
    for request in requests:
        exchange = check_as_fresh(kept, scene_by_token, request, kept.client)
        assert exchange is not None
        answer_ok(exchange)
    assert len(read_whole) == len(requests) + 1
    assert kept.statuses() == [200] * len(requests)


def test_only_what_was_decided_last_may_be_alike() -> None:
    scene = scene_by_token()
    raw, other = request_of(b"alice"), request_of(b"bob")
    scene.client.receive(raw)
    admission = scene.backend.exchange.admission
    assert admission is not None
    rest = raw[raw.index(b"\r\n") :]
    rules = scene.site.rules
    incoming = read_request(
        raw, scheme="https", port=443, limits=rules.head_limits, managed=rules.managed
    )
    memo = Memo(rules, rest, incoming, admission.host_routes, Place(scene.facts))
    memo.add(admission)
    found = memo.read_like(other)
    assert found is not None
    assert found[1] is admission
    memo.add(attrs.evolve(admission, shared=0))
    assert memo.read_like(other) is None


def test_who_differs_in_token_and_proof_is_decided_on_alike(
    read_whole: list[str],
) -> None:
    scene = scene_by_token()
    for number, name in enumerate((b"alice", b"alice", b"bob")):
        proof = b"DPoP: e30.%d.x\r\n" % number
        scene.client.receive(request_of(name).replace(BROWSER, proof + BROWSER))
        admission = scene.backend.exchange.admission
        assert admission is not None
        head = admission.caller.request.head
        assert head.values("dpop") == [f"e30.{number}.x"]
        assert b"DPoP" not in scene.backend.head
        answer_ok(scene.backend.exchange)
    assert len(read_whole) == 1


def test_after_proofs_another_head_goes_the_whole_way_and_is_known_then(
    read_whole: list[str],
) -> None:
    scene = scene_by_token()
    proof = request_of(b"alice").replace(BROWSER, b"DPoP: e30.1.x\r\n" + BROWSER)
    other = proof.replace(b"*/*", b"text/html")
    for request in (proof, proof.replace(b".1.", b".2."), other, other):
        exchange = check_as_fresh(scene, scene_by_token, request, scene.client)
        assert exchange is not None
        answer_ok(exchange)
    assert len(read_whole) == 2 + 4


def test_a_proof_that_the_backend_gets_is_never_another_s(
    read_whole: list[str],
) -> None:
    scene = Scene(authenticators=(ByToken(),), consumed=frozenset({"authorization"}))
    for proof in (b"one", b"two"):
        request = request_of(b"alice").replace(BROWSER, b"DPoP: " + proof + b"\r\n")
        scene.client.receive(request)
        assert b"Dpop: " + proof in scene.backend.head
        answer_ok(scene.backend.exchange)
    assert len(read_whole) == 2


def test_a_bad_credential_after_a_good_one_is_refused() -> None:
    scene = scene_by_token()
    for name in (b"alice", b"bad", b"bob"):
        asked = len(scene.backend.asked)
        scene.client.receive(request_of(name))
        if len(scene.backend.asked) > asked:
            answer_ok(scene.backend.exchange)
    assert scene.statuses() == [200, 403, 200]
    assert [record.reason for record in scene.records] == ["", "token-invalid", ""]


def test_another_credential_is_authorised_for_itself() -> None:
    only = Requirements([compile_condition("subject == 'alice'", "require[0]")])
    scene = scene_by_token(requirements=only)
    scene.client.receive(request_of(b"alice"))
    answer_ok(scene.backend.exchange)
    scene.client.receive(request_of(b"bob"))
    assert scene.statuses() == [200, 403]


@pytest.mark.parametrize(
    ("other", "route"),
    [
        (request_of(b"bob").replace(b"*/*", b"*"), {}),
        (request_of(b"bob", b"GET /.sso/x HTTP/1.1"), {}),
        (request_of(b"bob", b"POST / HTTP/1.1"), {"methods": frozenset({"GET"})}),
        (request_of(b"bob", b"GET /a/../b HTTP/1.1"), {}),
        (request_of(b"bob") + b"G", {}),
        (request_of(b"bob"), {"consumed_cookies": ("a",)}),
    ],
)
def test_who_differs_in_more_goes_the_whole_way(
    read_whole: list[str],
    other: bytes,
    route: dict[str, Any],
) -> None:
    scene = scene_by_token(**route)
    scene.client.receive(request_of(b"alice"))
    answer_ok(scene.backend.exchange)
    scene.client.receive(other)
    assert len(read_whole) == 2


def test_after_a_reload_another_credential_goes_the_whole_way(
    read_whole: list[str],
) -> None:
    scene = scene_by_token()
    scene.client.receive(request_of(b"alice"))
    answer_ok(scene.backend.exchange)
    scene.site.rules = scene.make_rules()
    scene.client.receive(request_of(b"bob"))
    assert len(read_whole) == 2


def test_a_repeated_line_is_decided_on_for_the_last_credential() -> None:
    scene = scene_by_token()
    for name in (b"alice", b"alice", b"bob", b"bob", b"alice"):
        scene.client.receive(request_of(name))
        assert b"X-Remote-User: " + name in scene.backend.head
        answer_ok(scene.backend.exchange)


def test_what_was_decided_before_a_reload_is_not_used_again_after_it() -> None:
    """The decision waits while the configuration changes."""
    authenticator = WaitingAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    scene.site.rules = scene.make_rules()
    authenticator.waits[0].callback(Authenticated(make_identity()))
    answer_ok(scene.backend.exchange)
    scene.ask()
    assert len(authenticator.waits) == 2
