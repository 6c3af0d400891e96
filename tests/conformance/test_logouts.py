"""What the real proxy makes of providers that say that somebody has logged out."""

import json
from collections.abc import Iterator
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.leaving import BORNE, WRONG, Message, message_about
from tests.conformance.proxied import Case, World, world
from tests.conformance.rows import ROWS
from tests.support.browser import Browser, Page

NAME: Final = "op"


@attrs.frozen
class Login:
    """
    Somebody who is logged in.

    Attributes:
        world: The proxy and all around it.
        browser: Theirs.
        message: The provider's about it, which is good.
    """

    world: World
    browser: Browser
    message: Message

    def tell(self) -> Page:
        """Have the provider send the message."""
        url = f"{self.world.origin}/.sso/logout/backchannel/{NAME}"
        return self.message.send(
            self.world.providers[NAME], Browser(self.world.ca), url
        )

    def is_in(self) -> bool:
        """Say whether they still get through."""
        return self.browser.fetch(self.world.url(NAME)).status == 200


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the proxy and a provider."""
    with world(tmp_path_factory.mktemp("world"), pki, {NAME: Case()}) as found:
        yield found


def log_in(running: World) -> Login:
    browser = running.check_login(NAME)
    provider = running.providers[NAME]
    return Login(running, browser, message_about(provider, provider.grants[-1]))


@pytest.fixture(scope="module")
def staying(running: World) -> Login:
    """Give somebody whom no message logs out: the first at that provider."""
    assert not running.providers[NAME].grants
    return log_in(running)


@pytest.mark.parametrize("name", ROWS.refused["logout_token"])
def test_a_bad_message_ends_nothing(running: World, staying: Login, name: str) -> None:
    """An error, the session goes on, and the reason is in the log."""
    provider, sid = running.providers[NAME], staying.message.claims["sid"]
    login = attrs.evolve(staying, message=message_about(provider, provider.grants[0]))
    logs, told = running.logs(), ROWS.refused["logout_token"][name]
    WRONG[name](login.message)
    if name == "replayed-jti":
        login.message.claims["sid"] = "unknown"
        assert login.tell().status == 200
        login.message.claims["sid"] = sid
    page = login.tell()
    assert login.is_in()
    if name == "get-instead-of-post":
        assert page.status == 405
        return
    assert page.status == 400, page.text
    assert json.loads(page.text)["error"] == "invalid_request"
    assert page.value("cache-control") == "no-store"
    logs.wait_for(told)


@pytest.mark.parametrize("name", sorted(BORNE))
def test_what_a_message_may_be_is_borne(running: World, name: str) -> None:
    login = log_in(running)
    BORNE[name](login.message)
    page = login.tell()
    assert page.status == 200, page.text
    assert page.value("cache-control") == "no-store"
    assert login.is_in() == (name == "logout-unknown-sid-is-200")


def test_a_session_at_the_provider_ends_alone(running: World) -> None:
    login, other = log_in(running), log_in(running)
    assert login.tell().status == 200
    assert not login.is_in()
    assert other.is_in()


def test_all_sessions_of_a_user_end(running: World) -> None:
    provider = running.providers[NAME]
    provider.user = "bob"
    browsers = []
    for _ in range(2):
        browser = running.browser()
        assert browser.go(running.url(NAME)).status == 200
        browsers.append(browser)
    login = Login(running, browsers[0], message_about(provider, provider.grants[-1]))
    provider.user = "alice"
    login.message.claims["sid"] = None
    assert login.tell().status == 200
    assert {each.fetch(running.url(NAME)).status for each in browsers} == {401}
    assert browsers[1].go(running.url(NAME)).status == 200, "and may begin again"


def test_a_frame_of_the_provider_ends_a_session(running: World) -> None:
    login = log_in(running)
    claims = login.message.claims
    url = f"{running.origin}/.sso/logout/frontchannel/{NAME}"
    issuer = running.providers[NAME].issuer
    origin = "/".join(issuer.split("/")[:3])
    stranger = running.browser()
    wrong = stranger.send("GET", f"{url}?iss=https://x.example&sid={claims['sid']}")
    assert wrong.status == 400
    assert login.is_in()
    page = stranger.send("GET", f"{url}?iss={issuer}&sid={claims['sid']}")
    assert page.status == 200
    assert f"frame-ancestors {origin}" in page.value("content-security-policy")
    assert not login.is_in()
    again = stranger.send("GET", f"{url}?iss={issuer}&sid={claims['sid']}")
    assert again.status == 200
