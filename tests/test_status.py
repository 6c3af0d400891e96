"""What one process tells about itself."""

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from sso_proxy.net.tls.plan import Expiry
from sso_proxy.recent_decisions import RecentDecisions
from sso_proxy.session import Session
from sso_proxy.session_log import SESSIONS, SessionLog
from sso_proxy.status import describe_gateway
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.traffic import Traffic
from tests.support.doubles import Scene


class Part:
    """Misses something."""

    async def probe(self) -> tuple[str, ...]:
        return ("its keys",)


class Hanging:
    """Never says anything."""

    async def probe(self) -> tuple[str, ...]:
        await Deferred()
        return ()


class Failing:
    """Has a mistake in it."""

    async def probe(self) -> tuple[str, ...]:
        raise ValueError("planted")


def gateway(**parts: Any) -> Any:  # noqa: ANN401
    nothing = {"named": (), "upstreams": (), "tls": ()}
    return SimpleNamespace(
        reactor=Clock(),
        clock=SettableClock(),
        shared={},
        listeners=[SimpleNamespace(site=Scene().site)],
        parts=SimpleNamespace(**{**nothing, **parts}),
        traffic=Traffic(),
        decisions=RecentDecisions(),
    )


def told(gateway: Any) -> dict[str, Any]:  # noqa: ANN401
    telling = Deferred.fromCoroutine(describe_gateway(gateway))
    gateway.reactor.advance(1.0)
    document: dict[str, Any] = telling.result  # type: ignore[assignment]
    assert json.loads(json.dumps(document)) == document, (
        "it goes from process to process"
    )
    return document


def test_each_part_has_its_place_and_what_it_misses() -> None:
    document = told(gateway(named=(("authenticator.api", Part()),)))
    assert document["parts"] == {"authenticator.api": ["its keys"]}


def test_backends_tell_of_their_servers_if_they_know_them() -> None:
    plain = SimpleNamespace(name="a", counts=lambda: (1, 2))
    server = {"server": "s", "state": "up", "why": "", "busy": 0, "idle": 1}
    several = SimpleNamespace(name="b", counts=lambda: (0, 1), state=lambda: [server])
    again = SimpleNamespace(name="b", counts=lambda: (2, 0), state=lambda: [server])
    one, two = told(gateway(upstreams=(plain, several, again)))["upstreams"]
    assert (two["busy"], two["idle"]) == (2, 1)
    assert one == {"name": "a", "busy": 1, "idle": 2, "servers": []}
    assert two["servers"] == [server]


def test_what_ends_first_comes_first() -> None:
    ends = (
        Expiry(what="late", not_after=9.0),
        Expiry(what="soon", not_after=3.0, warning=1.0),
    )
    tls = SimpleNamespace(ends=ends)
    document = told(gateway(tls=(None, tls, tls)))
    assert document["certificates"] == [
        ["soon", 3.0, 1.0],
        ["late", 9.0, 21 * 86400.0],
    ]


def test_logins_alone_name_users() -> None:
    proxy = gateway()
    log = proxy.shared[SESSIONS] = SessionLog()
    identity = make_identity(subject="planted")
    session = Session(id="1", identity=identity, created=1, used=1, expires=2e9)
    log.note("web", make_request(), session)
    document = told(proxy)
    assert document.pop("logins")[0]["subject"] == "planted"
    assert "planted" not in json.dumps(document)


def test_before_anything_is_built_there_is_little_to_tell() -> None:
    proxy = gateway()
    proxy.parts = None
    assert told(proxy)["parts"] == {}


class FailingTests(SynchronousTestCase):
    def test_a_part_that_hangs_or_fails_hides_no_other(self) -> None:
        parts = (("cache.a", Hanging()), ("cache.b", Failing()), ("cache.c", Part()))
        states = told(gateway(named=parts))["parts"]
        assert states["cache.a"] == ["does not say how it is within 1 s"]
        assert states["cache.b"] == ["cannot say how it is: see the log"]
        assert states["cache.c"] == ["its keys"]
        assert len(self.flushLoggedErrors(ValueError)) == 1
