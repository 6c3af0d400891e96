"""Where pages learn of sessions, by what routes say."""

import pytest

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import SessionInfoConfig
from sso_proxy.errors import ConfigError
from sso_proxy.info_routes import InfoRoutes
from sso_proxy.pages import default_pages
from sso_proxy.routing import Route
from tests.support.doubles import FakeUpstream, make_route
from tests.support.sessions import SessionTools, server_sessions


def config(**options: object) -> RouteConfig:
    given = {
        "host": "app.example.com",
        "authenticate": ("corp",),
        "backend": "http://127.0.0.1:9000",
        "session_info": SessionInfoConfig(),
        **options,
    }
    return RouteConfig(**given)  # type: ignore[arg-type]


def route(**parts: object) -> Route:
    sessions = server_sessions(SessionTools())
    return make_route(FakeUpstream(), **{"sessions": sessions, **parts})


def test_it_is_an_entry_of_its_own_with_all_that_the_route_demands() -> None:
    infos, first = InfoRoutes(), route()
    infos.add("route[0]", config(), first, default_pages())
    infos.add("route[1]", config(), route(path="/more/"), default_pages())
    infos.add("route[2]", config(session_info=None), route(), default_pages())
    (found,) = infos.routes()
    assert (found.path, found.host) == ("/.sso/session", "app.example.com")
    assert found.session_info is not None
    for part in ("sessions", "mappers", "requirements", "bindings", "demanded", "cors"):
        assert getattr(found, part) is getattr(first, part)


def test_it_is_where_the_endpoints_are() -> None:
    infos = InfoRoutes()
    infos.add("route[0]", config(), route(), default_pages())
    infos.add("route[1]", config(), route(endpoints="/x/_/"), default_pages())
    infos.add("route[2]", config(), route(host="b.example.com"), default_pages())
    assert [(each.host, each.path) for each in infos.routes()] == [
        ("app.example.com", "/.sso/session"),
        ("app.example.com", "/x/_/session"),
        ("b.example.com", "/.sso/session"),
    ]


def test_without_sessions_there_is_nothing_to_tell() -> None:
    with pytest.raises(ConfigError) as e:
        InfoRoutes().add("route[0]", config(), route(sessions=None), default_pages())
    (mistake,) = e.value.mistakes
    assert mistake.path == "route[0].session_info"
