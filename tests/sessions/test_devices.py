"""What is bound to a device is good on that device, whoever has its cookie."""

from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.sessions.bound_cookie import Standing
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.devices import PASSES, Devices, build_devices
from sso_proxy.specs.http.cookies import Scope
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.caching import now
from tests.support.device_keys import Device, offered
from tests.support.sessions import BrokenCache, Browser, SessionTools

HOLDER, BEGAN, EXPIRES = "holder", NOW, NOW + 28800
MISSING = Standing(refused="device-missing")
LEVELS: tuple[Any, ...] = ("require", "prefer", "observe")


@attrs.define
class Bound:
    """A browser whose key is registered, or may be."""

    level: Any = "prefer"
    tools: SessionTools = attrs.field(factory=SessionTools)
    browser: Browser = attrs.field(factory=Browser)
    device: Device = attrs.field(factory=Device)

    @property
    def devices(self) -> Devices:
        """Give what binds it, in another process each time."""
        return build_devices(
            DeviceConfig(),
            self.level,
            self.tools,
            self.tools.memory,
            name="session main",
            cookie="__Host-sso-bound",
            scope=Scope(),
        )

    def register(self) -> None:
        """Register the key."""
        offer = offered(self.devices.offer(make_request(), HOLDER, BEGAN))
        proof = self.device.registration(offer["challenge"], offer["authorization"])
        request = self.browser.request(**{"Secure-Session-Response": proof})
        answer = now(self.devices.register(request, HOLDER, BEGAN, EXPIRES))
        assert answer.status == 200
        self.browser.take(answer.headers)

    def check(self, level: Any = None, **fields: str) -> Standing:  # noqa: ANN401
        """Say what is thought of the browser's next request."""
        request = self.browser.request(**fields)
        return now(self.devices.check(request, HOLDER, BEGAN, level))


@pytest.mark.parametrize("level", LEVELS)
def test_a_proof_says_which_key_and_for_how_long(level: Any) -> None:  # noqa: ANN401
    bound = Bound(level)
    bound.register()
    assert bound.check() == Standing(bound.device.thumbprint, NOW + 300)
    bound.tools.clock.advance(299)
    assert bound.check() == Standing(bound.device.thumbprint, NOW + 300)


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("level", LEVELS)
def test_in_the_first_seconds_nothing_has_to_be_proved(
    level: Any,  # noqa: ANN401
    registered: bool,  # noqa: FBT001
) -> None:
    bound = Bound(level)
    if registered:
        bound.register()
        bound.browser = Browser()
    bound.tools.clock.advance(59)
    assert bound.check() == Standing(until=NOW + 60)


@pytest.mark.parametrize(
    ("level", "registered", "standing"),
    [
        ("require", False, MISSING),
        ("require", True, MISSING),
        ("prefer", False, PASSES),
        ("prefer", True, MISSING),
        ("observe", False, PASSES),
        ("observe", True, PASSES),
    ],
)
def test_afterwards_it_depends_on_the_level(
    level: Any,  # noqa: ANN401
    registered: bool,  # noqa: FBT001
    standing: Standing,
) -> None:
    bound = Bound(level)
    if registered:
        bound.register()
    bound.tools.clock.advance(300)
    assert bound.check() == standing
    bound.level = "observe"
    assert bound.check(level) == standing, "a route may say otherwise"


def test_what_needs_no_cache_is_known_at_once() -> None:
    bound, field = Bound(), ""
    assert bound.devices.peek(field, HOLDER, BEGAN) == Standing(until=NOW + 60)
    bound.tools.clock.advance(60)
    assert bound.devices.peek(field, HOLDER, BEGAN) is None


@pytest.mark.parametrize(("level", "raises"), [("prefer", True), ("observe", False)])
def test_nobody_who_has_to_prove_a_device_passes_while_the_cache_is_down(
    level: Any,  # noqa: ANN401
    raises: bool,  # noqa: FBT001
) -> None:
    bound = Bound(level)
    cache = BrokenCache(MemoryCacheConfig(), bound.tools.clock)
    cache.broken = frozenset({"get"})
    bound.tools.memory = cache
    bound.tools.clock.advance(300)
    if raises:
        with pytest.raises(UnavailableError):
            bound.check()
    else:
        with capturedLogs() as logs:
            assert bound.check() == PASSES
        assert len(logs) == 1
    assert bound.check("require") == MISSING


def test_what_is_only_observed_is_in_the_log() -> None:
    bound = Bound("observe")
    bound.register()
    bound.tools.clock.advance(300)
    with capturedLogs() as logs:
        bound.check()
    (event,) = logs
    assert event["reason"] == "device-missing"
    assert event["verdict"] == "would not be used"


@pytest.mark.parametrize("level", LEVELS)
def test_the_log_says_what_the_browser_says_of_it(level: Any) -> None:  # noqa: ANN401
    bound = Bound(level)
    bound.register()
    bound.tools.clock.advance(300)
    for field, reason in (
        ('quota_exceeded;session_identifier="s"', "device-missing:quota_exceeded"),
        ("{format};\x1b[2J", "device-missing"),
        ("made-up" * 100, "device-missing:other"),
    ):
        with capturedLogs() as logs:
            bound.check(**{"secure-session-skipped": field})
        assert [event["reason"] for event in logs] == [reason]


@pytest.mark.parametrize("ahead", [0, 299])
def test_the_first_seconds_do_not_last_while_a_clock_is_far_behind(ahead: int) -> None:
    bound = Bound("require")
    bound.tools.clock.advance(3600)
    assert bound.check() == MISSING
    bound.tools.clock.now = NOW - ahead
    assert bound.check() == Standing(until=NOW + 60)
    bound.tools.clock.now = NOW - 301
    assert bound.check() == MISSING


def test_what_is_over_is_forgotten_and_taken_away() -> None:
    bound = Bound()
    bound.register()
    assert now(bound.devices.is_bound(HOLDER))
    bound.browser.take(now(bound.devices.end(bound.browser.request(), HOLDER)))
    assert not now(bound.devices.is_bound(HOLDER))
    assert bound.browser.cookies == {}
    assert now(bound.devices.end(bound.browser.request(), None)) == ()


def test_a_browser_that_logs_out_forgets_the_rest_where_that_is_wanted() -> None:
    assert Bound().devices.farewell() == ()
    thorough = build_devices(
        DeviceConfig(clear_site_data=True),
        "prefer",
        SessionTools(),
        SessionTools().memory,
        name="x",
        cookie="__Host-sso-bound",
        scope=Scope(),
    )
    assert thorough.farewell() == (("clear-site-data", '"cookies"'),)


def test_a_key_is_asked_for_once_in_a_while_and_not_if_there_is_one() -> None:
    bound = Bound()

    def asked() -> bool:
        found = bound.devices.offer_once(bound.browser.request(), HOLDER, BEGAN)
        return bool(offered(now(found)))

    assert [asked(), asked()] == [True, False]
    bound.tools.clock.advance(20)
    assert asked()
    bound.tools.clock.advance(20)
    bound.register()
    assert not asked()
