"""A request's way, phase by phase: whatever is unexpected denies."""

from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.endpoints.protected_resource import ProtectedResource
from sso_proxy.errors import UnavailableError
from sso_proxy.model import (
    ANONYMOUS,
    DECLINED,
    REFUSED,
    Authenticated,
    Bound,
    Client,
    HeaderChallenge,
    LoginRedirect,
    NotPresented,
    Outcome,
    Rejected,
    TlsFacts,
    Unbound,
)
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.oauth.offer import Offer
from sso_proxy.specs.oauth.protected_resource import WELL_KNOWN, read_identifier
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeAuthenticator, FakeMapper, make_identity
from tests.support.deciding import PEER, PROXY, Asked, FakeBinding, read, refusing
from tests.support.doubles import WaitingAuthenticator

# 1 facts


def test_an_untrusted_peer_says_nothing_about_the_client() -> None:
    asked = Asked(
        read(
            "GET /",
            "X-Forwarded-For: 198.51.100.7",
            "X-Forwarded-Proto: http",
            "X-Request-Id: theirs",
        )
    )
    request = asked.admission.caller.request
    assert request.client.address == "192.0.2.1"
    assert request.head.scheme == "https"
    assert request.id == "new-id"


def http(incoming: Incoming, port: int = 80) -> Incoming:
    head = attrs.evolve(incoming.head, scheme="http", port=port)
    return attrs.evolve(incoming, head=head)


def test_a_trusted_proxy_does() -> None:
    incoming = read(
        "GET /",
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-Proto: https",
        "X-Request-Id: their-id_1",
    )
    asked = Asked(http(incoming), connection=PROXY)
    request = asked.admission.caller.request
    assert request.client.address == "198.51.100.7"
    assert (request.head.scheme, request.head.port) == ("https", 443)
    assert request.id == "their-id_1"
    assert asked.admission.reuse_until == 0.0
    assert b"X-Forwarded-Port: 443\r\n" in asked.admission.block


def test_a_trusted_proxy_is_one_whatever_it_says() -> None:
    request = Asked(read("GET /"), connection=PROXY).admission.caller.request
    assert request.client == Client(address=PROXY.peer, peer=PROXY.peer, trusted=True)


def test_a_port_that_was_named_is_kept_under_another_scheme() -> None:
    incoming = http(read("GET /", "X-Forwarded-Proto: https"), port=8443)
    request = Asked(incoming, connection=PROXY).admission.caller.request
    assert (request.head.scheme, request.head.port) == ("https", 8443)


@pytest.mark.parametrize("bad", ["", "a b", "a" * 129, "-", "é"])
def test_an_implausible_id_is_not_taken(bad: str) -> None:
    incoming = attrs.evolve(read(), forwarded=(("x-request-id", bad),))
    request = Asked(incoming, connection=PROXY).admission.caller.request
    assert request.id == "new-id"


def test_whoever_asks_a_decision_point_names_their_request() -> None:
    """Its answer has the name, and is nobody else's."""
    named = read("GET /", "X-Request-Id: their-id_1")
    consumed = frozenset({"authorization", "dpop"})
    asked = Asked(named, keeps_ids=True, consumed=consumed)
    assert asked.admission.caller.request.id == "their-id_1"
    assert asked.admission.reuse_until == 0.0
    assert asked.admission.shared == 0
    assert Asked(named).admission.caller.request.id == "new-id"
    for incoming in (read(), read("GET /", "X-Request-Id: a b")):
        other = Asked(incoming, keeps_ids=True, consumed=consumed).admission
        assert (other.caller.request.id, other.reuse_until) == ("new-id", 30.0)
        assert other.shared > 0


def test_proxies_that_contradict_each_other_are_refused() -> None:
    incoming = read(
        "GET /", "X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.8"
    )
    assert Asked(incoming, connection=PROXY).refused == (400, "forwarded-conflict")


def test_a_loop_is_found() -> None:
    assert Asked(read("GET /", "Via: 1.1 proxy")).refused == (508, "loop")


