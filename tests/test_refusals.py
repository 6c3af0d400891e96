"""Tests for `sso_proxy.refusals`."""

from typing import Any

import attrs
import pytest

from sso_proxy.model import (
    Decision,
    Effect,
    HeaderChallenge,
    LoginRedirect,
    Refusal,
    Rejected,
    Request,
    Response,
    Unbound,
)
from sso_proxy.refusals import MOST_TARGET, deny, invite, refuse_unbound, reject
from sso_proxy.routing import Route
from sso_proxy.session import Session
from sso_proxy.specs.oauth.offer import Offer
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity, make_request
from tests.support.caching import now
from tests.support.doubles import FakeUpstream, make_route

REQUEST = make_request()
METADATA = "https://a.example/.well-known/oauth-protected-resource"
OFFER = Offer(dpop="accept", algorithms=("ES256",), resource_metadata=METADATA)
BEARER = HeaderChallenge(('Bearer error="invalid_token"',), (("dpop-nonce", "n"),))
COMPLETE = (
    f'Bearer error="invalid_token", resource_metadata="{METADATA}"',
    f'DPoP algs="ES256", resource_metadata="{METADATA}"',
)


class Telling(FakeAuthenticator):
    """Tells its refusals in a scheme that routes know."""

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge:  # noqa: ARG002
        return HeaderChallenge((f'Bearer error="{refusal.error}"',))


