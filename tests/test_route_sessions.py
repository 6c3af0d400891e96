"""Routes get the sessions that they name, or the ones that there are."""

from typing import Any

import pytest

from sso_proxy.config.model import ComponentConfig, RouteConfig
from sso_proxy.config.route_parts import BindingConfig
from sso_proxy.errors import ConfigError
from sso_proxy.route_sessions import RouteSessions
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.sessions.options import CookieConfig
from tests.support.sessions import SessionTools, server_sessions

WIDE = CookieConfig(name="__Secure-sso", domain="example.com", path="/app/")


class Reader:
    """An authenticator that goes by sessions."""

    reads_session = True


def make(**tables: CookieConfig) -> RouteSessions:
    def build(name: str, component: ComponentConfig) -> Any:  # noqa: ANN401
        if component.options.get("broken"):
            return None
        cookie = tables.get(name, CookieConfig())
        return server_sessions(SessionTools(name=name), cookie=cookie)

    configured = {name: ComponentConfig(type="server") for name in tables}
    return RouteSessions(configured, build)


def route(**options: Any) -> RouteConfig:  # noqa: ANN401
    given = {"host": "app.example.com", "authenticate": ("a",), "backend": "b"}
    return RouteConfig(**{**given, **options})


def find(sessions: RouteSessions, **options: Any) -> Any:  # noqa: ANN401
    return sessions.find("route[0]", route(**options), [object(), Reader()])


def test_a_route_gets_what_it_names() -> None:
    sessions = make(one=CookieConfig(), two=CookieConfig())
    assert find(sessions, session="two") is sessions.stores["two"]


@pytest.mark.parametrize("level", ["require", "prefer", "observe"])
def test_a_route_asks_for_a_device_only_where_one_can_be_proved(level: Any) -> None:  # noqa: ANN401
    asking = BindingConfig(device=level)
    with pytest.raises(ConfigError) as caught:
        find(make(one=CookieConfig()), binding=asking)
    assert [m.path for m in caught.value.mistakes] == ["route[0].binding.device"]
    with pytest.raises(ConfigError) as caught:
        make().find("route[0]", route(binding=asking), [object()])
    assert [m.path for m in caught.value.mistakes] == ["route[0].binding.device"]
    bound = RouteSessions(
        {"one": ComponentConfig(type="server")},
        lambda name, _: server_sessions(
            SessionTools(name=name), binding=SessionBindingConfig(device="observe")
        ),
    )
    assert find(bound, binding=asking) is bound.stores["one"]


def test_the_only_ones_need_not_be_named() -> None:
    sessions = make(one=CookieConfig())
    assert find(sessions) is sessions.stores["one"]


def test_of_several_one_may_be_the_default() -> None:
    sessions = make(default=CookieConfig(), two=CookieConfig())
    assert find(sessions) is sessions.stores["default"]


def test_where_nothing_is_configured_routes_share_ones_in_a_cache() -> None:
    sessions = make()
    assert sessions.stores == {}
    first = find(sessions)
    assert first is not None
    assert find(sessions) is first
    assert sessions.stores == {"default": first}


def test_without_logins_there_are_none() -> None:
    sessions = make()
    assert sessions.find("route[0]", route(), [object()]) is None
    assert sessions.stores == {}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, r"route\[0\]\.session: there are one, two; say which"),
        ({"session": "one"}, r"route\[0\]\.path: .* cookie of \[session\.one\]"),
        (
            {"session": "one", "path": "/app/"},
            r"route\[0\]\.endpoints: .*app\.example\.com/\.sso/",
        ),
        (
            {"session": "one", "host": "*", "path": "/app/"},
            r"route\[0\]\.path: ",
        ),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError, match=path):
        find(make(one=WIDE, two=CookieConfig()), **options)


def test_a_scope_that_has_all_of_the_route_is_good() -> None:
    options = {"path": "/app/x/", "endpoints": "/app/.sso/", "host": "*.example.com"}
    assert find(make(one=WIDE), **options) is not None


def test_sessions_where_nobody_logs_in_are_refused() -> None:
    sessions = make(one=CookieConfig())
    with pytest.raises(ConfigError, match="logs anybody in"):
        sessions.find("route[0]", route(session="one"), [object()])


def test_what_could_not_be_made_was_said_already() -> None:
    table = ComponentConfig(type="server", options={"broken": True})
    sessions = RouteSessions({"one": table}, lambda *_: None)
    assert find(sessions) is None