# 2 route


def test_a_path_without_route_is_404() -> None:
    assert Asked(read("GET /x"), path="/y/").refused == (404, "no-route")


def test_a_host_without_route_is_404() -> None:
    assert Asked(host="other.example").refused == (404, "no-route")


def test_a_host_with_other_client_rules_is_421() -> None:
    tls = TlsFacts(version="TLSv1.3", cipher="c", policy="one")
    connection = attrs.evolve(PEER, tls=tls, policy_for=lambda _: "two")
    assert Asked(connection=connection).refused == (421, "misdirected")
    connection = attrs.evolve(PEER, tls=tls, policy_for=lambda _: "one")
    assert Asked(connection=connection).admission.caller.user == "alice"
    assert Asked(connection=attrs.evolve(PEER, stale=True)).refused[0] == 421


def test_a_method_that_is_not_allowed_is_405_and_told_which_are() -> None:
    asked = Asked(read("PUT /"), methods=frozenset({"GET", "HEAD"}))
    assert asked.refused == (405, "method")
    assert asked.response.headers == (("allow", "GET, HEAD"),)


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%5Cb", "/a%2fb"])
def test_escaped_slashes_have_to_be_allowed(path: str) -> None:
    assert Asked(read(f"GET {path}")).refused == (400, "encoded-slash")
    asked = Asked(read(f"GET {path}"), encoded_slashes=True)
    assert asked.admission.caller.request.head.path == path.upper().replace(
        "/A", "/a"
    ).replace("B", "b").replace("%5c", "%5C")


@pytest.mark.parametrize("path", ["/a;x=1/b", "/a%3Bx=1/b"])
def test_path_parameters_are_rejected_kept_or_taken_off(path: str) -> None:
    line = f"GET {path}"
    rejected = Asked(read(line), path_parameters="reject")
    assert rejected.refused == (400, "path-parameters")
    kept = Asked(read(line), path_parameters="keep")
    assert kept.admission.caller.request.head.path == path
    stripped = Asked(read(line), path_parameters="strip")
    assert stripped.admission.caller.request.head.path == "/a/b"
    assert stripped.trail.request is stripped.admission.caller.request


def test_what_is_left_of_a_path_has_to_be_the_same_routes() -> None:
    asked = Asked(
        read("GET /;x/admin/y"),
        path_parameters="strip",
        others=({"path": "/admin/", "path_parameters": "strip"},),
    )
    assert asked.refused == (400, "ambiguous-path")


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/public/admin%2Fx", "passes"),
        ("/public/..%2Fadmin/x", "ambiguous-path"),
        ("/public/..%5Cadmin/x", "ambiguous-path"),
        ("/public/a%5Cb/..%2F..%2Fadmin/x", "ambiguous-path"),
        ("/public/;a/..%2F..%2F../admin/x", "path-above-root"),
        ("/public/;a/..%2Fadmin/x", "ambiguous-path"),
        ("/public%2F..%2F..%2Fx", "path-above-root"),
    ],
)
def test_escaped_slashes_do_not_lead_to_another_routes_paths(
    path: str, answer: str
) -> None:
    """B12: many backends take them for slashes, and then resolve dot segments."""
    public = {"path": "/public/", "encoded_slashes": True, "path_parameters": "keep"}
    asked = Asked(
        read(f"GET {path}"),
        path="/",
        encoded_slashes=True,
        others=(public, {"path": "/admin/"}),
    )
    if answer == "passes":
        assert asked.admission.caller.request.head.path == path
    else:
        assert asked.refused == (400, answer)


# 3 own endpoints


def test_our_own_paths_need_no_identity() -> None:
    nobody = FakeAuthenticator(NotPresented())
    asked = Asked(read("GET /.sso/x/y"), nobody, own_names=frozenset({"x"}))
    assert asked.admission.own
    assert asked.admission.caller.identity is None
    assert nobody.asked == []