class Silent(FakeAuthenticator):
    """Has nothing to say."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        pass


def route(*authenticators: Any, offer: Offer = OFFER) -> Route:  # noqa: ANN401
    return make_route(FakeUpstream(), authenticators=authenticators, offer=offer)


def challenges(response: Response) -> tuple[str, ...]:
    assert ("cache-control", "no-store") in response.headers
    return tuple(v for name, v in response.headers if name == "www-authenticate")


def test_a_bad_credential_is_answered_as_the_route_is() -> None:
    response = reject(Rejected(reason="r", challenge=BEARER), REQUEST, route())
    assert (response.status, response.reason) == (401, "r")
    assert challenges(response) == COMPLETE
    assert ("dpop-nonce", "n") in response.headers


@pytest.mark.parametrize(("status", "told"), [(401, 403), (400, 400), (403, 403)])
def test_401_needs_a_challenge(status: int, told: int) -> None:
    rejected = Rejected(status=status, reason="r")
    assert reject(rejected, REQUEST, route()).status == told


def test_all_ways_in_are_told() -> None:
    ways = [HeaderChallenge(("Bearer",)), HeaderChallenge(("Negotiate",)), None]
    asked = [FakeAuthenticator(challenge=way) for way in ways]
    response = now(invite(REQUEST, route(*asked), None))
    assert (response.status, response.reason) == (401, "no-credential")
    assert challenges(response) == (
        f'Bearer resource_metadata="{METADATA}"',
        COMPLETE[1],
        "Negotiate",
    )


def test_a_page_is_sent_to_log_in_and_a_program_is_not() -> None:
    login = FakeAuthenticator(challenge=LoginRedirect("https://login.example/"))
    page = make_request(
        headers={
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Accept": "text/html",
        }
    )
    assert now(invite(page, route(login), None)).status == 302
    assert now(invite(REQUEST, route(login), None)).status == 401
    assert now(invite(REQUEST, route(FakeAuthenticator()), None)).status == 403


PAGE = make_request(
    headers={
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Accept": "text/html",
    }
)


@pytest.mark.parametrize(
    ("request_", "always", "status"),
    [(PAGE, False, 307), (REQUEST, False, 403), (REQUEST, True, 307)],
)
def test_a_bad_credential_may_be_mended_elsewhere(
    request_: Request, *, always: bool, status: int
) -> None:
    there = LoginRedirect("https://login.example/", status=307, always=always)
    rejected = Rejected(reason="ticket-expired", redirect=there)
    response = reject(rejected, request_, route())
    assert (response.status, response.reason) == (status, "ticket-expired")
    sent_on = ("location", there.location) in response.headers
    assert sent_on is (status == 307)
    login = FakeAuthenticator(challenge=there)
    assert now(invite(request_, route(login), None)).status in {status, 401}


def test_who_is_revoked_has_a_token_that_is_not_valid() -> None:
    """RFC 6750 section 3.1: ``invalid_token`` is for one that is revoked, too."""
    decision = Decision(effect=Effect.REVOKED, reasons=("revoked", "its-id"))
    response = now(deny(decision, REQUEST, route(), Telling(), None))
    assert (response.status, response.reason) == (401, "revoked")
    assert challenges(response) == COMPLETE
    assert now(deny(decision, REQUEST, route(), Silent(), None)).status == 403


def test_who_holds_no_key_is_told_by_the_binding_or_the_authenticator() -> None:
    told = Unbound(status=400, reason="r", challenge=BEARER)
    response = refuse_unbound(told, REQUEST, route(), Telling())
    assert (response.status, challenges(response)[0]) == (400, COMPLETE[0])
    untold = Unbound(reason="r")
    response = refuse_unbound(untold, REQUEST, route(), Telling())
    assert (response.status, challenges(response)) == (401, COMPLETE)
    assert refuse_unbound(untold, REQUEST, route(), Silent()).status == 403


@pytest.mark.parametrize(
    ("decision", "status", "error"),
    [
        (Decision(effect=Effect.DENY, scope=("a",)), 403, "insufficient_scope"),
        (Decision(effect=Effect.DENY), 403, None),
        (
            Decision(effect=Effect.STEP_UP, max_age=0),
            401,
            "insufficient_user_authentication",
        ),
    ],
)
def test_who_may_not_is_told_what_would_be_enough(
    decision: Decision, status: int, error: str | None
) -> None:
    response = now(deny(decision, REQUEST, route(), Telling(), None))
    assert (response.status, response.reason) == (status, "denied")
    told = challenges(response)
    if error is None:
        assert told == ()
    else:
        assert told[0] == f'Bearer error="{error}", resource_metadata="{METADATA}"'
        assert len(told) == (2 if status == 401 else 1)


def test_a_login_that_cannot_be_asked_for_is_forbidden() -> None:
    decision = Decision(effect=Effect.STEP_UP, reasons=("why",))
    response = now(deny(decision, REQUEST, route(), Silent(), None))
    assert (response.status, response.reason) == (403, "why")


NAVIGATION = {
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Accept": "text/html",
}


def in_session(**changes: Any) -> Request:  # noqa: ANN401
    identity = make_identity(authenticator="people & co")
    session = Session(id="s", identity=identity, created=0, used=0, expires=9e9)
    request = make_request(**{"headers": NAVIGATION, **changes})
    return attrs.evolve(request, session=session)


def again(request: Request) -> str:
    where = attrs.evolve(route(), login_names=("people & co",), endpoints="/x/.sso/")
    return now(deny(Decision(effect=Effect.DENY), request, where, Silent(), None)).again


def test_who_is_logged_in_and_may_not_can_log_in_as_somebody_else() -> None:
    asked = in_session(path="/a%2Fb/", query="c=d&to=//evil.example")
    assert again(asked) == (
        "/x/.sso/login?with=people%20%26%20co"
        "&to=%2Fa%252Fb%2F%3Fc%3Dd%26to%3D%2F%2Fevil.example"
    )


def test_an_address_too_long_to_come_back_to_is_left_out() -> None:
    assert again(in_session(query="a" * MOST_TARGET)).endswith("&to=%2F")


def test_a_script_or_a_caller_without_a_session_is_offered_no_other_login() -> None:
    assert again(in_session(headers={"Accept": "application/json"})) == ""
    assert again(make_request(headers=NAVIGATION)) == ""
