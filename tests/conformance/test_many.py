"""Providers that are found when people log in: by file, by account, by a link."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import attrs
import pytest

from sso_proxy.specs.oidc.webfinger import ISSUER_REL
from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Asked, Client, Reply, json_reply
from tests.conformance.provider import Provider
from tests.conformance.rows import ROWS
from tests.conformance.serving import Host
from tests.support.browser import Browser, Page
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.programs import free_port
from tests.support.running import eventually

_PEOPLE: Final = """
[authenticator.people]
type = "oidc_discovery"
providers = "providers"
allowed_patterns = ["{host}/found-[a-z0-9-]+"]
lookup_hosts = ["localhost"]
networks = ["127.0.0.0/8", "::1/128"]
origins = ["{origin}"]
"""
_DEFAULTS: Final = """
register = true
id_token_algorithms = ["RS256"]
"""
_FIXED: Final = """
issuer = "{issuer}"
title = "Fixed"
client_id = "proxy"
client_secret_file = "../client.secret"
register = false
"""


class Registering:
    """A provider with which clients register."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.registered: list[dict[str, Any]] = []
        provider.changes.add("metadata", self._metadata)

    def _metadata(self, said: dict[str, Any], _grant: object) -> dict[str, Any]:
        return {**said, "registration_endpoint": f"{self.provider.issuer}/register"}

    def answer(self, asked: Asked) -> Reply:
        if asked.path != "/register":
            return self.provider.answer(asked)
        members = json.loads(asked.body)
        self.registered.append(members)
        client = Client(client_id=secrets.token_hex(8), secret=secrets.token_hex(32))
        self.provider.client = client
        return json_reply(
            {
                **members,
                "client_id": client.client_id,
                "client_secret": client.secret,
                "client_secret_expires_at": 0,
            },
            201,
        )


@attrs.frozen(kw_only=True)
class Many(LoginProxy):
    """The proxy and all around it."""

    host: str
    fixed: Provider
    plain: Provider
    found: dict[str, Registering]
    links: dict[str, str]
    looked_up: list[str]

    def visit(self, browser: Browser) -> Page:
        """Look at a page; gives what asks where to log in."""
        page = browser.go(self.url("many", "page?a=b"))
        assert page.status == 200, self.story(browser, page)
        assert page.url == self.url("many", "page?a=b")
        return page

    def type(self, browser: Browser, account: str) -> Page:
        """Say where to log in."""
        page = self.visit(browser)
        (form,) = page.forms
        return browser.submit(page, form, who=account)

    def check_in(self, browser: Browser, page: Page) -> None:
        """Check that somebody is logged in and sees what they wanted."""
        assert page.status == 200, self.story(browser, page)
        assert page.url == self.url("many", "page?a=b"), self.story(browser, page)
        assert self.arrived("many")[-1].values("X-Remote-User") == ["alice"]


