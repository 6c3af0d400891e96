"""Operators revoke; nobody else on this machine does."""

import json
from typing import Any

import attrs
import treq
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.http_headers import Headers

from sso_proxy.endpoints.admin import build_admin_site
from sso_proxy.endpoints.answer import MOST_OCTETS
from sso_proxy.specs.revocation_document import RevocationError
from sso_proxy.specs.revocations import Revocation, RevocationsFullError
from sso_proxy.testing.clock import SettableClock

REACTOR: Any = running_reactor
ONE = Revocation(issuer="https://login.example.com", jti="t1", until=1_800_000_000)
T1 = json.dumps({"issuer": ONE.issuer, "jti": "t1"}).encode()
SECRET = "s" * 44
GOOD: dict[str, Any] = {
    "content_type": "application/json",
    "authorization": f"Bearer {SECRET}",
}


class FakeStatus:
    async def faults(self) -> tuple[str, ...]:
        return ()

    async def probe(self) -> tuple[str, ...]:
        return ()

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        return {"id": id_} if id_ == "known-1" else None

    async def status(self) -> dict[str, Any]:
        return {}

    def configuration(self) -> dict[str, Any]:
        return {"server": {"name": "shown"}}

    async def log_levels(self, document: object) -> dict[str, Any]:
        return {"status": 200, "levels": [document]}

    async def sessions(self, document: object) -> dict[str, Any]:
        return {"status": 200, "did": document}

    async def metrics(self) -> str:
        return ""


@attrs.frozen
class FakeReport:
    revocation: Revocation
    missing: tuple[str, ...] = ()


class FakeRevoker:
    """Does what it is told to."""

    def __init__(self) -> None:
        self.list = [ONE]
        self.asked: list[object] = []
        self.missing: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.waiting: Deferred[None] | None = None
        self.done = 0

    async def revoke(self, document: object) -> FakeReport:
        self.asked.append(document)
        if self.error is not None:
            raise self.error
        if self.waiting is not None:
            await self.waiting
        self.done += 1
        return FakeReport(ONE, self.missing)

    async def lift(self, name: str) -> FakeReport | None:
        self.asked.append(name)
        return FakeReport(ONE, self.missing) if name == ONE.id else None