def test_an_own_path_that_there_is_not_is_404() -> None:
    assert Asked(read("GET /.sso/none")).refused == (404, "no-endpoint")


def test_metadata_is_for_everybody() -> None:
    resource = ProtectedResource(read_identifier("https://app.example.com/a"), b"{}")
    first = refusing()

    def ask(line: str, *fields: str) -> Asked:
        return Asked(read(line, *fields), first, resources=(resource,))

    assert ask(f"GET {WELL_KNOWN}/a").refused == (200, "metadata")
    assert ask(f"GET {WELL_KNOWN}/%61?x=1").refused == (200, "metadata")
    assert ask(f"HEAD {WELL_KNOWN}/./a").refused == (200, "metadata")
    assert ask(f"POST {WELL_KNOWN}/a", "Content-Length: 3").refused == (405, "method")
    assert ask(f"GET {WELL_KNOWN}/a", "Authorization: Bearer x").refused[0] == 200
    assert first.asked == []
    assert ask(f"GET {WELL_KNOWN}/b").refused == (401, "no-credential")
    assert ask(f"GET {WELL_KNOWN}/a/").refused == (401, "no-credential")
    assert ask(f"GET {WELL_KNOWN}%2Fa").refused == (400, "encoded-slash")


def test_challenges_say_what_the_route_offers() -> None:
    offer = Offer(dpop="accept", algorithms=("ES256",))
    asked = Asked(read(), refusing(), offer=offer)
    assert asked.response.headers[1:] == (
        ("www-authenticate", "Bearer"),
        ("www-authenticate", 'DPoP algs="ES256"'),
    )


# 4 authenticate


def test_the_first_who_knows_decides() -> None:
    first = FakeAuthenticator(NotPresented())
    second = FakeAuthenticator(Authenticated(make_identity("bob")))
    third = FakeAuthenticator()
    asked = Asked(None, first, second, third)
    assert asked.admission.caller.user == "bob"
    assert (len(first.asked), len(third.asked)) == (1, 0)


def test_a_bad_credential_is_refused_and_nobody_else_asked() -> None:
    bad = FakeAuthenticator(
        Rejected(reason="token-expired", challenge=HeaderChallenge(("Bearer x",)))
    )
    second = FakeAuthenticator()
    asked = Asked(None, bad, second)
    assert asked.refused == (401, "token-expired")
    assert ("www-authenticate", "Bearer x") in asked.response.headers
    assert ("cache-control", "no-store") in asked.response.headers
    assert second.asked == []


def test_a_credential_that_may_be_another_s_is_shown_to_those_of_its_kind() -> None:
    foreign = FakeAuthenticator(Rejected(reason="token-issuer", final=False))
    second = FakeAuthenticator()
    asked = Asked(None, foreign, second)
    assert asked.admission.caller.identity is not None
    assert len(second.asked) == 1


def test_a_credential_that_nobody_knows_does_not_become_anonymous() -> None:
    class Other(FakeAuthenticator):
        pass

    other = Other()
    first = FakeAuthenticator(Rejected(reason="token-issuer", final=False))
    second = FakeAuthenticator(Rejected(reason="token-opaque", final=False))
    assert Asked(None, first, second, other).refused == (403, "token-issuer")
    assert other.asked == []


def test_a_bad_credential_without_challenge_is_403() -> None:
    bad = FakeAuthenticator(Rejected(reason="bad", detail="more"))
    assert Asked(None, bad).refused == (403, "bad")


def test_all_challenges_go_into_one_answer() -> None:
    asked = Asked(
        None,
        FakeAuthenticator(NotPresented(), challenge=HeaderChallenge(("One",))),
        FakeAuthenticator(NotPresented()),
        FakeAuthenticator(NotPresented(), challenge=HeaderChallenge(("Two",))),
    )
    assert asked.refused == (401, "no-credential")
    names = [value for name, value in asked.response.headers if name[0] == "w"]
    assert names == ["One", "Two"]


