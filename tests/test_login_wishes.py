"""What routes ask of logins is found by the place where somebody goes on."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from zope.interface import implementer

from sso_proxy.callers import with_session
from sso_proxy.config.login_parts import RouteLoginConfig
from sso_proxy.config.model import RouteConfig
from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import ILogin, ILoginWishes
from sso_proxy.login import Wishes
from sso_proxy.login_wishes import LoginWishes
from sso_proxy.model import Refusal
from sso_proxy.routing import RouteTable
from sso_proxy.session import Session
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity, make_request
from tests.support.doubles import FakeUpstream, make_route
from tests.support.fake_login import FakeLogin
from tests.support.login_scene import LoginScene


@implementer(ILogin, ILoginWishes)
class WishfulLogin(FakeLogin):
    """Finds every session too little for who has wishes."""

    def check_wishes(self, wishes: Wishes) -> None:
        if wishes.login_hint == "nobody":
            raise ValueError("nobody can be asked that")

    def lacks(self, session: Session, wishes: Wishes | None) -> Refusal | None:
        assert session.id == "s1"
        return None if wishes is None else Refusal(error="less")


GOLD = RouteLoginConfig(acr_values=("gold",))
PLAIN = RouteConfig(
    host="a.example", authenticate=("api", "corp"), backend="http://127.0.0.1:1"
)
STRICT = attrs.evolve(PLAIN, path="/strict/", login=GOLD)
AUTHENTICATORS: Mapping[str, Any] = {
    "api": FakeAuthenticator(),
    "corp": WishfulLogin(),
    "other": WishfulLogin("other"),
    "plain": FakeLogin("plain"),
}
SESSION = Session(id="s1", identity=make_identity(), created=0.0, used=0.0, expires=9.0)


def test_a_session_is_asked_about_on_every_route_of_the_login() -> None:
    wishes = LoginWishes([PLAIN, STRICT])
    wanted, checks = wishes.find("route[1]", STRICT, AUTHENTICATORS)
    assert wanted == Wishes(acr_values=("gold",))
    assert checks["corp"](SESSION) == Refusal(error="less")
    wanted, checks = wishes.find("route[0]", PLAIN, AUTHENTICATORS)
    assert wanted is None
    assert checks["corp"](SESSION) is None


def test_nothing_is_asked_where_all_sessions_are_alike() -> None:
    other = attrs.evolve(PLAIN, authenticate=("other",))
    wishes = LoginWishes([PLAIN, STRICT, other])
    assert wishes.find("route[2]", other, AUTHENTICATORS) == (None, {})
    assert LoginWishes([PLAIN]).find("route[0]", PLAIN, AUTHENTICATORS)[1] == {}


def test_what_a_route_does_without_tokens_is_nothing_that_is_asked_for() -> None:
    route = attrs.evolve(PLAIN, login=RouteLoginConfig(refresh_failed="keep"))
    found = LoginWishes([route]).find("route[0]", route, AUTHENTICATORS)
    assert found == (Wishes(), {})


def test_who_goes_by_a_session_knows_what_its_route_does_without_tokens() -> None:
    route = make_route(FakeUpstream(), refresh_failed="keep")
    assert with_session(route, make_request(), None).refresh_failed == "keep"


def test_a_place_has_the_wishes_of_its_route() -> None:
    wishes = LoginWishes([])
    assert wishes.at("a.example", "/strict/") is None
    gold = Wishes(acr_values=("gold",))
    routes = [
        make_route(FakeUpstream(), host="a.example", path="/"),
        make_route(FakeUpstream(), host="a.example", path="/strict/", wishes=gold),
    ]
    wishes.settle(RouteTable(routes))
    assert wishes.at("a.example", "/strict/page") == gold
    assert wishes.at("a.example", "/page") is None
    assert wishes.at("b.example", "/strict/page") is None


@pytest.mark.parametrize(
    ("authenticate", "login", "problem"),
    [
        (("api",), GOLD, "no authenticator here logs anybody in"),
        (("plain",), GOLD, "no effect on the logins of 'plain'"),
        (("corp", "plain"), GOLD, "no effect on the logins of 'plain'"),
        (("corp",), RouteLoginConfig(), "says nothing"),
        (("api",), RouteLoginConfig(refresh_failed="keep"), "logs anybody in"),
        (("corp",), RouteLoginConfig(login_hint="nobody"), "nobody can be asked"),
    ],
)
def test_what_has_no_effect_is_refused(
    authenticate: tuple[str, ...], login: RouteLoginConfig, problem: str
) -> None:
    route = attrs.evolve(PLAIN, authenticate=authenticate, login=login)
    with pytest.raises(ConfigError, match=problem) as caught:
        LoginWishes([route]).find("route[7]", route, AUTHENTICATORS)
    assert caught.value.mistakes[0].path == "route[7].login"


def test_whose_login_is_too_little_logs_in_again_and_scripts_are_refused() -> None:
    lacking = Refusal(error="less", acr_values=("gold",), max_age=60)
    checks: dict[str, Any] = {"corp": lambda _: lacking, "other": lambda _: None}
    scene = LoginScene("server", "corp", "other", login_checks=checks)
    scene.come_back(scene.page("/.sso/login?with=corp&to=/"))
    again = scene.page("/page")
    assert again.location.startswith("https://login.example/authorize")
    wanted = scene.logins["corp"].began[-1]
    assert (wanted.acr_values, wanted.max_age) == (("gold",), 60)
    refused = scene.ask("/page", b"Accept: application/json", b"Sec-Fetch-Mode: cors")
    assert (refused.status, scene.reason) == (403, "login-lacks")
    other = scene.page("/.sso/login?with=other&to=/")
    scene.come_back(other, name="other")
    assert scene.page("/page").status == 200
