"""The name of an issuer is enough to find its metadata and keys."""

import json
from typing import Any, cast

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IHealth
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import ClientTls, HttpClient, HttpReply
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.net.published import DEFAULT_TTL, RETRY_AFTER, UNKNOWN_AFTER
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.metadata import MAX_METADATA
from sso_proxy.specs.oauth.urls import UrlRefusedError
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.publisher import Answer, Publisher, broken, page, silent

reactor: Any = installed

FIRST = TokenSigner.create("ES256", "first")
SECOND = TokenSigner.create("ES256", "second")

OAUTH = "/.well-known/oauth-authorization-server/tenant"
OPENID = "/tenant/.well-known/openid-configuration"
COMPAT = "/.well-known/openid-configuration/tenant"


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


class Noting:
    """Notes whom to trust when something is fetched."""

    def __init__(self, client: HttpClient) -> None:
        self.tls: list[ClientTls | None] = []
        self._client = client

    async def get(self, *args: Any, **options: Any) -> HttpReply:  # noqa: ANN401
        self.tls.append(options["tls"])
        return await self._client.get(*args, **options)


class IssuerTests(TestCase):
    def setUp(self) -> None:
        self.server = Publisher(reactor)
        self.clock = SettableClock()
        self.client = HttpClient(reactor, OutboundConfig(timeout=2.0))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end()))
        self.issuer = self.server.origin + "/tenant"
        self.source = IssuerSource(self.issuer, self.client, self.clock)
        self.server.pages["/jwks"] = page(jwks(FIRST))
        self.publish(self.document())

    async def end(self) -> None:
        await self.client.close()
        await self.server.stop()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    def document(self, *fields: str, **changes: object) -> Answer:
        """Write metadata, changed, as an answer with *fields*."""
        members = {"issuer": self.issuer, "jwks_uri": self.server.origin + "/jwks"}
        return page(json.dumps({**members, **changes}).encode(), *fields)

    def publish(self, answer: Answer, path: str = OAUTH) -> None:
        self.server.pages[path] = answer

    async def settle(self, *paths: str) -> None:
        """Wait until the server was asked for exactly these, and has answered."""
        for _ in range(200):
            if len(self.server.asked) >= len(paths):
                break
            await deferLater(reactor, 0.01)
        await deferLater(reactor, 0.03)
        assert self.server.asked == list(paths)

    async def problem(self) -> str:
        """Give why there is no metadata, and so no keys."""
        with pytest.raises(UnavailableError) as caught:
            await self.source.metadata()
        assert caught.value.status == 503
        with pytest.raises(UnavailableError) as without_keys:
            await self.source.key_set()
        assert without_keys.value.what == caught.value.what
        assert await self.source.probe() == (caught.value.what,)
        name = f"metadata of {self.issuer}: "
        assert caught.value.what.startswith(name)
        return caught.value.what.removeprefix(name)

    async def kept(self, answer: Answer) -> str:
        """Check that *answer* does not replace good metadata; give the warning."""
        await self.source.warm()
        self.publish(answer)
        self.clock.advance(DEFAULT_TTL)
        self.server.asked.clear()
        assert kids(await self.source.key_set()) == ["first"]
        for _ in range(400):
            if lines := await self.source.probe():
                break
            await deferLater(reactor, 0.01)
        await deferLater(reactor, 0.05)
        assert kids(await self.source.key_set()) == ["first"]
        assert (await self.source.metadata()).jwks_uri == self.server.origin + "/jwks"
        assert sorted(self.server.asked) == [OAUTH, "/jwks"]
        (line,) = lines
        assert line.startswith(f"{WARNING}metadata of {self.issuer}: ")
        return line

    def test_it_tells_its_health(self) -> None:
        assert verifyObject(IHealth, self.source)

    async def test_metadata_may_be_at_a_url_of_its_own(self) -> None:
        template = self.server.origin + "/{tenantid}/v2.0"
        url = self.server.origin + "/common/v2.0/.well-known/openid-configuration"
        source = IssuerSource(template, self.client, self.clock, url=url)
        self.publish(
            self.document(issuer=template), url.removeprefix(self.server.origin)
        )
        assert (await source.metadata()).issuer == template
        assert kids(await source.key_set()) == ["first"]

    async def test_who_is_trusted_may_be_said(self) -> None:
        trust = ClientTls(ca=Pki.create().ca_pem)
        client = Noting(self.client)
        source = IssuerSource(
            self.issuer, cast("HttpClient", client), self.clock, trust
        )
        await source.key_set()
        assert client.tls == [trust, trust]

    async def test_the_name_leads_to_metadata_and_keys(self) -> None:
        assert self.source.current() is None
        assert self.server.asked == []
        assert kids(await self.source.key_set()) == ["first"]
        assert self.source.current() is await self.source.key_set()
        assert (await self.source.metadata()).issuer == self.issuer
        assert self.server.asked == [OAUTH, "/jwks"]
        assert b"\r\nAccept: application/json" in self.server.heads[0]
        assert await self.source.probe() == ()

    async def test_a_thousand_tokens_at_first_cause_one_fetch_of_each(self) -> None:
        waiting: list[Deferred[Any]] = [
            Deferred.fromCoroutine(self.source.key_set()) for _ in range(1000)
        ]
        sets = await gatherResults(waiting)
        assert all(keys is sets[0] for keys in sets)
        assert self.server.asked == [OAUTH, "/jwks"]

    async def test_warming_fetches_both(self) -> None:
        await self.source.warm()
        assert self.server.asked == [OAUTH, "/jwks"]

    async def test_what_is_expired_stays_in_use_until_there_is_another(self) -> None:
        await self.source.warm()
        self.server.asked.clear()
        place = f"{self.server.origin}/moved"
        self.publish(self.document(token_endpoint=place))
        self.source.expire()
        before = await self.source.metadata()
        assert before.endpoint("token_endpoint") is None
        await self.settle(OAUTH)
        metadata = await self.source.metadata()
        assert metadata.endpoint("token_endpoint") == place

    async def test_asking_for_health_fetches_both(self) -> None:
        name = f"metadata of {self.issuer}"
        assert await self.source.probe() == (f"{name}: not fetched yet",)
        await self.settle(OAUTH)
        name = f"jwks of {self.server.origin}/jwks"
        assert await self.source.probe() == (f"{name}: not fetched yet",)
        await self.settle(OAUTH, "/jwks")
        assert await self.source.probe() == ()

    async def test_the_usual_place_of_openid_providers_is_found(self) -> None:
        del self.server.pages[OAUTH]
        self.publish(self.document(), OPENID)
        await self.source.metadata()
        assert self.server.asked == [OAUTH, OPENID]

    async def test_the_place_of_last_time_is_asked_first(self) -> None:
        del self.server.pages[OAUTH]
        self.publish(self.document(), COMPAT)
        await self.source.metadata()
        self.clock.advance(DEFAULT_TTL)
        await self.source.metadata()
        await self.settle(OAUTH, OPENID, COMPAT, COMPAT)

    async def test_nothing_anywhere_is_said(self) -> None:
        del self.server.pages[OAUTH]
        assert "at none of the well-known places" in await self.problem()
        assert self.server.asked == [OAUTH, OPENID, COMPAT]

    async def test_who_is_down_at_first_may_come_up(self) -> None:
        await self.server.stop()
        await self.source.warm()
        await self.problem()
        self.server.start()
        await self.problem()
        assert self.server.asked == []
        self.clock.advance(RETRY_AFTER)
        assert kids(await self.source.key_set()) == ["first"]
        assert await self.source.probe() == ()

    async def test_who_is_down_is_not_asked_elsewhere(self) -> None:
        self.publish(silent())
        self.publish(self.document(), OPENID)
        assert "no answer in 2 s" in await self.problem()
        assert self.server.asked == [OAUTH]

    async def test_who_closes_is_not_asked_elsewhere(self) -> None:
        self.publish(broken(b""))
        self.publish(self.document(), OPENID)
        assert await self.problem()
        assert OPENID not in self.server.asked

    async def test_a_redirect_is_not_followed(self) -> None:
        """It could lead into the network that we stand in (D11)."""
        self.publish(page(b"", "Location: /elsewhere", status="302 Found"))
        self.publish(self.document(), "/elsewhere")
        await self.problem()
        assert self.server.asked == [OAUTH, OPENID, COMPAT]

    async def test_another_issuer_is_refused(self) -> None:
        """One tenant of a server must not speak for another."""
        self.publish(self.document(issuer=self.server.origin + "/other"))
        assert "issuer is another" in await self.problem()

    async def test_keys_at_a_plain_name_are_refused(self) -> None:
        self.publish(self.document(jwks_uri="http://keys.example.com/jwks"))
        assert await self.problem() == "jwks_uri: must be https"

    async def test_a_document_that_is_too_long_is_refused(self) -> None:
        self.publish(page(b"{" + b" " * MAX_METADATA))
        assert "too long" in await self.problem()

    async def test_without_a_place_for_keys_there_are_none(self) -> None:
        """It may publish where to ask for opaque tokens alone; nothing is missing."""
        endpoint = self.server.origin + "/introspect"
        self.publish(self.document(jwks_uri=None, introspection_endpoint=endpoint))
        metadata = await self.source.metadata()
        assert metadata.endpoint("introspection_endpoint") == endpoint
        with pytest.raises(UnavailableError, match="no jwks_uri"):
            await self.source.key_set()
        with pytest.raises(UnavailableError, match="no jwks_uri"):
            await self.source.key_set_for_unknown()
        await self.source.warm()
        assert await self.source.probe() == ()

    async def test_keys_that_cannot_be_had_are_a_failure(self) -> None:
        self.server.pages["/jwks"] = page(b"", status="500 Internal Server Error")
        with pytest.raises(UnavailableError, match="status 500"):
            await self.source.key_set()
        assert (await self.source.metadata()).issuer == self.issuer
        (line,) = await self.source.probe()
        assert line == f"jwks of {self.server.origin}/jwks: status 500"

    async def test_metadata_is_fetched_again_when_the_server_says(self) -> None:
        self.publish(self.document("Cache-Control: max-age=120"))
        await self.source.metadata()
        self.clock.advance(119)
        await self.source.metadata()
        self.clock.advance(1)
        await self.source.metadata()
        await self.settle(OAUTH, OAUTH)

    async def test_keys_follow_when_they_move(self) -> None:
        await self.source.key_set()
        self.server.pages["/other"] = page(jwks(SECOND))
        self.publish(self.document(jwks_uri=self.server.origin + "/other"))
        self.clock.advance(DEFAULT_TTL)
        await self.source.metadata()
        await self.settle(OAUTH, "/jwks", OAUTH)
        assert kids(await self.source.key_set()) == ["first"]
        await self.settle(OAUTH, "/jwks", OAUTH, "/other")
        assert kids(await self.source.key_set()) == ["second"]

    async def test_a_token_with_an_unknown_key_finds_keys_that_moved(self) -> None:
        await self.source.key_set()
        self.server.pages["/other"] = page(jwks(SECOND))
        self.publish(self.document(jwks_uri=self.server.origin + "/other"))
        self.clock.advance(UNKNOWN_AFTER)
        assert kids(await self.source.key_set_for_unknown()) == ["second"]
        assert self.server.asked == [OAUTH, "/jwks", OAUTH, "/other"]

    async def test_a_token_with_an_unknown_key_finds_it_in_the_same_place(self) -> None:
        await self.source.key_set()
        self.server.pages["/jwks"] = page(jwks(FIRST, SECOND))
        keys = await self.source.key_set_for_unknown()
        assert kids(keys) == ["first", "second"]
        assert self.server.asked == [OAUTH, "/jwks", "/jwks"]

    async def test_a_thousand_unknown_keys_cause_one_fetch_of_each(self) -> None:
        await self.source.key_set()
        self.clock.advance(UNKNOWN_AFTER)
        waiting: list[Deferred[Any]] = [
            Deferred.fromCoroutine(self.source.key_set_for_unknown())
            for _ in range(1000)
        ]
        await gatherResults(waiting)
        for _ in range(1000):
            await self.source.key_set_for_unknown()
        assert self.server.asked == [OAUTH, "/jwks", OAUTH, "/jwks"]

    async def test_new_keys_are_found_while_there_is_no_metadata(self) -> None:
        await self.source.key_set()
        self.publish(page(b"", status="503 Service Unavailable"))
        self.server.pages["/jwks"] = page(jwks(FIRST, SECOND))
        self.clock.advance(UNKNOWN_AFTER)
        keys = await self.source.key_set_for_unknown()
        assert kids(keys) == ["first", "second"]

    async def test_an_error_does_not_replace_metadata(self) -> None:
        answer = page(b"", status="503 Service Unavailable")
        assert "status 503" in await self.kept(answer)

    async def test_a_server_that_hangs_does_not_replace_metadata(self) -> None:
        assert "no answer" in await self.kept(silent(b"HTTP/1.1 200 OK\r\n"))

    async def test_a_cut_answer_does_not_replace_metadata(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"
        assert await self.kept(broken(head + b'{"issuer": "'))

    async def test_an_error_object_does_not_replace_metadata(self) -> None:
        await self.source.warm()
        self.publish(page(b'{"error": "server_error"}'))
        self.clock.advance(DEFAULT_TTL)
        await self.source.metadata()
        await self.settle(OAUTH, "/jwks", OAUTH, OPENID, COMPAT)
        assert (await self.source.metadata()).issuer == self.issuer
        (line,) = await self.source.probe()
        assert line.startswith(WARNING)

    async def test_a_lie_does_not_replace_metadata(self) -> None:
        answer = self.document(issuer="https://evil.example")
        assert "issuer is another" in await self.kept(answer)

    async def test_metadata_without_keys_any_more_means_none(self) -> None:
        await self.source.key_set()
        self.publish(self.document(jwks_uri=None))
        self.clock.advance(DEFAULT_TTL)
        await self.source.metadata()
        await self.settle(OAUTH, "/jwks", OAUTH)
        with pytest.raises(UnavailableError, match="no jwks_uri"):
            await self.source.key_set()

    def test_what_is_no_issuer_is_refused(self) -> None:
        with pytest.raises(UrlRefusedError):
            IssuerSource("http://login.example.com", self.client, self.clock)
