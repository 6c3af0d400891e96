"""What operators ask about sessions."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.session import Session
from sso_proxy.session_desk import close_ended, manage_sessions
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.doubles import Scene
from tests.support.sessions import (
    BrokenCache,
    Browser,
    SessionTools,
    Store,
    cookie_sessions,
    server_sessions,
)

ALICE = {"issuer": make_identity().issuer, "subject": "alice"}


class Desk:
    """Sessions of both types, and a session of Alice's in each."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        self.tools = tools = SessionTools()
        self.cache = BrokenCache(MemoryCacheConfig(), tools.clock)
        tools.memory = self.cache
        self.options = options
        self.stores = self.another()
        self.browsers = {name: Browser() for name in self.stores}
        self.ids = {}
        for name, store in self.stores.items():
            browser = self.browsers[name]
            opened = now(store.start(browser.request(), make_identity("alice"), {}))
            browser.take(opened)
            assert opened.session is not None
            self.ids[name] = opened.session.id

    def another(self) -> dict[str, Store]:
        """Give the sessions as another process has them."""
        light = attrs.evolve(self.tools, name="light")
        return {
            "main": server_sessions(self.tools.another()),
            "light": cookie_sessions(light, **self.options),
        }

    def ask(self, **document: object) -> dict[str, Any]:
        return now(manage_sessions(self.stores, document))

    def alive(self) -> list[str]:
        return [
            name
            for name, store in self.stores.items()
            if now(store.load(self.browsers[name].request())).session is not None
        ]


def test_a_users_sessions_are_listed_where_that_is_known() -> None:
    desk = Desk()
    told = desk.ask(do="list", **ALICE)
    assert told["status"] == 200
    assert [(each["in"], each["id"]) for each in told["sessions"]] == [
        ("main", desk.ids["main"])
    ]
    assert [line.partition(":")[0] for line in told["missing"]] == ["session.light"]


def test_one_session_is_ended() -> None:
    desk = Desk()
    told = desk.ask(do="end", id=desk.ids["main"])
    assert "main" in told["ended"]
    assert desk.alive() == ["light"]


def test_all_of_a_user_are_ended() -> None:
    desk = Desk()
    assert desk.ask(do="end", **ALICE) == {
        "status": 200,
        "ended": ["main", "light"],
        "missing": [],
    }
    assert desk.alive() == []


def test_what_cannot_be_ended_is_said() -> None:
    desk = Desk(cache=None)
    told = desk.ask(do="end", **ALICE)
    assert (told["status"], told["ended"]) == (503, ["main"])
    assert told["missing"][0].startswith("session.light: ")
    assert desk.alive() == ["light"]


def test_what_is_not_there_is_said() -> None:
    assert Desk().ask(do="end", id="nonsense")["status"] == 404


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"do": "list"},
        {"do": "list", "issuer": "i"},
        {"do": "list", "issuer": "i", "subject": 1},
        {"do": "list", "issuer": "i", "subject": "s", "all": True},
        {"do": "end", "id": "x", "issuer": "i"},
        {"do": "end", "issuer": "i", "subject": "s", "id": "x"},
        {"do": "delete", "id": "x"},
    ],
)
def test_what_is_not_understood_is_not_done(document: dict[str, object]) -> None:
    """Somebody who names a user and a session means one of them, and not both."""
    desk = Desk()
    assert desk.ask(**document)["status"] == 400
    assert desk.alive() == ["main", "light"]


def test_what_has_ended_is_told_to_all_sites_once() -> None:
    desk = Desk()
    told: list[bool] = []

    class Watching:
        def end_sessions(self, ended: Any) -> None:  # noqa: ANN401
            told.append(ended(session))

    session = now(desk.stores["main"].load(desk.browsers["main"].request())).session
    sites = [Scene().site, Watching()]
    close_ended(desk.stores, sites, now)  # type: ignore[arg-type]
    assert told == []
    now(desk.stores["main"].revoke(desk.ids["main"]))
    close_ended(desk.stores, sites, now)  # type: ignore[arg-type]
    close_ended(desk.stores, sites, now)  # type: ignore[arg-type]
    assert told == [True]


class Long:
    """A site where something goes on for long, for each of some sessions."""

    def __init__(self, desk: Desk) -> None:
        loaded = (
            now(store.load(desk.browsers[name].request())).session
            for name, store in desk.stores.items()
        )
        self.sessions = {each.kept_in: each for each in loaded if each is not None}

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        self.sessions = {
            n: each for n, each in self.sessions.items() if not ended(each)
        }


def end_unheard(desk: Desk, name: str) -> None:
    """End a session while nobody can be told of it."""
    cache = desk.cache
    cache.broken = frozenset({"publish"})
    with pytest.raises(UnavailableError):
        now(desk.another()[name].revoke(desk.ids[name]))
    cache.broken = frozenset()


@pytest.mark.parametrize("name", ["main", "light"])
def test_what_ended_while_nobody_could_hear_is_found(name: str) -> None:
    desk = Desk()
    site = Long(desk)
    assert sorted(site.sessions) == ["light", "main"]
    end_unheard(desk, name)
    close_ended(desk.stores, [site], now)  # type: ignore[list-item]
    assert len(site.sessions) == 2
    for store in desk.stores.values():
        store.miss()
    close_ended(desk.stores, [site], now)  # type: ignore[list-item]
    assert len(site.sessions) == 2  # nobody knows yet whether we hear again
    desk.tools.clock.advance(2.0)
    close_ended(desk.stores, [site], now)  # type: ignore[list-item]
    assert sorted(site.sessions) == sorted({"main", "light"} - {name})


def test_what_cannot_be_looked_at_is_looked_at_later() -> None:
    desk = Desk()
    site = Long(desk)
    end_unheard(desk, "main")
    desk.stores["main"].miss()
    desk.tools.clock.advance(2.0)
    desk.cache.broken = frozenset({"get"})
    close_ended(desk.stores, [site], now)  # type: ignore[list-item]
    assert len(site.sessions) == 2
    desk.cache.broken = frozenset()
    close_ended(desk.stores, [site], now)  # type: ignore[list-item]
    assert sorted(site.sessions) == ["light"]
