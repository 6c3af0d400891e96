"""What the backend gets with an admitted request, and for how long that holds."""

from sso_proxy.authz.conditions import Requirements
from sso_proxy.model import (
    Authenticated,
    Bound,
    Decision,
    Identity,
    Request,
)
from sso_proxy.routing import RouteHeaders
from sso_proxy.testing.fakes import (
    NOW,
    FakeAuthenticator,
    make_identity,
)
from tests.support.deciding import Asked, FakeBinding, read


def test_a_decision_is_reused_until_the_identity_expires() -> None:
    for expires, left in ((None, 30.0), (NOW + 5, 5.0), (NOW + 99, 30.0)):
        someone = Authenticated(make_identity(expires=expires))
        asked = Asked(None, FakeAuthenticator(someone))
        assert asked.admission.reuse_until == left


def test_a_decision_is_reused_until_who_made_it_has_to_be_asked_again() -> None:
    someone = Authenticated(make_identity(expires=NOW + 9), until=NOW + 5)
    assert Asked(None, FakeAuthenticator(someone)).admission.reuse_until == 5.0


def test_a_decision_that_depends_on_the_query_is_not_used_again() -> None:
    assert Asked(None, reads_query=True).admission.reuse_until == 0.0


def test_what_an_authenticator_tells_the_client_comes_with_the_answer() -> None:
    binding = FakeBinding(Bound((("dpop-nonce", "n"),)))
    private = (("cache-control", "private"),)
    someone = FakeAuthenticator(Authenticated(make_identity(), headers=private))
    admission = Asked(None, someone, demanded=(binding,)).admission
    assert admission.answer == b"Dpop-Nonce: n\r\nCache-Control: private\r\n"


def test_what_an_authenticator_has_for_the_backend_goes_there() -> None:
    fields = (("Authorization", "Basic eA=="),)
    someone = FakeAuthenticator(
        Authenticated(make_identity(), backend=fields), consumes=("authorization",)
    )
    client = read("GET /", "Authorization: Basic eTp5")
    admission = Asked(client, someone, consumed=frozenset({"authorization"})).admission
    assert admission.block.count(b"Authorization") == 1
    assert b"Authorization: Basic eA==\r\n" in admission.block
    assert admission.reuse_until == 30.0


def test_what_cannot_be_a_field_is_not_sent() -> None:
    someone = Authenticated(make_identity(), backend=(("X-A", "a\r\nb"),))
    assert Asked(None, FakeAuthenticator(someone)).refused == (403, "header-value")


def test_credentials_in_query_and_cookies_go_no_further() -> None:
    incoming = read(
        "GET /a?x=%zz&access%5Ftoken=t&y", "Cookie: a=1; token=t; b", "Accept: */*"
    )
    admission = Asked(
        incoming, consumed_parameters=("access_token",), consumed_cookies=("token",)
    ).admission
    head = admission.caller.request.head
    assert head.query == "x=%zz&y"
    assert head.values("cookie") == ["a=1; b"]
    assert b"\r\nCookie: a=1; b\r\n" in admission.block


def test_a_cookie_field_with_nothing_left_is_gone() -> None:
    admission = Asked(read("GET /", "Cookie: t=1"), consumed_cookies=("t",)).admission
    assert admission.caller.request.head.values("cookie") == []
    assert b"Cookie" not in admission.block


def test_conditions_do_not_see_credentials() -> None:
    seen: list[str | None] = []

    class Looking(Requirements):
        def check(self, identity: Identity, request: Request) -> Decision:
            seen.append(request.head.query)
            return super().check(identity, request)

    Asked(
        read("GET /?access_token=t"),
        requirements=Looking(()),
        consumed_parameters=("access_token",),
    )
    assert seen == [None]


def test_a_claim_that_cannot_be_sent_is_403() -> None:
    someone = Authenticated(make_identity(claims={"groups": ["a,b"]}))
    headers = RouteHeaders(claims=(("groups", "X-Groups"),))
    asked = Asked(None, FakeAuthenticator(someone), headers=headers)
    assert asked.refused == (403, "header-value")
