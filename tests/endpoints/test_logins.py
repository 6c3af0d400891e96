"""Logins with a browser, from the request that needs one to what comes of it."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.login import Question
from sso_proxy.model import Response
from tests.support.caching import now
from tests.support.fake_login import PROVIDER
from tests.support.login_scene import FORM, OWN_PAGE, PAGE, LoginScene, form_of


def test_who_looks_at_a_page_logs_in_and_sees_it(kind: str) -> None:
    scene = LoginScene(kind)

    away = scene.page("/orders?open=1&x=%20y")
    assert (away.status, scene.reason) == (302, "login")
    assert away.location.startswith(PROVIDER)
    assert scene.scene.backend.asked == []

    back = scene.come_back(away)
    assert (back.status, back.location) == (303, "/orders?open=1&x=%20y")
    assert ("cache-control", "no-store") in back.headers

    assert scene.page(back.location).status == 200
    assert b"X-Remote-User: alice\r\n" in scene.scene.backend.head
    assert b"__Host-sso" not in scene.scene.backend.head


def test_the_log_says_who_logged_in_and_no_secret(kind: str) -> None:
    scene = LoginScene(kind)
    told: list[LogEvent] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        told.append(event)

    scene.logins["corp"].data = {"access_token": "secret-1"}
    globalLogPublisher.addObserver(observe)
    try:
        scene.log_in(user="alice\nx")
    finally:
        globalLogPublisher.removeObserver(observe)

    lines = [line for each in told if (line := formatEvent(each))]
    session = now(scene.store.load(scene.browser.request())).session
    assert session is not None
    assert [line for line in lines if "'alice\\nx'" in line and session.id in line]
    assert not [line for line in lines if "secret-1" in line]
    assert not [line for line in lines if scene.browser.cookies["__Host-sso"] in line]


def test_nothing_of_the_login_stays_in_the_browser(kind: str) -> None:
    scene = LoginScene(kind)
    scene.log_in()

    assert not [n for n in scene.browser.cookies if n.startswith("__Host-sso-login")]


@pytest.mark.parametrize(
    "fields",
    [
        (b"Accept: application/json",),
        (b"Accept: */*",),
        (b"Accept: text/html", b"X-Requested-With: XMLHttpRequest"),
        (b"Accept: text/html", b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: empty"),
        (b"Accept: image/*", b"Sec-Fetch-Mode: no-cors", b"Sec-Fetch-Dest: image"),
        (b"Accept: text/html", b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: iframe"),
        (*PAGE, b"Sec-Purpose: prefetch"),
    ],
)
def test_what_nobody_looks_at_begins_no_login(fields: tuple[bytes, ...]) -> None:
    scene = LoginScene()

    seen = scene.ask("/", *fields)
    assert (seen.status, scene.reason) == (401, "no-credential")
    assert not scene.browser.cookies
    assert not scene.logins["corp"].began


def test_each_login_begins_a_new_session(kind: str) -> None:
    """A session that somebody planted before must not become the user's (C8)."""
    scene = LoginScene(kind)
    scene.log_in()
    planted = dict(scene.browser.cookies)
    away = scene.page("/.sso/login?to=/")
    scene.browser.cookies.update(planted)
    scene.come_back(away, "bob")

    assert scene.browser.cookies["__Host-sso"] != planted["__Host-sso"]
    scene.page()
    assert b"X-Remote-User: bob\r\n" in scene.scene.backend.head
    scene.browser.cookies.clear()
    scene.browser.cookies.update(planted)
    assert scene.page().status == 302


def test_somebody_else_s_answer_logs_nobody_in(kind: str) -> None:
    scene = LoginScene(kind)
    away = scene.page()
    scene.browser.cookies.clear()

    back = scene.come_back(away)
    assert (back.status, scene.reason) == (400, "login-state")
    assert "__Host-sso" not in scene.browser.cookies
    assert scene.page().status == 302


def test_a_login_is_good_for_one_answer() -> None:
    scene = LoginScene()
    away = scene.page()
    scene.come_back(away)

    assert scene.come_back(away).status == 400


