"""People and programs on their ways through logins at good and at other providers."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.accepting import RSA_ONLY
from tests.conformance.parts import Change, Fields, Reply, unb64
from tests.conformance.provider import Provider
from tests.conformance.proxied import Case, World, world
from tests.conformance.serving import now
from tests.support.browser import Browser, Page
from tests.support.running import eventually

TABS: Final = 10
AUDIENCE: Final = "https://api.example.com"
_PROGRAMS: Final = f"""
[authenticator.programs]
type = "bearer"
issuer = "{{issuer}}"
audience = ["{AUDIENCE}"]
"""


def _with(**members: object) -> Change:
    def change(claims: Mapping[str, Any], _grant: object) -> dict[str, Any]:
        changed = {**claims, **members}
        return {name: value for name, value in changed.items() if value is not None}

    return change


def _saying(options: str, **claims: object) -> Case:
    """Make a provider whose ID tokens say something else."""
    return Case(
        prepare=lambda op: op.changes.add("id_token_claims", _with(**claims)),
        options=f"{RSA_ONLY}\n{options}",
    )


def _down(provider: Provider) -> None:
    """Make a provider that has no metadata while it has no user."""
    provider.user = ""

    def change(reply: Reply, _grant: object) -> Reply:
        return reply if provider.user else attrs.evolve(reply, status=500)

    provider.changes.add("metadata_reply", change)


def _scripting(provider: Provider) -> None:
    script = "<script>alert(1)</script>"
    said: Fields = (("error", script), ("error_description", script))
    provider.changes.add("answer", lambda fields, _: (*said, *fields[1:]))


_CASES: Final[Mapping[str, Case]] = {
    "plain": Case(),
    "form": Case(options='response_mode = "form_post"'),
    "signed": Case(options='response_mode = "jwt"'),
    "one": Case(authenticate=("one", "two"), options='title = "Staff"'),
    "two": Case(options='title = "Customers"'),
    "both": Case(authenticate=("programs", "both"), route=_PROGRAMS),
    "strong": Case(route="require = [\"acr == 'gold'\"]"),
    "wishes": Case(
        options=f'{RSA_ONLY}\nresource = ["https://plain.example.com"]',
        route="""
        [[route]]
        host = "app.example.com"
        path = "/wishes/strict/"
        authenticate = ["wishes"]
        backend = "{backend}"
        [route.login]
        acr_values = ["gold"]
        ui_locales = ["de"]
        resource = ["https://strict.example.com"]
        """,
    ),
    "weak": _saying('acr_values = ["gold"]', acr="silver"),
    "no-acr": _saying('acr_values = ["gold"]', acr=None),
    "stale": _saying("max_age = 60", auth_time=now() - 3600),
    "no-time": _saying("max_age = 60", auth_time=None),
    "down": Case(prepare=_down),
    "scripting": Case(prepare=_scripting),
}


@pytest.fixture(scope="module")
def running(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the proxy, with a provider for each case."""
    with world(tmp_path_factory.mktemp("world"), pki, _CASES) as found:
        yield found


@pytest.mark.parametrize("name", ["plain", "form"])
def test_ten_restored_tabs_all_end_logged_in(running: World, name: str) -> None:
    """All of them begin before the first one is back."""
    browser = running.browser()
    urls = [running.url(name, f"tab-{number}") for number in range(TABS)]
    begun = [browser.send("GET", url).location for url in urls]
    for url, at in zip(urls, begun, strict=True):
        assert at is not None
        page = browser.go(at)
        assert (page.status, page.url) == (200, url), running.story(browser, page)


def test_tabs_that_load_at_once_all_end_logged_in(running: World) -> None:
    browser = running.browser()
    urls = [running.url("plain", f"at-once-{number}") for number in range(TABS)]
    with ThreadPoolExecutor(TABS) as threads:
        pages = [*threads.map(browser.go, urls)]
    assert [page.status for page in pages] == [200] * TABS


def test_back_to_an_old_callback_leads_to_the_page(running: World) -> None:
    browser = running.check_login("plain")
    old = next(url for _, url, _ in browser.trail if "/.sso/callback/" in url)
    before = running.providers["plain"].times("token")
    page = browser.go(old)
    assert page.status == 200, running.story(browser, page)
    assert page.url == running.url("plain", "page?a=b")
    assert running.providers["plain"].times("token") == before


@pytest.mark.parametrize("name", ["plain", "form", "signed"])
def test_back_to_an_old_callback_begins_again_once_after_a_logout(
    running: World, name: str
) -> None:
    browser = running.browser()
    stopped = browser.go(running.url(name, "back"), stop=running.callback(name))
    form = stopped.forms[0].fields if stopped.status == 200 else None
    old = stopped.location or stopped.forms[0].action
    later = _end(old, running.providers[name]) if name == "signed" else old

    def come_back(stop: str | None = None) -> Page:
        origin = None if form is None else running.providers[name].issuer
        return browser.go(old, stop=stop, post=form, origin=origin)

    assert come_back().url == running.url(name, "back")
    old = later
    _leave(browser)
    before = running.providers[name].times("token")
    page = come_back()
    assert page.url == running.url(name, "back"), running.story(browser, page)
    assert running.providers[name].times("token") == before + 1
    _leave(browser)
    page = come_back(stop=running.providers[name].issuer)
    assert page.status == 400, running.story(browser, page)


