"""Who proves no device: what becomes of requests, and what people are told."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.device_browser import Answer, Sent
from tests.support.device_world import DeviceWorld, only, reasons

ISSUER = "https://login.example"

Make = Callable[..., DeviceWorld]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return partial(DeviceWorld, tmp_path)


@pytest.fixture
def world(make: Make) -> DeviceWorld:
    return make()


def test_a_browser_that_cannot_bind_goes_on_under_prefer(make: Make, kind: str) -> None:
    world = make("prefer", kind)
    plain = world.log_in(world.browser(keeps=False))
    world.pass_(1000)
    assert world.is_in(plain)
    record = world.instance.audit()[-1]
    assert (record["subject"], record["bindings"]) == ("alice", [])


def test_a_browser_that_cannot_bind_is_told_why_under_require(
    make: Make, kind: str
) -> None:
    world = make("require", kind)
    plain = world.log_in(world.browser(keeps=False))
    world.pass_(59)
    assert world.is_in(plain)
    world.pass_(2)
    page = plain.visit("/reports?of=2026")
    assert page.status == 403
    assert "Your browser has not shown that this is your device" in page.text
    again = "/.sso/login?with=corp&amp;to=%2Freports%3Fof%3D2026"
    assert f'href="{again}"' in page.text
    assert reasons(world)[-1] == "device-missing"
    script = plain.fetch("/data")
    assert script.status in (401, 403)
    assert script.values("content-type") == ["application/problem+json"]
    assert '"reason": "device-missing"' in script.text
    away = plain.visit(again.replace("&amp;", "&"))
    assert away.location.startswith(ISSUER)


def test_who_was_not_bound_in_time_may_still_be_for_a_while(make: Make) -> None:
    """A registration that failed is offered again, but not to who comes much later."""
    world = make("require")
    alice = world.log_in(world.browser(keeps=False))
    alice.keeps = True
    world.pass_(61)
    assert alice.visit("/").status == 403
    assert alice.events == ["registered"]
    assert world.is_in(alice)
    late = world.log_in(world.browser(keeps=False))
    world.pass_(601)
    page = late.visit("/")
    assert (page.status, page.values("secure-session-registration")) == (403, [])


def test_observe_refuses_nobody(make: Make, kind: str) -> None:
    world = make("observe", kind)
    alice = world.log_in()
    thief = alice.copy_cookies()
    world.pass_(301)
    assert world.is_in(thief)
    assert world.is_in(alice)
    assert world.instance.audit()[-1]["bindings"] == ["device"]


@pytest.mark.parametrize("kind", ["server", "cookie"])
def test_a_cache_that_is_down_ends_nothing(make: Make, kind: str) -> None:
    """Browsers take 503 for a trouble that passes, and anything else for the end."""
    world = make("prefer", kind)
    alice = world.log_in()
    world.pass_(301)
    names = ("get", "add", "mark", "put", "take", "delete", "compare_and_set")
    world.cache.broken = frozenset(names)
    answer = alice.visit("/")
    assert answer.status == 503
    assert alice.events[-1] == "transient: 503"
    world.cache.broken = frozenset()
    assert world.is_in(alice)
    assert alice.events[-1] == "refreshed"


def test_a_registration_that_fails_leaves_the_session_unbound(make: Make) -> None:
    world = make("prefer")
    serve, alice = world.serve, world.browser()

    def fail(sent: Sent) -> Answer:
        world.cache.broken = frozenset({"add"} if "register" in sent.path else ())
        return serve(sent)

    alice.server = fail
    world.log_in(alice)
    assert alice.events == ["transient: registration 503"]
    alice.server = serve
    world.pass_(61)
    assert world.is_in(alice)


@pytest.mark.parametrize(
    "why", ["quota_exceeded", "server_error", "unreachable", "other"]
)
def test_why_a_browser_proved_nothing_is_on_record(
    world: DeviceWorld, why: str
) -> None:
    alice = world.log_in()
    world.pass_(301)
    said = "made-up" if why == "other" else why
    field = f'{said};session_identifier="{only(alice).id}"'
    fields = {"Secure-Session-Skipped": field, "Accept": "text/html"}
    assert alice.ask("GET", "/", fields).status != 200
    assert reasons(world)[-1] == f"device-missing:{why}"


def test_a_browser_that_may_sign_no_more_logs_in_anew(make: Make) -> None:
    """Chromium signs a few times in some minutes; then it says so with each request."""
    world = make("prefer", options="lifetime = 130")
    alice = world.browser()
    alice.quota = True
    world.log_in(alice)
    for _ in range(5):
        world.pass_(131)
        assert world.is_in(alice)
    world.pass_(131)
    assert not world.is_in(alice)
    assert (alice.events[-1], reasons(world)[-1]) == (
        "quota",
        "device-missing:quota_exceeded",
    )
    world.log_in(alice)
    world.pass_(61)
    assert world.is_in(alice)


CROSS = {"Sec-Fetch-Site": "cross-site"}
FOLLOWED = {**CROSS, "Sec-Fetch-User": "?1"}


@pytest.mark.parametrize("level", ["prefer", "require"])
def test_who_follows_a_link_of_another_site_comes_once_more(
    make: Make, level: str
) -> None:
    """What browsers prove for it is another site's request, and has no cookies."""
    world = make(level)
    alice = world.log_in()
    world.pass_(301)
    fields = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", **FOLLOWED}
    fields["Sec-Fetch-Dest"] = "document"
    page = alice.ask("GET", "/mail?id=7", fields)
    assert (page.status, page.values("refresh")) == (403, ["0"])
    assert 'href="/mail?id=7"' in page.text
    assert reasons(world)[-1] == "device-again"
    assert alice.visit("/mail?id=7", **{"Sec-Fetch-Site": "same-origin"}).status == 200


