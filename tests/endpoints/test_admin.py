"""The operators' listener, over real connections."""

from typing import Any

import attrs
import pytest
import treq
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.http_headers import Headers

from sso_proxy.endpoints.admin import build_admin_site, is_local_host
from sso_proxy.specs.revocations import Revocation
from sso_proxy.testing.clock import SettableClock
from tests.support.status_document import busy_status

REACTOR: Any = running_reactor


@attrs.define
class FakeStatus:
    """Says what it is told to say."""

    dead: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    error: Exception | None = None
    waiting: Deferred[None] | None = None
    asked: bool = False
    gone: bool = False

    async def faults(self) -> tuple[str, ...]:
        return self.dead

    async def probe(self) -> tuple[str, ...]:
        self.asked = True
        if self.waiting is not None:
            try:
                await self.waiting
            finally:
                self.gone = True
        return self.missing

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        return {"id": id_} if id_ == "known-1" else None

    async def status(self) -> dict[str, Any]:
        return busy_status()

    def configuration(self) -> dict[str, Any]:
        return {"server": {"name": "shown"}}

    async def log_levels(self, document: object) -> dict[str, Any]:
        return {"status": 200, "levels": [document]}

    async def sessions(self, document: object) -> dict[str, Any]:
        return {"status": 200, "did": document}

    async def metrics(self) -> str:
        if self.error is not None:
            raise self.error
        return "answer 42\n"


class FakeRevoker:
    """Is asked nothing here."""

    list: tuple[Revocation, ...] = ()

    async def revoke(self, document: object) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def lift(self, name: str) -> Any:  # noqa: ANN401
        raise NotImplementedError


