"""The tokens of a route's backend: where they stand, and who gets none."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.authz.revocations import Revocations
from sso_proxy.config.token_parts import Place, RouteTokenConfig
from sso_proxy.errors import BadMessageError, UnavailableError
from sso_proxy.model import (
    Authenticated,
)
from sso_proxy.outgoing import sort_consumed
from sso_proxy.route_tokens import build_delivery
from sso_proxy.routing import Supply
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.revocations import Revocation
from sso_proxy.supplying import MOST_FORM
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import (
    NOW,
    FakeAuthenticator,
    FakeTokenSource,
    make_identity,
)
from sso_proxy.token import MISSING, Audience, NotIssued, Token
from tests.support.deciding import Asked, read


def supply(*answers: Any, to: Place = "authorization", **options: Any) -> Supply:  # noqa: ANN401
    """Make the token of a route."""
    config = RouteTokenConfig(name="t", to=to, **options)
    return Supply(
        name="t",
        source=FakeTokenSource(*answers),
        audience=Audience(name="https://orders.example"),
        delivery=build_delivery(config),
        required=config.on_error == "deny",
    )


def with_tokens(
    *supplies: Supply,
    request: Incoming | None = None,
    **route: Any,  # noqa: ANN401
) -> Asked:
    """Ask for something on a route whose backend gets tokens."""
    consumed = sort_consumed(supplies)
    return Asked(
        request,
        supplies=supplies,
        consumed=consumed["field"],
        consumed_cookies=tuple(consumed["cookie"]),
        consumed_parameters=tuple(consumed["parameter"]),
        consumed_fields=tuple(consumed["form"]),
        **route,
    )


def test_a_backend_gets_its_own_token_and_not_the_callers() -> None:
    request = read("GET /", "Authorization: Bearer callers")
    admission = with_tokens(supply(), request=request).admission
    assert admission.block.count(b"Authorization: ") == 1
    assert b"\r\nAuthorization: Bearer t0ken\r\n" in admission.block


def test_a_source_sees_what_was_presented_and_who_it_is() -> None:
    token = supply(to="cookie", field="t")
    request = read("GET /?q=1", "Cookie: t=callers", "Authorization: Bearer callers")
    with_tokens(token, request=request)
    source: Any = token.source
    ((caller, audience),) = source.asked
    assert caller.request.head.values("cookie") == ["t=callers"]
    assert (caller.user, audience.name) == ("alice", "https://orders.example")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"to": "header", "field": "X-Token"}, b"X-Token: t0ken"),
        (
            {"to": "header", "field": "X-Token", "scheme": "Token"},
            b"X-Token: Token t0ken",
        ),
        ({"scheme": "DPoP"}, b"Authorization: DPoP t0ken"),
        ({"to": "basic"}, b"Authorization: Basic YWxpY2U6dDBrZW4="),
        ({"to": "basic", "user": "app"}, b"Authorization: Basic YXBwOnQwa2Vu"),
        ({"to": "cookie", "field": "sts"}, b"Cookie: a=1; sts=t0ken"),
    ],
)
def test_a_token_stands_where_the_backend_looks_for_it(
    options: dict[str, Any], line: bytes
) -> None:
    request = read("GET /", "Cookie: a=1; sts=forged")
    block = with_tokens(supply(**options), request=request).admission.block
    assert b"\r\n" + line + b"\r\n" in block
    assert b"forged" not in block or options.get("to") != "cookie"


def test_a_cookie_for_the_backend_needs_none_of_the_client() -> None:
    block = with_tokens(supply(to="cookie", field="sts")).admission.block
    assert b"\r\nCookie: sts=t0ken\r\n" in block


@pytest.mark.parametrize("line", ["GET /a", "GET /a?t=forged", "GET /a?%74=forged"])
def test_a_token_in_the_query_is_the_only_one(line: str) -> None:
    token = supply(Token(value="a b&c"), to="query", field="t")
    admission = with_tokens(token, request=read(line)).admission
    assert admission.caller.request.head.query == "t=a+b%26c"
    assert admission.reuse_until == 0.0


def test_a_token_in_the_query_leaves_the_rest_as_it_is() -> None:
    token = supply(to="query", field="t")
    admission = with_tokens(token, request=read("GET /a?x=%zz&&y")).admission
    assert admission.caller.request.head.query == "x=%zz&&y&t=t0ken"


def test_a_hosted_application_finds_its_token() -> None:
    token = supply(to="environ", field="TOKEN")
    assert with_tokens(token).admission.caller.environ == {"TOKEN": "t0ken"}


def test_a_request_without_a_form_has_no_place_for_a_field() -> None:
    assert with_tokens(supply(to="form", field="t")).refused == (415, "token-no-form")


def test_a_decision_holds_as_long_as_its_tokens() -> None:
    tokens = [supply(Token(value="t", expires=NOW + left)) for left in (9, 5)]
    assert with_tokens(*tokens).admission.reuse_until == 5.0


def test_a_client_hears_once_what_came_with_a_token() -> None:
    cookie = (("set-cookie", "__Host-sso=new"),)
    admission = with_tokens(supply(Token(value="t", headers=cookie))).admission
    assert admission.answer == b"Set-Cookie: __Host-sso=new\r\n"
    assert admission.reuse_until == 0.0


def test_another_credential_gets_another_token() -> None:
    """What is kept for being alike ends before the caller's own token."""
    admission = with_tokens(
        supply(), request=read("GET /", "Authorization: Bearer a")
    ).admission
    assert b"t0ken" not in admission.block[: admission.shared]


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (401, (401, "token-refused")),
        (403, (403, "token-refused")),
        (502, (502, "token-refused")),
    ],
)
def test_who_can_have_no_token_does_not_pass(
    status: int, refused: tuple[int, str]
) -> None:
    token = supply(NotIssued(reason="token-refused", status=status, detail="no"))
    assert with_tokens(token).refused == refused


