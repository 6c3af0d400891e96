"""Sessions that are bound to a device are of no use to who has copied their cookies."""

from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs

from sso_proxy.errors import ConfigError
from sso_proxy.model import CertificateFacts, Request
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.keys import SessionBindingConfig, proved_kinds
from sso_proxy.sessions.options import CookieConfig
from sso_proxy.testing.fakes import NOW, make_certificate, make_identity
from tests.support.caching import now
from tests.support.device_keys import instructed
from tests.support.device_person import ALICE, Person, bound, make
from tests.support.sessions import MAKERS, SessionTools

LEVELS = ("require", "prefer", "observe")


# 1: what is proved holds until the proof is old


@pytest.mark.parametrize("level", LEVELS)
def test_a_proved_device_is_told_until_the_proof_is_old(
    maker: Any,  # noqa: ANN401
    level: str,
) -> None:
    tools = SessionTools()
    store, alice = bound(maker, tools, level)
    tools.clock.advance(250)
    opened = alice.load(store)
    session = opened.session
    assert session is not None
    assert session.device == alice.device.thumbprint
    assert opened.until is not None
    assert opened.until <= NOW + 300
    request = attrs.evolve(alice.browser.request(), session=session)
    assert proved_kinds(request, session.identity) == ("device",)
    token = attrs.evolve(session.identity, authenticator="api")
    assert proved_kinds(request, token) == ()


def test_what_requests_alike_are_given_changes_with_the_proof_and_the_session(
    maker: Any,  # noqa: ANN401
) -> None:
    tools = SessionTools()
    store, alice = bound(maker, tools, device=DeviceConfig(lifetime=20))
    opened = alice.load(store)
    assert alice.load(store) is opened
    assert opened.until == NOW + 20
    tools.clock.advance(10)
    assert alice.refresh(store).status == 200
    opened = alice.load(store)
    assert alice.load(store) is opened
    assert opened.until == NOW + 30
    began = opened.session
    assert began is not None
    request = alice.browser.request()
    replaced = now(store.replace(request, began, ALICE, {"t": 2}))
    assert replaced is not None
    alice.browser.take(replaced)
    for _ in range(2):
        session = alice.load(store).session
        assert session is not None
        assert session.data == {"t": 2}
        assert session.device == alice.device.thumbprint
    now(store.revoke(began.id))
    assert alice.load(store).session is None


def test_what_the_owner_is_given_is_not_given_to_who_has_half_of_it(
    maker: Any,  # noqa: ANN401
) -> None:
    """What is remembered of a session is for requests that prove its device."""
    tools = SessionTools()
    store, alice = bound(maker, tools, "require")
    thief = alice.stolen()
    del thief.browser.cookies["__Host-sso-bound"]
    tools.clock.advance(70)
    alice.browser.take(alice.load(store))
    thief.browser.cookies["__Host-sso"] = alice.browser.cookies["__Host-sso"]
    for _ in range(2):
        assert alice.load(store).session is not None
        assert thief.load(store).refused == "device-missing"


def test_what_is_proved_asks_no_cache_about_it(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools, on_store_failure="refuse")
    tools.clock.advance(100)
    asked: list[str] = []
    get = tools.memory.get

    async def noting(purpose: str, name: bytes) -> bytes | None:
        asked.append(purpose)
        return await get(purpose, name)

    tools.memory.get = noting  # type: ignore[method-assign]
    assert alice.load(store).session is not None
    assert "device-key" not in asked


def test_a_device_is_proved_over_and_over(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools, "require")
    for _ in range(5):
        tools.clock.advance(300)
        assert alice.load(store).refused == "device-missing"
        assert alice.refresh(store).status == 200
        assert alice.load(store).session is not None


def test_it_stays_proved_when_the_session_changes(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools)
    session = alice.load(store).session
    assert session is not None
    request = alice.browser.request()

    async def work(_: Any) -> Any:  # noqa: ANN401
        return ALICE, {"t": 2}

    renewed = now(store.renew(request, session, work)).session
    assert renewed is not None
    assert renewed.device == alice.device.thumbprint
    replaced = now(store.replace(request, renewed, ALICE, {"t": 3}))
    assert replaced is not None
    assert replaced.session is not None
    assert replaced.session.device == alice.device.thumbprint
    assert replaced.session.data == {"t": 3}
    alice.browser.take(replaced)
    for opened in (alice.load(store), alice.load(store)):
        assert opened.session == replaced.session
        assert opened.session is not None
        assert opened.session.device == alice.device.thumbprint


