"""Sessions that are bound to a device, and what a connection remembers of them."""

from time import monotonic
from typing import Any

from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.keys import SessionBindingConfig
from tests.support.caching import now
from tests.support.device_keys import offered
from tests.support.device_person import Person
from tests.support.login_scene import LoginScene, Seen


class Site(LoginScene):
    """
    A site whose sessions are bound to devices.

    Attributes:
        person: Whose browser has logged in.
    """

    def __init__(self, kind: str, level: Any = "require", **device: Any) -> None:  # noqa: ANN401
        binding = SessionBindingConfig(device=level)
        options = {"binding": binding, "device": DeviceConfig(**device)}
        super().__init__(kind, options=options)
        self.log_in()
        self.person = Person(self.browser)

    def register(self) -> None:
        """Register the browser's key."""
        session = now(self.store.by_cookie(self.browser.request()))
        assert session is not None
        assert self.store.devices is not None
        self.person.offer = self.offered(session.id, session.created)
        assert self.person.register(self.store).status == 200

    def offered(self, holder: str, began: float) -> dict[str, str]:
        """Give what is offered to register."""
        assert self.store.devices is not None
        return offered(self.store.devices.offer(self.browser.request(), holder, began))

    def call(self) -> Seen:
        """Ask as a script does, always with the same octets."""
        return self.ask("/orders", b"Accept: application/json")

    def remembered(self) -> float:
        """Give the seconds for which the last decision may be used again."""
        memo: Any = self.scene.connection._memo  # noqa: SLF001
        left: float = memo._known.until - monotonic()  # noqa: SLF001
        return left


def test_a_head_without_the_bound_cookie_is_decided_on_anew(kind: str) -> None:
    """What the connection knows of the owner's octets is of no use to others."""
    site = Site(kind)
    site.register()
    site.tools.clock.advance(61)
    for _ in range(3):
        assert site.call().status == 200
    assert not site.scene.read_whole()
    bound = site.browser.cookies.pop("__Host-sso-bound")
    for _ in range(2):
        assert site.call().status == 401
        assert site.reason.startswith("device-missing")
    site.browser.cookies["__Host-sso-bound"] = bound
    assert site.call().status == 200


def test_a_decision_is_remembered_no_longer_than_the_proof_is_good(kind: str) -> None:
    site = Site(kind, lifetime=10)
    site.register()
    site.tools.clock.advance(7)
    assert site.call().status == 200
    assert 0 < site.remembered() <= 10
    site.tools.clock.advance(3)
    site.scene.client, site.scene.connection = site.scene.connect()
    assert site.call().status == 200  # in the first seconds
    site.tools.clock.advance(61)
    site.scene.client, site.scene.connection = site.scene.connect()
    assert site.call().status == 401


def test_nor_longer_than_the_first_seconds_last(kind: str) -> None:
    site = Site(kind, grace=15)
    assert site.call().status == 200
    assert 0 < site.remembered() <= 15


def test_an_answer_that_asks_for_a_key_is_not_given_again(kind: str) -> None:
    site = Site(kind, "prefer")
    site.tools.clock.advance(20)
    first, second = site.call(), site.call()
    assert "secure-session-registration" in dict(first.headers)
    assert "secure-session-registration" not in dict(second.headers)
    assert (first.status, second.status) == (200, 200)


def test_no_backend_gets_the_bound_cookie(kind: str) -> None:
    site = Site(kind)
    site.register()
    site.browser.cookies["theirs"] = "1"
    for _ in range(2):
        site.call()
        head = site.scene.backend.asked[-1][1].head
        assert b"theirs=1" in head
        assert b"__Host-sso" not in head
