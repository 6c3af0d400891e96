"""The way of a request about its own session: as any other's, but nobody logs in."""

import json
from typing import Any

from zope.interface import implementer

from sso_proxy.authn.oidc_refresh import AGAIN, SELDOM, RefreshRefusedError
from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.authz.policies import Named, Policies
from sso_proxy.config.route_parts import SessionInfoConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IBinding
from sso_proxy.model import (
    PERMIT,
    REFUSED,
    Authenticated,
    Bound,
    Decision,
    Effect,
    Identity,
    MapperVerdict,
    NotPresented,
    Outcome,
    Request,
    Unbound,
    UserName,
)
from sso_proxy.routing import RouteHeaders
from sso_proxy.testing.fakes import (
    FakeAuthenticator,
    FakeMapper,
    FakePolicy,
    make_identity,
)
from tests.support.caching import now
from tests.support.info_scene import InfoScene
from tests.support.login_scene import PAGE

TOKENS = SessionInfoConfig(show=("access_token", "access_token_expires", "times"))


def logged_in(kind: str = "server", **options: Any) -> InfoScene:  # noqa: ANN401
    scene = InfoScene(kind, **{"info": TOKENS, **options})
    assert scene.log_in().status == 303
    return scene


def test_tokens_that_are_older_than_a_page_wants_are_refreshed(kind: str) -> None:
    scene = logged_in(kind)
    scene.tools.clock.advance(60)
    assert scene.told("?refresh=61")["access_token"] == "access-0"
    assert scene.told("?refresh=60") == {
        **scene.told("?refresh=60"),
        "access_token": "access-1",
        "access_token_expires": int(scene.tools.clock.now) + 300,
    }
    assert scene.login.spent == ["refresh-0"]


def test_the_rotated_token_is_saved_whether_or_not_the_session_is_used(
    kind: str,
) -> None:
    scene = logged_in(kind, options={"inactivity": 600})
    used = scene.session().used
    for number in range(1, 4):
        scene.tools.clock.advance(100)
        told = scene.told("?refresh=0&extend=false")
        assert told["access_token"] == f"access-{number}"
        assert told["inactive_at"] == int(used + 600)
        assert scene.session().used == used
        assert scene.session().data["refresh_token"] == f"refresh-{number}"
    assert scene.login.spent == ["refresh-0", "refresh-1", "refresh-2"]
    scene.tools.clock.advance(301)
    assert scene.info().status == 401


def test_no_page_has_a_provider_asked_all_the_time(kind: str) -> None:
    scene = logged_in(kind)
    scene.tools.clock.advance(SELDOM)
    for _ in range(20):
        assert scene.told("?refresh=0")["access_token"] == "access-1"
    assert len(scene.login.spent) == 1
    scene.tools.clock.advance(SELDOM)
    assert scene.told("?refresh=0")["access_token"] == "access-2"


def test_without_a_refresh_token_there_is_what_there_is(kind: str) -> None:
    scene = InfoScene(kind, info=TOKENS)
    del scene.login.data["refresh_token"]
    scene.log_in()
    scene.tools.clock.advance(100)
    assert scene.told("?refresh=0")["access_token"] == "access-0"


def test_a_provider_that_is_down_is_503_and_the_session_stays(kind: str) -> None:
    scene = logged_in(kind)
    scene.tools.clock.advance(100)
    scene.login.failure = UnavailableError("the provider")
    for _ in range(5):
        seen = scene.info("?refresh=0")
        assert (seen.status, scene.reason) == (503, "unavailable")
        assert json.loads(seen.body)["status"] == 503
        assert ("retry-after", "5") in seen.headers
    assert len(scene.login.spent) == 1
    assert scene.told()["access_token"] == "access-0"

    scene.login.failure = None
    scene.tools.clock.advance(AGAIN)
    assert scene.told("?refresh=0")["access_token"] == "access-2"


def test_a_provider_that_refuses_ends_the_session_by_default(kind: str) -> None:
    scene = logged_in(kind)
    scene.tools.clock.advance(100)
    scene.login.failure = RefreshRefusedError("invalid_grant")
    seen = scene.info("?refresh=0")
    assert (seen.status, scene.reason) == (401, "no-session")
    assert "__Host-sso" not in scene.browser.cookies
    assert scene.info().status == 401


def test_a_provider_that_refuses_is_502_where_the_session_stays(kind: str) -> None:
    scene = InfoScene(kind, info=TOKENS)
    scene.login.failed = "unavailable"
    scene.log_in()
    scene.tools.clock.advance(100)
    scene.login.failure = RefreshRefusedError("invalid_grant")
    assert scene.info("?refresh=0").status == 502
    assert scene.told()["access_token"] == "access-0"


def test_a_session_that_goes_on_without_new_tokens_is_told(kind: str) -> None:
    scene = InfoScene(kind, info=TOKENS)
    scene.login.failed = "keep"
    scene.log_in()
    scene.tools.clock.advance(100)
    scene.login.failure = RefreshRefusedError("invalid_grant")
    assert scene.told("?refresh=0")["access_token"] == "access-0"
    assert "refresh_token" not in scene.session().data


def test_tokens_that_are_nearly_over_are_refreshed_as_for_any_request(
    kind: str,
) -> None:
    scene = logged_in(kind)
    scene.tools.clock.advance(200)
    told = scene.told("?extend=false")
    assert told["access_token"] == "access-1"
    assert scene.session().data["refresh_token"] == "refresh-1"


