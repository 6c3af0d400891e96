"""What answers a browser's proof of its device's key, and whom it does not answer."""

from typing import Any

import attrs
import pytest

from sso_proxy.endpoints.device_sessions import DeviceSessions, Holder, problem_of
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.model import Request, Response
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_request
from tests.support.caching import now

ORIGIN = "https://app.example.com"
OURS = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


class FakeDevices:
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    async def register(self, *asked: Any) -> Response:  # noqa: ANN401
        self.asked.append(("register", *asked[1:]))
        return Response(status=200, reason="device-proved", body=b"{}")

    async def refresh(self, *asked: Any) -> Response:  # noqa: ANN401
        self.asked.append(("refresh", *asked[1:]))
        return Response(status=403, headers=(("cache-control", "no-store"),))


class FakeBound:
    """Has one holder, or none."""

    def __init__(self, holder: Holder | None) -> None:
        self.devices = FakeDevices()
        self.holder = holder
        self.passive: list[bool] = []

    async def find_holder(self, request: Request) -> Holder | None:
        self.passive.append(request.passive)
        return self.holder


class Desk:
    """The endpoints of one host, with something under the tag ``t``."""

    def __init__(
        self, holder: Holder | None = None, limit: AddressLimit | None = None
    ) -> None:
        self.bound = FakeBound(holder)
        self.part = DeviceSessions("/.sso/", self.find, limit)

    def find(self, host: str, endpoints: str, tag: str) -> FakeBound | None:
        known = ("app.example.com", "/.sso/", "t")
        return self.bound if (host, endpoints, tag) == known else None

    def ask(self, name: str, rest: str = "t", **fields: str) -> Response | None:
        """Ask as a browser does."""
        headers = {key.replace("_", "-"): value for key, value in fields.items()}
        request = make_request("POST", f"/.sso/{name}", headers={**OURS, **headers})
        answer: Response | None = now(self.part.answer(request, name, rest))
        return answer


def test_a_proof_is_for_the_holder_that_the_cookies_name() -> None:
    desk = Desk(Holder("s-1", 100.0, 200.0))
    desk.ask("dbsc/register")
    desk.ask("dbsc/refresh")
    assert desk.bound.devices.asked == [
        ("register", "s-1", 100.0, 200.0),
        ("refresh", "s-1", 100.0, 200.0),
    ]


def test_one_address_registers_so_many_keys_in_a_minute() -> None:
    """Browsers go on without one, and prove those that they have."""
    clock = SettableClock()
    desk = Desk(Holder("h", 1.0, 2.0), AddressLimit(clock, 2))
    found = [desk.ask("dbsc/register") for _ in range(3)]
    assert [answer and answer.status for answer in found] == [200, 200, 503]
    assert found[2] is not None
    assert (found[2].reason, dict(found[2].headers)["retry-after"]) == (
        "device-pace",
        "60",
    )
    desk.ask("dbsc/refresh")
    assert [name for name, *_ in desk.bound.devices.asked] == [
        "register",
        "register",
        "refresh",
    ]
    clock.advance(60)
    again = desk.ask("dbsc/register")
    assert again is not None
    assert again.status == 200


def test_who_holds_nothing_is_told_so_by_what_binds() -> None:
    desk = Desk()
    desk.ask("dbsc/register")
    desk.ask("dbsc/refresh")
    assert desk.bound.devices.asked == [
        ("register", None, 0.0, 0.0),
        ("refresh", None, 0.0, 0.0),
    ]


@pytest.mark.parametrize("rest", ["", "u", "t/", "t/more"])
def test_there_is_nothing_under_other_tags(rest: str) -> None:
    assert Desk().ask("dbsc/register", rest) is None


def test_no_page_makes_anything_of_an_answer() -> None:
    for name in ("dbsc/register", "dbsc/refresh"):
        answer = Desk().ask(name)
        assert answer is not None
        fields = dict(answer.headers)
        assert fields["cache-control"] == "no-store"
        assert fields["x-frame-options"] == "DENY"
        assert fields["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in fields["content-security-policy"]
        names = [name for name, _ in answer.headers]
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ((), ""),
        ((("origin", ORIGIN),), ""),
        ((("sec-fetch-site", "same-origin"),), ""),
        ((("origin", "https://evil.example"),), "device-foreign"),
        ((("origin", "null"),), "device-foreign"),
        ((("origin", "http://app.example.com"),), "device-foreign"),
        ((("origin", f"{ORIGIN}:8443"),), "device-foreign"),
        ((("origin", ORIGIN), ("origin", ORIGIN)), "device-foreign"),
        ((("sec-fetch-site", "cross-site"),), "device-foreign"),
        ((("sec-fetch-site", "same-site"),), "device-foreign"),
        ((("sec-fetch-site", "none"),), "device-foreign"),
        ((("origin", ORIGIN), ("sec-fetch-site", "cross-site")), "device-foreign"),
        ((("secure-session-response", "a"),) * 2, "device-twice"),
        ((("sec-secure-session-id", "a"),) * 2, "device-twice"),
    ],
)
def test_only_what_the_browser_sends_by_itself_is_looked_at(
    fields: tuple[tuple[str, str], ...], problem: str
) -> None:
    head = attrs.evolve(make_request("POST").head, headers=fields)
    assert problem_of(head) == problem


def test_a_page_elsewhere_gets_nothing_done() -> None:
    desk = Desk(Holder("s-1", 100.0, 200.0))
    answer = desk.ask("dbsc/refresh", Sec_Fetch_Site="cross-site")
    assert answer is not None
    assert (answer.status, answer.reason) == (400, "device-foreign")
    assert desk.bound.devices.asked == []
    assert desk.bound.passive == []
