"""An application's cookie is good on the device that has got it, and on no other."""

import re
from typing import Any

import attrs
import pytest

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.device_cookies import OCTETS, Held, unpack
from sso_proxy.testing.fakes import make_certificate, make_request
from tests.support.caching import now
from tests.support.device_application import GRACE, LIFETIME, Application
from tests.support.device_browser import DeviceBrowser, Sent
from tests.support.sessions import BrokenCache, SessionTools

REGISTRATION = "secure-session-registration"


def logged_in(application: Application) -> DeviceBrowser:
    """Give a browser whose user has logged in by a form of the application."""
    browser = application.browser()
    browser.visit("/")
    browser.submit("/login", b"x")
    assert application.who(browser) == "alice-1"
    return browser


def names(browser: DeviceBrowser) -> set[str]:
    """Give what the names of our cookies begin with."""
    return {name.rpartition("-")[0] for name in browser.cookies if "-sso" in name}


@pytest.mark.parametrize("level", ["require", "prefer"])
def test_the_owner_goes_on_and_a_copy_dies_within_the_lifetime(level: str) -> None:
    application = Application(device=level)
    browser = logged_in(application)
    thief = browser.copy_cookies()
    assert application.who(thief) == "alice-1"  # for as long as the proof is good
    for _ in range(5):
        application.later(LIFETIME + 1)
        assert application.who(thief) == ""
        assert application.who(browser) == "alice-1"
    assert browser.events == ["registered", *["refreshed"] * 5]


def test_one_key_is_registered_though_the_session_s_number_changes() -> None:
    application = Application()
    browser = application.browser()
    first = browser.visit("/")
    assert len(first.values(REGISTRATION)) == 1
    before = browser.cookies["JSESSIONID"].value
    answer = browser.submit("/login", b"x")
    assert answer.values(REGISTRATION) == []
    assert len(answer.values("set-cookie")) == 1
    assert browser.cookies["JSESSIONID"].value != before
    application.later(GRACE + 1)
    assert application.who(browser) == "alice-1"
    assert browser.events == ["registered"]


def test_the_backend_gets_nothing_of_ours() -> None:
    application = Application()
    logged_in(application)
    assert application.seen[-1] == {"JSESSIONID": "alice-1"}


@pytest.mark.parametrize(("level", "got"), [("require", ""), ("prefer", "nobody")])
def test_a_browser_that_cannot_goes_on_where_a_key_is_preferred(
    level: str, got: str
) -> None:
    application = Application(device=level)
    browser = application.browser(keeps=False)
    browser.visit("/")
    assert application.who(browser) == "nobody"
    application.later(GRACE + 1)
    assert application.who(browser) == got


def test_a_copy_of_the_application_s_cookie_alone_is_nothing_at_once() -> None:
    """As it may stand in a log."""
    application = Application(device="prefer")
    browser = application.browser(keeps=False)
    browser.visit("/")
    thief = browser.copy_cookies()
    thief.cookies = {"JSESSIONID": thief.cookies["JSESSIONID"]}
    assert application.who(thief) == ""


def test_logging_out_ends_the_device_s_session() -> None:
    application = Application()
    browser = logged_in(application)
    browser.visit("/logout")
    assert browser.cookies == {}
    application.later(1)
    browser.visit("/who")
    assert browser.events == ["registered", "ended: the server said so"]


@pytest.mark.parametrize("level", ["require", "prefer"])
@pytest.mark.parametrize("by", ["the owner", "a thief who still may"])
def test_no_copy_comes_to_life_when_somebody_logs_out(level: str, by: str) -> None:
    """Many applications take what they have once signed, whoever has logged out."""
    application = Application(device=level)
    browser = logged_in(application)
    thief, other = browser.copy_cookies(), browser.copy_cookies()
    if by == "the owner":
        application.later(LIFETIME + 1)
        assert application.who(browser) == "alice-1"
        browser.visit("/logout")
    else:
        other.visit("/logout")
        application.later(LIFETIME + 1)
    assert application.who(thief) == ""
    answer = thief.visit("/who")
    assert answer.values("secure-session-registration") == []


def _request(application: Application, browser: DeviceBrowser) -> Any:  # noqa: ANN401
    browser.visit("/who")
    return application.asked


def test_a_thief_cannot_end_it() -> None:
    application = Application()
    browser = logged_in(application)
    thief = browser.copy_cookies()
    application.later(LIFETIME + 1)
    thief.visit("/logout")
    assert application.who(browser) == "alice-1"