def test_what_the_new_tokens_say_counts(kind: str) -> None:
    """A refresh may take away what the route demands."""
    condition = compile_condition("claims.round == '0'", "require[0]")
    requirements = Requirements((condition,))
    scene = InfoScene(kind, info=TOKENS, requirements=requirements)
    scene.login.claims = {"round": "0"}
    scene.log_in()
    scene.tools.clock.advance(10)
    assert scene.told()["access_token"] == "access-0"
    seen = scene.info("?refresh=0")
    assert seen.status == 403
    assert "access-1" not in seen.body
    assert scene.session().data["refresh_token"] == "refresh-1"


def test_the_conditions_of_the_route_hold_and_nobody_logs_in(kind: str) -> None:
    requirements = Requirements((compile_condition("acr == 'gold'", "require[0]"),))
    scene = logged_in(kind, requirements=requirements)
    for fields in ((), (*PAGE, b"Sec-Fetch-Site: none")):
        seen = scene.info("", *fields)
        assert seen.status == 403
        assert ("content-type", "application/problem+json") in seen.headers
    assert len(scene.login.began) == 1


def test_the_policies_of_the_route_hold(kind: str) -> None:
    gold = Decision(effect=Effect.STEP_UP, reasons=("weak",), acr_values=("gold",))
    for answer, status in ((gold, 403), (UnavailableError("pdp"), 503), (PERMIT, 200)):
        policy = FakePolicy(PERMIT, answer)  # the login's own request comes first
        policies = Policies([Named("p", policy)])
        scene = logged_in(kind, policies=policies)
        policy.asked.clear()
        scene.info()
        seen = scene.info()
        assert seen.status == status
        assert policy.asked[-1][1].head.path == "/.sso/session"
    assert len(scene.login.began) == 1


@implementer(IBinding)
class Certificate:
    """Demands a key, which this caller has or not."""

    kind = "certificate"
    members = ("x5t#S256",)
    once = False

    def __init__(self) -> None:
        self.there = False
        self.asked = 0

    async def check(
        self,
        request: Request,  # noqa: ARG002
        identity: Identity,  # noqa: ARG002
    ) -> Unbound | Bound | None:
        """Say whether it is there."""
        self.asked += 1
        return None if self.there else Unbound(reason="certificate-missing")


def test_a_key_that_the_route_demands_has_to_be_proved_before_anything(
    kind: str,
) -> None:
    certificate = Certificate()
    scene = logged_in(kind, demanded=(certificate,))
    scene.tools.clock.advance(10)
    seen = scene.info("?refresh=0")
    assert (seen.status, scene.reason) == (401, "certificate-missing")
    assert scene.login.spent == []
    certificate.there = True
    assert scene.told("?refresh=0")["access_token"] == "access-1"


def test_who_has_no_name_at_the_backend_is_told_nothing(kind: str) -> None:
    seen = logged_in(kind, mappers=(FakeMapper(REFUSED),)).info()
    assert seen.status == 403
    assert "alice" not in seen.body


def test_a_session_that_was_ended_is_401(kind: str) -> None:
    scene = logged_in(kind)
    assert now(scene.store.revoke(scene.session().id))
    assert scene.info().status == 401


def test_the_record_says_who_asked(kind: str) -> None:
    scene = logged_in(kind)
    scene.info()
    trail = scene.scene.records[-1].trail
    assert trail is not None
    assert trail.identity is not None
    assert trail.identity.subject == "alice"
    assert trail.user == "alice"
    assert trail.request is not None
    assert trail.request.session is not None


def test_a_session_of_another_login_is_none_here(kind: str) -> None:
    scene = logged_in(kind)
    scene.login.name = "another"
    assert scene.info().status == 401


class Liar(FakeAuthenticator):
    """Says of each session that it is somebody else's."""

    reads_session = True

    async def authenticate(self, request: Request) -> Outcome:
        """Say nothing of anything else."""
        if request.session is None:
            return NotPresented()
        return await super().authenticate(request)


def test_nobody_is_told_of_a_session_who_comes_by_something_else(kind: str) -> None:
    liar = Liar(Authenticated(make_identity("mallory")))
    seen = logged_in(kind, authenticators=(liar,)).info()
    assert seen.status == 401
    assert "alice" not in seen.body


def test_revoked_users_are_401(kind: str) -> None:
    scene = logged_in(kind)
    pipeline: Any = scene.scene.site.rules.pipeline
    revoked = Decision(effect=Effect.REVOKED, reasons=("user-revoked",))
    pipeline._revoked = lambda _: revoked  # noqa: SLF001
    seen = scene.info()
    assert (seen.status, scene.reason) == (401, "user-revoked")


def test_a_page_survives_ten_expiries_of_its_tokens(kind: str) -> None:
    scene = logged_in(kind, options={"inactivity": 600})
    for number in range(1, 11):
        scene.tools.clock.advance(scene.login.lasts)
        assert scene.told("?refresh=60")["access_token"] == f"access-{number}"
    assert len(scene.login.began) == 1


def test_the_backend_of_a_request_that_refreshes_gets_the_new_token(kind: str) -> None:
    headers = RouteHeaders(tokens=(("access_token", "X-Token"),))
    scene = logged_in(kind, headers=headers)
    scene.page()
    assert b"X-Token: access-0\r\n" in scene.scene.backend.head
    scene.tools.clock.advance(scene.login.lasts)
    scene.ask("/", b"Accept: other")
    assert b"X-Token: access-1\r\n" in scene.scene.backend.head


def test_a_session_that_ends_while_it_is_looked_at_is_401(kind: str) -> None:
    class Ending(FakeMapper):
        async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
            await scene.store.revoke(scene.session().id)
            return await super().map_user(identity)

    scene = logged_in(kind, mappers=(Ending("alice"),))
    seen = scene.info()
    assert (seen.status, scene.reason) == (401, "session-ended")
    assert "access-0" not in seen.body
