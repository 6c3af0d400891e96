"""What is bound to a device is good on that device, whoever has its cookie."""

from typing import Any

from sso_proxy.model import Request, Response
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.devices import Devices, Standing, build_devices
from sso_proxy.specs.http.cookies import Scope
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.caching import now
from tests.support.device_keys import Device, challenged, instructed, offered
from tests.support.sessions import Browser, SessionTools

HOLDER, BEGAN, EXPIRES = "holder", NOW, NOW + 28800
MISSING = Standing(refused="device-missing")


def devices_of(
    tools: SessionTools,
    level: Any = "prefer",  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> Devices:
    return build_devices(
        DeviceConfig(**options),
        level,
        tools,
        tools.memory,
        name="session main",
        cookie="__Host-sso-bound",
        scope=Scope(),
    )


def post(browser: Browser, proof: str = "", session_id: str = "") -> Request:
    fields = {}
    if proof:
        fields["Secure-Session-Response"] = proof
    if session_id:
        fields["Sec-Secure-Session-Id"] = session_id
    return browser.request(**fields)


def register(
    devices: Devices, browser: Browser, device: Device, holder: str = HOLDER
) -> Response:
    """Do as a browser does that is offered to register."""
    offer = offered(devices.offer(make_request(), holder, BEGAN))
    proof = device.registration(offer["challenge"], offer["authorization"])
    answer = now(devices.register(post(browser, proof), holder, BEGAN, EXPIRES))
    browser.take(answer.headers)
    return answer


def test_a_registered_key_is_proved_for_a_while() -> None:
    tools, browser, device = SessionTools(), Browser(), Device()
    devices = devices_of(tools)
    answer = register(devices, browser, device)
    assert answer.status == 200
    found = now(devices.check(browser.request(), HOLDER, BEGAN))
    assert found == Standing(device.thumbprint, NOW + 300)
    tools.clock.advance(300)
    assert now(devices.check(browser.request(), HOLDER, BEGAN)) == MISSING


def test_a_proof_renews_the_cookie() -> None:
    tools, browser, device = SessionTools(), Browser(), Device()
    devices = devices_of(tools)
    told = register(devices, browser, device)
    tools.clock.advance(300)
    proof = device.refresh(challenged(told))
    named = instructed(told)["session_identifier"]
    answer = now(devices.refresh(post(browser, proof, named), HOLDER, EXPIRES))
    assert answer.status == 200
    browser.take(answer.headers)
    found = now(devices.check(browser.request(), HOLDER, BEGAN))
    assert found == Standing(device.thumbprint, NOW + 600)
