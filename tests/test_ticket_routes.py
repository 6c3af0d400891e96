"""Which routes give tickets, and which cookies a logout takes away."""

import pytest

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.ticket_parts import RouteTicketConfig
from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITokenSource
from sso_proxy.pages import default_pages
from sso_proxy.routing import Route
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTokenSource, make_request
from sso_proxy.ticket_routes import TicketRoutes
from tests.support.doubles import FakeUpstream, make_route
from tests.support.ticket_scene import FakeTicketSource

SOURCES = {"tickets": FakeTicketSource(), "jwt": FakeTokenSource()}


def source(name: str) -> ITokenSource:
    if name not in SOURCES:
        raise ConfigError(Mistake("", "there is none"))
    return SOURCES[name]


def add(routes: TicketRoutes, name: str = "tickets", **options: object) -> Route:
    given = {"domain": "example.com", "back": ("*.example.com",), **options}
    config = RouteConfig(
        host="login.example.com",
        path="/login",
        authenticate=("corp",),
        backend=f"ticket:{name}",
        ticket=RouteTicketConfig(**given),  # type: ignore[arg-type]
    )
    logins = BrowserEndpoints("/.sso/", None)
    route = make_route(FakeUpstream(), path="/login", logins=logins)
    return routes.add("route[0]", config, route, default_pages())


def test_a_route_gives_tickets_as_it_says() -> None:
    routes = TicketRoutes(source, SettableClock())
    desk = add(routes, same_site="strict").ticket
    assert desk is not None
    assert (desk.path, desk.logout) == ("/login", "/.sso/logout")
    assert (desk.cookie.name, desk.cookie.same_site) == ("auth_pubtkt", "strict")
    named = add(routes, cookie="sso").ticket
    assert named is not None
    assert named.cookie.name == "sso"
    assert (desk.back_cookie, named.back_cookie) == (None, None)
    told = add(routes, back_cookie="back_to").ticket
    assert told is not None
    assert told.back_cookie is not None
    assert told.back_cookie.clear().startswith("back_to=; Path=/; Domain=example.com;")


def test_other_routes_stay_as_they_are() -> None:
    config = RouteConfig(
        host="a.example.com", authenticate=("corp",), backend="http://127.0.0.1:9"
    )
    route = make_route(FakeUpstream())
    routes = TicketRoutes(source, SettableClock())
    assert routes.add("route[0]", config, route, default_pages()) is route


def test_a_token_that_is_no_ticket_is_refused() -> None:
    with pytest.raises(ConfigError) as e:
        add(TicketRoutes(source, SettableClock()), "jwt")
    assert [mistake.path for mistake in e.value.mistakes] == ["route[0].backend"]


def test_a_token_that_cannot_be_made_is_said_once() -> None:
    with pytest.raises(ConfigError) as e:
        add(TicketRoutes(source, SettableClock()), "other")
    assert e.value.mistakes == ()


def test_a_logout_anywhere_in_the_domain_takes_each_ticket_away_once() -> None:
    routes = TicketRoutes(source, SettableClock())
    add(routes)
    add(routes)
    add(routes, cookie="sso")
    there = make_request(host="app.example.com").head
    fields = [value for _, value in routes.clear(there)]
    assert [value.partition(";")[0] for value in fields] == ["auth_pubtkt=", "sso="]
    assert all("; Domain=example.com" in f and "Max-Age=0" in f for f in fields)
    assert routes.clear(make_request(host="app.example.org").head) == ()


def test_in_a_frame_it_is_said_as_browsers_heed_it_there() -> None:
    """Not without TLS: there, they heed none that is SameSite=None."""
    routes = TicketRoutes(source, SettableClock())
    add(routes)
    for tls, heeded in ((True, "None"), (False, "Lax")):
        head = make_request(host="app.example.com", tls=tls).head
        ((_, field),) = routes.clear(head, framed=True)
        assert f"; SameSite={heeded}; Max-Age=0" in field