class AdminTests(TestCase):
    def setUp(self) -> None:
        self.status = FakeStatus()
        site = build_admin_site(
            self.status, FakeRevoker(), None, REACTOR, SettableClock()
        )
        self.port = REACTOR.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)

    async def ask(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, str, Any]:
        response = await treq.request(
            method,
            f"http://127.0.0.1:{self.port.getHost().port}{path}",
            headers=Headers({k.replace("_", "-"): [v] for k, v in headers.items()}),
            persistent=False,
            timeout=10,
        )
        return response.code, await response.text(), response.headers

    async def test_alive_is_200(self) -> None:
        code, body, _ = await self.ask("/health/live")
        assert (code, body) == (
            200,
            '{"status": "alive", "missing": [], "warnings": []}\n',
        )

    async def test_dead_is_503_and_says_what(self) -> None:
        self.status.dead = ("worker 2: not running",)
        code, body, _ = await self.ask("/health/live")
        assert code == 503
        assert '"missing": ["worker 2: not running"]' in body

    async def test_ready_is_200(self) -> None:
        code, body, headers = await self.ask("/health/ready")
        assert (code, body) == (
            200,
            '{"status": "ready", "missing": [], "warnings": []}\n',
        )
        assert headers.getRawHeaders("content-type") == ["application/json"]

    async def test_a_warning_is_told_and_keeps_nobody_away(self) -> None:
        self.status.missing = ("warning: a certificate expires tomorrow",)
        code, body, _ = await self.ask("/health/ready")
        assert code == 200
        assert '"warnings": ["a certificate expires tomorrow"]' in body

    async def test_not_ready_is_503_and_says_what_is_missing(self) -> None:
        self.status.missing = ("keys of https://op.example",)
        code, body, _ = await self.ask("/health/ready")
        assert code == 503
        assert '"status": "not ready"' in body
        assert '"missing": ["keys of https://op.example"]' in body

    async def test_a_refusal_is_explained(self) -> None:
        code, body, _ = await self.ask("/explain/known-1")
        assert (code, body) == (200, '{"id": "known-1"}\n')

    async def test_a_refusal_that_nobody_knows_is_404(self) -> None:
        code, body, _ = await self.ask("/explain/other-1")
        assert code == 404
        assert "or it is forgotten" in body

    async def test_refusals_are_not_for_browsers(self) -> None:
        code, _, _ = await self.ask("/explain/known-1", sec_fetch_site="none")
        assert code == 403

    async def test_refusals_are_read_and_not_written(self) -> None:
        assert (await self.ask("/explain/known-1", "POST"))[0] == 405
        assert (await self.ask("/explain/"))[0] == 404

    async def test_the_configuration_is_for_operators_programs(self) -> None:
        code, body, _ = await self.ask("/configuration")
        assert (code, body) == (200, '{"server": {"name": "shown"}}\n')
        assert (await self.ask("/configuration", "POST"))[0] == 405
        assert (await self.ask("/configuration", sec_fetch_site="none"))[0] == 403

    async def test_levels_are_set_by_operators_programs(self) -> None:
        for headers in ({}, {"content_type": "application/json", "origin": "null"}):
            assert (await self.ask("/log", "POST", **headers))[0] in (403, 415)
        assert (await self.ask("/log"))[0] == 405

    async def test_metrics_are_prometheus_text(self) -> None:
        code, body, headers = await self.ask("/metrics")
        assert (code, body) == (200, "answer 42\n")
        kind = headers.getRawHeaders("content-type")[0]
        assert kind == "text/plain; version=0.0.4; charset=utf-8"

    async def test_head_has_the_length_and_no_content(self) -> None:
        code, body, headers = await self.ask("/metrics", "HEAD")
        assert (code, body) == (200, "")
        assert headers.getRawHeaders("content-length") == ["10"]

    async def test_other_methods_are_405(self) -> None:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            code, _, _ = await self.ask("/health/live", method)
            assert code == 405, method

    async def test_only_the_exact_path_is_there(self) -> None:
        """Attack C36: a rule by prefix, or for a path written otherwise."""
        for path in ("/", "/metrics/", "/metrics/x", "/%6detrics", "//metrics"):
            code, _, _ = await self.ask(path)
            assert code == 404, path

    async def test_name_that_was_rebound_to_us_is_refused(self) -> None:
        """DNS rebinding makes a browser read this for any page."""
        code, body, _ = await self.ask("/metrics", host="evil.example")
        assert code == 421
        assert "42" not in body

    async def test_page_of_another_origin_gets_nothing(self) -> None:
        """Attack C35."""
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
        ):
            code, body, answered = await self.ask("/metrics", **headers)
            assert code == 403, headers
            assert "42" not in body
            assert not answered.hasHeader("access-control-allow-origin")

    async def test_own_page_and_typed_address_are_answered(self) -> None:
        for site in ("none", "same-origin"):
            code, _, _ = await self.ask("/metrics", sec_fetch_site=site)
            assert code == 200, site

    async def test_nothing_is_stored_or_guessed(self) -> None:
        _, _, headers = await self.ask("/metrics")
        assert headers.getRawHeaders("cache-control") == ["no-store"]
        assert headers.getRawHeaders("x-content-type-options") == ["nosniff"]

    async def test_failure_is_503_and_logged(self) -> None:
        self.status.error = OSError("secret detail")
        code, body, _ = await self.ask("/metrics")
        assert code == 503
        assert "secret" not in body
        assert len(self.flushLoggedErrors(OSError)) == 1

    async def test_probe_ends_when_the_client_leaves(self) -> None:
        self.status.waiting = Deferred()
        asking = Deferred.fromCoroutine(self.ask("/health/ready"))
        while not self.status.asked:
            await sleep(0.01)
        asking.cancel()
        await self.assertFailure(asking, Exception)
        while not self.status.gone:
            await sleep(0.01)


def sleep(seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    REACTOR.callLater(seconds, done.callback, None)
    return done


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:9", "127.0.0.1", "127.8.8.8:80", "[::1]", "[::1]:8080"],
)
def test_loopback_is_local(host: str) -> None:
    assert is_local_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "localhost:",
        "localhost:x",
        "127.0.0.1.example.com",
        "127.1",
        "2130706433",
        "1.0.0.127",
        "10.0.0.1",
        "::1",
        "[::2]:80",
        "[::ffff:10.0.0.1]",
        "[",
        "]",
        "user@localhost",
        "localhost:٣",
    ],
)
def test_everything_else_is_not(host: str) -> None:
    assert not is_local_host(host)
