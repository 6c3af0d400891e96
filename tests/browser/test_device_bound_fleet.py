"""Sessions that are bound to devices outlive browsers, proxies and stores."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from tests.support.chromium import PATIENCE, Chromium
from tests.support.device_site import (
    BOUND,
    HOST,
    LIFETIME,
    DeviceSite,
    Switch,
    device_site,
    fetch,
)
from tests.support.device_tab import WITH_QUOTA, WITHOUT_QUOTA, DeviceTab
from tests.support.programs import RealProxy
from tests.support.redis_servers import RedisServer
from tests.support.running import REAL


@attrs.frozen
class Fleet:
    """Two proxies that share a Redis and a key ring, behind one address."""

    site: DeviceSite
    redis: RedisServer
    proxies: tuple[RealProxy, RealProxy]
    switch: Switch
    url: str = f"https://{HOST}"

    def turn(self, number: int) -> None:
        """Send everybody to one of them."""
        self.switch.turn(self.proxies[number].port)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    directory: Path = tmp_path_factory.mktemp("fleet")
    with (
        device_site(directory) as short,
        RedisServer(directory) as redis,
    ):
        lasting = "[session.main]\ncookie = { persistent = true }\n"
        text = short.text.replace("[session.main]\n", lasting)
        # Long enough that no proof is made before it is needed.
        text = text.replace(f"lifetime = {LIFETIME}", "lifetime = 300")
        site = attrs.evolve(short, text=text)
        more = (
            f'[cache.default]\ntype = "redis"\nserver = "{redis.address}"\n'
            "timeout = 0.5\n"
            f'[key_ring]\nfile = "{directory}/keys.json"\n'
        )
        ring = KeyRing((make_key(time.time(), os.urandom),))
        write_key_ring(directory / "keys.json", ring, replace=False)
        one, other = (site.proxy(name, more) for name in ("one", "other"))
        with one.serve(), other.serve():
            switch = Switch(one.port)
            try:
                yield Fleet(site, redis, (one, other), switch)
            finally:
                switch.close()


@pytest.fixture(scope="module")
def chromium(fleet: Fleet) -> Iterator[Chromium]:
    ports = {HOST: fleet.switch.port}
    with Chromium(fleet.site.trusted, ports=ports, features=WITHOUT_QUOTA) as chromium:
        yield chromium


def test_what_one_machine_begins_another_goes_on_with(
    fleet: Fleet, chromium: Chromium
) -> None:
    fleet.turn(0)
    with chromium.tab() as tab:
        device = fleet.site.log_in(tab, f"{fleet.url}/orders")
        for number in (1, 0):  # with the challenge that the other one has given
            fleet.turn(number)
            device.expire(fleet.url, BOUND)
            assert fetch(tab, f"/at/{number}") == 200
            device.wait_for("refresh", "Refreshed")


def test_a_proxy_that_is_restarted_knows_the_key(
    fleet: Fleet, chromium: Chromium
) -> None:
    fleet.turn(1)
    with chromium.tab() as tab:
        device = fleet.site.log_in(tab, f"{fleet.url}/orders")
        restarted = fleet.proxies[1]
        restarted.signal(signal.SIGTERM)
        assert restarted.wait() == 0
        restarted.start(program=REAL).wait_for_log("serving on", 2)
        fleet.turn(1)
        device.expire(fleet.url, BOUND)
        assert fetch(tab, "/after-restart") == 200
        device.wait_for("refresh", "Refreshed")


def test_a_store_that_is_down_costs_nobody_their_key(
    fleet: Fleet, chromium: Chromium
) -> None:
    fleet.turn(0)
    with chromium.tab() as tab:
        device = fleet.site.log_in(tab, f"{fleet.url}/orders")
        device.expire(fleet.url, BOUND)
        fleet.redis.signal(signal.SIGSTOP)
        try:
            assert fetch(tab, "/down") == 503
            device.wait_for("refresh", "ServerError")
        finally:
            fleet.redis.signal(signal.SIGCONT)
        tab.wait("fetch('/up').then(r => window.up = r.status) && window.up == 200")
        device.wait_for("refresh", "Refreshed")


def test_a_browser_that_is_started_again_has_its_key_until_its_quota_is_used(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.turn(0)
    start = partial(
        Chromium,
        fleet.site.trusted,
        ports={HOST: fleet.switch.port},
        features=WITH_QUOTA,
        profile=tmp_path,
    )
    with start() as first:
        fleet.site.log_in(first.open_tab(), f"{fleet.url}/orders")
        first.leave()
    with start() as again:
        tab = again.open_tab()
        device = DeviceTab.watch(tab)
        device.expire(fleet.url, BOUND)
        tab.go(f"{fleet.url}/orders")
        device.wait_for("refresh", "Refreshed")
        assert tab.run("document.title") == "Application"
        deadline = time.monotonic() + PATIENCE
        # Nothing has to be proved for some seconds after the login.
        while (status := fetch(tab, "/again")) == 200:
            assert time.monotonic() < deadline
            device.expire(fleet.url, BOUND)
        assert status == 401
    fleet.proxies[0].wait_for_log("quota_exceeded")
