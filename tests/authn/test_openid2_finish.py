"""What a browser brings back is not believed before it is proved."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.support.openid2_login import CALLBACK, FORM, SiteCase


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
