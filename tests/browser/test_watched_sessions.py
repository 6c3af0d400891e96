"""Pages learn that somebody has logged out at the provider, in another tab."""

from collections.abc import Iterator, Mapping
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.provider import Provider
from tests.conformance.proxied import Case, World, world
from tests.conformance.watched import Watched
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.recorder import BODY, answer
from tests.support.running import eventually

NEAR, FAR = "near", "far"
"""A provider on the site of its applications, and one that is on another."""

PAGE: Final = b"""<!DOCTYPE html><title>Reports</title><p>Welcome
<iframe src="/.sso/iframe/rp/NAME" hidden></iframe>
<script>
var said = [];
addEventListener("message", function (event) {
  if (event.origin === location.origin && event.data.type === "sso-proxy-session") {
    said.push(event.data.status);
    document.title = event.data.status;
  }
});
</script>"""


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, providers whose sessions are watched, and a browser."""

    world: World
    watched: Mapping[str, Watched]
    chromium: Chromium

    def open(self, tab: Tab, name: str = NEAR) -> None:
        """Open a page of the application, which watches."""
        page = PAGE.replace(b"NAME", name.encode())
        script = (BODY, answer(page, "200 OK", b"Content-Type: text/html"))
        self.world.backend.scripts[f"/{name}/page"] = script
        tab.go(self.world.url(name, "page"))

    def at_provider(self, tab: Tab, path: str) -> None:
        """Have another tab of the browser look at a page of the provider."""
        tab.sibling().go(f"{self.watched[NEAR].place}/{path}")

    def is_in(self, tab: Tab, name: str = NEAR) -> bool:
        """Say whether the browser still has its session."""
        status = f"fetch('/{name}/x', {{redirect: 'manual'}}).then(r => r.status)"
        return bool(tab.value(status) == 200)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory, watched = tmp_path_factory.mktemp("watched"), {}

    def case(name: str, host: str) -> Case:
        def prepare(provider: Provider) -> None:
            watched[name] = Watched(provider, host)

        return Case(prepare=prepare, options="check_session_interval = 1.0")

    cases = {NEAR: case(NEAR, "login.example.com"), FAR: case(FAR, "localhost")}
    with world(directory, Pki.create("Browser CA"), cases) as running:
        keys = [
            key_hash((directory / f"{stem}.crt").read_bytes())
            for stem in ("server", "provider")
        ]
        with Chromium(*keys) as chromium:
            yield Scene(world=running, watched=watched, chromium=chromium)


def test_who_logs_out_in_another_tab_is_logged_out_here(scene: Scene) -> None:
    """Within seconds, and the page that is still open says so."""
    with scene.chromium.tab() as tab:
        scene.open(tab)
        tab.wait("document.title == 'unchanged'")
        assert scene.is_in(tab)
        scene.at_provider(tab, "leave")
        tab.wait("document.title == 'ended'")
        assert not scene.is_in(tab)
        assert tab.problems() == []
        assert scene.watched[NEAR].hints[-1].count(".") == 2


def test_who_logs_in_there_anew_stays(scene: Scene) -> None:
    """Another session of the same user there: one login that nobody sees is enough."""
    with scene.chromium.tab() as tab:
        scene.open(tab)
        tab.wait("document.title == 'unchanged'")
        asked = len(scene.watched[NEAR].hints)
        scene.at_provider(tab, "become?user=alice")
        eventually(lambda: len(scene.watched[NEAR].hints) > asked, "a login")
        start = tab.run("performance.now()")
        tab.wait(f"performance.now() > {start} + 2500")
        assert len(scene.watched[NEAR].hints) == asked + 1
        assert tab.run("said.join()") == "unchanged"
        assert scene.is_in(tab)


def test_whoever_becomes_somebody_else_there_is_logged_out_here(scene: Scene) -> None:
    with scene.chromium.tab() as tab:
        scene.open(tab)
        tab.wait("document.title == 'unchanged'")
        scene.at_provider(tab, "become?user=bob")
        tab.wait("document.title == 'ended'")
        assert not scene.is_in(tab)


def test_a_browser_that_hides_cookies_from_frames_logs_nobody_out(scene: Scene) -> None:
    """A provider on another site then has its frame say "changed" at once."""
    with scene.chromium.tab() as tab:
        scene.open(tab, FAR)
        tab.wait("document.title == 'unknown'")
        assert scene.is_in(tab, FAR)
        assert scene.watched[FAR].hints == []