@pytest.fixture(scope="module")
def many(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    directory = tmp_path_factory.mktemp("many")
    ca = pki.write(directory)
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    write_secret(directory, "client.secret", Client().secret)
    port = free_port()
    origin = f"https://{HOST}:{port}"
    with Host(issued, ca, directory) as host:
        links: dict[str, str] = {}
        looked_up: list[str] = []

        def webfinger(asked: Asked) -> Reply:
            resource = dict(asked.query)["resource"]
            looked_up.append(resource)
            assert dict(asked.query)["rel"] == ISSUER_REL
            href = links.get(resource)
            if href is None:
                return Reply(status=404)
            link = {"rel": ISSUER_REL, "href": href}
            return json_reply({"subject": resource, "links": [link]})

        host.answers[""] = webfinger
        fixed = Provider(f"{host.origin}/fixed")
        plain = Provider(f"{host.origin}/plain")
        host.answers |= {"fixed": fixed.answer, "plain": plain.answer}
        found = {}
        for name in ("found-one", "found-two", "found-three"):
            found[name] = Registering(Provider(f"{host.origin}/{name}"))
            host.answers[name] = found[name].answer
        _write_providers(directory, fixed)
        people = _PEOPLE.format(host=host.origin.replace(".", "\\\\."), origin=origin)
        sites = {
            "many": Site(
                issuer=fixed.issuer,
                options="auth = 'none'",
                authenticate=["people"],
                route=people,
            ),
            "plain": Site(
                issuer=plain.issuer, options='client_secret_file = "client.secret"'
            ),
        }
        with login_proxy(directory, pki, sites, port) as running:
            yield Many(
                proxy=running.proxy,
                backend=running.backend,
                ca=ca,
                host=host.origin,
                fixed=fixed,
                plain=plain,
                found=found,
                links=links,
                looked_up=looked_up,
            )


def _write_providers(directory: Path, fixed: Provider) -> None:
    place = directory / "providers"
    place.mkdir()
    (place / "defaults.toml").write_text(_DEFAULTS)
    (place / "fixed.toml").write_text(_FIXED.format(issuer=fixed.issuer))


def test_a_page_asks_where_somebody_has_their_account(many: Many) -> None:
    browser = many.browser()
    page = many.visit(browser)
    assert "Fixed" in page.text
    (link,) = [link for link in page.links if "iss=" in link]
    many.check_in(browser, browser.go(link))
    assert many.fixed.complaints == []


def test_an_issuer_that_only_a_look_up_tells_is_registered_with(many: Many) -> None:
    """-discovery-webfinger-url, -dynamic-registration."""
    there = many.found["found-one"]
    typed = f"{many.host}/alias/one"
    many.links[typed] = there.provider.issuer
    browser = many.browser()
    many.check_in(browser, many.type(browser, typed))
    assert many.looked_up[-1] == typed
    (sent,) = there.registered
    assert sent["redirect_uris"] == [f"{many.origin}/.sso/callback/people"]
    assert sent["initiate_login_uri"] == f"{many.origin}/.sso/login"
    assert there.provider.complaints == []


def test_an_account_is_looked_up_and_we_register_once(many: Many) -> None:
    """-discovery-webfinger-acct, at a port that only this form can name."""
    there = many.found["found-two"]
    account = f"joe@{many.host.removeprefix('https://')}"
    many.links[f"https://{account}"] = there.provider.issuer
    for _ in range(2):
        browser = many.browser()
        many.check_in(browser, many.type(browser, account))
    assert len(there.registered) == 1
    files = [*(many.ca.parent / "state" / "clients").glob("*.json")]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


@pytest.mark.parametrize(
    "href", ["http://localhost/found-three", "https://evil.example", "javascript:a"]
)
def test_a_look_up_leads_nowhere_else(many: Many, href: str) -> None:
    """webfinger-http-href among them."""
    many.links[f"{many.host}/alias/bad"] = href
    browser = many.browser()
    page = many.type(browser, f"{many.host}/alias/bad")
    assert page.status == 400, many.story(browser, page)
    if href.startswith("http:"):
        told = ROWS.refused["discovery"]["webfinger-http-href"]
        eventually(lambda: told in many.proxy.log(), told)
    assert 'role="alert"' in page.text
    assert not many.found["found-three"].registered


@pytest.mark.parametrize("typed", ["joe@example.com", "169.254.169.254", "nobody"])
def test_no_host_is_asked_that_must_not_be(many: Many, typed: str) -> None:
    before = len(many.looked_up)
    browser = many.browser()
    page = many.type(browser, typed)
    assert page.status == 400
    assert len(many.looked_up) == before


@pytest.mark.parametrize(("name", "issuer"), [("many", "fixed"), ("plain", "plain")])
def test_a_provider_sends_its_users(many: Many, name: str, issuer: str) -> None:
    """3rd-party-init-login, at an authenticator of one provider, too."""
    browser = many.browser()
    query = f"iss={quote(f'{many.host}/{issuer}', safe='')}"
    target = quote(many.url(name, "page?a=b"), safe="")
    page = browser.go(
        f"{many.origin}/.sso/login?{query}&target_link_uri={target}&scope=admin"
    )
    assert page.status == 200, many.story(browser, page)
    assert page.url == many.url(name, "page?a=b")
    provider = many.fixed if issuer == "fixed" else many.plain
    assert "admin" not in provider.grants[-1].asked["scope"]


def test_no_stranger_makes_us_register(many: Many) -> None:
    issuer = quote(many.found["found-three"].provider.issuer, safe="")
    browser = many.browser()
    page = browser.go(
        f"{many.origin}/.sso/login?iss={issuer}", origin="https://evil.example"
    )
    assert page.status == 403, many.story(browser, page)
    assert not many.found["found-three"].registered


def test_an_issuer_that_nobody_allowed_is_not_asked(many: Many) -> None:
    browser = many.browser()
    issuer = quote(f"{many.host}/other", safe="")
    page = browser.go(f"{many.origin}/.sso/login?iss={issuer}")
    assert page.status == 400, many.story(browser, page)


def test_an_answer_of_another_provider_is_none(many: Many) -> None:
    """Mix-up: the state says where the login began, and iss has to agree."""
    browser = many.browser()
    fixed = quote(many.fixed.issuer, safe="")
    many.fixed.changes.add(
        "answer",
        lambda fields, _: tuple(
            (n, f"{many.host}/found-one" if n == "iss" else v) for n, v in fields
        ),
    )
    page = browser.go(f"{many.origin}/.sso/login?iss={fixed}&target_link_uri=/many/")
    assert page.status == 400, many.story(browser, page)
    many.fixed.changes._steps["answer"].clear()  # noqa: SLF001