def test_nobody_with_a_challenge_is_403() -> None:
    asked = Asked(None, FakeAuthenticator(NotPresented()))
    assert asked.refused == (403, "no-credential")


def test_a_login_is_for_navigations() -> None:
    login = FakeAuthenticator(NotPresented(), challenge=LoginRedirect("/login"))
    fields = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
    asked = Asked(read("GET /", *fields), login)
    assert asked.refused == (302, "login")
    assert ("location", "/login") in asked.response.headers
    assert Asked(read("GET /", "Sec-Fetch-Mode: cors"), login).refused[0] == 401


# 5 bind


def test_an_unknown_confirmation_is_refused() -> None:
    bound = make_identity(confirmation={"jkt": "x"})
    asked = Asked(None, FakeAuthenticator(Authenticated(bound)))
    assert asked.refused == (401, "unknown-confirmation")


@pytest.mark.parametrize("demanded", [True, False])
def test_a_confirmation_is_checked_whether_demanded_or_not(
    demanded: bool,  # noqa: FBT001
) -> None:
    bound = Authenticated(make_identity(confirmation={"x5t#S256": "x"}))
    for answer in (None, Unbound(reason="other-certificate")):
        binding = FakeBinding(answer)
        asked = Asked(
            None,
            FakeAuthenticator(bound),
            bindings={"x5t#S256": binding},
            demanded=(binding,) if demanded else (),
        )
        if answer is None:
            assert asked.trail.bound == ("certificate",)
        else:
            assert asked.refused == (401, "other-certificate")


def test_what_the_route_demands_is_checked_without_confirmation() -> None:
    binding = FakeBinding(Unbound(reason="not-bound"))
    assert Asked(demanded=(binding,)).refused == (401, "not-bound")


def test_who_may_pass_without_a_proof_has_proved_nothing() -> None:
    passes = FakeBinding(Bound((("x", "y"),), proved=False), "device")
    alone = Asked(demanded=(passes,))
    assert alone.trail.bound == ()
    assert alone.admission.answer == b"X: y\r\n"
    asked = Asked(demanded=(passes, FakeBinding(None)))
    assert asked.trail.bound == ("certificate",)


def test_a_proof_for_one_request_is_not_used_again() -> None:
    for once in (False, True):
        admission = Asked(demanded=(FakeBinding(None, once=once),)).admission
        assert (admission.reuse_until == SettableClock().monotonic()) is once


def test_a_proof_is_not_used_up_by_a_request_that_another_binding_refuses() -> None:
    """Whoever has a proof but not the certificate must not spend it."""
    proof = FakeBinding(None, "dpop", once=True)
    certificate = FakeBinding(Unbound(reason="other-certificate"))
    for demanded in ((proof, certificate), (certificate, proof)):
        asked = Asked(demanded=demanded)
        assert asked.refused == (401, "other-certificate")
        assert proof.asked == []


def test_bindings_learn_what_the_client_asked_for() -> None:
    binding = FakeBinding()
    connection = attrs.evolve(PEER, listener_port=8443)
    parts: dict[str, Any] = {"demanded": (binding,), "connection": connection}
    Asked(read("GET /a;x/b"), path_parameters="strip", **parts)
    Asked(read("GET /a/./b"), path_parameters="strip", **parts)
    stripped, plain = binding.asked
    assert (stripped.head.path, stripped.path_asked) == ("/a/b", "/a;x/b")
    assert (plain.head.path, plain.path_asked) == ("/a/b", "")
    assert plain.listener_port == stripped.listener_port == 8443


def test_what_a_binding_tells_the_client_comes_with_the_answer() -> None:
    binding = FakeBinding(Bound((("dpop-nonce", "n1"),)))
    asked = Asked(demanded=(binding,))
    assert asked.admission.answer == b"Dpop-Nonce: n1\r\n"
    assert asked.trail.bound == ("certificate",)