# 2: the first seconds


@pytest.mark.parametrize("level", LEVELS)
def test_the_first_page_needs_no_proof_but_is_not_remembered_longer(
    maker: Any,  # noqa: ANN401
    level: str,
) -> None:
    tools = SessionTools()
    store, alice = make(maker, tools, level), Person()
    alice.log_in(store)
    tools.clock.advance(59)
    opened = alice.load(store)
    assert opened.session is not None
    assert opened.session.device == ""
    assert opened.until is not None
    assert opened.until <= NOW + 60


# 3 to 5: afterwards


@pytest.mark.parametrize(
    ("level", "refused"),
    [("require", "device-missing"), ("prefer", ""), ("observe", "")],
)
def test_who_never_registers_passes_where_it_is_not_required(
    maker: Any,  # noqa: ANN401
    level: str,
    refused: str,
) -> None:
    tools = SessionTools()
    store, alice = make(maker, tools, level), Person()
    alice.log_in(store)
    tools.clock.advance(60)
    opened = alice.load(store)
    assert opened.refused == refused
    assert (opened.session is None) is bool(refused)
    assert opened.session is None or opened.session.device == ""


@pytest.mark.parametrize(
    ("level", "refused"),
    [("require", "device-missing"), ("prefer", "device-missing"), ("observe", "")],
)
def test_a_copied_cookie_dies_and_the_original_goes_on(
    maker: Any,  # noqa: ANN401
    level: str,
    refused: str,
) -> None:
    tools = SessionTools()
    store, alice = bound(maker, tools, level)
    thief = alice.stolen()
    tools.clock.advance(299)
    assert thief.load(store).session is not None
    tools.clock.advance(1)
    with capturedLogs() as logs:
        assert thief.load(store).refused == refused
    (line,) = [e for e in logs if e.get("reason") == "device-missing"]
    told = "would not be used" if level == "observe" else "is not used"
    assert line["verdict"] == told
    assert thief.refresh(store).status == 400
    assert thief.load(store).refused == refused
    assert alice.refresh(store).status == 200
    opened = alice.load(store)
    assert opened.session is not None
    assert opened.session.device == alice.device.thumbprint


def test_a_bound_cookie_alone_is_nothing_and_good_beside_no_other(
    maker: Any,  # noqa: ANN401
) -> None:
    tools = SessionTools()
    store, alice = bound(maker, tools, "require")
    mallory = Person()
    mallory.log_in(store)
    name = "__Host-sso-bound"
    mallory.browser.cookies[name] = alice.browser.cookies[name]
    tools.clock.advance(61)
    assert mallory.load(store).refused == "device-missing"
    del mallory.browser.cookies["__Host-sso"]
    assert mallory.load(store).session is None


def test_a_thief_cannot_end_what_he_has_copied(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools)
    thief = alice.stolen()
    del thief.browser.cookies["__Host-sso-bound"]
    tools.clock.advance(61)
    now(store.end(thief.browser.request()))
    now(store.start(thief.browser.request(), make_identity("mallory"), {}))
    assert alice.load(store).session is not None
    tools.clock.advance(300)
    assert alice.refresh(store).status == 200


# how it ends


def test_a_logout_forgets_the_key_and_takes_the_cookies(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools)
    session = alice.load(store).session
    assert session is not None
    stolen = alice.stolen()
    alice.browser.take(now(store.end(alice.browser.request())))
    assert alice.browser.cookies == {}
    assert store.devices is not None
    assert not now(store.devices.is_bound(session.id))
    assert stolen.load(store).session is None


