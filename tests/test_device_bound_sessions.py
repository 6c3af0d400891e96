"""Sessions that are bound to a device, through the whole proxy, as Chromium does it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import pytest

from sso_proxy.login import LogoutNotice
from tests.support.device_browser import Answer, DeviceBrowser, Sent
from tests.support.device_world import (
    BOUND,
    SESSION,
    DeviceWorld,
    Login,
    only,
    paths,
    reasons,
)

ISSUER = "https://login.example"
REFRESH = "POST /.sso/dbsc/refresh/TAG"

Make = Callable[..., DeviceWorld]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return partial(DeviceWorld, tmp_path)


@pytest.fixture
def world(make: Make) -> DeviceWorld:
    return make()


def test_a_login_is_bound_and_proved_again_each_time_the_cookie_is_over(
    make: Make, kind: str
) -> None:
    world = make("require", kind)
    alice = world.log_in()
    assert alice.events == ["registered"]
    assert paths(alice) == [
        "GET / 302",
        "POST /.sso/dbsc/register/TAG 200",
        "GET / 200",
    ]
    for _ in range(4):
        world.pass_(301)
        assert world.is_in(alice)
        assert paths(alice) == [f"{REFRESH} 200", "GET / 200"]
    world.pass_(100)
    assert world.is_in(alice)
    assert paths(alice) == ["GET / 200"]


def test_a_key_may_be_rsa_and_a_proof_may_say_whom_it_is_for(
    world: DeviceWorld,
) -> None:
    alice = world.browser()
    alice.algorithms, alice.says_audience = ("RS256",), True
    world.log_in(alice)
    world.pass_(301)
    assert world.is_in(alice)
    assert alice.events == ["registered", "refreshed"]


def test_the_page_after_the_login_may_come_before_the_registration(
    make: Make, kind: str
) -> None:
    world = make("require", kind)
    alice = world.browser()
    alice.registers = "after"
    world.log_in(alice)
    assert paths(alice)[1:] == ["GET / 200", "POST /.sso/dbsc/register/TAG 200"]
    world.pass_(61)
    assert world.is_in(alice)


def test_a_thief_with_all_cookies_has_them_until_the_bound_one_is_over(
    make: Make, kind: str
) -> None:
    world = make("prefer", kind)
    alice = world.log_in()
    world.pass_(200)
    thief = alice.copy_cookies()
    assert world.is_in(thief)
    world.pass_(101)
    assert not world.is_in(thief)
    # Nor do the cookies help to get, or to end, anything else.
    session = only(alice)
    register = session.refresh.replace("refresh", "register")
    thief.cookies = {
        n: c for n, c in alice.copy_cookies().cookies.items() if n == SESSION
    }
    assert thief.visit("/").values("secure-session-registration") == []
    again = thief.post(session.refresh, {"Sec-Secure-Session-Id": session.id})
    assert (again.status, again.values("set-cookie")) == (403, [])
    thief.register(["ES256"], {"path": register, "challenge": session.challenge})
    assert thief.events == ["failed: registration 403"]
    thief.submit("/.sso/logout")
    thief.cookies = {SESSION: alice.cookies[SESSION]}
    thief.page("/")
    assert world.is_in(alice)
    assert "ended" not in "".join(alice.events)


def test_a_thief_cannot_sign_with_another_key(world: DeviceWorld) -> None:
    alice, other = world.log_in(), world.log_in(user="mallory")
    world.pass_(301)
    thief = alice.copy_cookies()
    stolen, own = only(alice), only(other)
    asked = thief.post(stolen.refresh, {"Sec-Secure-Session-Id": stolen.id})
    (challenge,) = re.findall('"([^"]+)";', asked.values("secure-session-challenge")[0])
    own.challenge, own.cached = challenge, ""
    proof = other._proof(own)  # noqa: SLF001
    fields = {
        "Sec-Secure-Session-Id": stolen.id,
        "Secure-Session-Response": proof or "",
    }
    assert thief.post(stolen.refresh, fields).status == 400
    assert reasons(world)[-1] == "device-proof"
    assert world.is_in(alice)


def test_a_proof_of_the_owner_is_of_no_use_to_a_thief(world: DeviceWorld) -> None:
    """Whoever reads along what a browser has sent has a challenge that was used."""
    alice = world.log_in()
    world.pass_(301)
    assert world.is_in(alice)
    sent = [sent for sent, _ in alice.trail if "dbsc/refresh" in sent.path]
    proof = sent[-1].values("Secure-Session-Response")[0]
    thief = alice.copy_cookies()
    fields = {"Sec-Secure-Session-Id": only(alice).id, "Secure-Session-Response": proof}
    again = thief.post(only(alice).refresh, fields)
    assert (again.status, again.values("set-cookie")) == (403, [])


def test_the_proof_that_browsers_send_again_is_answered_by_a_new_challenge(
    world: DeviceWorld,
) -> None:
    """They do where no challenge came with the answer; it is no attack."""
    alice = world.log_in()
    world.pass_(301)
    assert world.is_in(alice)
    session = only(alice)
    sent = [sent for sent, _ in alice.trail if "dbsc/refresh" in sent.path]
    session.cached = sent[-1].values("Secure-Session-Response")[0]
    paths(alice)
    world.pass_(301)
    assert world.is_in(alice)
    assert paths(alice) == [f"{REFRESH} 403", f"{REFRESH} 200", "GET / 200"]


def test_a_browser_that_begins_again_knows_its_key_and_no_challenge(
    make: Make, kind: str
) -> None:
    world = make("require", kind, more="cookie = { persistent = true }")
    alice = world.log_in().restart()
    paths(alice)
    world.pass_(301)
    assert world.is_in(alice)
    assert paths(alice) == [f"{REFRESH} 403", f"{REFRESH} 200", "GET / 200"]


def test_a_browser_that_lost_the_session_cookie_is_told_that_it_is_over(
    world: DeviceWorld,
) -> None:
    """Those without a lifetime go when a browser ends, and what it knows stays."""
    alice = world.log_in().restart()
    world.pass_(301)
    assert not world.is_in(alice)
    assert alice.events == ["registered", "ended: the server said so"]
    world.log_in(alice)
    assert alice.events[-1] == "registered"


def test_the_proxy_may_begin_again(make: Make, kind: str) -> None:
    world = make("require", kind)
    alice = world.log_in()
    world.restart()
    assert world.is_in(alice)
    world.pass_(301)
    world.restart()
    assert world.is_in(alice)
    assert alice.events == ["registered", "refreshed"]


def test_instances_that_share_a_cache_know_the_same(make: Make, kind: str) -> None:
    """Each request goes to another one."""
    world = make("require", kind)
    both = [world.instance, world.start()]

    def serve(sent: Sent) -> Answer:
        both.reverse()
        world.instance = both[0]
        return both[0](sent)

    alice = DeviceBrowser(serve, world.clock.time)
    world.log_in(alice)
    for _ in range(3):
        world.pass_(301)
        assert world.is_in(alice)
    assert alice.events == ["registered", *["refreshed"] * 3]
    # A proof that one has taken is used for the other, too.
    sent = [sent for sent, status in alice.trail if "dbsc/refresh" in sent.path][-1]
    assert [each(sent).status for each in both] == [403, 403]


def test_two_tabs_at_once_are_both_served(world: DeviceWorld) -> None:
    """Each asks for a challenge before either proves anything: both are good."""
    alice = world.log_in()
    world.pass_(301)
    first, second = only(alice), None
    other = DeviceBrowser(world.serve, world.clock.time)
    other.cookies, other.sessions = alice.cookies, {}
    first.challenge = first.cached = ""
    second = attrs.evolve(first)
    asked = [
        tab.post(first.refresh, {"Sec-Secure-Session-Id": first.id})
        for tab in (alice, other)
    ]
    assert [each.status for each in asked] == [403, 403]
    for session, answer in ((first, asked[0]), (second, asked[1])):
        text = answer.values("secure-session-challenge")[0]
        session.challenge = text.split('"')[1]
    assert alice.refresh(first) == ""
    assert other.refresh(second) == ""
    assert (alice.events[-1], other.events) == ("refreshed", ["refreshed"])


def test_a_post_waits_for_the_proof_and_arrives_whole(make: Make, kind: str) -> None:
    world = make("require", kind)
    alice = world.log_in()
    world.pass_(301)
    world.instance.backend.asked.clear()
    answer = alice.fetch("/form", "POST", b"what was typed in")
    assert answer.status == 200
    assert world.instance.bodies() == [b"what was typed in"]
    assert paths(alice)[-2:] == [f"{REFRESH} 200", "POST /form 200"]


def test_paths_of_routes_without_sessions_wait_for_nothing(world: DeviceWorld) -> None:
    alice = world.log_in()
    world.pass_(301)
    paths(alice)
    assert alice.visit("/static/logo").status == 200
    assert paths(alice) == ["GET /static/logo 200"]


def test_lifetimes_under_two_minutes_are_renewed_with_each_page(make: Make) -> None:
    world = make("require", options="lifetime = 60")
    alice = world.log_in()
    paths(alice)
    for _ in range(3):
        assert world.is_in(alice)
        assert paths(alice) == ["GET / 200", f"{REFRESH} 200"]
        world.pass_(30)


def test_a_logout_ends_what_the_browser_knows(make: Make, kind: str) -> None:
    world = make("prefer", kind, options="clear_site_data = true")
    alice = world.log_in()
    copy = alice.copy_cookies()
    world.pass_(301)
    answer = alice.submit("/.sso/logout")
    assert answer.status == 200
    assert answer.values("clear-site-data") == ['"cookies"']
    assert (alice.sessions, alice.cookies) == ({}, {})
    assert not world.is_in(alice)
    assert not world.is_in(copy)


def test_other_cookies_stay_at_a_logout(make: Make) -> None:
    """Browsers would forget those of all hosts of the site."""
    world = make("prefer")
    alice = world.log_in()
    answer = alice.submit("/.sso/logout")
    assert answer.values("clear-site-data") == []
    assert SESSION not in alice.cookies
    assert BOUND not in alice.cookies
    assert not world.is_in(alice)
    assert alice.events[-1] == "ended: the server said so"


def test_a_logout_of_who_was_never_bound_clears_nothing_else(
    world: DeviceWorld,
) -> None:
    plain = world.log_in(world.browser(keeps=False))
    assert plain.submit("/.sso/logout").values("clear-site-data") == []


def test_an_operator_ends_a_session_and_the_browser_hears_of_it(
    make: Make, kind: str
) -> None:
    world = make("require", kind)
    alice = world.log_in()
    assert world.is_in(alice)
    if kind == "server":
        user = {"issuer": ISSUER, "subject": "alice"}
        (entry,) = world.instance.operate(do="list", **user)["sessions"]
        assert entry["device"] is True
    record = world.instance.audit()[-1]
    assert record["bindings"] == ["device"]
    assert world.instance.operate(do="end", id=record["session"])["ended"] == ["main"]
    assert not world.is_in(alice)
    world.pass_(301)
    assert not world.is_in(alice)
    assert alice.events[-1] == "ended: the server said so"


def test_a_provider_ends_a_session_and_the_browser_hears_of_it(
    make: Make, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make("require", kind)
    alice = world.log_in()
    notice = LogoutNotice(issuer=ISSUER, subject="alice", sid="sid-1")
    monkeypatch.setattr(Login, "told", notice)
    told = world.browser().ask("POST", "/.sso/logout/backchannel/corp", {}, b"")
    assert told.status == 200
    assert not world.is_in(alice)
    world.pass_(301)
    assert not world.is_in(alice)
    assert alice.events[-1] == "ended: the server said so"


def test_a_session_that_is_over_ends_for_the_browser(make: Make, kind: str) -> None:
    world = make("require", kind, more="lifetime = 1000\ninactivity = 1000")
    alice = world.log_in()
    world.pass_(1001)
    assert not world.is_in(alice)
    assert alice.events[-1] == "ended: the server said so"
    assert BOUND not in alice.alive()


def test_proofs_alone_keep_no_session_alive(make: Make, kind: str) -> None:
    """A browser that is left open proves its key by itself, and nobody uses it."""
    world = make("require", kind, more="inactivity = 600")
    alice = world.log_in()
    session = only(alice)
    for _ in range(2):
        world.pass_(250)
        assert alice.refresh(session) == ""
    world.pass_(250)
    assert alice.refresh(session) == ""
    assert alice.events[-1] == "ended: the server said so"


def test_a_later_login_replaces_what_the_browser_knew(make: Make, kind: str) -> None:
    world = make("require", kind)
    alice = world.log_in()
    away = alice.visit("/.sso/login?with=corp&to=%2F")
    query = away.location.partition("?")[2]
    alice.page(f"/.sso/callback/corp?{query}&user=bob")
    assert alice.events == ["registered", "ended: the server said so", "registered"]
    world.pass_(301)
    assert world.is_in(alice)
    assert len(alice.sessions) == 1
    assert world.instance.audit()[-1]["subject"] == "bob"


def test_policies_and_routes_may_demand_it(make: Make) -> None:
    world = make("prefer", route="""require = ["bindings contains 'device'"]""")
    alice, plain = world.log_in(), world.browser(keeps=False)
    away = plain.page("/")
    query = away.location.partition("?")[2]
    assert plain.page(f"/.sso/callback/corp?{query}&user=bob").status == 403
    assert world.is_in(alice)