def test_a_binding_s_own_challenge_is_the_one_told() -> None:
    challenge = HeaderChallenge(("DPoP",), (("dpop-nonce", "n1"),))
    asked = Asked(demanded=(FakeBinding(Unbound(reason="x", challenge=challenge)),))
    assert asked.refused == (401, "x")
    assert ("dpop-nonce", "n1") in asked.response.headers
    assert ("www-authenticate", "DPoP") in asked.response.headers


# 6 map


@pytest.mark.parametrize("unsafe", ["a\nb", "", " admin", "admin ", "a\u200bb"])
def test_a_name_that_reads_otherwise_elsewhere_is_refused(unsafe: str) -> None:
    someone = FakeAuthenticator(Authenticated(make_identity(unsafe)))
    assert Asked(None, someone).refused == (403, "user-unsafe")
    assert Asked(mappers=(FakeMapper(unsafe),)).refused == (403, "user-unsafe")


def test_nobody_in_particular_has_no_name() -> None:
    nobody = Authenticated(make_identity("anonymous", issuer=ANONYMOUS))
    admission = Asked(None, FakeAuthenticator(nobody)).admission
    assert admission.caller.user == ""
    assert b"X-Remote-User" not in admission.block


def test_mappers_are_asked_in_turn() -> None:
    asked = Asked(mappers=(FakeMapper(DECLINED), FakeMapper("carol")))
    assert asked.admission.caller.user == asked.trail.user == "carol"
    refused = Asked(mappers=(FakeMapper(REFUSED), FakeMapper("carol")))
    assert refused.refused == (403, "user-refused")
    assert Asked(mappers=(FakeMapper(DECLINED),)).refused == (403, "user-unmapped")


# whatever breaks


class SurpriseTests(TestCase):
    """Whatever breaks denies."""

    def test_an_error_denies_and_nobody_else_is_asked(self) -> None:
        second = FakeAuthenticator()
        asked = Asked(None, FakeAuthenticator(OSError("down")), second)
        assert asked.refused == (503, "failed")
        assert second.asked == []
        assert len(self.flushLoggedErrors(OSError)) == 1

    def test_what_is_not_available_is_503_without_a_traceback(self) -> None:
        asked = Asked(None, FakeAuthenticator(UnavailableError("keys")))
        assert asked.refused == (503, "unavailable")
        assert asked.response.headers == (("retry-after", "5"),)
        assert self.flushLoggedErrors() == []

    def test_only_a_503_says_when_to_come_back(self) -> None:
        for status in (502, 504):
            down = UnavailableError("introspection", status=status)
            asked = Asked(None, FakeAuthenticator(down))
            assert asked.refused == (status, "unavailable")
            assert asked.response.headers == ()

    def test_an_answer_that_is_none_denies(self) -> None:
        outcome: Any = None
        asked = Asked(None, FakeAuthenticator(outcome))
        assert asked.refused == (503, "failed")
        assert len(self.flushLoggedErrors(AssertionError)) == 1

    def test_cancelling_is_not_an_answer(self) -> None:
        waits = WaitingAuthenticator()
        asked = Asked(None, waits)
        assert asked.waiting is not None
        asked.waiting.cancel()
        assert waits.cancelled == 1
        assert asked.verdicts == []
        assert asked.failures == []

    def test_waiting_costs_nothing_of_the_rest(self) -> None:
        waits = WaitingAuthenticator()
        asked = Asked(None, waits)
        assert asked.verdicts == []
        waits.answer()
        assert asked.admission.caller.user == "alice"

    def test_a_mapper_that_breaks_denies(self) -> None:
        asked = Asked(mappers=(FakeMapper(ValueError("bug")),))
        assert asked.refused == (503, "failed")
        assert len(self.flushLoggedErrors(ValueError)) == 1

    def test_a_late_error_denies(self) -> None:
        waits = WaitingAuthenticator()
        asked = Asked(None, waits)
        pending: Deferred[Outcome] = waits.waits[0]
        pending.errback(OSError("down"))
        assert asked.refused == (503, "failed")
        assert len(self.flushLoggedErrors(OSError)) == 1