def test_ten_tabs_that_were_restored_all_end_logged_in(kind: str) -> None:
    scene = LoginScene(kind)
    tabs = {f"/tab/{n}": scene.page(f"/tab/{n}") for n in range(10)}

    for path, away in tabs.items():
        assert scene.come_back(away).location == path
    for path in tabs:
        assert scene.page(path).status == 200


def test_what_only_a_page_can_read_is_sent_by_a_page() -> None:
    scene = LoginScene()
    scene.logins["corp"].fragment = "brought"
    page = scene.page("/.sso/callback/corp")
    assert (page.status, scene.reason) == (200, "login-fragment")
    assert form_of(page) == ("/.sso/callback/corp", b"brought=")
    assert ("cache-control", "no-store") in page.headers
    assert not [name for name, _ in page.headers if name == "set-cookie"]
    policy = dict(page.headers)["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'sha256-" in policy


def test_a_refusal_leads_back_to_where_it_can_be_tried_again() -> None:
    scene = LoginScene()
    away = scene.page("/orders")
    scene.logins["corp"].refuses = Response(
        status=403, reason="login-denied", again="/orders"
    )

    seen = scene.come_back(away)
    assert (seen.status, scene.reason) == (403, "login-denied")
    assert 'href="/orders"' in seen.body
    assert "__Host-sso" not in scene.browser.cookies


# Where to


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "https://app.example.com@evil.example/",
        "https:evil.example",
        "/a\r\nSet-Cookie: x",
        "/%2F/evil.example",
    ],
)
def test_nobody_is_sent_elsewhere(to: str) -> None:
    scene = LoginScene()

    seen = scene.page(f"/.sso/login?to={quote(to, safe='')}")
    assert (seen.status, scene.reason) == (400, "login-target")
    assert not scene.logins["corp"].began