def test_a_401_tells_clients_what_to_do() -> None:
    asked = Asked(None, supplies=(supply(MISSING),))
    assert asked.refused == (401, "token-missing")
    challenge = dict(asked.response.headers)["www-authenticate"]
    assert challenge.startswith('Fake error="invalid_token"')


def test_a_request_may_pass_without_its_token() -> None:
    request = read("GET /", "Authorization: Bearer callers")
    for answer in (MISSING, UnavailableError("sts", status=504)):
        token = supply(answer, on_error="pass")
        assert (
            b"Authorization" not in with_tokens(token, request=request).admission.block
        )


@pytest.mark.parametrize("value", ["a b", "a\r\nX-User: root", "ä", "\x00", ""])
@pytest.mark.parametrize("to", ["authorization", "header", "cookie"])
def test_a_token_that_would_not_stay_one_word_is_not_sent(
    value: str, to: Place
) -> None:
    named = {"field": "X-T"} if to != "authorization" else {}
    token = supply(Token(value=value), to=to, **named)
    assert with_tokens(token).refused == (502, "token-unusable")


class Form:
    """The body of a request that posts a form."""

    def __init__(self, content: bytes) -> None:
        self.content: bytes | None = None
        self._sent = content

    async def read(self, limit: int) -> bytes:
        if len(self._sent) > limit:
            raise BadMessageError(413, "body-too-large")
        self.content = self._sent
        return self._sent


def post(content: bytes, **route: Any) -> Asked:  # noqa: ANN401
    fields = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 9")
    return with_tokens(
        supply(to="form", field="t"),
        request=read("POST /", *fields),
        body=Form(content),
        posts_tokens=True,
        reads_form=True,
        **route,
    )


@pytest.mark.parametrize(
    ("sent", "gets"),
    [(b"a=1&t=forged", b"a=1&t=t0ken"), (b"", b"t=t0ken"), (b"%74=x", b"t=t0ken")],
)
def test_a_token_in_a_form_is_the_only_one(sent: bytes, gets: bytes) -> None:
    admission = post(sent).admission
    assert admission.body == gets
    assert admission.reuse_until == 0.0


def test_a_form_that_a_token_is_put_into_is_not_endless() -> None:
    assert post(b"a" * (MOST_FORM + 1), body_bytes=1 << 34).refused[0] == 413
    assert post(b"a" * 1001).refused[0] == 413, "the route's own limit"


def test_a_user_name_with_a_colon_is_no_user_of_basic() -> None:
    someone = FakeAuthenticator(Authenticated(make_identity(subject="a:b")))
    asked = Asked(None, someone, supplies=(supply(to="basic"),))
    assert asked.refused == (403, "token-user")


class WaitingTests(TestCase):
    """A token takes its time, and the world goes on."""

    def ask(
        self, revocations: Revocations | None = None
    ) -> tuple[Asked, Deferred[Token]]:
        waits: Deferred[Token] = Deferred()
        asked = Asked(None, supplies=(supply(waits),), revocations=revocations)
        assert asked.verdicts == []
        return asked, waits

    def test_a_token_may_come_later(self) -> None:
        asked, waits = self.ask()
        waits.callback(Token(value="late"))
        assert b"Authorization: Bearer late" in asked.admission.block

    def test_who_is_revoked_meanwhile_does_not_pass(self) -> None:
        revocations = Revocations(SettableClock())
        asked, waits = self.ask(revocations)
        alice = Revocation(
            issuer=make_identity().issuer, subject="alice", until=int(NOW) + 99
        )
        revocations.change([alice], [])
        waits.callback(Token(value="late"))
        assert asked.refused == (401, "revoked")

    def test_an_issuer_that_is_down_is_said(self) -> None:
        asked, waits = self.ask()
        waits.errback(UnavailableError("sts", status=504))
        assert asked.refused == (504, "unavailable")


def test_a_token_of_the_route_goes_before_what_an_authenticator_has() -> None:
    fields = (("Authorization", "Basic eA=="), ("X-Too", "yes"))
    someone = FakeAuthenticator(Authenticated(make_identity(), backend=fields))
    admission = Asked(None, someone, supplies=(supply(Token(value="t")),)).admission
    assert admission.block.count(b"Authorization") == 1
    assert b"Authorization: Bearer t\r\n" in admission.block
    assert b"X-Too: yes\r\n" in admission.block
