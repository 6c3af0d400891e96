"""What browsers are told: a wrong status ends what they know of a key."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Request, Response
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.device_pace import MOST, WITHIN
from sso_proxy.sessions.device_talk import DeviceScope
from sso_proxy.sessions.devices import Devices, build_devices
from sso_proxy.specs.dbsc.instructions import Rule
from sso_proxy.specs.http.cookies import Scope
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.caching import now
from tests.support.device_keys import Device, challenged, instructed, offered
from tests.support.sessions import Browser, SessionTools

EXPIRES = NOW + 28800
REGISTER, REFRESH = "/.sso/dbsc/register", "/.sso/dbsc/refresh"


class WaitingCache(MemoryCache):
    """
    A cache that may take its time.

    Attributes:
        waits: It does.
        marking: What waits for it then.
    """

    def __init__(self, tools: SessionTools) -> None:
        super().__init__(MemoryCacheConfig(), tools.clock)
        self.waits = False
        self.marking: list[Deferred[None]] = []

    async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
        if self.waits:
            self.marking.append(Deferred())
            await self.marking[-1]
        return await super().mark(purpose, name, ttl)


class Desk:
    """
    Devices of one kind of holders, and a browser.

    Attributes:
        devices: The devices.
        device: The browser's key.
        told: The last answer.
    """

    def __init__(
        self,
        name: str = "session main",
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.tools = SessionTools()
        self.cache = WaitingCache(self.tools)
        self.devices: Devices = build_devices(
            DeviceConfig(**options),
            "prefer",
            self.tools,
            self.cache,
            name=name,
            cookie="__Host-sso-bound",
            scope=Scope(),
        )
        self.device = Device()
        self.browser = Browser()
        self.told = Response(status=0)

    @property
    def named(self) -> str:
        """Give what the browser calls the session."""
        named: str = instructed(self.told)["session_identifier"]
        return named

    def offer(self, holder: str = "h", **request: Any) -> dict[str, str]:  # noqa: ANN401
        """Give what is offered."""
        asked = make_request(**request)
        return offered(self.devices.offer(asked, holder, self.tools.clock.time()))

    def prove(self, **claims: Any) -> str:  # noqa: ANN401
        """Sign what registers the key, as was offered."""
        offer = self.offer()
        claims.setdefault("authorization", offer["authorization"])
        return self.device.registration(offer["challenge"], **claims)

    def register(self, proof: str | None = None, **options: Any) -> Response:  # noqa: ANN401
        """Send a registration."""
        given = {"holder": "h", "began": NOW, "expires": EXPIRES, **options}
        text = self.prove() if proof is None else proof
        request = self.post(REGISTER, {"Secure-Session-Response": text} if text else {})
        return self.take(now(self.devices.register(request, *given.values())))

    def refresh(
        self, proof: str = "", holder: str | None = "h", **fields: str
    ) -> Response:
        """Send a refresh."""
        return now(self.refreshing(proof, holder, **fields))

    async def refreshing(
        self, proof: str = "", holder: str | None = "h", **fields: str
    ) -> Response:
        """Send a refresh, which may take its time."""
        given = {"Sec-Secure-Session-Id": self.named, **fields}
        if proof:
            given["Secure-Session-Response"] = proof
        request = self.post(REFRESH, {k: v for k, v in given.items() if v})
        return await self.devices.refresh(request, holder, NOW, EXPIRES)

    def post(self, path: str, fields: dict[str, str]) -> Request:
        """Make a request."""
        request = self.browser.request(**fields)
        head = attrs.evolve(request.head, method="POST", path=path)
        return attrs.evolve(request, head=head)

    def take(self, answer: Response) -> Response:
        """Do as a browser does with an answer."""
        self.browser.take(answer.headers)
        if answer.status == 200:
            self.told = answer
        return answer


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def bound() -> Desk:
    """A desk with a browser that has registered long ago."""
    desk = Desk()
    assert desk.register().status == 200
    desk.tools.clock.advance(100)
    return desk


# offers


def test_an_offer_says_where_and_what(desk: Desk) -> None:
    offer = desk.offer()
    assert offer["path"] == f"/.sso/dbsc/register/{desk.devices.tag}"
    assert offer.keys() == {"path", "challenge", "authorization"}
    desk.devices.scope_of = lambda _: DeviceScope(endpoints="/auth/")
    assert desk.offer()["path"] == f"/auth/dbsc/register/{desk.devices.tag}"


def test_nothing_is_offered_where_browsers_do_not_bind(desk: Desk) -> None:
    assert desk.offer(host="localhost", tls=False) == {}
    assert desk.offer(headers={"Sec-Fetch-Site": "cross-site"}) == {}
    for site in ("same-origin", "same-site", "none"):
        assert desk.offer(headers={"Sec-Fetch-Site": site})


def test_behind_who_takes_tls_off_it_is_offered(desk: Desk) -> None:
    assert desk.offer(tls=False)


# registrations


def test_a_registration_is_answered_with_all_that_a_browser_needs(desk: Desk) -> None:
    answer = desk.register()
    assert answer.status == 200
    fields = dict(answer.headers)
    assert fields["content-type"] == "application/json"
    assert fields["cache-control"] == "no-store"
    assert challenged(answer)
    told = instructed(answer)
    assert told["refresh_url"] == f"/.sso/dbsc/refresh/{desk.devices.tag}"
    assert told["scope"]["origin"] == "https://app.example.com"
    assert told["scope"]["include_site"] is False
    attributes = "Path=/; Secure; HttpOnly; SameSite=Lax"
    assert told["credentials"] == [
        {"type": "cookie", "name": "__Host-sso-bound", "attributes": attributes}
    ]
    without_age = fields["set-cookie"].replace("; Max-Age=298", "")
    assert without_age.partition("; ")[2] == attributes


def test_keys_of_both_kinds_are_registered_if_they_may_be(desk: Desk) -> None:
    desk.device = Device("RS256")
    assert desk.register().status == 200
    only = Desk(algorithms=("ES256",))
    only.device = desk.device
    assert only.register().status == 400


def test_what_is_excluded_is_told_beside_the_rules_of_the_host() -> None:
    desk = Desk(exclude=("/static", "/api"))
    rules = (
        Rule("exclude", "app.example.com", "/static"),
        Rule("include", "app.example.com", "/api"),
        Rule("exclude", "app.example.com", "/open"),
    )
    desk.devices.scope_of = lambda _: DeviceScope(rules=rules)
    told = instructed(desk.register())["scope"]["scope_specification"]
    assert {(rule["type"], rule["path"]) for rule in told} == {
        ("exclude", "/static"),
        ("exclude", "/api"),
        ("exclude", "/open"),
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"authorization": "another"},
        {"authorization": ""},
    ],
)
def test_a_proof_without_the_authorization_of_the_login_registers_nothing(
    desk: Desk, claims: dict[str, str]
) -> None:
    answer = desk.register(desk.prove(**claims))
    assert answer.status in {400, 403}
    assert not now(desk.devices.is_bound("h"))


def test_a_proof_for_another_place_registers_nothing(desk: Desk) -> None:
    ours = f"https://app.example.com{REGISTER}"
    assert desk.register(desk.prove(aud="https://evil.example/")).status == 400
    assert desk.register(desk.prove(aud=ours)).status == 200


@pytest.mark.parametrize("proof", ["", "a.b.c", "x", "é"])
def test_no_proof_registers_nothing(desk: Desk, proof: str) -> None:
    assert desk.register(proof).status == 400
    assert not now(desk.devices.is_bound("h"))


def test_a_challenge_that_is_old_or_used_registers_nothing(desk: Desk) -> None:
    proof = desk.prove()
    desk.tools.clock.advance(900)
    assert desk.register(proof, began=NOW + 900).status == 403
    proof = desk.prove()
    assert desk.register(proof, began=NOW + 900).status == 200
    assert desk.register(proof, began=NOW + 900).status == 403


def test_who_holds_nothing_registers_nothing(desk: Desk) -> None:
    assert desk.register(holder=None).status == 400
    assert desk.register(expires=NOW).status == 400


# refreshes


def test_a_browser_without_proof_is_told_what_to_prove(bound: Desk) -> None:
    asked = bound.refresh()
    assert asked.status == 403
    answer = bound.refresh(bound.device.refresh(challenged(asked)))
    assert answer.status == 200
    assert instructed(answer) == instructed(bound.told)
    assert challenged(answer) not in {"", challenged(asked), challenged(bound.told)}


def test_the_challenge_of_the_answer_before_saves_a_round(bound: Desk) -> None:
    answer = bound.refresh(bound.device.refresh(challenged(bound.told)))
    assert answer.status == 200


def test_one_challenge_from_before_is_good_still(bound: Desk) -> None:
    """Two tabs may have asked, and only the last answer is kept."""
    first, second = challenged(bound.refresh()), challenged(bound.refresh())
    assert bound.refresh(bound.device.refresh(first)).status == 200
    assert bound.refresh(bound.device.refresh(second)).status == 200


def test_who_proves_it_again_and_again_has_to_wait(bound: Desk) -> None:
    """Each proof takes room, until nobody can repeat it.  Browsers try again later."""
    for _ in range(MOST):
        proof = bound.device.refresh(challenged(bound.told))
        assert bound.take(bound.refresh(proof)).status == 200
    proof = bound.device.refresh(challenged(bound.told))
    answer = bound.refresh(proof)
    assert (answer.status, answer.reason) == (503, "device-pace")
    assert ("retry-after", str(WITHIN)) in answer.headers
    bound.tools.clock.advance(WITHIN)
    assert bound.refresh(proof).status == 200


def test_who_proves_it_often_at_once_has_to_wait_too(bound: Desk) -> None:
    bound.cache.waits = True
    proofs = [bound.device.refresh(challenged(bound.refresh())) for _ in range(MOST)]
    told: list[int] = []
    for proof in proofs:
        asked = Deferred.fromCoroutine(bound.refreshing(proof))
        asked.addCallback(lambda answer: told.append(answer.status))
    assert not told
    one_more = bound.device.refresh(challenged(bound.told))
    assert bound.refresh(one_more).reason == "device-pace"
    for marking in bound.cache.marking:
        marking.callback(None)
    assert told == [200] * MOST


def test_what_the_cache_does_not_answer_takes_no_room(bound: Desk) -> None:
    one_more = bound.device.refresh(challenged(bound.told))
    bound.cache.waits = True
    failed: list[Failure] = []
    for _ in range(MOST + 1):
        asked = Deferred.fromCoroutine(bound.refreshing(one_more))
        asked.addErrback(failed.append)
        bound.cache.marking[-1].errback(UnavailableError("the cache"))
    assert all(each.check(UnavailableError) for each in failed)
    assert len(failed) == MOST + 1
    bound.cache.waits = False
    assert bound.refresh(one_more).status == 200


def test_what_proves_nothing_takes_no_room(bound: Desk) -> None:
    """A thief cannot have the owner wait."""
    used = bound.device.refresh(challenged(bound.told))
    assert bound.take(bound.refresh(used)).status == 200
    good, other = bound.device.refresh(challenged(bound.told)), Device().refresh("x")
    for proof in ("", "a.b.c", bound.device.refresh("x"), other, used):
        for _ in range(MOST + 1):
            assert bound.refresh(proof).status in {400, 403}
    assert bound.refresh(good).status == 200


def test_a_key_is_not_registered_again_and_again_either(desk: Desk) -> None:
    for _ in range(MOST):
        assert desk.register().status == 200
    assert (desk.register().status, desk.register("a.b.c").status) == (503, 400)


@pytest.mark.parametrize("how", ["used", "old", "none of ours", "of a registration"])
def test_a_proof_that_proves_nothing_new_is_no_attack(bound: Desk, how: str) -> None:
    """Browsers send the one that they have again, and sign what they are told then."""
    text = challenged(bound.told)
    if how == "used":
        assert bound.refresh(bound.device.refresh(text)).status == 200
    elif how == "old":
        bound.tools.clock.advance(900)
    elif how == "none of ours":
        text = "challenge"
    else:
        text = bound.offer()["challenge"]
    with capturedLogs() as logs:
        answer = bound.refresh(bound.device.refresh(text))
    assert answer.status == 403
    assert logs == []
    assert bound.refresh(bound.device.refresh(challenged(answer))).status == 200


@pytest.mark.parametrize(
    "proof",
    [
        lambda text: Device().refresh(text),
        lambda text: Device("RS256").refresh(text),
        lambda _: "a.b.c",
        lambda _: "x",
    ],
    ids=["another key", "another algorithm", "no signature", "no proof"],
)
def test_a_proof_by_somebody_else_ends_what_that_browser_knows(
    bound: Desk, proof: Callable[[str], str]
) -> None:
    with capturedLogs() as logs:
        assert bound.refresh(proof(challenged(bound.told))).status == 400
    assert [event["reason"] for event in logs] == ["device-proof"]
    good = bound.device.refresh(challenged(bound.told))
    assert bound.refresh(good).status == 200, "nothing happens to the owner"


def test_a_refresh_that_brings_a_key_is_refused(bound: Desk) -> None:
    registration = bound.device.registration(challenged(bound.told))
    assert bound.refresh(registration).status == 400


def test_a_proof_for_another_place_is_refused(bound: Desk) -> None:
    text = challenged(bound.told)
    there = bound.device.refresh(text, aud="https://evil.example/")
    assert bound.refresh(there).status == 400
    here = bound.device.refresh(text, aud=f"https://app.example.com{REFRESH}")
    assert bound.refresh(here).status == 200


def test_a_refresh_that_names_no_session_is_refused(bound: Desk) -> None:
    assert bound.refresh(**{"Sec-Secure-Session-Id": ""}).status == 400


def test_another_session_of_the_browser_ends_and_takes_no_cookie(bound: Desk) -> None:
    answer = bound.refresh(**{"Sec-Secure-Session-Id": "old"})
    assert instructed(answer) == {"session_identifier": "old", "continue": False}
    bound.browser.take(answer.headers)
    assert "__Host-sso-bound" in bound.browser.cookies


def test_who_holds_nothing_any_more_is_told_so(bound: Desk) -> None:
    answer = bound.refresh(holder=None)
    assert instructed(answer)["continue"] is False
    bound.browser.take(answer.headers)
    assert bound.browser.cookies == {}


def test_browsers_have_a_name_for_each_kind_and_host() -> None:
    """They keep one list for all hosts of a site; what is called alike is replaced."""
    head = make_request().head
    other = attrs.evolve(head, host="www.example.com")
    plain, admin = Desk(), Desk("session admin")
    assert not plain.devices.names("", head)
    for desk in (plain, admin):
        desk.register()
        assert desk.devices.names(desk.named, head)
        assert not desk.devices.names(desk.named, other)
    assert plain.named != admin.named
    assert admin.devices.tag != plain.devices.tag