@pytest.mark.parametrize(
    "query",
    [
        "to=/a&to=/b",
        "to=/.sso/login",
        "to=/.sso/../.sso/login",
        "with=other",
        "with=corp&with=corp",
        "age=-1",
        "age=1e3",
        "age=99999999999",
        "acr=" + "a+" * 20,
        "to=/" + "a" * 3000,
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(query: str) -> None:
    scene = LoginScene()

    assert scene.page(f"/.sso/login?{query}").status == 400
    assert not scene.logins["corp"].began


def test_a_long_address_is_kept_at_home() -> None:
    scene = LoginScene()
    path = "/search?q=" + "a" * 5000

    assert scene.log_in(path).location == path


def test_without_a_store_a_long_address_cannot_be_kept() -> None:
    scene = LoginScene("cookie", options={"cache": None})

    assert scene.page("/search?q=" + "a" * 5000).status == 414
    assert scene.reason == "login-target-long"


# Too much


def test_an_address_that_never_stops_is_stopped() -> None:
    scene = LoginScene(per_minute=2)
    scene.page(), scene.page()

    seen = scene.page()
    assert (seen.status, scene.reason) == (429, "too-many-logins")
    assert ("retry-after", "10") in seen.headers


def test_a_browser_that_does_not_keep_its_session_is_stopped() -> None:
    scene = LoginScene()
    for _ in range(3):
        scene.log_in("/orders")
        del scene.browser.cookies["__Host-sso"]

    seen = scene.page("/orders")
    assert (seen.status, scene.reason) == (429, "login-loop")
    assert 'href="/orders"' in seen.body
    assert len(scene.logins["corp"].began) == 3
    assert scene.page("/orders").status == 302


def test_a_session_that_is_too_large_is_said_to_be() -> None:
    scene = LoginScene("cookie")
    scene.logins["corp"].data = {"token": "x" * 40_000}

    seen = scene.log_in()
    assert (seen.status, scene.reason) == (500, "session-too-large")
    assert "__Host-sso" not in scene.browser.cookies


def test_a_store_that_is_down_logs_nobody_in() -> None:
    scene = LoginScene()
    away = scene.page()
    scene.cache.broken = frozenset({"get", "put"})

    assert scene.come_back(away).status == 503
    assert "__Host-sso" not in scene.browser.cookies


# Several ways


def test_people_choose_where_there_is_a_choice() -> None:
    scene = LoginScene("server", "corp", "partner")
    scene.logins["partner"].title = "Partners <of ours>"

    seen = scene.page("/orders?a=1&b=2")
    assert (seen.status, scene.reason) == (200, "login-choice")
    assert "Partners &lt;of ours&gt;" in seen.body
    href = "/.sso/login?with=partner&to=%2Forders%3Fa%3D1%26b%3D2"
    assert href.replace("&", "&amp;") in seen.body

    away = scene.ask(href, *PAGE, b"Sec-Fetch-Site: same-origin")
    back = scene.come_back(away, name="partner")
    assert back.location == "/orders?a=1&b=2"
    assert scene.logins["corp"].began == []


def test_an_answer_to_one_is_none_to_another() -> None:
    """A provider must not redeem what another gave (D18): its callback is its own."""
    scene = LoginScene("server", "corp", "partner")
    away = scene.page("/.sso/login?with=corp")
    scene.logins["partner"].refuses = Response(status=400, reason="login-state")

    assert scene.come_back(away, name="partner").status == 400


def test_who_chooses_to_log_in_is_nobody_meanwhile(kind: str) -> None:
    """The next user of a shared browser must not go on as the last one (C7)."""
    scene = LoginScene(kind)
    scene.log_in()
    scene.ask("/.sso/login", *PAGE, b"Sec-Fetch-Site: same-origin")

    assert scene.page().status == 302


def test_a_page_of_others_logs_nobody_out(kind: str) -> None:
    scene = LoginScene(kind)
    scene.log_in()
    scene.ask("/.sso/login", *PAGE, b"Sec-Fetch-Site: cross-site")

    assert scene.page().status == 200


# More than the session has


def step_up(**changes: Any) -> LoginScene:  # noqa: ANN401
    requirements = Requirements((compile_condition("acr == 'gold'", "require[0]"),))
    return LoginScene(requirements=requirements, **changes)


def test_a_route_that_wants_more_has_people_log_in_again() -> None:
    scene = step_up()
    scene.logins["corp"].claims = {"acr": "silver"}
    scene.log_in()

    seen = scene.page("/orders")
    assert seen.status == 302
    assert scene.logins["corp"].began[-1].acr_values == ("gold",)
    assert scene.logins["corp"].began[-1].target == "/orders"
    scene.logins["corp"].claims = {"acr": "gold"}
    assert scene.come_back(seen).location == "/orders"
    assert scene.page("/orders").status == 200


def test_a_script_is_told_that_more_is_wanted() -> None:
    scene = step_up()
    scene.logins["corp"].claims = {"acr": "silver"}
    scene.log_in()
    began = len(scene.logins["corp"].began)

    assert scene.ask("/orders", b"Accept: application/json").status == 403
    assert len(scene.logins["corp"].began) == began


def test_who_never_gets_enough_is_stopped() -> None:
    scene = step_up()
    scene.logins["corp"].claims = {"acr": "silver"}
    for _ in range(3):
        scene.log_in("/orders")

    assert scene.page("/orders").status == 429


# Other endpoints


def test_our_keys_are_published() -> None:
    scene = LoginScene("server", "corp", "partner")
    key = {"kty": "EC", "kid": "1"}
    scene.logins["corp"].public_keys = (key,)
    scene.logins["partner"].public_keys = (key, {"kty": "EC", "kid": "2"})

    seen = scene.ask("/.sso/jwks")
    assert json.loads(seen.body) == {"keys": [key, {"kty": "EC", "kid": "2"}]}
    assert ("content-type", "application/jwk-set+json") in seen.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/.sso/request/corp/there", 200),
        ("/.sso/request/corp/gone", 404),
        ("/.sso/request/corp", 404),
        ("/.sso/request/other/there", 404),
        ("/.sso/callback/other", 404),
        ("/.sso/callback/", 404),
        ("/.sso/login/corp", 404),
        ("/.sso/jwks/x", 404),
        ("/.sso/", 404),
        ("/.sso", 404),
        ("/.sso/nothing", 404),
        ("/.sso%2Fjwks", 400),
    ],
)
def test_there_is_nothing_else(path: str, status: int) -> None:
    assert LoginScene().page(path).status == status


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("/.sso/login", "PUT", "GET, HEAD, POST"),
        ("/.sso/callback/corp", "PUT", "GET, HEAD, POST"),
        ("/.sso/jwks", "DELETE", "GET, HEAD"),
    ],
)
def test_other_methods_are_not_allowed(path: str, method: str, allow: str) -> None:
    seen = LoginScene().ask(path, method=method, body=b"")

    assert seen.status == 405
    assert ("allow", allow) in seen.headers