def test_no_other_site_has_browsers_come_once_more_by_themselves(
    world: DeviceWorld,
) -> None:
    """The second request looks like one of ours, and backends may go by that."""
    alice = world.log_in()
    world.pass_(301)
    fields = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", **CROSS}
    fields["Sec-Fetch-Dest"] = "document"
    page = alice.ask("GET", "/pay?to=mallory", fields)
    assert (page.status, page.values("refresh")) == (403, [])
    assert "Continue" in page.text
    assert world.instance.seen()[-1].startswith(b"GET / ")
    frame = alice.ask("GET", "/pay", {**fields, "Sec-Fetch-Dest": "iframe"})
    assert (frame.status, frame.values("refresh")) == (401, [])


def test_a_target_that_no_page_may_link_to_is_not_gone_to_again(
    world: DeviceWorld,
) -> None:
    alice = world.log_in()
    world.pass_(301)
    fields = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", **FOLLOWED}
    fields["Sec-Fetch-Dest"] = "document"
    page = alice.ask("GET", "/?x=\\evil", fields)
    assert (page.status, page.values("refresh")) in [(302, []), (400, [])]


def test_a_route_may_require_what_its_sessions_prefer(make: Make) -> None:
    """It explains as they would, once the time after the login is over."""
    world = make("prefer", route='binding = { device = "require" }')
    alice = world.log_in()
    plain = world.log_in(world.browser(keeps=False))
    world.pass_(61)
    page = plain.visit("/")
    assert page.status == 403
    assert "Your browser has not shown that this is your device" in page.text
    assert plain.fetch("/").status in (401, 403)
    assert reasons(world)[-1] == "device-missing"
    world.pass_(240)
    assert world.is_in(alice)


def test_a_clock_that_is_set_locks_nobody_out_for_long(make: Make, kind: str) -> None:
    """
    Browsers keep the cookie that we cannot take any more, and prove nothing with it.

    The same happens where the machines of a fleet disagree about the time.
    """
    world = make("require", kind)
    alice = world.log_in()
    before = world.clock.now
    alice.now = lambda: before  # what is set is our clock, not hers
    world.clock.now += 310
    assert alice.visit("/").status == 403
    assert world.is_in(alice)
    assert alice.events == ["registered", "refreshed"]
