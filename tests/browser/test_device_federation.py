"""A site's session has the key that the provider's session has had since before."""

from collections.abc import Iterator

import pytest

from tests.support.chromium import Chromium, Tab
from tests.support.device_tab import WITHOUT_QUOTA, DeviceTab
from tests.support.federated_scene import (
    PROVIDER,
    SITE,
    FederatedScene,
    enter,
    federated_scene,
)

FEDERATED = (*WITHOUT_QUOTA, "DeviceBoundSessionsFederatedRegistration")
BOUND = "__Host-sso-bound"
HOME = f"https://{SITE}/"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FederatedScene]:
    with federated_scene(tmp_path_factory.mktemp("federation")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium(scene: FederatedScene) -> Iterator[Chromium]:
    with Chromium(scene.trusted, ports=scene.ports, features=FEDERATED) as browser:
        yield browser


def log_in(tab: Tab) -> DeviceTab:
    """Log in at the provider, and wait until the browser has registered a key there."""
    device = DeviceTab.watch(tab)
    enter(tab)
    device.wait_for("creation", "Success")
    return device


def test_a_site_takes_the_key_of_its_provider(
    scene: FederatedScene, chromium: Chromium
) -> None:
    """The browser shares the key; the site has seen its thumbprint in the ID token."""
    with chromium.tab() as tab:
        device = log_in(tab)
        tab.go(HOME)
        tab.wait("document.title == 'Application'")
        device.wait_for("creation", "Success")
        assert BOUND in device.cookies(HOME)
        assert BOUND in device.cookies(f"https://{PROVIDER}/")
        assert len(scene.told()[-1]["provider_key"]) == 43
        device.expire(HOME, BOUND)
        tab.go(HOME)
        device.wait_for("refresh", "Refreshed")
        assert tab.text == "Welcome"
        assert scene.provider.complaints == []


def test_who_logs_in_for_a_site_has_the_key_there_at_once(chromium: Chromium) -> None:
    """The provider waits for the key, and the site for a request that has cookies."""
    with chromium.tab() as tab:
        device = DeviceTab.watch(tab)
        enter(tab, HOME)
        assert tab.run("document.title") == "Application"
        device.wait_for("creation", "Success")
        device.wait_for("creation", "Success")
        assert BOUND in device.cookies(HOME)


def test_a_site_takes_no_key_that_its_provider_does_not_name(
    scene: FederatedScene, chromium: Chromium
) -> None:
    """The browser has another one there, and then none for the site."""
    other = {"provider_key": "A" * 43}
    with chromium.tab() as tab, scene.telling(other):
        device = log_in(tab)
        tab.go(HOME)
        tab.wait("document.title == 'Application'")
        device.wait_for("creation", "FederatedKeyThumbprintMismatch")
        assert BOUND not in device.cookies(HOME)
