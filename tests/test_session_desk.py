"""What operators ask about sessions."""

from typing import Any

import pytest

from sso_proxy.session_desk import close_ended, manage_sessions
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.doubles import Scene
from tests.support.sessions import (
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
        tools = SessionTools()
        self.stores: dict[str, Store] = {
            "main": server_sessions(tools),
            "light": cookie_sessions(tools, **options),
        }
        self.browsers = {name: Browser() for name in self.stores}
        self.ids = {}
        for name, store in self.stores.items():
            browser = self.browsers[name]
            opened = now(store.start(browser.request(), make_identity("alice"), {}))
            browser.take(opened)
            assert opened.session is not None
            self.ids[name] = opened.session.id

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
    close_ended(desk.stores, sites)  # type: ignore[arg-type]
    assert told == []
    now(desk.stores["main"].revoke(desk.ids["main"]))
    close_ended(desk.stores, sites)  # type: ignore[arg-type]
    close_ended(desk.stores, sites)  # type: ignore[arg-type]
    assert told == [True]
