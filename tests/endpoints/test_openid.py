"""What people with an OpenID find besides a login."""

from sso_proxy.specs.openid2.names import RETURN_TO, XRDS
from tests.support.openid2_login import CROSS_SITE, SiteCase


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
