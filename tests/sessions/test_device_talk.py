"""What browsers are told: a wrong status ends what they know of a key."""

from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.devices import build_devices
from sso_proxy.specs.http.cookies import Scope
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.device_keys import offered
from tests.support.sessions import SessionTools


def test_an_offer_says_where_and_what() -> None:
    tools = SessionTools()
    devices = build_devices(
        DeviceConfig(),
        "prefer",
        tools,
        tools.memory,
        name="session main",
        cookie="__Host-sso-bound",
        scope=Scope(),
    )
    offer = offered(devices.offer(make_request(), "holder", NOW))
    assert offer["path"] == f"/.sso/dbsc/register/{devices.tag}"
    assert offer.keys() == {"path", "challenge", "authorization"}