@pytest.mark.parametrize("path", ["/", "/logout"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("level", ["require", "prefer"])
def test_a_picture_in_another_site_s_page_ends_nothing(
    level: str, site: str, path: str
) -> None:
    """Our cookies come along, those of the application and a proof do not."""
    application = Application(device=level)
    browser = logged_in(application)
    application.later(LIFETIME + 1)
    own = {name: each.value for name, each in browser.cookies.items()}
    ours = {name: value for name, value in own.items() if "-device-" in name}
    cookie = "; ".join(f"{name}={value}" for name, value in ours.items())
    fields = (("Sec-Fetch-Site", site), ("Cookie", cookie))
    answer = application(Sent(method="GET", path=path, fields=fields))
    set_here = [each.partition("=")[0] for each in answer.values("set-cookie")]
    assert set_here == ["JSESSIONID"]  # which browsers do not take from there
    assert application.who(browser) == "alice-1"


def test_a_proof_that_is_late_does_not_end_what_it_was_for() -> None:
    def do(sent: Sent, _cookies: dict[str, str]) -> list[str]:
        if sent.path == "/":
            return ["JSESSIONID=a; Path=/", "theme=b; Path=/"]
        return ["theme=; Max-Age=0"] if sent.path == "/plain" else []

    application = Application(do=do, names=("JSESSIONID", "theme"))
    browser = application.browser()
    browser.visit("/")
    application.later(LIFETIME + 1)
    browser.ask("GET", "/plain", {})
    assert application.who(browser) == "a"


def test_taking_one_of_two_cookies_away_leaves_the_other() -> None:
    def do(sent: Sent, _cookies: dict[str, str]) -> list[str]:
        if sent.path == "/":
            return ["JSESSIONID=a; Path=/", "theme=b; Path=/"]
        return ["theme=; Max-Age=0"] if sent.path == "/plain" else []

    application = Application(do=do, names=("JSESSIONID", "theme"))
    browser = application.browser()
    browser.visit("/")
    browser.visit("/plain")
    application.later(LIFETIME + 1)
    assert application.who(browser) == "a"


def test_cookies_that_are_set_later_are_for_the_same_key() -> None:
    def do(sent: Sent, _cookies: dict[str, str]) -> list[str]:
        return {"/": ["JSESSIONID=a; Path=/"], "/keep": ["keep=b; Max-Age=9999"]}.get(
            sent.path, []
        )

    application = Application(do=do, names=("JSESSIONID", "keep"))
    browser = application.browser()
    browser.visit("/")
    browser.visit("/keep")
    application.later(LIFETIME + 1)
    browser.visit("/who")
    assert application.seen[-1] == {"JSESSIONID": "a", "keep": "b"}
    assert browser.events == ["registered", "refreshed"]
    application.later(1)
    browser.restart()  # what the application keeps is bound as before
    browser.visit("/who")
    assert application.seen[-1] == {"keep": "b"}


def test_a_browser_s_end_is_that_of_a_session_that_it_does_not_keep() -> None:
    application = Application()
    browser = logged_in(application).restart()
    application.later(LIFETIME + 1)
    assert application.who(browser) == ""
    assert browser.events[-1] == "ended: the server said so"
    browser.visit("/")
    assert browser.events[-1] == "registered"


def test_all_is_over_at_the_end() -> None:
    application = Application(device_options={"ends_after": 600})
    browser = logged_in(application)
    application.later(299)
    assert application.who(browser) == "alice-1"
    application.later(302)
    assert application.who(browser) == ""
    browser.visit("/")
    assert application.who(browser) == "nobody"
    assert browser.events[-1] == "registered"


def test_a_session_that_changes_its_number_late_gets_its_whole_time() -> None:
    application = Application(device_options={"ends_after": 600})
    browser = application.browser()
    browser.visit("/")
    application.later(400)
    browser.submit("/login", b"x")
    application.later(400)
    assert application.who(browser) == "alice-1"


def test_what_could_not_be_proved_is_not_taken_for_nobody() -> None:
    """The application would begin another session, and its user be logged out."""
    application = Application()
    browser = logged_in(application)
    application.later(LIFETIME + 1)
    served, application_answers = application.__call__, browser.server

    def server(sent: Sent) -> Any:  # noqa: ANN401
        if "/dbsc/" in sent.path:
            raise ConnectionError
        return served(sent)

    browser.server = server
    assert browser.visit("/").status == 503
    browser.server = application_answers
    assert application.who(browser) == "alice-1"


def test_a_cookie_is_of_one_host() -> None:
    tools = Application().tools
    one = Application(tools, host="*.example.com")
    one.host = "a.example.com"
    browser = logged_in(one)
    one.host = browser.host = "b.example.com"
    assert one.who(browser) == ""


def test_a_cookie_is_of_one_application() -> None:
    first = Application()
    browser = logged_in(first)
    second = Application(first.tools, names=("JSESSIONID", "other"))
    ours = {n.rpartition("-")[0]: c for n, c in browser.cookies.items() if "-sso" in n}
    tag = second.cookies.devices.tag  # type: ignore[union-attr]
    for begin, cookie in ours.items():
        browser.cookies[f"{begin}-{tag}"] = cookie
    browser.server = second
    assert second.who(browser) == ""


@pytest.mark.parametrize("cookie", ["__Host-sso-device", "__Host-sso-bound"])
def test_two_of_our_cookies_are_none(cookie: str) -> None:
    application = Application()
    browser = logged_in(application)
    application.later(GRACE + 1)
    (name,) = (n for n in browser.cookies if n.startswith(cookie))
    browser.visit("/who", Cookie=f"{name}=AAAA")
    assert application.seen[-1] == {}
    assert application.who(browser) == "alice-1"


def test_without_having_looked_nothing_is_passed_on_or_set() -> None:
    application = Application()
    browser = logged_in(application)
    request = _request(application, browser)
    blind = attrs.evolve(request, cookie_stand=None)
    (field,) = application.cookies.open(blind).head.values("cookie")
    assert "JSESSIONID" not in field
    assert application.reply(blind, "JSESSIONID=a", "lang=de").fields == (
        ("set-cookie", "lang=de"),
    )


def test_our_cookie_is_of_one_host_and_one_application() -> None:
    application = Application(host="*.example.com")
    application.host = "a.example.com"
    browser = logged_in(application)
    devices = application.cookies.devices
    assert devices is not None
    request = _request(application, browser)
    assert devices.find(request) is not None
    elsewhere = attrs.evolve(request.head, host="b.example.com")
    assert devices.find(attrs.evolve(request, head=elsewhere)) is None
    other = Application(application.tools, names=("a",)).cookies.devices
    assert other is not None
    (field,) = request.head.values("cookie")
    renamed = (("cookie", field.replace(devices.tag, other.tag)),)
    head = attrs.evolve(request.head, headers=renamed)
    assert other.find(attrs.evolve(request, head=head)) is None


def test_what_is_bound_to_other_keys_alone_is_not_read_as_bound_to_a_device() -> None:
    """Or a backend could write into a value which holder it is for."""
    application = Application(certificate="prefer")
    devices = application.cookies.devices
    assert devices is not None
    devices = attrs.evolve(devices, random=lambda size: size * b"n")
    application.cookies = attrs.evolve(application.cookies, devices=devices)
    browser = logged_in(application)
    held = devices.find(_request(application, browser))
    assert held is not None
    value = held.pack().decode("latin-1") + "forged"
    request = make_request(certificate=make_certificate("CN=alice"))
    bound_to_one = attrs.evolve(
        application.cookies, devices=None, levels={"certificate": "require"}
    )
    block = f"HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID={value}\r\n"
    sealed = bound_to_one.sealing(request)(block.encode("latin-1")).decode("latin-1")
    pair = sealed.partition("JSESSIONID=")[2].partition(";")[0]
    (field,) = application.asked.head.values("cookie")  # type: ignore[union-attr]
    ours = "; ".join(p for p in field.split("; ") if p.startswith("__Host-sso"))
    headers = (("cookie", f"{ours}; JSESSIONID={pair}"),)
    head = attrs.evolve(request.head, headers=headers)
    asked = now(application.cookies.look(attrs.evolve(request, head=head)))
    assert asked.cookie_stand.current == held
    assert application.cookies.open(asked).head.values("cookie") == [ours]


def test_all_is_over_at_the_end_without_a_key_as_well() -> None:
    application = Application(device="prefer", device_options={"ends_after": 600})
    browser = application.browser(keeps=False)
    browser.visit("/")
    application.later(599)
    assert application.who(browser) == "nobody"
    application.later(1)
    assert application.who(browser) == ""


def test_who_came_by_another_site_is_offered_a_key_a_moment_later() -> None:
    """What a browser registers for other sites' requests has none of our cookies."""
    application = Application()
    browser = application.browser()
    first = browser.visit("/", **{"Sec-Fetch-Site": "cross-site"})
    assert first.values(REGISTRATION) == []
    assert len(browser.fetch("/picture").values(REGISTRATION)) == 1
    assert browser.events == ["registered"]
    assert browser.fetch("/picture").values(REGISTRATION) == []
    application.later(GRACE + 1)
    assert application.who(browser) == "nobody"


def test_a_key_that_could_not_be_registered_is_offered_once_more() -> None:
    application = Application(device="prefer")
    browser = application.browser(keeps=False)
    assert browser.visit("/").values(REGISTRATION) != []
    assert browser.visit("/who").values(REGISTRATION) == []  # it is at it
    application.later(21)
    assert browser.visit("/who").values(REGISTRATION) != []
    assert browser.visit("/who").values(REGISTRATION) == []
    application.later(600)
    assert browser.visit("/who").values(REGISTRATION) == []


def test_an_instance_knows_what_another_has_begun() -> None:
    first = Application()
    second = Application(first.tools.another())
    browser = logged_in(first)
    first.later(LIFETIME + 1)
    browser.server = second
    assert second.who(browser) == "alice-1"
    first.later(LIFETIME + 1)
    browser.server = first
    assert first.who(browser) == "alice-1"
    assert browser.events == ["registered", "refreshed", "refreshed"]


def test_who_registers_first_keeps_it_and_the_owner_logs_in_again() -> None:
    """Within seconds, and with what the answer to the owner says."""
    application = Application()
    browser = application.browser(keeps=False)  # not yet
    answer = browser.visit("/")
    thief = browser.copy_cookies()
    (offer,) = answer.values(REGISTRATION)
    told = dict(re.findall(r';([a-z_]+)="([^"]*)"', offer))
    thief.register(["ES256"], told)
    browser.register(["ES256"], told)
    assert thief.events == ["registered"]
    assert browser.events == ["failed: registration 403"]
    application.later(GRACE + 1)
    assert application.who(thief) == "nobody"
    assert application.who(browser) == ""
    browser.keeps = True
    browser.submit("/login", b"x")
    assert application.who(browser) == "alice-1"
    application.later(LIFETIME + 1)
    assert application.who(browser) == "alice-1"
    assert application.who(thief) == "nobody"


def test_a_recorded_proof_is_no_proof() -> None:
    application = Application()
    browser = logged_in(application)
    application.later(LIFETIME + 1)
    assert application.who(browser) == "alice-1"
    (sent,) = (s for s, _ in browser.trail if "/refresh/" in s.path)
    answer = application(sent)
    assert answer.status == 403
    assert answer.values("set-cookie") == []


def test_a_cache_that_is_down_stops_who_has_no_proof_alone() -> None:
    tools = SessionTools()
    tools.memory = cache = BrokenCache(MemoryCacheConfig(), tools.clock)
    application = Application(tools, device="prefer")
    browser = logged_in(application)
    thief = browser.copy_cookies()
    application.later(GRACE + 1)
    thief.cookies = {n: c for n, c in thief.cookies.items() if "-bound-" not in n}
    cache.broken = cache.operations
    assert application.who(browser) == "alice-1"
    assert thief.visit("/who").status == 503


def test_a_clock_that_is_set_locks_nobody_out_for_long() -> None:
    """Browsers prove nothing while they keep a cookie that we cannot take any more."""
    application = Application()
    browser = logged_in(application)
    before = application.tools.clock.now
    browser.now = lambda: before  # what is set is our clock, not theirs
    application.tools.clock.now += LIFETIME + 10
    assert application.who(browser) == ""
    assert application.who(browser) == "alice-1"
    assert browser.events == ["registered", "refreshed"]


def test_a_holder_is_read_as_it_was_written() -> None:
    held = Held(bytes(16), 1.0, 2.0, stays=True)
    found = unpack(held.pack() + b"more")
    assert found == held
    assert found is not None
    assert (found.stays, found.offered) == (True, False)
    assert len(held.pack()) == OCTETS
    assert unpack(held.pack()[:-1]) is None