class RevocationsTests(TestCase):
    """At a TCP port, where a secret has to be known."""

    secret: str | None = SECRET

    def setUp(self) -> None:
        self.revoker = FakeRevoker()
        site = build_admin_site(
            FakeStatus(), self.revoker, self.secret, REACTOR, SettableClock()
        )
        self.port = REACTOR.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)

    async def ask(
        self,
        method: str = "POST",
        path: str = "/revocations",
        content: bytes | None = T1,
        **headers: str,
    ) -> tuple[int, str, Headers]:
        fields = {k.replace("_", "-"): [v] for k, v in headers.items()}
        response = await treq.request(
            method,
            f"http://127.0.0.1:{self.port.getHost().port}{path}",
            headers=Headers(fields),
            data=content,
            persistent=False,
            timeout=10,
        )
        return response.code, await response.text(), response.headers

    async def test_what_is_revoked_is_told(self) -> None:
        code, text, headers = await self.ask(**GOOD)
        assert code == 200
        assert json.loads(text) == {
            "status": "in force",
            "revocation": {
                "id": ONE.id,
                "issuer": ONE.issuer,
                "jti": "t1",
                "until": ONE.until,
            },
            "missing": [],
        }
        assert self.revoker.asked == [{"issuer": ONE.issuer, "jti": "t1"}]
        assert headers.getRawHeaders("cache-control") == ["no-store"]

    async def test_content_type_may_have_parameters(self) -> None:
        kind = "Application/JSON; charset=utf-8"
        assert (await self.ask(**{**GOOD, "content_type": kind}))[0] == 200

    async def test_what_is_not_in_force_everywhere_is_503(self) -> None:
        self.revoker.missing = ("worker 2: does not answer",)
        code, text, _ = await self.ask(**GOOD)
        assert code == 503
        document = json.loads(text)
        assert document["status"] == "incomplete"
        assert document["missing"] == ["worker 2: does not answer"]
        assert document["revocation"]["id"] == ONE.id

    async def test_list_is_shown(self) -> None:
        code, text, _ = await self.ask("GET", content=None, **GOOD)
        assert code == 200
        (shown,) = json.loads(text)["revocations"]
        assert shown["id"] == ONE.id

    async def test_one_is_lifted(self) -> None:
        path = f"/revocations/{ONE.id}"
        code, text, _ = await self.ask("DELETE", path, None, **GOOD)
        assert (code, json.loads(text)["status"]) == (200, "lifted")
        code, _, _ = await self.ask("DELETE", "/revocations/other", None, **GOOD)
        assert code == 404
        assert self.revoker.asked == [ONE.id, "other"]

    async def test_what_makes_no_sense_is_400_with_the_problem(self) -> None:
        self.revoker.error = RevocationError("issuer is missing, or token_sha256")
        code, text, _ = await self.ask(**GOOD)
        assert (code, text) == (400, "issuer is missing, or token_sha256\n")

    async def test_what_is_no_json_object_is_400(self) -> None:
        for content in (
            b"",
            b"x",
            b"[]",
            b"null",
            b"\xff",
            b'{"jti": "1", "jti": "2"}',
            b'{"until": NaN}',
            b"[" * 60000,
        ):
            code, text, _ = await self.ask(content=content, **GOOD)
            assert code == 400, content[:20]
            assert text == "must be a JSON object, each member at most once\n"
        assert self.revoker.asked == []

    async def test_full_list_is_507(self) -> None:
        self.revoker.error = RevocationsFullError("there are 10000")
        code, text, _ = await self.ask(**GOOD)
        assert code == 507
        assert "issued_before" in text

    async def test_long_content_is_413(self) -> None:
        code, _, _ = await self.ask(content=b" " * (MOST_OCTETS + 1), **GOOD)
        assert code == 413
        assert self.revoker.asked == []

    async def test_content_that_a_page_may_send_is_415(self) -> None:
        """Without asking: these three, and none at all (Fetch, CORS-safelisted)."""
        for kind in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json2",
            "text/plain; application/json",
        ):
            code, _, _ = await self.ask(**{**GOOD, "content_type": kind})
            assert code == 415, kind
        assert (await self.ask(authorization=GOOD["authorization"]))[0] == 415
        assert self.revoker.asked == []

    async def test_no_browser_may_ask(self) -> None:
        """Not even a page of this machine: any port of it may serve pages."""
        one = f"/revocations/{ONE.id}"
        browsers: tuple[dict[str, Any], ...] = (
            {"origin": "https://evil.example"},
            {"origin": "http://localhost:3000"},
            {"origin": "null"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"sec_fetch_site": "same-origin"},
            {"sec_fetch_site": "none"},
        )
        for headers in browsers:
            for method, path in (
                ("POST", "/revocations"),
                ("GET", "/revocations"),
                ("DELETE", one),
            ):
                code, text, fields = await self.ask(method, path, **GOOD, **headers)
                assert code == 403, (method, headers)
                assert "t1" not in text
                assert not fields.hasHeader("access-control-allow-origin")
        assert self.revoker.asked == []

    async def test_a_page_that_asks_first_is_told_nothing(self) -> None:
        code, _, fields = await self.ask(
            "OPTIONS",
            content=None,
            origin="http://localhost:3000",
            access_control_request_method="POST",
            access_control_request_headers="content-type",
        )
        assert code == 403
        assert not fields.hasHeader("access-control-allow-methods")

    async def test_name_that_was_rebound_to_us_is_refused(self) -> None:
        code, _, _ = await self.ask(**GOOD, host="evil.example")
        assert code == 421
        assert self.revoker.asked == []

    async def test_other_methods_are_405(self) -> None:
        for path, method, allow in (
            ("/revocations", "PUT", "GET, POST, HEAD"),
            ("/revocations", "DELETE", "GET, POST, HEAD"),
            ("/revocations/x", "GET", "DELETE"),
            ("/revocations/x", "POST", "DELETE"),
        ):
            code, _, headers = await self.ask(method, path, **GOOD)
            assert code == 405, (path, method)
            assert headers.getRawHeaders("allow") == [allow]

    async def test_only_the_exact_path_is_there(self) -> None:
        for path in (
            "/revocations/",
            "/revocations/x/y",
            "/revocation",
            "/Revocations",
        ):
            assert (await self.ask("DELETE", path, **GOOD))[0] == 404, path

    async def test_failure_is_503_and_logged(self) -> None:
        self.revoker.error = OSError("secret detail")
        code, text, _ = await self.ask(**GOOD)
        assert code == 503
        assert "secret" not in text
        assert len(self.flushLoggedErrors(OSError)) == 1

    async def test_what_was_begun_is_done_though_nobody_waits(self) -> None:
        self.revoker.waiting = Deferred()
        asking = Deferred.fromCoroutine(self.ask(**GOOD))
        while not self.revoker.asked:
            await sleep(0.01)
        asking.cancel()
        await self.assertFailure(asking, Exception)
        await sleep(0.05)
        self.revoker.waiting.callback(None)
        assert self.revoker.done == 1

    async def test_who_does_not_know_the_secret_is_401(self) -> None:
        """Every program on this machine reaches a port of it."""
        for given in (
            "",
            "Bearer",
            f"Bearer {SECRET}x",
            f"Bearer {SECRET[:-1]}",
            SECRET,
        ):
            for method in ("GET", "POST"):
                headers = {**GOOD, "authorization": given}
                code, text, fields = await self.ask(method, **headers)
                assert code == 401, given
                assert fields.getRawHeaders("www-authenticate") == ["Bearer"]
                assert SECRET not in text
        assert self.revoker.asked == []


class UnixSocketTests(RevocationsTests):
    """Where who may connect is an operator."""

    secret = None

    async def test_who_does_not_know_the_secret_is_401(self) -> None:
        """There is none: the file's owner and mode say who may."""
        code, _, _ = await self.ask(content_type="application/json")
        assert code == 200


def sleep(seconds: float) -> Deferred[None]:
    done: Deferred[None] = Deferred()
    REACTOR.callLater(seconds, done.callback, None)
    return done
