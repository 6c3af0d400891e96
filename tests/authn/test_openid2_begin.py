"""A browser is sent to the provider that an identifier names."""

import attrs

from sso_proxy.login import Wanted, Wishes
from sso_proxy.mappers.static import StaticMapper, StaticMapperConfig
from sso_proxy.specs.openid2.request import MAX_URL
from tests.support.openid2_login import FORM, SiteCase, asked, forms_of

LONG = "a" * 900


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

    async def test_who_wanted_no_page_goes_to_the_start_page(self) -> None:
        op = self.run_op()
        site = self.site(op, start_page="/welcome")
        for path, target in (
            ("/.sso/login", "/welcome"),
            ("/.sso/login?to=/", "/"),
            ("/", "/"),
        ):
            site.browser.cookies.clear()
            done = await site.enter(op, op.identity("alice"), path)
            assert done.location == target, path

    async def test_a_provider_may_be_told_to_show_nothing(self) -> None:
        op = self.run_op(user="")
        site = self.site(op, immediate=True)
        away = await site.leave(op.identity("alice"))
        assert asked(away)["openid.mode"] == "checkid_immediate"
        page = await site.come_back_from(op, away)
        assert page.status == 403
        assert "must not ask" in self.said()

    async def test_a_route_may_ask_for_a_silent_login(self) -> None:
        op = self.run_op()
        site = self.site(op)
        request = attrs.evolve(site.browser.request(), sessions=site.store)
        wanted = Wanted(
            target="/",
            account=op.identity("alice"),
            wishes=Wishes(prompt=("none",)),
        )
        away = await site.logins["openid"].begin(request, wanted)
        assert "checkid_immediate" in dict(away.headers)["location"]

    async def test_what_the_protocol_has_no_words_for_is_not_asked_for(self) -> None:
        """Another login would end like the one before, again and again."""
        site = self.site(self.run_op())
        for more in ("acr=mfa", "age=60"):
            assert (await site.get(f"/.sso/login?{more}")).status == 403

    async def test_only_providers_of_the_list_log_people_in(self) -> None:
        ours, other = self.run_op(), self.run_op()
        site = self.site(ours, providers=(ours.op_endpoint,))
        assert (await site.enter(ours, ours.identity("alice"))).status == 303
        site.browser.cookies.clear()
        page = await site.type(await site.get("/"), other.identity("alice"))
        assert page.status == 400
        assert "Your provider is none of those" in page.body

    async def test_a_provider_of_the_configuration_is_asked_as_often_as_need_be(
        self,
    ) -> None:
        """Many people behind one address log in at nine o'clock."""
        op = self.run_op()
        site = self.site(op, provider=op.op_identifier, lookups_per_address=1)
        assert [(await site.get("/page")).status for _ in range(3)] == [303] * 3

    async def test_a_provider_that_is_down_is_said_to_be(self) -> None:
        op = self.run_op()
        site = self.site(op, provider="http://127.0.0.1:1/")
        assert (await site.get("/page")).status == 503
        other = self.site(op, provider=f"{op.url}/nothing")
        assert (await other.get("/page")).status == 502

    async def test_who_may_only_choose_cannot_type(self) -> None:
        ours, other = self.run_op(), self.run_op()
        choices = {"Ours": ours.op_identifier}
        site = self.site(ours, choices=choices, typed=False)
        page = await site.get("/")
        assert 'name="openid_identifier"' not in page.body
        fields = {"openid_identifier": other.identity("alice")}
        assert "Ours" in (await site.post("/.sso/login", fields, *FORM)).body
        assert other.fetched == []
        assert (await site.get(f"/.sso/login?iss={other.op_identifier}")).status == 400

    async def test_all_together_may_only_type_so_much(self) -> None:
        op = self.run_op()
        site = self.site(op, lookups_per_minute=2)
        pages = [
            (await site.type(await site.get("/"), op.identity(user))).status
            for user in "abc"
        ]
        assert pages == [303, 303, 429]

    async def test_an_answer_that_another_site_posts_finds_its_login(self) -> None:
        op = self.run_op()
        site = self.site(op)
        away = await site.type(await site.get("/"), op.identity("alice"))
        (cookie,) = [value for name, value in away.headers if name == "set-cookie"]
        assert "SameSite=None" in cookie


class LongRequestTests(SiteCase):
    """What is too long for a URL is posted, by a page of ours (section 5.2.1)."""

    async def test_who_has_a_long_identifier_logs_in(self) -> None:
        op = self.run_op(user=LONG)
        users = {op.identity(LONG): "alice"}
        named = StaticMapper(StaticMapperConfig(users=users))
        site = self.site(op, users, scene={"mappers": (named,)})
        page = await site.type(await site.get("/page?x=1"), op.identity(LONG))
        assert page.status == 200
        (form,) = forms_of(page.body)
        assert (form.action, form.method) == (op.op_endpoint, "POST")
        assert form.fields["openid.claimed_id"] == op.identity(LONG)
        assert '<button type="submit">Continue</button>' in page.body
        policy = dict(page.headers)["content-security-policy"]
        assert "form-action 'self' http: https:;" in policy
        assert dict(page.headers)["cache-control"] == "no-store"
        done = await site.hand_over(op, page)
        assert (done.status, done.location) == (303, "/page?x=1")
        assert (await site.get("/page?x=1")).status == 200
        assert site.user == "alice"

    async def test_a_url_that_everybody_takes_is_no_form(self) -> None:
        op = self.run_op()
        site = self.site(op)
        page = await site.type(await site.get("/"), op.identity("a"))
        # It stands there twice, and ports and names of logins are always as long.
        room = (MAX_URL - len(page.location)) // 2
        page = await site.type(await site.get("/"), op.identity("a" * (room + 1)))
        assert page.status == 303
        assert MAX_URL - 2 < len(page.location) <= MAX_URL
        page = await site.type(await site.get("/"), op.identity("a" * (room + 2)))
        assert page.status == 200

    async def test_who_logs_in_anew_does_not_go_on_as_who_was_here_before(
        self,
    ) -> None:
        op = self.run_op()
        site = self.site(op)
        await site.enter(op, op.identity("alice"))
        assert (await site.get("/")).status == 200
        page = await site.type(await site.get("/.sso/login"), op.identity(LONG))
        assert forms_of(page.body)[0].action == op.op_endpoint
        assert 'name="openid_identifier"' in (await site.get("/")).body

    async def test_somebody_with_a_long_identifier_is_told_which_it_is(self) -> None:
        op = self.run_op(user=LONG)
        site = self.site(op, {}, shows_identifier=True)
        asks = await site.get("/.sso/openid/openid")
        shown = await site.hand_over(op, await site.type(asks, op.identity(LONG)))
        assert shown.status == 200
        assert op.identity(LONG) in shown.body
