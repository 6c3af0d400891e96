"""The bound cookie is good for its holder, and for a short while."""

from sso_proxy.sessions.bound_cookie import BoundCookie, Proved
from sso_proxy.sessions.lifetime import SKEW
from sso_proxy.specs.http.cookies import Scope
from sso_proxy.testing.fakes import NOW
from tests.support.sessions import Browser, SessionTools

NAME = "__Host-sso-bound"


def cookie_of(tools: SessionTools, kind: str = "main") -> BoundCookie:
    sealer = tools.sealer("device-bound")
    return BoundCookie(
        NAME, Scope(), sealer=sealer, clock=tools.clock, lifetime=300, kind=kind
    )


def proved(tools: SessionTools, expires: float = NOW + 9999) -> Browser:
    browser = Browser()
    browser.take(cookie_of(tools).write("h", "print", expires))
    return browser


def test_it_says_which_key_was_proved_and_until_when() -> None:
    tools = SessionTools()
    request = proved(tools).request()
    assert cookie_of(tools).read(request, "h") == Proved("print", NOW + 300, NOW)


def test_it_is_over_when_the_holder_is() -> None:
    tools = SessionTools()
    request = proved(tools, NOW + 10).request()
    assert cookie_of(tools).read(request, "h") == Proved("print", NOW + 10, NOW)


def test_it_is_good_for_nobody_else() -> None:
    tools = SessionTools()
    request = proved(tools).request()
    assert cookie_of(tools).read(request, "another") is None
    assert cookie_of(tools, "admin").read(request, "h") is None


def test_it_is_good_for_so_long() -> None:
    tools = SessionTools()
    request = proved(tools).request()
    tools.clock.advance(299)
    assert cookie_of(tools).read(request, "h") is not None
    tools.clock.advance(1)
    assert cookie_of(tools).read(request, "h") is None


def test_a_clock_that_is_set_back_gives_it_no_second_life() -> None:
    tools = SessionTools()
    request = proved(tools).request()
    tools.clock.now -= SKEW + 1
    assert cookie_of(tools).read(request, "h") is None


def test_what_was_opened_before_is_no_better_for_it() -> None:
    tools = SessionTools()
    request, cookie = proved(tools).request(), cookie_of(tools)
    for _ in range(2):
        assert cookie.read(request, "h") == Proved("print", NOW + 300, NOW)
        assert cookie.read(request, "another") is None
    tools.clock.now -= SKEW + 1
    assert cookie.read(request, "h") is None
    tools.clock.now += SKEW + 1 + 300
    assert cookie.read(request, "h") is None


def test_no_number_of_browsers_fills_the_memory() -> None:
    tools = SessionTools()
    cookie, many = cookie_of(tools), 1100
    requests = [proved(tools).request() for _ in range(many)]
    for request in (*requests, requests[0]):
        assert cookie.read(request, "h") is not None
    assert len(cookie._known) == 1024  # noqa: SLF001
    assert 0 < len(cookie._by_field) <= 1024  # noqa: SLF001


def test_it_is_read_among_many_other_cookies_and_these_are_not_remembered() -> None:
    tools = SessionTools()
    browser, cookie = proved(tools), cookie_of(tools)
    browser.cookies["theirs"] = "x" * 8192
    for _ in range(2):
        found = cookie.read(browser.request(), "h")
        assert found == Proved("print", NOW + 300, NOW)
    assert not cookie._by_field  # noqa: SLF001


def test_what_one_request_has_proved_is_not_proved_with_the_next() -> None:
    tools = SessionTools()
    request, cookie = proved(tools).request(), cookie_of(tools)
    for _ in range(2):
        assert cookie.read(request, "h") is not None
        assert cookie.read(Browser(a="1").request(), "h") is None
        assert cookie.read(Browser().request(), "h") is None


def test_what_we_have_not_sealed_is_none() -> None:
    tools = SessionTools()
    for value in ("", "x", "QUJD", "A" * 200, "é"):
        request = Browser(**{NAME: value}).request()
        assert cookie_of(tools).read(request, "h") is None
    assert cookie_of(tools).read(Browser().request(), "h") is None


def test_two_with_different_values_are_none() -> None:
    """Somebody beside us has set one of them."""
    tools = SessionTools()
    good = proved(tools).cookies[NAME]
    request = Browser(a="1").request(cookie="")
    cookies = f"{NAME}={good}; {NAME}=other"
    request = Browser().request(cookie=cookies)
    assert cookie_of(tools).read(request, "h") is None


def test_browsers_drop_it_a_moment_before_it_ends_and_no_shared_cache_keeps_it() -> (
    None
):
    """A request that they send in the last moment is on its way when it ends."""
    (_, field), no_store = cookie_of(SessionTools()).write("h", "print", NOW + 9999)
    assert field.endswith("; Path=/; Max-Age=298; Secure; HttpOnly; SameSite=Lax")
    assert no_store == ("cache-control", "no-store")


def test_it_is_taken_away_where_it_is() -> None:
    tools = SessionTools()
    browser = proved(tools)
    browser.take(cookie_of(tools).clear(browser.request()))
    assert browser.cookies == {}
    assert cookie_of(tools).clear(browser.request()) == ()
