"""What mappers are asked when somebody logs in with an OpenID."""

from typing import Any

from twisted.internet import reactor as installed  # noqa: TID251
from zope.interface import implementer

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IUserMapper
from sso_proxy.model import DECLINED, REFUSED, Identity, MapperVerdict, UserName
from sso_proxy.net.http_client import HttpClient
from tests.support.openid2_login import OPTIONS, OpenIdSite, SiteCase
from tests.support.openid2_op import OpenIdProvider

reactor: Any = installed


@implementer(IUserMapper)
class Own:
    """
    A mapper that somebody else has written.

    Attributes:
        seen: Whom it was asked about.
        answer: What it says to all.
    """

    def __init__(self) -> None:
        self.seen: list[Identity] = []
        self.answer: UserName | MapperVerdict | Exception = UserName("alice")

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Say who it is."""
        self.seen.append(identity)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class OwnSite(OpenIdSite):
    """A site with such a mapper."""

    def make_mapper(self) -> IUserMapper:
        """Make it."""
        self.mapper = Own()
        return self.mapper


class MapperTests(SiteCase):
    """What mappers are asked, and what comes of their answers."""

    def open(self) -> tuple[OpenIdProvider, OwnSite]:
        client = HttpClient(reactor, OutboundConfig())
        self.addCleanup(client.close)
        op = self.run_op(fragment="#2", local_ids=True)
        return op, OwnSite(client, {}, OPTIONS)

    async def test_a_mapper_sees_the_whole_identifier_and_the_provider(self) -> None:
        op, site = self.open()
        assert (await site.enter(op, op.op_identifier)).status == 303
        (identity,) = site.mapper.seen
        assert (identity.issuer, identity.authenticator) == ("openid2", "openid")
        assert identity.subject == op.identity("alice") + "#2"
        assert identity.claims == {
            "op_endpoint": op.op_endpoint,
            "op_local_id": op.local_id("alice"),
        }

    async def test_nobody_gets_in_whom_a_mapper_does_not_name(self) -> None:
        op, site = self.open()
        for answer in (DECLINED, REFUSED, UserName("no\nname"), UserName("")):
            site.mapper.answer = answer
            page = await site.enter(op, op.op_identifier)
            assert (page.status, site.reason) == (403, "openid-unmapped")
        assert "__Host-sso" not in site.browser.cookies

    async def test_a_mapper_that_is_down_lets_nobody_in(self) -> None:
        op, site = self.open()
        site.mapper.answer = UnavailableError("the directory of this test")
        assert (await site.enter(op, op.op_identifier)).status == 503
        assert "__Host-sso" not in site.browser.cookies
