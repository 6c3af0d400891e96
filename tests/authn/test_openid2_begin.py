"""A browser is sent to the provider that an identifier names."""

from tests.support.openid2_login import FORM, SiteCase, asked


class BeginTests(SiteCase):
    """What is asked, and by whom."""

    async def test_what_a_provider_is_asked(self) -> None:
        op = self.run_op()
        site = self.site(op)
        fields = asked(await site.leave(op.identity("alice")))
        assert fields["openid.claimed_id"] == op.identity("alice")
        assert fields["openid.mode"] == "checkid_setup"
        assert fields["openid.realm"] == "https://app.example.com/"
        place, _, query = fields["openid.return_to"].partition("?login=")
        assert place == "https://app.example.com/.sso/callback/openid"
        assert f"__Host-sso-login-{query}" in site.browser.cookies

    async def test_what_nobody_can_log_in_with_is_asked_for_again(self) -> None:
        op = self.run_op()
        site = self.site(op)
        for typed, said in (
            ("=alice", "Names like =alice"),
            ("ftp://alice.example/", "Nothing could be found"),
            (f"{op.url}/nothing", "Nothing could be found"),
            ("http://127.0.0.1:1/", "gave no usable answer"),
        ):
            page = await site.type(await site.get("/"), typed)
            assert page.status == 400, typed
            assert said in page.body, typed

    async def test_everybody_may_be_sent_to_one_provider(self) -> None:
        op = self.run_op()
        site = self.site(op, provider=op.op_identifier)
        away = await site.get("/page")
        assert away.status == 303
        assert asked(away.location)["openid.identity"].endswith("identifier_select")

    async def test_a_form_of_the_application_may_name_identifier_and_target(
        self,
    ) -> None:
        op = self.run_op()
        site = self.site(op)
        fields = {"openid_identifier": op.identity("alice"), "to": "/welcome"}
        away = await site.post("/.sso/login", fields, *FORM)
        done = await site.come_back_from(op, away.location)
        assert done.location == "/welcome"
