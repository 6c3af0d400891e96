"""Where people log in, for the routes of one configuration."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest

from sso_proxy.config.apache_parts import ModAuthOpenidcConfig
from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.logins import Logins
from sso_proxy.errors import ConfigError
from sso_proxy.key_places import KeyPlaces
from sso_proxy.login_desks import LoginDesks
from sso_proxy.pages import default_pages
from sso_proxy.specs.jose.public_jwk import PublicKey
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeAuthenticator, make_request
from tests.support.caching import now
from tests.support.fake_login import FakeLogin
from tests.support.sessions import SessionTools, cookie_sessions, server_sessions
from tests.support.told_login import ToldLogin

ROUTE = RouteConfig(
    host="a.example", authenticate=("api", "corp"), backend="http://127.0.0.1:1"
)
AUTHENTICATORS: Mapping[str, Any] = {
    "api": FakeAuthenticator(),
    "corp": FakeLogin(),
    "partner": FakeLogin("partner"),
}


def make(
    endpoints: str, desks: Mapping[str, Desk], keys: Sequence[PublicKey]
) -> BrowserEndpoints:
    clock = SettableClock()
    limit = AddressLimit(clock, 1)
    logins = Logins(
        endpoints, desks, pages=default_pages(), limit=limit, clock=clock, keys=keys
    )
    return BrowserEndpoints(endpoints, logins, [logins])


@pytest.fixture
def desks() -> LoginDesks:
    return LoginDesks(make, KeyPlaces())


def test_a_route_has_the_logins_that_it_names(desks: LoginDesks) -> None:
    logins, names = desks.find(
        "route[0]", ROUTE, AUTHENTICATORS, server_sessions(SessionTools())
    )

    assert logins is not None
    assert names == ("corp",)
    assert [(r.host, r.path, r.logins) for r in desks.routes()] == [
        ("a.example", "/.sso/", logins)
    ]


def test_routes_of_a_host_have_their_endpoints_in_common(desks: LoginDesks) -> None:
    store = server_sessions(SessionTools())
    other = attrs.evolve(ROUTE, path="/b/", authenticate=("partner",))
    first, _ = desks.find("route[0]", ROUTE, AUTHENTICATORS, store)
    second, _ = desks.find("route[1]", other, AUTHENTICATORS, store)

    assert first is second
    assert len(desks.routes()) == 1


def test_another_host_or_place_is_another(desks: LoginDesks) -> None:
    store = server_sessions(SessionTools())
    routes = [
        ROUTE,
        attrs.evolve(ROUTE, host="b.example"),
        attrs.evolve(ROUTE, endpoints="/admin/.sso/"),
    ]
    for number, route in enumerate(routes):
        desks.find(f"route[{number}]", route, AUTHENTICATORS, store)

    assert [(r.host, r.path) for r in desks.routes()] == [
        ("a.example", "/.sso/"),
        ("b.example", "/.sso/"),
        ("a.example", "/admin/.sso/"),
    ]


def test_a_route_without_a_login_has_none(desks: LoginDesks) -> None:
    route = attrs.evolve(ROUTE, authenticate=("api",))

    assert desks.find("route[0]", route, AUTHENTICATORS, None) == (None, ())
    assert desks.routes() == []


def test_a_login_begins_one_kind_of_sessions_on_a_host(desks: LoginDesks) -> None:
    desks.find("route[0]", ROUTE, AUTHENTICATORS, server_sessions(SessionTools()))
    other = attrs.evolve(ROUTE, path="/b/", session="other")

    with pytest.raises(ConfigError, match="second authenticator"):
        desks.find("route[1]", other, AUTHENTICATORS, server_sessions(SessionTools()))


def test_keys_of_a_host_have_different_names(desks: LoginDesks) -> None:
    store = server_sessions(SessionTools())
    key = {"kty": "EC", "kid": "1"}
    known: Mapping[str, Any] = {
        "corp": FakeLogin(public_keys=(key,)),
        "same": FakeLogin("same", public_keys=(key,)),
        "other": FakeLogin("other", public_keys=({**key, "x": "AA"},)),
    }
    good = attrs.evolve(ROUTE, authenticate=("corp", "same"))
    assert desks.find("route[0]", good, known, store)[1] == ("corp", "same")

    bad = attrs.evolve(ROUTE, authenticate=("other",))
    with pytest.raises(ConfigError, match=r"^route\[1\]\.authenticate: several keys"):
        desks.find("route[1]", bad, known, store)


def test_keys_of_tokens_for_backends_are_in_the_same_set() -> None:
    """Also those of routes that come later."""
    places = KeyPlaces()
    desks = LoginDesks(make, places)
    ours, theirs = {"kty": "EC", "kid": "1"}, {"kty": "EC", "kid": "2"}
    known: Mapping[str, Any] = {"corp": FakeLogin(public_keys=(ours,))}
    route = attrs.evolve(ROUTE, authenticate=("corp",))
    logins, _ = desks.find("route[0]", route, known, server_sessions(SessionTools()))
    assert logins is not None
    assert [*desks.places] == [("a.example", "/.sso/")]
    places.add("route[1].token[0]", ("a.example", "/.sso/"), [theirs])

    answer = now(logins.answer(make_request(path="/.sso/jwks")))
    assert answer is not None
    assert json.loads(answer.body) == {"keys": [ours, theirs]}
    assert places.routes(besides=desks.places) == []


def test_all_sessions_are_known_that_a_login_begins(desks: LoginDesks) -> None:
    """A provider tells one host of it that somebody has logged out."""
    one, other = server_sessions(SessionTools()), server_sessions(SessionTools())
    hosts = [("a.example", one), ("b.example", other), ("c.example", one)]
    for number, (host, store) in enumerate(hosts):
        route = attrs.evolve(ROUTE, host=host)
        desks.find(f"route[{number}]", route, AUTHENTICATORS, store)

    assert list(desks.stores_of("corp")) == [one, other]
    assert list(desks.stores_of("partner")) == []


def test_sessions_that_a_provider_has_to_end_are_no_browsers_business(
    desks: LoginDesks,
) -> None:
    known: Mapping[str, Any] = {"corp": ToldLogin(relies_on_notices=True)}
    route = attrs.evolve(ROUTE, authenticate=("corp",))
    desks.find("route[0]", route, known, cookie_sessions(SessionTools()))

    route = attrs.evolve(route, host="b.example")
    store = cookie_sessions(SessionTools(), cache=None)
    with pytest.raises(ConfigError, match=r"route\[1\]\.session: .*backchannel_logout"):
        desks.find("route[1]", route, known, store)


APACHE = attrs.evolve(
    ROUTE, mod_auth_openidc=ModAuthOpenidcConfig(redirect_path="/oauth2callback")
)


def test_all_logins_by_a_name_come_back_to_the_redirect_path() -> None:
    """They share a login, whichever route it is for."""
    store, seen = server_sessions(SessionTools()), []

    def made(
        endpoints: str, desks: Mapping[str, Desk], keys: Sequence[PublicKey]
    ) -> BrowserEndpoints:
        seen.append(desks)
        return make(endpoints, desks, keys)

    desks = LoginDesks(made, KeyPlaces())
    for number, route in enumerate((ROUTE, APACHE, attrs.evolve(ROUTE, path="/b/"))):
        desks.find(f"route[{number}]", route, AUTHENTICATORS, store)
    (known,) = seen
    assert known["corp"].callback == "/oauth2callback"


def test_logins_come_back_to_one_place(desks: LoginDesks) -> None:
    store = server_sessions(SessionTools())
    desks.find("route[0]", APACHE, AUTHENTICATORS, store)
    config = ModAuthOpenidcConfig(redirect_path="/other")
    other = attrs.evolve(APACHE, path="/b/", mod_auth_openidc=config)
    with pytest.raises(ConfigError, match="another redirect_path"):
        desks.find("route[1]", other, AUTHENTICATORS, store)


def test_a_redirect_path_is_that_of_one_login(desks: LoginDesks) -> None:
    both = attrs.evolve(APACHE, authenticate=("corp", "partner"))
    with pytest.raises(ConfigError, match="single authenticator"):
        desks.find("route[0]", both, AUTHENTICATORS, server_sessions(SessionTools()))