@pytest.mark.parametrize("how", ["revoked", "expired", "logged out"])
def test_a_browser_is_told_that_it_is_over(
    maker: Any,  # noqa: ANN401
    how: str,
) -> None:
    tools = SessionTools()
    store, alice = bound(maker, tools, lifetime=3600, inactivity=3600)
    session = alice.load(store).session
    assert session is not None
    cookies = dict(alice.browser.cookies)
    if how == "revoked":
        now(store.revoke(session.id))
    elif how == "expired":
        tools.clock.advance(3600)
    else:
        now(store.end(alice.browser.request()))
    alice.browser.cookies = cookies
    answer = alice.refresh(store)
    assert answer.status == 200
    told = instructed(answer)
    assert told == {"session_identifier": alice.session_id, "continue": False}
    assert "__Host-sso-bound" not in alice.browser.cookies


def test_another_login_is_bound_anew(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools, "require")
    first = alice.session_id
    alice.log_in(store)
    assert alice.register(store).status == 200
    assert alice.session_id == first  # it takes the place of the one before
    tools.clock.advance(300)
    assert alice.refresh(store).status == 200
    assert alice.load(store).session is not None


def test_the_key_from_before_is_not_told_to_give_up_right_after_a_login(
    maker: Any,  # noqa: ANN401
) -> None:
    """The browser calls both the same, and would forget the new one."""
    tools = SessionTools()
    store, alice = bound(maker, tools)
    old = alice.stolen()
    old.device, alice.device = alice.device, Person().device
    alice.log_in(store)
    old.browser = alice.browser
    assert old.refresh(store).status == 503  # not registered yet
    assert alice.register(store).status == 200
    assert old.refresh(store).status == 503  # by another key
    tools.clock.advance(60)
    assert old.refresh(store).status == 400


# options


def test_cookie_sessions_need_a_cache_for_it() -> None:
    with pytest.raises(ConfigError) as caught:
        make(MAKERS["cookie"], SessionTools(), cache=None)
    assert [m.path for m in caught.value.mistakes] == ["cache"]


@pytest.mark.parametrize("level", ["require", "prefer", "observe"])
def test_the_cookie_of_a_whole_domain_is_bound_to_no_device(
    maker: Any,  # noqa: ANN401
    level: str,
) -> None:
    """Browsers refuse what is offered below the domain: nobody would be bound."""
    cookie = CookieConfig(name="__Secure-sso", domain="example.com")
    with pytest.raises(ConfigError) as caught:
        make(maker, SessionTools(), level, cookie=cookie)
    assert [m.path for m in caught.value.mistakes] == ["cookie.domain"]


def test_a_table_that_has_no_effect_is_a_mistake(maker: Any) -> None:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        maker(SessionTools(), device=DeviceConfig(lifetime=60))
    assert [m.path for m in caught.value.mistakes] == ["device"]


def test_sessions_without_it_are_as_before(maker: Any) -> None:  # noqa: ANN401
    store = maker(SessionTools())
    alice = Person()
    alice.log_in(store)
    assert store.devices is None
    assert alice.offer == {}
    assert store.binds == frozenset()


def test_lists_say_which_sessions_are_bound() -> None:
    tools = SessionTools()
    store, _ = bound(MAKERS["server"], tools)
    Person().log_in(store)
    listed = now(store.sessions_of(ALICE.issuer, ALICE.subject))
    assert sorted(str(entry.device) for entry in listed) == ["False", "True"]
    plain = MAKERS["server"](SessionTools())
    Person().log_in(plain)
    (entry,) = now(plain.sessions_of(ALICE.issuer, ALICE.subject))
    assert entry.device is None
    assert store.binds == frozenset({"device"})


def test_sessions_may_be_bound_to_a_certificate_besides(maker: Any) -> None:  # noqa: ANN401
    binding = SessionBindingConfig(device="require", certificate="require")
    store, browser = maker(SessionTools(), binding=binding), Person().browser

    def over(certificate: CertificateFacts) -> Request:
        sent = browser.request()
        assert sent.tls is not None
        return attrs.evolve(sent, tls=attrs.evolve(sent.tls, certificate=certificate))

    assert store.lacks_key(browser.request()) == "certificate"
    ours = make_certificate("CN=alice")
    browser.take(now(store.start(over(ours), ALICE, {})))
    session = now(store.by_cookie(over(ours)))
    assert session is not None
    sent = attrs.evolve(over(ours), session=session)
    assert proved_kinds(sent, session.identity) == ("certificate",)
    other = make_certificate("CN=mallory")
    assert now(store.by_cookie(over(other))) is None
    assert now(store.load(over(other))).refused == "session-binding"