def test_a_browser_that_keeps_no_session_is_stopped(running: World) -> None:
    """It would be sent round for ever by a provider that knows its user."""
    browser = running.browser()
    for _ in range(3):
        running.check_login("plain", browser)
        browser.cookies[:] = [c for c in browser.cookies if c.name != "__Host-sso"]
    page = browser.go(running.url("plain"))
    assert page.status == 429, running.story(browser, page)
    assert page.url == running.url("plain"), "it has not been sent away"
    assert "The login does not last" in page.text
    running.check_login("plain", browser)


def _end(callback: str, provider: Provider) -> str:
    """Give a callback with a signed answer as it is when the time of that is over."""
    place, _, text = callback.partition("?response=")
    claims = json.loads(unb64(text.split(".")[1]))
    claims["exp"] = now() - 60
    ended = provider.signer(provider.alg).sign(claims, typ="JWT")
    return f"{place}?response={ended}"


def _leave(browser: Browser) -> None:
    """Have the browser lose its session, and nothing of its logins."""
    kept = [c for c in browser.cookies if c.name.startswith("__Host-sso-login-")]
    assert kept, browser.cookies
    browser.cookies[:] = kept


def test_what_was_posted_arrives_after_the_login(running: World) -> None:
    browser = running.browser()
    order = {"item": "a b&c", "n": "2"}
    page = browser.go(
        running.url("plain", "order"), post=order, origin=running.url("plain")
    )
    assert page.status == 200, running.story(browser, page)
    seen = [s for s in running.arrived("plain") if s.path == "/plain/order"]
    assert [(s.method, s.body) for s in seen] == [("POST", b"item=a+b%26c&n=2")]


@pytest.mark.parametrize(
    "fields",
    [
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"Accept": "application/json"},
        {},
    ],
    ids=["fetch", "image", "xhr", "json", "curl"],
)
def test_programs_never_begin_a_login(running: World, fields: dict[str, str]) -> None:
    page = running.browser().send("GET", running.url("plain"), headers=fields)
    assert page.status == 401
    assert page.location is None
    assert "set-cookie" not in dict(page.fields)


@pytest.mark.parametrize("name", ["weak", "no-acr", "stale", "no-time"])
def test_what_was_asked_for_is_enforced(running: World, name: str) -> None:
    """A provider that does less than it was asked for logs nobody in."""
    browser, logs = running.browser(), running.logs()
    page = browser.go(running.url(name))
    running.check_refused(name, browser, page, logs, told="login-refused: token-")


def test_a_route_that_asks_for_more_gets_it(running: World) -> None:
    running.check_login("strong")
    grants = running.providers["strong"].grants
    assert grants[-1].asked.get("acr_values") == "gold"


def test_routes_of_one_host_ask_for_what_each_wants(running: World) -> None:
    """One login more makes the session good for both."""
    browser = running.check_login("wishes")
    grants = running.providers["wishes"].grants
    page = browser.go(running.url("wishes", "strict/page"))
    assert page.url == running.url("wishes", "strict/page"), running.story(
        browser, page
    )
    first, second = (grant.asked for grant in grants)
    assert "acr_values" not in first
    assert second["acr_values"] == "gold"
    assert second["ui_locales"] == "de"
    for path in ("page", "strict/page", "page"):
        assert browser.fetch(running.url("wishes", path)).status == 200
    assert len(grants) == 2


def test_people_choose_where_there_are_two_providers(running: World) -> None:
    browser = running.browser()
    page = browser.go(running.url("one", "page"))
    assert page.status == 200, running.story(browser, page)
    assert "Staff" in page.text
    assert "Customers" in page.text
    link = next(link for link in page.links if "two" in link)
    page = browser.go(link, origin=page.url)
    assert page.url == running.url("one", "page"), running.story(browser, page)
    assert running.providers["one"].grants == []
    assert running.arrived("one")[-1].values("X-Remote-User") == ["alice"]


def test_one_route_takes_a_token_else_a_session_else_begins_a_login(
    running: World,
) -> None:
    provider = running.providers["both"]
    claims = {"iss": provider.issuer, "aud": AUDIENCE, "sub": "robot"}
    claims |= {"client_id": "robot", "jti": "1"}
    dates = {"iat": now(), "exp": now() + 60}
    token = provider.signer("RS256").sign({**claims, **dates})
    browser = running.browser()
    program = browser.fetch(running.url("both"), Authorization=f"Bearer {token}")
    assert program.status == 200
    assert running.arrived("both")[-1].values("X-Remote-User") == ["robot"]
    assert browser.fetch(running.url("both")).status == 401
    running.check_login("both", browser)
    bad = browser.fetch(running.url("both"), Authorization=f"Bearer {token}x")
    assert bad.status == 401, "a bad token is never made good by a session"


def test_a_provider_may_be_down_at_the_start(running: World) -> None:
    browser = running.browser()
    assert browser.go(running.url("down")).status == 503
    assert browser.fetch(running.url("plain")).status == 401, "others are served"
    running.providers["down"].user = "alice"

    def is_back() -> bool:
        return browser.send("GET", running.url("down")).status == 303

    eventually(is_back, "the provider")
    running.check_login("down", running.browser())


def test_what_a_provider_says_is_no_part_of_a_page(running: World) -> None:
    browser, logs = running.browser(), running.logs()
    page = browser.go(running.url("scripting"))
    running.check_refused("scripting", browser, page, logs, told="provider-error")
    assert "alert(1)" not in page.text
    assert "script-src" not in page.value("content-security-policy").replace(
        "script-src 'none'", ""
    )
