"""Which keys sessions share, and what is told about them."""

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from sso_proxy.model import Identity, Response
from sso_proxy.session import Session
from sso_proxy.sessions.device_federation import FederationConfig
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.devices import Devices, build_devices
from sso_proxy.specs.dbsc.fields import Provider
from sso_proxy.specs.http.cookies import Scope
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.caching import now
from tests.support.device_keys import Device, challenged, instructed, offered
from tests.support.sessions import Browser, SessionTools

IDP = "https://login.example.com"
RP = "https://app.example.org"
KEY = "A" * 43
PROVIDER = FederationConfig(relying=(RP,))
RELYING = FederationConfig(provider=IDP)


def who(**claims: Any) -> Identity:  # noqa: ANN401
    return Identity(issuer=IDP, subject="alice", authenticator="op", claims=claims)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"relying": (RP,), "provider": IDP},
        {"relying": ("app.example.org",)},
        {"relying": (f"{RP}/",)},
        {"provider": "http://login.example.com"},
        {"provider": IDP, "key_claim": ""},
        {"provider": IDP, "session_claim": "sid"},
        {"provider": IDP, "key_claim": "c", "session_claim": "c"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"either|origin|URI|empty|differ|another"):
        FederationConfig(**wrong)


def test_each_side_names_the_other() -> None:
    assert json.loads(PROVIDER.document) == {"relying_origins": [RP]}
    assert json.loads(RELYING.document) == {"provider_origin": IDP}


def test_a_login_names_the_key_to_be_shared() -> None:
    claims = {"provider_session_id": "s1", "provider_key": KEY}
    wanted = Provider(session_id="s1", url=IDP, key=KEY)
    assert RELYING.provider_of(claims) == wanted
    other = FederationConfig(provider=IDP, session_claim="a", key_claim="b")
    assert other.provider_of({"a": "s1", "b": KEY, **claims}) == wanted
    assert other.provider_of(claims) is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"provider_session_id": "s1"},
        {"provider_key": KEY},
        {"provider_session_id": "s1", "provider_key": "short"},
        {"provider_session_id": ["s1"], "provider_key": KEY},
        {"provider_session_id": "s\n1", "provider_key": KEY},
    ],
)
def test_without_a_name_there_is_no_key_to_be_shared(claims: dict[str, Any]) -> None:
    """And none is made up: a new one might be a thief's."""
    assert RELYING.provider_of(claims) is None


def test_what_stands_behind_a_provider_is_told() -> None:
    told = PROVIDER.tell(who(email="a@example.com"), "s1", KEY)
    assert told.claims == {
        "email": "a@example.com",
        "provider_session_id": "s1",
        "provider_key": KEY,
    }


def test_nobody_else_tells_of_keys() -> None:
    """Another login's claims do not pass for what we have seen proved."""
    forged = who(provider_session_id="s0", provider_key="B" * 43, email="e")
    assert PROVIDER.tell(forged, "s1", "").claims == {"email": "e"}
    assert PROVIDER.tell(forged, "s1", KEY).claims["provider_key"] == KEY


def test_what_needs_no_change_is_not_changed() -> None:
    identity = who(email="e")
    assert PROVIDER.tell(identity, "s1", "") is identity


def test_a_provider_takes_no_keys_of_others() -> None:
    claims = {"provider_session_id": "s1", "provider_key": KEY}
    assert PROVIDER.provider_of(claims) is None


def devices_of(
    federation: FederationConfig,
    name: str = "session app",
    tools: SessionTools | None = None,
) -> Devices:
    tools = tools or SessionTools()
    return build_devices(
        DeviceConfig(federation=federation),
        "prefer",
        tools,
        tools.memory,
        name=name,
        cookie="__Host-sso-bound",
        scope=Scope(),
    )


def claims_of(device: Device) -> dict[str, Any]:
    return {"provider_session_id": "s1", "provider_key": device.thumbprint}


def register(
    devices: Devices, device: Device, offer: dict[str, str], holder: str = "alice"
) -> Response:
    proof = device.registration(offer["challenge"], offer.get("authorization", ""))
    request = Browser().request(**{"Secure-Session-Response": proof})
    return now(devices.register(request, holder, NOW, NOW + 3600))


def offer_to(devices: Devices, claims: dict[str, Any]) -> dict[str, str]:
    return offered(devices.offer(make_request(), "alice", NOW, claims))


def test_a_site_offers_to_register_the_key_of_its_provider() -> None:
    devices, device = devices_of(RELYING), Device()
    offer = offer_to(devices, claims_of(device))
    assert offer["provider_session_id"] == "s1"
    assert offer["provider_url"] == IDP
    assert offer["provider_key"] == device.thumbprint
    answer = register(devices, device, offer)
    assert answer.status == 200
    assert now(devices.is_bound("alice"))


