"""What a browser brings back is not believed before it is proved."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

import attrs

from sso_proxy.errors import UnavailableError
from sso_proxy.specs.openid2.names import NS
from tests.support.openid2_login import CALLBACK, FORM, SiteCase, asked


def _changed(place: str, **changes: str | None) -> str:
    """Give *place* with other parameters; None takes one away."""
    where, _, query = place.partition("?")
    fields: dict[str, str | None] = {**dict(parse_qsl(query)), **changes}
    kept = {name: value for name, value in fields.items() if value is not None}
    return f"{where}?{urlencode(kept)}"


class FinishTests(SiteCase):
    """Attacks, and what else can come back."""

    async def _refused(self, site: Any, place: str, status: int = 403) -> None:  # noqa: ANN401
        answer = await site.bring(place)
        assert answer.status == status, answer
        asks = await site.get("/")
        assert 'name="openid_identifier"' in asks.body, "somebody is logged in"

    async def test_an_answer_that_nobody_asked_for_logs_nobody_in(self) -> None:
        """Login CSRF: whoever follows the link would go on as the attacker."""
        op = self.run_op()
        attacker, victim = self.site(op), self.site(op)
        place = op.visit(await attacker.leave(op.identity("alice")))
        await self._refused(victim, place, 400)

    async def test_an_answer_logs_in_once(self) -> None:
        op = self.run_op()
        site = self.site(op)
        away = await site.leave(op.identity("alice"))
        before = dict(site.browser.cookies)
        place = op.visit(away)
        assert (await site.bring(place)).status == 303
        site.browser.cookies = before
        await self._refused(site, place)

    async def test_an_identifier_of_nobody_here_gets_no_session(self) -> None:
        op = self.run_op()
        site = self.site(op, {"https://somebody.else.example/": "alice"})
        page = await site.enter(op, op.identity("alice"))
        assert page.status == 403
        assert op.identity("alice") in page.body
        assert "__Host-sso" not in site.browser.cookies

    async def test_an_answer_may_be_posted(self) -> None:
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        fields = dict(parse_qsl(place.partition("?")[2]))
        login = fields.pop("login")
        lines = (*FORM[:3], FORM[-1], b"Sec-Fetch-Site: cross-site")
        done = await site.post(f"{CALLBACK}?login={login}", fields, *lines)
        assert (done.status, done.location) == (303, "/page?x=1")

    async def test_who_cancels_is_told_so_and_may_try_again(self) -> None:
        op = self.run_op()
        site = self.site(op)
        for mode, status in (("cancel", 403), ("setup_needed", 403), ("error", 502)):
            back = asked(await site.leave(op.identity("alice")))["openid.return_to"]
            said = {"openid.ns": NS, "openid.mode": mode, "openid.error": "no"}
            page = await site.bring(f"{back}&{urlencode(said)}")
            assert page.status == status
            assert 'href="/page?x=1"' in page.body

    async def test_a_provider_that_has_lost_its_secrets_is_asked(self) -> None:
        op = self.run_op()
        site = self.site(op)
        away = await site.leave(op.identity("alice"))
        op.forget()
        assert (await site.come_back_from(op, away)).status == 303
        assert op.modes()[-1] == "check_authentication"

    async def test_two_logins_of_one_browser_both_end(self) -> None:
        op = self.run_op()
        site = self.site(op)
        first = await site.leave(op.identity("alice"), "/first")
        second = await site.leave(op.identity("alice"), "/second")
        assert (await site.come_back_from(op, second)).location == "/second"
        assert (await site.come_back_from(op, first)).location == "/first"

    async def test_who_comes_back_to_an_answer_goes_on(self) -> None:
        """The Back button."""
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        await site.bring(place)
        again = await site.bring(place)
        assert (again.status, again.location) == (303, "/page?x=1")

    async def test_answers_are_not_checked_without_end(self) -> None:
        op = self.run_op()
        site = self.site(op, lookups_per_address=2)
        place = op.visit(await site.leave(op.identity("alice")))
        forged = _changed(place, **{"openid.sig": "AAAA"})
        before, statuses = dict(site.browser.cookies), []
        for _ in range(3):
            site.browser.cookies = dict(before)
            statuses.append((await site.bring(forged)).status)
        assert statuses == [403, 429, 429]

    async def test_where_it_began_it_has_to_end(self) -> None:
        """Another origin of ours is another site to the provider."""
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        there = place.replace("/callback/openid", "/callback/openid%2e")
        assert (await site.bring(there)).status == 404

    async def test_a_mapper_that_fails_lets_nobody_in(self) -> None:
        class Broken:
            async def map_user(self, identity: object) -> None:
                del identity
                raise UnavailableError("the directory")

        op = self.run_op()
        site = self.site(op)
        parts: Any = site.logins["openid"]._parts  # noqa: SLF001
        object.__setattr__(parts, "mappers", (Broken(),))
        await self._refused(site, op.visit(await site.leave(op.op_identifier)), 503)

    async def test_an_answer_arrives_where_it_was_sent(self) -> None:
        """Cookies go to all ports of a host, and so would an answer to another one."""
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        request = site.browser.request()
        head = attrs.evolve(
            request.head, path=CALLBACK, query=place.partition("?")[2], port=8443
        )
        request = attrs.evolve(request, head=head, sessions=site.store)
        refused = await site.logins["openid"].finish(request)
        assert refused.status == 403
        assert "openid-return-to: " in self.said()

    async def test_a_login_that_another_authenticator_began_is_none_here(self) -> None:
        """Whose mappers are others."""
        op = self.run_op()
        site = self.site(op)
        away = await site.leave(op.identity("alice"))
        back = asked(away)["openid.return_to"]
        logins, request = site.store.logins, site.browser.request()
        kept, _ = logins.take(request, back.partition("login=")[2])
        assert kept is not None
        login, headers = logins.begin(request, {**kept, "by": "other"})
        site.browser.take(headers)
        other = {"openid.return_to": f"{back.partition('?')[0]}?login={login}"}
        await self._refused(site, op.visit(_changed(away, **other)), 400)
