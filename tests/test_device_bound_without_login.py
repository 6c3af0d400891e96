"""Sessions that begin without a page of ours to log in at are bound to devices, too."""

import json
from pathlib import Path

from tests.bench import believing, provider
from tests.support.device_browser import DeviceBrowser
from tests.support.device_world import CONFIG, DeviceWorld, reasons

_LOGIN = 'type = "tests.support.device_world:Login"'
_SHOWN = 'type = "tests.bench.believing:Believing"'


def test_what_a_plugin_begins_is_bound_to_the_device(tmp_path: Path) -> None:
    """Its answer to the tokens that it was shown is the application's."""
    config = CONFIG.replace(_LOGIN, _SHOWN)
    world = DeviceWorld(tmp_path, "require", config=config)
    browser: DeviceBrowser = world.browser()
    tokens = {believing.FIELD: json.dumps(provider.tokens(1))}
    assert browser.visit("/", **tokens).status == 200
    assert browser.events == ["registered"]
    thief = browser.copy_cookies()
    world.pass_(301)
    assert browser.page("/").status == 200
    assert browser.events == ["registered", "refreshed"]
    assert thief.page("/").status != 200
    assert reasons(world)[-1] == "device-missing"