def test_a_site_takes_no_other_key() -> None:
    """That of who was at the device for a minute, or of another login."""
    devices, device, thief = devices_of(RELYING), Device(), Device()
    offer = offer_to(devices, claims_of(device))
    assert register(devices, thief, offer).status == 403
    assert not now(devices.is_bound("alice"))
    mixed = {**offer_to(devices, claims_of(thief)), "challenge": offer["challenge"]}
    assert register(devices, device, mixed).status == 403
    assert register(devices, device, {"challenge": offer["challenge"]}).status == 403
    assert not now(devices.is_bound("alice"))
    assert register(devices, device, offer).status == 200


def test_an_offer_for_one_key_is_none_for_others_sessions() -> None:
    devices, device = devices_of(RELYING), Device()
    offer = offer_to(devices, claims_of(device))
    assert register(devices, device, offer, "bob").status == 403


def test_a_site_offers_nothing_without_a_key_to_share() -> None:
    """A new key might be made by anybody, anywhere."""
    devices, device = devices_of(RELYING), Device()
    assert offer_to(devices, {}) == {}
    assert offer_to(devices, {"provider_session_id": "s1"}) == {}
    assert offered(devices.offer(make_request(), "alice", NOW)) == {}
    alone = offer_to(devices_of(PROVIDER), claims_of(device))
    assert "provider_key" not in alone
    assert register(devices, device, alone).status == 403


def session_of(claims: dict[str, Any]) -> Session:
    return Session(
        id="alice", identity=who(**claims), created=NOW, used=NOW, expires=NOW + 3600
    )


def test_a_provider_tells_what_its_browser_calls_the_session() -> None:
    """With the key that was proved, or, before anything had to be, is registered."""
    devices, device = devices_of(PROVIDER, "session login"), Device()
    forged = session_of({**claims_of(Device()), "email": "e"})
    request = make_request()
    told = now(devices.describe(request, forged, ""))
    assert told.identity.claims == {"email": "e"}
    answer = register(devices, device, offer_to(devices, {}))
    named = instructed(answer)["session_identifier"]
    assert challenged(answer)
    for thumbprint in ("", device.thumbprint):
        told = now(devices.describe(request, forged, thumbprint))
        assert told.identity.claims == {
            "email": "e",
            "provider_session_id": named,
            "provider_key": device.thumbprint,
        }


BRANDS = {"Sec-CH-UA": '"Chromium";v="156"', "Accept": "text/html"}


def pending(devices: Devices, session: Session, **fields: str) -> Deferred[Session]:
    request = make_request(headers=fields)
    return Deferred.fromCoroutine(devices.describe(request, session, ""))


def said(waiting: Deferred[Session]) -> Any:  # noqa: ANN401
    session = waiting.result
    assert isinstance(session, Session)
    return session.identity


def test_the_first_page_after_a_login_waits_for_the_key() -> None:
    """Who comes from a site goes back there before the browser has registered it."""
    tools, device = SessionTools(), Device()
    devices = devices_of(PROVIDER, "session login", tools)
    waiting = pending(devices, session_of({}), **BRANDS)
    tools.reactor.advance(0.05)
    assert not waiting.called
    register(devices, device, offer_to(devices, {}))
    tools.reactor.advance(0.05)
    assert said(waiting).claims["provider_key"] == device.thumbprint


def test_nobody_waits_for_long() -> None:
    tools = SessionTools()
    devices = devices_of(PROVIDER, "session login", tools)
    waiting = pending(devices, session_of({}), **BRANDS)
    tools.reactor.pump([0.05] * 19)
    assert not waiting.called
    tools.reactor.advance(0.05)
    assert said(waiting).claims == {}


@pytest.mark.parametrize(
    ("fields", "later"),
    [
        ({"Accept": "text/html"}, 0.0),  # a browser that has no such keys
        ({**BRANDS, "Accept": "image/png"}, 0.0),
        (BRANDS, 1.0),
        (BRANDS, -3600.0),
    ],
)
def test_nobody_waits_in_vain(fields: dict[str, str], later: float) -> None:
    """Neither for who has no keys, nor for what is no page, nor late."""
    tools = SessionTools()
    devices = devices_of(PROVIDER, "session login", tools)
    tools.clock.now += later
    waiting = pending(devices, session_of({}), **fields)
    assert waiting.called is (later >= 0)
    tools.reactor.pump([0.05] * 20)
    assert waiting.called


def test_others_tell_nothing() -> None:
    session = session_of({"provider_key": KEY})
    assert now(devices_of(RELYING).describe(make_request(), session, KEY)) is session


def test_a_login_at_a_site_goes_by_what_the_provider_tells() -> None:
    """Both sides together, as one browser with one key sees them."""
    tools, device = SessionTools(), Device()
    provider = devices_of(PROVIDER, "session login", tools)
    site = devices_of(RELYING, "session app", tools)
    register(provider, device, offer_to(provider, {}))
    told = now(provider.describe(make_request(), session_of({}), device.thumbprint))
    offer = offer_to(site, dict(told.identity.claims))
    assert offer["provider_key"] == device.thumbprint
    assert register(site, device, offer).status == 200
    # Each knows its own challenges only.
    assert register(provider, device, offer).status == 403
