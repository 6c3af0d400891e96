"""What people with an OpenID find besides a login."""

from sso_proxy.specs.openid2.names import RETURN_TO, XRDS
from tests.support.openid2_login import SiteCase


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
