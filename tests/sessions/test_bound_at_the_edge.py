"""Stolen cookies at the edge: on other connections, and through what is remembered."""

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.authn.certificate_binding import CertificateBinding
from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.model import CertificateFacts
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.testing.fakes import make_certificate
from sso_proxy.tls_facts import TlsFacts
from tests.support.login_scene import OWN_PAGE, PAGE, LoginScene, Seen
from tests.support.sessions import MAKERS

ALICE = make_certificate("CN=alice", verified=False)
MALLORY = make_certificate("CN=mallory")
REQUIRED = SessionBindingConfig(certificate="require")
PREFERRED = SessionBindingConfig(certificate="prefer")
THIEVES = pytest.mark.parametrize("thief", [MALLORY, None], ids=["another", "none"])


class Site(LoginScene):
    """A site whose clients have certificates."""

    def __init__(
        self,
        kind: str,
        binding: SessionBindingConfig = REQUIRED,
        **route: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(kind, options={"binding": binding}, **route)
        self.connect(ALICE)

    def connect(self, certificate: CertificateFacts | None) -> None:
        """Have a new connection, on which the client has shown *certificate*."""
        facts = TlsFacts(version="TLSv1.3", cipher="x", certificate=certificate)
        self.scene.facts = attrs.evolve(self.scene.facts, tls=facts)
        self.scene.client, self.scene.connection = self.scene.connect()

    def call(self) -> Seen:
        """Ask as a script does, always with the same octets."""
        return self.ask("/orders", b"Accept: application/json")

    @property
    def last(self) -> tuple[int, str]:
        """Give status and reason of the last request, as they are recorded."""
        return self.scene.statuses()[-1], self.reason


@THIEVES
def test_a_stolen_cookie_is_no_session(
    kind: str, thief: CertificateFacts | None
) -> None:
    site = Site(kind)
    site.log_in()
    assert site.call().status == 200
    own = dict(site.browser.cookies)
    site.connect(thief)
    assert site.call().status == 401
    assert site.last == (401, "session-binding")
    site.page("/orders")
    assert site.reason in {"session-binding", "session-key-missing"}
    site.browser.cookies = own
    site.connect(ALICE)
    assert site.call().status == 200


@THIEVES
def test_what_was_decided_for_the_owner_is_not_found_by_others(
    kind: str, thief: CertificateFacts | None
) -> None:
    """The same octets, after the owner's connection has had them by heart."""
    site = Site(kind)
    site.log_in()
    for _ in range(3):
        assert site.call().status == 200
    assert not site.scene.read_whole()
    for _ in range(3):
        site.connect(thief)
        assert [site.call().status for _ in range(3)] == [401] * 3
        site.connect(ALICE)
        assert [site.call().status for _ in range(3)] == [200] * 3


def test_neither_logging_out_nor_in_ends_the_session_of_another(kind: str) -> None:
    site = Site(kind)
    site.log_in()
    own = dict(site.browser.cookies)
    site.connect(MALLORY)
    site.ask("/.sso/logout", *PAGE, method="GET")
    site.browser.cookies = dict(own)
    assert site.log_in(user="mallory").status == 303
    assert site.call().status == 200
    site.connect(ALICE)
    assert site.call().status == 401, "mallory's session is not alice's either"
    site.browser.cookies = own
    assert site.call().status == 200


@THIEVES
def test_a_login_is_finished_by_who_began_it(
    kind: str, thief: CertificateFacts | None
) -> None:
    site = Site(kind, PREFERRED)
    away = site.page("/orders")
    began = dict(site.browser.cookies)
    site.connect(thief)
    assert site.come_back(away).status != 303
    assert "__Host-sso" not in site.browser.cookies
    site.browser.cookies = began
    site.connect(ALICE)
    assert site.come_back(away).status == 303
    assert site.call().status == 200


def test_nobody_logs_in_without_a_key_that_is_required(kind: str) -> None:
    site = Site(kind)
    site.connect(None)
    assert site.page("/orders").status == 403
    assert site.last == (403, "session-key-missing")
    assert site.browser.cookies == {}
    assert site.logins["corp"].began == []
    site.connect(ALICE)
    away = site.page("/orders")
    site.connect(None)
    assert site.come_back(away).status == 403
    assert site.last == (403, "session-key-missing")


def test_nothing_is_kept_of_what_is_posted_without_a_key(kind: str) -> None:
    site = Site(kind)
    site.connect(None)
    form = b"Content-Type: application/x-www-form-urlencoded"
    sent = site.ask("/orders", *OWN_PAGE, form, method="POST", body=b"amount=1")
    assert (sent.status, site.last) == (403, (403, "session-key-missing"))
    assert not site.browser.cookies
    assert "login-body" not in site.cache._kinds  # noqa: SLF001


def test_a_limit_is_told_whoever_has_which_cookie(kind: str) -> None:
    site = Site(kind, PREFERRED, per_minute=1)
    site.log_in()
    site.connect(MALLORY)
    for _ in range(3):
        site.page("/orders")
    assert site.last == (429, "too-many-logins")


def test_conditions_are_told_what_a_session_is_bound_to(kind: str) -> None:
    text = "bindings contains 'certificate'"
    bound = Requirements((compile_condition(text, "require"),))
    site = Site(kind, PREFERRED, requirements=bound)
    site.log_in()
    assert site.call().status == 200
    site.browser.cookies.clear()
    site.connect(None)
    site.log_in()
    assert "__Host-sso" in site.browser.cookies
    assert site.call().status == 403


def test_a_session_that_is_bound_is_what_a_route_requires(kind: str) -> None:
    """One meaning for routes and sessions: what people go by is bound to their key."""
    site = Site(kind, PREFERRED, demanded=(CertificateBinding(),))
    site.log_in()
    assert site.call().status == 200
    site.browser.cookies.clear()
    site.connect(None)
    site.log_in()
    assert site.call().status in {401, 403}


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 2), st.sampled_from(["/a", "/b"])),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("kind", sorted(MAKERS))
@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_whatever_came_before_a_cookie_needs_its_key(
    kind: str, steps: list[tuple[int, int, str]]
) -> None:
    """Any cookies over any connections, in any order, with the same octets."""
    site = Site(kind)
    owners = (ALICE, MALLORY)
    jars: list[dict[str, str]] = []
    connections: list[Any] = []
    for certificate in owners:
        site.browser.cookies = {}
        site.connect(certificate)
        site.log_in(user=certificate.subject.removeprefix("CN="))
        jars.append(dict(site.browser.cookies))
    for shown in (*owners, None) * 2:
        site.connect(shown)
        connections.append((site.scene.client, site.scene.connection))
    for number, jar, path in steps:
        site.scene.client, site.scene.connection = connections[number]
        site.browser.cookies = dict(jars[jar]) if jar < 2 else {}
        site.scene.backend.asked.clear()
        status = site.ask(path, b"Accept: application/json").status
        assert status == (200 if number % 3 == jar < 2 else 401)
