"""What people with an OpenID find besides a login."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from openid.fetchers import HTTPFetcher, HTTPResponse, setDefaultFetcher
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.threads import blockingCallFromThread, deferToThreadPool
from twisted.python.threadpool import ThreadPool

from sso_proxy.specs.openid2.names import RETURN_TO, XRDS
from tests.support.login_scene import Seen
from tests.support.openid2_login import CROSS_SITE, OpenIdSite, SiteCase

reactor: Any = installed


class OpenIdEndpointTests(SiteCase):
    """The document, and the page."""

    async def test_providers_can_look_up_where_answers_may_go(self) -> None:
        site = self.site(self.run_op())
        for path in ("/.sso/", "/.sso/openid"):
            answer = await site.wait(path)
            assert dict(answer.headers)["content-type"] == XRDS
            assert RETURN_TO in answer.body
            place = "<URI>https://app.example.com/.sso/callback/openid</URI>"
            assert place in answer.body

    async def test_somebody_sees_which_identifier_is_theirs(self) -> None:
        op = self.run_op(fragment="#2")
        site = self.site(op, {}, shows_identifier=True)
        away = await site.type(await site.get("/.sso/openid/openid"), op.op_identifier)
        page = await site.come_back_from(op, away.location)
        assert page.status == 200
        assert op.identity("alice") + "#2" in page.body
        assert (await site.get("/")).status == 200  # the page that asks

    async def test_nobody_sees_it_where_that_is_off(self) -> None:
        site = self.site(self.run_op())
        assert (await site.get("/.sso/openid/openid")).status == 404

    async def test_what_another_site_posts_is_not_looked_up(self) -> None:
        op = self.run_op()
        site = self.site(op, shows_identifier=True)
        fields = {"openid_identifier": op.identity("alice")}
        page = await site.post("/.sso/openid/openid", fields, *CROSS_SITE)
        assert 'name="openid_identifier"' in page.body
        assert op.fetched == []

    async def test_what_makes_no_sense_is_refused(self) -> None:
        site = self.site(self.run_op(), shows_identifier=True)
        page = await site.get("/.sso/openid/openid?to=//evil.example/")
        assert page.status == 400
        assert (await site.wait("/.sso/openid/openid")).status == 401
        assert (await site.get("/.sso/openid/other")).status == 404

    async def test_a_provider_of_the_configuration_can_be_chosen(self) -> None:
        op = self.run_op()
        choices = {"Ours & theirs": op.op_identifier}
        site = self.site(op, shows_identifier=True, choices=choices)
        page = await site.get("/.sso/openid/openid")
        link = page.body.partition('<li><a href="')[2].partition('"')[0]
        away = await site.get(link)
        shown = await site.come_back_from(op, away.location)
        assert op.identity("alice") in shown.body

    async def test_nobody_begins_without_end(self) -> None:
        site = self.site(self.run_op(), shows_identifier=True)
        statuses = [(await site.get("/.sso/openid/openid")).status for _ in range(4)]
        assert statuses == [200, 200, 200, 429]


class _FromSite(HTTPFetcher):  # type: ignore[misc]
    """
    Fetches for a provider what a site answers to who has no cookies.

    Args:
        site: The site.
    """

    def __init__(self, site: OpenIdSite) -> None:
        self._site = site

    def fetch(
        self, url: str, body: None = None, headers: Mapping[str, str] | None = None
    ) -> HTTPResponse:
        """Fetch it."""
        assert body is None
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == "https://app.example.com"
        accept = f"Accept: {(headers or {}).get('Accept', '*/*')}".encode()
        seen: Any = blockingCallFromThread(reactor, self._ask, parts.path, accept)
        fields = dict(seen.headers)
        return HTTPResponse(url, seen.status, fields, seen.body.encode())

    async def _ask(self, path: str, accept: bytes) -> Seen:
        browser = self._site.browser
        kept, browser.cookies = browser.cookies, {}
        seen = await self._site.wait(path, accept)
        browser.cookies = kept
        return seen


class ReturnToTests(SiteCase):
    """A provider that looks up where answers may go, and sends none elsewhere."""

    async def _log_in(self, realm: str) -> tuple[list[bool | str], int]:
        """Give what it has found there, and how the login ends."""
        op = self.run_op(verifies=True)
        site = self.site(op, realm=realm)
        setDefaultFetcher(_FromSite(site), wrap_exceptions=False)
        self.addCleanup(setDefaultFetcher, None, wrap_exceptions=False)
        threads = ThreadPool(0, 1)
        threads.start()
        self.addCleanup(threads.stop)
        away = await site.leave(op.identity("alice"))
        place, _ = await deferToThreadPool(reactor, threads, op.look, away)
        return op.verified, (await site.bring(place)).status if place else 0

    async def test_our_own_place_is_a_realm_that_says_it(self) -> None:
        assert await self._log_in("/.sso/") == ([True], 303)

    async def test_a_realm_without_the_document_gets_no_answers(self) -> None:
        """There the login page is, as everywhere on this site."""
        ((problem,), status) = await self._log_in("/")
        assert str(problem).startswith("DiscoveryFailure")
        assert status == 0
