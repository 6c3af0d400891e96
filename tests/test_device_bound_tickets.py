"""Tickets are as good as the session that they come from, which may be bound."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.support.device_browser import Answer, DeviceBrowser
from tests.support.device_world import CONFIG, HOST, DeviceWorld

LIFETIME: Final = 300
"""Seconds that a ticket is good for, and a proof."""

DESK: Final = """
[token.pubtkt]
type = "pubtkt"
key = "ticket.pem"
digest = "sha256"
lifetime = 300
grace = 60

[authenticator.ticket]
type = "pubtkt"
public_key = "ticket.pub"
digest = "sha256"
login_url = "https://app.example.com/login"

[[route]]
host = "app.example.com"
path = "/login"
authenticate = ["corp"]
backend = "ticket:pubtkt"

[route.ticket]
domain = "example.com"
back = ["*.example.com"]

[[route]]
host = "app.example.com"
path = "/wiki/"
authenticate = ["ticket"]
backend = "http://127.0.0.1:9000"
"""


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def world(tmp_path: Path, key: rsa.RSAPrivateKey) -> DeviceWorld:
    private = tmp_path / "ticket.pem"
    private.touch(0o600)
    private.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    public = key.public_key()
    (tmp_path / "ticket.pub").write_bytes(
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return DeviceWorld(tmp_path, config=CONFIG + DESK)


def look(browser: DeviceBrowser, path: str) -> Answer:
    """Go to a page of the site, and wherever that leads on this host."""
    answer = browser.page(path)
    for _ in range(6):
        place = urlsplit(answer.location)
        if place.netloc != HOST:
            return answer
        answer = browser.page(f"{place.path}?{place.query}".rstrip("?"))
    raise AssertionError(browser.paths())


def log_in(world: DeviceWorld) -> DeviceBrowser:
    """Have somebody who wants to see the wiki log in at the provider."""
    browser = world.browser()
    away = look(browser, "/wiki/")
    assert away.location.startswith("https://login.example"), away
    query = urlsplit(away.location).query
    page = look(browser, f"/.sso/callback/corp?{query}&user=alice")
    assert (page.status, page.body) == (200, b"ok"), page
    return browser


def test_a_login_for_a_ticket_is_bound_as_any_other(world: DeviceWorld) -> None:
    assert log_in(world).events == ["registered"]


def test_tickets_go_on_for_who_has_the_device_and_for_nobody_else(
    world: DeviceWorld,
) -> None:
    """The sites know nothing of it: a copied ticket is over soon, and the last one."""
    alice = log_in(world)
    thief = alice.copy_cookies()
    assert look(thief, "/wiki/").body == b"ok"
    for _ in range(3):
        world.pass_(LIFETIME + 1)
        assert look(alice, "/wiki/").body == b"ok"
        stopped = look(thief, "/wiki/")
        assert stopped.body != b"ok"
        assert stopped.location.startswith("https://login.example")
        assert "pubtkt" not in "".join(stopped.values("set-cookie"))
    assert set(alice.events) == {"registered", "refreshed"}
