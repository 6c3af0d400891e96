"""Sessions and logins are good for who holds the key that they are bound to."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs

from sso_proxy.model import CertificateFacts, Identity, Request, TokenBindings
from sso_proxy.session import Opened, Session
from sso_proxy.sessions.keys import (
    Keys,
    SessionBindingConfig,
    key_of,
    proved_kinds,
)
from sso_proxy.sessions.login_state import LoginStates
from sso_proxy.testing.fakes import FakeTools, make_certificate, make_identity
from sso_proxy.testing.token_binding import BindingKey
from sso_proxy.tls_facts import TokenBindingId
from tests.support.caching import now
from tests.support.sessions import MAKERS, Browser, SessionTools, Store

ALICE = make_identity("alice")
CERT = make_certificate("CN=alice", verified=False)
OTHER_CERT = make_certificate("CN=mallory")
KEY, OTHER_KEY = BindingKey.create().id, BindingKey.create().id
BOTH = SessionBindingConfig(certificate="prefer", token_binding="prefer")


def over(
    request: Request,
    certificate: CertificateFacts | None = None,
    key: TokenBindingId | None = None,
) -> Request:
    """Give *request* as it comes from who holds these."""
    assert request.tls is not None
    return attrs.evolve(
        request,
        tls=attrs.evolve(request.tls, certificate=certificate),
        token_binding=None if key is None else TokenBindings(provided=key),
    )


HOLDERS: dict[str, Mapping[str, Any]] = {
    "certificate": {"certificate": CERT},
    "token_binding": {"key": KEY},
}
OTHERS: dict[str, list[Mapping[str, Any]]] = {
    "certificate": [{"certificate": OTHER_CERT}, {}, {"key": KEY}],
    "token_binding": [{"key": OTHER_KEY}, {}, {"certificate": CERT}],
}


@pytest.fixture(params=sorted(MAKERS))
def maker(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401
    return MAKERS[request.param]


@pytest.fixture(params=sorted(HOLDERS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def begin(store: Store, browser: Browser, **holder: Any) -> Session:  # noqa: ANN401
    opened = now(store.start(over(browser.request(), **holder), ALICE, {"t": 1}))
    browser.take(opened)
    assert opened.session is not None
    return opened.session


def load(store: Store, browser: Browser, **holder: Any) -> Opened:  # noqa: ANN401
    return now(store.load(over(browser.request(), **holder)))


def config(kind: str, level: str) -> SessionBindingConfig:
    levels: dict[str, Any] = {kind: level}
    return SessionBindingConfig(**levels)


@pytest.mark.parametrize("level", ["require", "prefer"])
def test_a_cookie_is_no_session_without_its_key(
    maker: Any,  # noqa: ANN401
    kind: str,
    level: str,
) -> None:
    store = maker(SessionTools(), binding=config(kind, level))
    browser = Browser()
    begun = begin(store, browser, **HOLDERS[kind])
    assert list(begun.keys) == [kind]
    assert load(store, browser, **HOLDERS[kind]).session == begun
    for thief in OTHERS[kind]:
        with capturedLogs() as logs:
            assert load(store, browser, **thief) == Opened(
                None, refused="session-binding"
            )
        assert logs[-1]["reason"] == "session-binding"
        assert begun.id in logs[-1]["what"]
    assert load(store, browser, **HOLDERS[kind]).session is not None


def test_who_has_stolen_a_cookie_cannot_end_its_session(
    maker: Any,  # noqa: ANN401
    kind: str,
) -> None:
    """Neither by logging out nor by logging in."""
    store = maker(SessionTools(), binding=config(kind, "require"))
    browser = Browser()
    begin(store, browser, **HOLDERS[kind])
    for thief in OTHERS[kind]:
        stolen = Browser(**browser.cookies)
        stolen.take(now(store.end(over(stolen.request(), **thief))))
        assert stolen.cookies == {}
    mine = OTHERS[kind][0]
    stolen = Browser(**browser.cookies)
    assert load(store, stolen, **mine).session is None
    begin(store, stolen, **mine)
    assert load(store, browser, **HOLDERS[kind]).session is not None
    assert load(store, stolen, **mine).session is not None
    browser.take(now(store.end(over(browser.request(), **HOLDERS[kind]))))
    assert browser.cookies == {}


def test_a_session_lasts_no_longer_for_being_stolen(
    maker: Any,  # noqa: ANN401
) -> None:
    tools = SessionTools()
    store = maker(tools, binding=BOTH, inactivity=600)
    browser = Browser()
    begin(store, browser, certificate=CERT)
    tools.clock.advance(599)
    assert load(store, browser, certificate=OTHER_CERT).headers == ()
    tools.clock.advance(2)
    assert load(store, browser, certificate=CERT).session is None


def test_a_session_is_bound_to_all_keys_that_there_were(
    maker: Any,  # noqa: ANN401
) -> None:
    store, browser = maker(SessionTools(), binding=BOTH), Browser()
    begun = begin(store, browser, certificate=CERT, key=KEY)
    assert begun.keys == {"certificate": CERT.thumbprint, "token_binding": KEY.hash}
    assert load(store, browser, certificate=CERT, key=KEY).session is not None
    assert load(store, browser, certificate=CERT).session is None
    assert load(store, browser, key=KEY).session is None
    assert load(store, browser, certificate=CERT, key=OTHER_KEY).session is None


def test_who_has_no_key_gets_a_session_that_is_bound_to_none(
    maker: Any,  # noqa: ANN401
) -> None:
    store, browser = maker(SessionTools(), binding=BOTH), Browser()
    assert begin(store, browser).keys == {}
    assert load(store, browser).session is not None
    assert load(store, browser, certificate=CERT, key=KEY).session is not None


def test_nobody_begins_a_session_without_a_required_key(
    maker: Any,  # noqa: ANN401
    kind: str,
) -> None:
    store = maker(SessionTools(), binding=config(kind, "require"))
    assert store.lacks_key(over(Browser().request(), **HOLDERS[kind])) == ""
    for holder in OTHERS[kind][1:]:
        request = over(Browser().request(), **holder)
        assert store.lacks_key(request) == kind
        with pytest.raises(RuntimeError):
            now(store.start(request, ALICE, {}))


def test_sessions_from_before_are_none_once_a_key_is_required(
    maker: Any,  # noqa: ANN401
) -> None:
    tools = SessionTools()
    unbound, preferred = maker(tools), maker(tools, binding=BOTH)
    required = maker(tools, binding=config("certificate", "require"))
    browser, bound = Browser(), Browser()
    begin(unbound, browser, certificate=CERT)
    begin(preferred, bound, certificate=CERT)
    assert load(preferred, browser, certificate=CERT).session is not None
    assert load(required, browser, certificate=CERT).session is None
    assert load(required, bound, certificate=CERT).session is not None


def test_a_bound_session_stays_bound_whatever_the_configuration_says_later(
    maker: Any,  # noqa: ANN401
    kind: str,
) -> None:
    tools = SessionTools()
    browser = Browser()
    begin(maker(tools, binding=BOTH), browser, **HOLDERS[kind])
    later = maker(tools)
    assert load(later, browser, **HOLDERS[kind]).session is not None
    assert load(later, browser).session is None


def test_observing_refuses_nobody_and_says_what_would_be_refused(
    maker: Any,  # noqa: ANN401
    kind: str,
) -> None:
    store = maker(SessionTools(), binding=config(kind, "observe"))
    browser = Browser()
    begun = begin(store, browser, **HOLDERS[kind])
    with capturedLogs() as logs:
        assert load(store, browser, **HOLDERS[kind]).session == begun
        assert not logs
        assert load(store, browser, **OTHERS[kind][0]).session == begun
    assert logs[-1]["verdict"] == "would not be used"
    assert begin(store, Browser()).keys == {}


async def _renew(_session: Session) -> tuple[Identity, Mapping[str, Any]]:
    return make_identity("alice", claims={"new": True}), {"t": 2}


def test_a_session_that_is_changed_or_renewed_stays_bound(
    maker: Any,  # noqa: ANN401
) -> None:
    tools = SessionTools()
    store, elsewhere = maker(tools, binding=BOTH), maker(tools.another(), binding=BOTH)
    browser = Browser()
    begun = begin(store, browser, certificate=CERT, key=KEY)
    holder: dict[str, Any] = {"certificate": CERT, "key": KEY}
    request = over(browser.request(), **holder)
    replaced = now(store.replace(request, begun, ALICE, {"t": 3}))
    assert replaced is not None
    assert replaced.session is not None
    browser.take(replaced)
    renewed = now(store.renew(request, replaced.session, _renew))
    browser.take(renewed)
    assert renewed.session is not None
    assert renewed.session.keys == begun.keys
    tools.clock.advance(200)
    for each in (store, elsewhere):
        found = load(each, browser, **holder)
        assert found.session is not None
        assert found.session.data == {"t": 2}
        browser.take(found)
        assert load(each, browser, certificate=CERT).session is None
        assert load(each, browser, key=KEY).session is None


def test_a_key_that_only_a_newer_release_knows_is_not_proved() -> None:
    request = over(Browser().request(), certificate=CERT, key=KEY)
    assert key_of(request, "device") is None
    assert not Keys().fit(request, {"device": "x"}, "a session")


def test_without_tls_there_is_no_key() -> None:
    request = attrs.evolve(Browser().request(), tls=None)
    assert key_of(request, "certificate") is None
    assert Keys(config("certificate", "require")).lacks(request) == "certificate"


# Logins that have begun


def states(binding: SessionBindingConfig) -> LoginStates:
    tools = FakeTools()
    return LoginStates(tools.sealer("login"), tools.clock, keys=Keys(binding))


def test_a_login_is_finished_by_who_began_it(kind: str) -> None:
    """Whoever steals the cookie, and the answer with it, is logged in as nobody."""
    logins, browser = states(BOTH), Browser()
    request = over(browser.request(), **HOLDERS[kind])
    login, headers = logins.begin(request, {"nonce": "n", "by": "op"})
    browser.take(headers)
    for thief in OTHERS[kind]:
        stolen = over(browser.request(), **thief)
        assert logins.take(stolen, login)[0] is None
        assert logins.known(stolen) == []
    owner = over(browser.request(), **HOLDERS[kind])
    assert logins.known(owner) != []
    assert logins.take(owner, login)[0] == {"nonce": "n", "by": "op"}
    browser.take(logins.finish(owner, login, "/there"))
    finished = over(browser.request(), **HOLDERS[kind])
    assert logins.finished(finished, login)[0] == "/there"
    for thief in OTHERS[kind]:
        assert logins.finished(over(browser.request(), **thief), login) == (None, ())


def test_a_login_without_a_key_is_bound_to_none() -> None:
    logins, browser = states(BOTH), Browser()
    login, headers = logins.begin(browser.request(), {"nonce": "n"})
    browser.take(headers)
    request = over(browser.request(), certificate=CERT)
    assert logins.take(request, login)[0] == {"nonce": "n"}


# What routes and policies are told


def test_kinds_are_proved_for_who_goes_by_the_session() -> None:
    keys = {"certificate": CERT.thumbprint, "token_binding": OTHER_KEY.hash}
    session = Session(id="one", identity=ALICE, created=0, used=0, expires=9, keys=keys)
    request = over(Browser().request(), certificate=CERT, key=KEY)
    assert proved_kinds(request, ALICE) == ()
    request = attrs.evolve(request, session=session)
    assert proved_kinds(request, ALICE) == ("certificate",)
    by_token = make_identity("alice", authenticator="api")
    assert proved_kinds(request, by_token) == ()