def test_a_script_cannot_choose_a_login() -> None:
    scene = LoginScene()

    assert scene.ask("/.sso/login", b"Accept: */*").status == 401
    assert not scene.logins["corp"].began


ASKING = Question(choices=(("Corp <1>", "https://login.example"),), typed=True)


def asking_scene() -> LoginScene:
    scene = LoginScene()
    scene.logins["corp"].asks = ASKING
    return scene


def test_somebody_is_asked_where_they_log_in() -> None:
    scene = asking_scene()
    page = scene.page("/a?b=c")
    assert page.status == 200
    assert "Corp &lt;1&gt;" in page.body
    assert "iss=https%3A%2F%2Flogin.example" in page.body
    action, fields = form_of(page)
    assert action == "/.sso/login"
    assert b"with=corp&to=/a?b=c" in fields
    assert scene.reason == "login-question"


def test_what_they_type_is_posted_by_our_page() -> None:
    scene = asking_scene()
    body = b"with=corp&to=%2Fa&who=alice%40example.com"
    page = scene.ask("/.sso/login", *OWN_PAGE, FORM, method="POST", body=body)
    assert page.status == 302
    wanted = scene.logins["corp"].began[-1]
    assert (wanted.account, wanted.target, wanted.own) == (
        "alice@example.com",
        "/a",
        True,
    )


def test_what_a_page_of_others_posts_is_not_typed_by_anybody() -> None:
    scene = asking_scene()
    foreign = (*PAGE, b"Sec-Fetch-Site: cross-site", b"Origin: https://evil.example")
    body = b"with=corp&to=%2Fa&who=mallory%40evil.example"
    page = scene.ask("/.sso/login", *foreign, FORM, method="POST", body=body)
    assert page.status == 200
    assert scene.logins["corp"].began[-1].account == ""


def test_a_provider_may_begin_a_login_of_its_users() -> None:
    scene = LoginScene("server", "corp", "partner")
    scene.logins["partner"].issuer = "https://partner.example"
    query = "iss=https%3A%2F%2Fpartner.example&target_link_uri=%2Fa&login_hint=bob"
    page = scene.page(f"/.sso/login?{query}")
    assert page.status == 302
    wanted = scene.logins["partner"].began[-1]
    assert (wanted.target, wanted.login_hint, wanted.own) == ("/a", "bob", False)


def test_a_provider_may_do_so_by_a_form() -> None:
    scene = LoginScene()
    foreign = (*PAGE, b"Sec-Fetch-Site: cross-site", b"Origin: https://login.example")
    body = b"iss=https%3A%2F%2Flogin.example&target_link_uri=%2Fa"
    page = scene.ask("/.sso/login", *foreign, FORM, method="POST", body=body)
    assert page.status == 302
    assert scene.logins["corp"].began[-1].target == "/a"


def test_nobody_begins_one_at_an_issuer_that_is_not_known() -> None:
    scene = LoginScene()
    page = scene.page("/.sso/login?iss=https%3A%2F%2Fevil.example")
    assert (page.status, scene.reason) == (400, "login-issuer")
    assert not scene.logins["corp"].began
