"""Which requests of a browser wait for the proof of a device-bound session."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sso_proxy.device_scope import DevicePlaces, build_rules
from sso_proxy.key_places import KeyPlaces
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.sessions.device_talk import DeviceScope
from sso_proxy.specs.dbsc.instructions import Rule, in_scope
from sso_proxy.testing.fakes import make_request
from tests.support.doubles import FakeUpstream, make_route

HOST = "app.example.com"
STORE: Any = object()
OTHER: Any = object()

segments = st.sampled_from(["a", "b", "c", "{x}", "{y}"])
paths = st.builds(
    lambda parts, end: "/" + "/".join(parts) + (end if parts else ""),
    st.lists(segments, max_size=3),
    st.sampled_from(["", "/"]),
)
asked = st.builds(
    lambda parts, end: "/" + "/".join(parts) + (end if parts else ""),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=5),
    st.sampled_from(["", "/"]),
)


def make(path: str, sessions: Any = None, **more: Any) -> Route:  # noqa: ANN401
    given = {"name": path, "path": path, "host": HOST, "endpoints": "/.sso/", **more}
    return make_route(FakeUpstream(), sessions=sessions, **given)


def rules_of(*routes: Route) -> tuple[Rule, ...]:
    return build_rules(routes, lambda route: route.sessions is STORE, HOST)


@given(st.dictionaries(paths, st.booleans(), min_size=1, max_size=6), st.lists(asked))
@example({"/": False, "/t/x": False, "/t/{i}/s": True}, ["/t/x/s", "/t/y/s"])
@example({"/a/": False, "/a": True}, ["/a/b", "/a/"])
@example({"/a": True, "/a/": False}, ["/a/b", "/a/"])
def test_no_request_that_needs_the_proof_goes_without(
    table: dict[str, bool], requests: list[str]
) -> None:
    routes = [make(path, STORE if used else None) for path, used in table.items()]
    rules, known = rules_of(*routes), HostRoutes(routes)
    for path in requests:
        route = known.find(path)
        if route is not None and route.sessions is STORE:
            assert in_scope(rules, HOST, path), (path, rules)


plain = st.builds(
    lambda parts: "/" + "".join(f"{part}/" for part in parts),
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
)


@given(st.dictionaries(plain, st.booleans(), min_size=1, max_size=6), st.lists(asked))
def test_without_templates_no_other_request_waits(
    table: dict[str, bool], requests: list[str]
) -> None:
    routes = [make(path, STORE if used else None) for path, used in table.items()]
    rules, known = rules_of(*routes), HostRoutes(routes)
    for path in requests:
        route = known.find(path)
        if route is not None:
            assert in_scope(rules, HOST, path) == (route.sessions is STORE)


def test_only_what_changes_something_is_said() -> None:
    routes = [
        make("/", STORE),
        make("/api/", OTHER),
        make("/api/v1/", None),
        make("/app/", STORE),
        make("/static/", None),
    ]
    assert rules_of(*routes) == (
        Rule("exclude", HOST, "/api/"),
        Rule("exclude", HOST, "/static/"),
    )


def test_pages_below_those_of_everybody_are_in_scope() -> None:
    assert rules_of(make("/", None), make("/app/", STORE)) == (
        Rule("exclude", HOST, "/"),
        Rule("include", HOST, "/app/"),
    )


class FakeDevices:
    """What binds something."""

    def __init__(self) -> None:
        self.tag = "t"
        self.scope_of: Any = None

    def scope(self, host: str = HOST) -> DeviceScope:
        """Give what browsers are told of a host."""
        found: DeviceScope = self.scope_of(make_request(host=host).head)
        return found


class FakeBound:
    """Something that is bound."""

    def __init__(self, devices: FakeDevices) -> None:
        self.devices = devices

    async def find_holder(self, request: Any) -> None:  # noqa: ANN401
        """Find nothing."""


def placed(*routes: Route, host: str = HOST) -> tuple[DevicePlaces, FakeDevices]:
    """Bind what routes with `STORE` use, on a host."""
    places, devices = DevicePlaces(), FakeDevices()
    places.add(
        (host, "/.sso/"), FakeBound(devices), lambda route: route.sessions is STORE
    )
    places.settle(routes)
    return places, devices


def test_our_endpoints_are_in_scope_but_those_that_take_proofs_are_not() -> None:
    """A logout of who cannot prove the key must end nothing, so it has to wait."""
    own = make("/.sso/")
    _, devices = placed(make("/", None), make("/app/", STORE), own)
    scope = devices.scope()
    assert scope.endpoints == "/.sso/"
    found = {
        path: in_scope(scope.rules, HOST, path)
        for path in ("/", "/app/", "/.sso/logout", "/.sso/dbsc/register/t")
    }
    assert found == {
        "/": False,
        "/app/": True,
        "/.sso/logout": True,
        "/.sso/dbsc/register/t": False,
    }


def test_a_thousand_routes_are_gone_through_once_for_a_host() -> None:
    """Each login and each proof asks, and nothing else is served in the meantime."""
    asked: list[str] = []

    def uses(route: Route) -> bool:
        asked.append(route.path)
        return route.sessions is STORE

    places, devices = DevicePlaces(), FakeDevices()
    places.add((HOST, "/.sso/"), FakeBound(devices), uses)
    places.settle([make("/app/", STORE)])
    first = devices.scope()
    assert devices.scope() is first
    assert asked == ["/app/"]
    places.settle([make("/app/", STORE), make("/other/", None)])
    assert len(devices.scope().rules) > len(first.rules)


def test_things_are_found_by_host_place_and_tag() -> None:
    places, devices = placed(make("/", STORE), make("/", None, host="*.other.example"))
    found = places.find(HOST, "/.sso/", "t")
    assert found is not None
    assert found.devices is devices
    for host, where, tag in (
        ("elsewhere.example", "/.sso/", "t"),
        ("a.other.example", "/.sso/", "t"),
        (HOST, "/.other/", "t"),
        (HOST, "/.sso/", "u"),
        (HOST, "/.sso/", ""),
    ):
        assert places.find(host, where, tag) is None
    assert devices.scope("elsewhere.example") == DeviceScope()


def test_where_nobody_logs_in_the_endpoints_have_an_entry_of_their_own() -> None:
    places, _ = placed(make("/", STORE))
    (entry,) = places.routes((), KeyPlaces())
    assert (entry.host, entry.path) == (HOST, "/.sso/")
    assert places.routes([(HOST, "/.sso/")], KeyPlaces()) == []


def test_the_rules_are_for_the_host_that_was_asked_for() -> None:
    """Browsers refuse a registration that names another one."""
    routes = [make(path, None, host="*.example.com") for path in ("/", "/static/")]
    _, devices = placed(*routes, host="*.example.com")
    rules = devices.scope("one.example.com").rules
    assert {rule.domain for rule in rules} == {"one.example.com"}
