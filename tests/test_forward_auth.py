"""Other proxies ask whether a request may pass, and hear what the backend is to get."""

from pathlib import Path

import attrs
import pytest

from sso_proxy.forward_auth import tell
from sso_proxy.model import Response
from sso_proxy.testing.fakes import make_request
from tests.support.forward_auth_scene import (
    ALICE,
    KINDS,
    NAVIGATION,
    AskedWorld,
)


@pytest.fixture(params=KINDS, scope="module")
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AskedWorld:
    return AskedWorld(tmp_path_factory.mktemp("asked"), request.param)


def test_who_may_pass_is_named_for_the_backend(world: AskedWorld) -> None:
    answer = world.ask("/orders?all", ALICE, ("Cookie", "__Host-sso=x; theme=dark"))
    assert answer.status == 200
    assert answer.values("x-remote-user") == ["alice"]
    assert answer.values("x-claim-email") == ["alice@example.com"]
    assert answer.values("cookie") == ["theme=dark"]
    caddy, envoy = world.kind == "caddy", world.kind == "envoy"
    assert answer.values("authorization") == [""] * caddy  # it has to be told
    removed = ["authorization"] * envoy
    assert answer.values("x-envoy-auth-headers-to-remove") == removed
    assert answer.values("cache-control") == ["no-store"]
    record = world.instance.audit()[-1]
    assert (record["method"], record["path"]) == ("GET", "/orders")
    assert (record["host"], record["reason"]) == ("app.example.com", "may-pass")
    assert (record["client"], record["user"]) == ("203.0.113.5", "alice")


def test_the_route_of_what_is_asked_about_decides(world: AskedWorld) -> None:
    assert world.ask("/public/x").status == 200
    assert world.ask("/admin/x", ALICE).status == 403
    assert world.ask("/admin/x", ("Authorization", "Name admin")).status == 200
    assert world.ask("/admin/x", method="DELETE").status == 401


def test_every_kind_hears_refusals_in_words_that_it_knows(tmp_path: Path) -> None:
    told = {}
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        world = AskedWorld(tmp_path / kind, kind)
        told[kind] = [
            world.ask("/").status,
            world.ask("/", *NAVIGATION).status,
            world.ask("/", host="unknown.example.com").status,
        ]
    assert told.pop("nginx") == [401, 401, 403]
    assert told == {kind: [401, 302, 404] for kind in KINDS[1:]}


def test_browsers_are_sent_to_log_in_by_whole_urls(tmp_path: Path) -> None:
    world = AskedWorld(tmp_path, "traefik")
    said = (("X-Forwarded-Port", "1"), ("X-Forwarded-Prefix", "//evil.example"))
    answer = world.ask("/orders", *NAVIGATION, *said)
    assert "evil" not in answer.location
    assert answer.location.startswith("https://login.example")
    assert answer.values("set-cookie")


def test_every_cookie_that_is_renewed_gets_through(world: AskedWorld) -> None:
    """nginx and Caddy have no variable for several fields of one name."""
    answer = world.ask("/", ("Authorization", "Name renewed"))
    cookies = ["a=1; Path=/", "b=2; Path=/"]
    assert answer.values("set-cookie") == cookies
    numbered = [answer.values(f"x-sso-set-cookie-{n}") for n in (1, 2, 3)]
    if world.kind in {"nginx", "caddy"}:
        assert numbered == [cookies[:1], cookies[1:], []]
    else:
        assert numbered == [[], [], []]


def test_a_cookie_that_would_be_two_things_is_not_passed_on(world: AskedWorld) -> None:
    assert world.ask("/", ALICE, ("Cookie", "a=\u00e4")).status == 403


def test_where_to_go_is_said_as_seen_from_anywhere() -> None:
    """Traefik reads it as seen from where it asks."""
    response = Response(status=302, headers=(("location", "/.sso/login?to=%2F"),))
    request = make_request(path="/orders")
    told = tell("traefik", response, request)
    assert told.headers == (("location", "https://app.example.com/.sso/login?to=%2F"),)
    assert tell("traefik", response, None) == response
    elsewhere = attrs.evolve(response, headers=(("location", "https://a.example/"),))
    assert tell("traefik", elsewhere, request) == elsewhere
    assert tell("nginx", elsewhere, request) == Response(status=401)
