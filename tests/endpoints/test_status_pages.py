"""The status page over real connections: who gets in, and what is posted."""

import re
from typing import Any, Final
from urllib.parse import urlencode

import treq
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.trial.unittest import TestCase
from twisted.web.http_headers import Headers

from sso_proxy.endpoints.admin import build_admin_site
from sso_proxy.endpoints.status_access import LINK_LIFE
from sso_proxy.testing.clock import SettableClock
from tests.support.status_document import NOW, busy_status

REACTOR: Any = running_reactor
SECRET: Final = "s" * 44


class FakeProxy:
    """Tells what a busy proxy would, and keeps what it is to do."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.missing: list[str] = []
        self.many = 1

    async def status(self) -> dict[str, Any]:
        return busy_status()

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        step: dict[str, Any] = {
            "phase": "require",
            "text": "scope:<b>",
            "outcome": "miss",
        }
        step |= {"decides": True, "parts": []}
        known: dict[str, Any] = {
            "id": "known-1",
            "status": 403,
            "reason": "scope",
            "time": "now",
        }
        known |= {"route": "orders", "note": "", "steps": [{**step, "parts": [step]}]}
        return known if id_ == "known-1" else None

    def configuration(self) -> dict[str, Any]:
        return {"server": {"name": "shown"}}

    async def log_levels(self, document: object) -> dict[str, Any]:
        return {"status": 200, "levels": [document]}

    async def sessions(self, document: object) -> dict[str, Any]:
        self.asked.append(document)
        if document == {"do": "end", "id": "gone"}:
            return {"status": 404, "problem": "there is no such session"}
        if isinstance(document, dict) and document["do"] == "end":
            return {"status": 200, "ended": ["web"], "missing": self.missing}
        known = {"in": "web", "id": "S1", "created": NOW, "used": None}
        found = [{**known, "created": NOW - number} for number in range(self.many)]
        return {"status": 200, "sessions": found, "missing": ["session.c: unknown"]}


class StatusPagesTests(TestCase):
    def setUp(self) -> None:
        self.proxy = FakeProxy()
        self.clock = SettableClock(NOW)
        proxy: Any = self.proxy
        site = build_admin_site(proxy, proxy, SECRET, REACTOR, self.clock)
        port = REACTOR.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.origin = f"http://127.0.0.1:{port.getHost().port}"

    async def ask(
        self, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> tuple[int, str, Headers]:
        response = await treq.request(
            method,
            self.origin + path,
            data=body.encode() or None,
            headers=Headers({k.replace("_", "-"): [v] for k, v in headers.items()}),
            persistent=False,
            allow_redirects=False,
            timeout=10,
        )
        return response.code, await response.text(), response.headers

    async def link(self) -> str:
        told = await self.ask("/status/link", "POST", authorization=f"Bearer {SECRET}")
        assert told[0] == 200
        found: str = re.findall(r'"path": "([^"]+)"', told[1])[0]
        return found

    async def enter(self) -> tuple[str, str]:
        """Give the place of the pages, and the cookie for it."""
        code, _, headers = await self.ask(await self.link(), sec_fetch_site="none")
        assert code == 303
        (cookie,) = headers.getRawHeaders("set-cookie", [])
        (place,) = headers.getRawHeaders("location", [])
        assert cookie.endswith(f"; Path={place}; HttpOnly; SameSite=Strict")
        return place, cookie.partition(";")[0]

    async def post(
        self, place: str, page: str, cookie: str, **fields: str
    ) -> tuple[int, str]:
        code, text, _ = await self.ask(
            place + page,
            "POST",
            urlencode(fields),
            cookie=cookie,
            origin=self.origin,
            content_type="application/x-www-form-urlencoded",
        )
        return code, text

    async def token(self, place: str, cookie: str) -> str:
        _, text, _ = await self.ask(place, cookie=cookie)
        found: str = re.findall(r'name="token" value="([^"]+)"', text)[0]
        return found

    async def test_a_link_is_for_programs_that_know_the_secret(self) -> None:
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Bearer {SECRET}", "sec_fetch_site": "none"},
            {"authorization": f"Bearer {SECRET}", "origin": self.origin},
        ):
            assert (await self.ask("/status/link", "POST", **headers))[0] in (401, 403)
        assert (await self.ask("/status/link"))[0] == 405

    async def test_a_link_is_followed_once_and_soon(self) -> None:
        link = await self.link()
        assert (await self.ask(link))[0] == 303
        code, text, _ = await self.ask(link)
        assert (code, "get another one" in text) == (403, True)
        link = await self.link()
        self.clock.advance(LINK_LIFE)
        assert (await self.ask(link))[0] == 403

    async def test_no_page_can_follow_a_link_for_somebody(self) -> None:
        link = await self.link()
        for site in ("cross-site", "same-site"):
            assert (await self.ask(link, sec_fetch_site=site))[0] == 403
        assert (await self.ask(link, host="evil.example"))[0] == 421
        assert (await self.ask(link, "HEAD"))[0] == 405
        assert (await self.ask(link))[0] == 303

    async def test_the_page_is_for_who_has_the_cookie(self) -> None:
        place, cookie = await self.enter()
        code, text, headers = await self.ask(place, cookie=cookie)
        assert code == 200
        assert "gateway-1.example.com" in text
        (policy,) = headers.getRawHeaders("content-security-policy", [])
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for wrong in ("", "sso-proxy-status=x", cookie[:-1]):
            code, text, _ = await self.ask(place, cookie=wrong)
            assert (code, "alice" in text) == (401, False)
        for other in ("/status/", "/status/x/", "/status/x", place[:-1] + "x/"):
            assert (await self.ask(other, cookie=cookie))[0] == 401

    async def test_other_pages_and_names_get_nothing(self) -> None:
        """Another server on this machine is of the same site, and not of our origin."""
        place, cookie = await self.enter()
        for headers, expected in (
            ({"sec_fetch_site": "same-site"}, 403),
            ({"sec_fetch_site": "cross-site"}, 403),
            ({"origin": "http://127.0.0.1:1"}, 403),
            ({"host": "evil.example"}, 421),
        ):
            code, text, answered = await self.ask(place, cookie=cookie, **headers)
            assert (code, "alice" in text) == (expected, False)
            assert not answered.hasHeader("access-control-allow-origin")

    async def test_names_of_users_are_text(self) -> None:
        place, cookie = await self.enter()
        _, text, _ = await self.ask(place, cookie=cookie)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)" in text

    async def test_style_and_script_are_files_of_ours(self) -> None:
        place, cookie = await self.enter()
        for name, kind in (
            ("status.css", "text/css"),
            ("status.js", "text/javascript"),
        ):
            code, _, headers = await self.ask(place + name, cookie=cookie)
            assert code == 200
            assert headers.getRawHeaders("content-type") == [f"{kind}; charset=utf-8"]
        assert (await self.ask(place + "status.html", cookie=cookie))[0] == 404

    async def test_a_session_is_revoked_by_our_own_form(self) -> None:
        place, cookie = await self.enter()
        token = await self.token(place, cookie)
        form = {"token": token, "id": "S01aXkq0cTq2mP1yQ9rVw"}
        code, question = await self.post(place, "revoke", cookie, **form)
        assert (code, self.proxy.asked) == (200, [])
        assert "The session of bob at wiki.example.com" in question
        assert re.findall(r"<dd>(.*)</dd>", question)[3:6] == [
            *("192.0.2.11", "2026-11-22 15:59:11 UTC, 52 s ago", "certificate")
        ]
        hidden = dict(
            re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', question)
        )
        assert (await self.post(place, "revoke", cookie, **hidden))[0] == 303
        assert self.proxy.asked == [{"do": "end", "id": form["id"]}]
        said = "The session of bob at wiki.example.com: revoked"
        _, text, _ = await self.ask(place + "live", cookie=cookie)
        assert said not in text, "a script has fetched it, and nobody has read it"
        _, text, _ = await self.ask(place, cookie=cookie)
        assert (
            f'<p class="notice ok" role="status" tabindex="-1" autofocus>{said}' in text
        )
        assert said not in (await self.ask(place, cookie=cookie))[1]

    async def test_what_could_not_be_revoked_is_said(self) -> None:
        place, cookie = await self.enter()
        token = await self.token(place, cookie)
        form = {"token": token, "id": "gone", "sure": "yes"}
        await self.post(place, "revoke", cookie, **form)
        text = (await self.ask(place, cookie=cookie))[1]
        assert re.search('class="notice refused"[^>]*>Nothing was revoked', text)
        self.proxy.missing = ["session.c: there is no cache"]
        await self.post(place, "revoke", cookie, **{**form, "id": "S1", "what": "<i>"})
        text = (await self.ask(place, cookie=cookie))[1]
        assert re.search(
            'class="notice failed"[^>]*>&lt;i&gt;: not revoked every', text
        )
        for some in ({}, {"issuer": "https://op.example"}, {"id": ""}):
            posted = await self.post(place, "revoke", cookie, token=token, **some)
            assert posted[0] == 400, some

    async def test_sessions_of_a_user_are_found_and_revoked(self) -> None:
        place, cookie = await self.enter()
        token = await self.token(place, cookie)
        user = {"issuer": "https://op.example", "subject": "<i>alice"}
        code, text = await self.post(place, "sessions", cookie, token=token, **user)
        assert code == 200
        assert "&lt;i&gt;alice" in text
        assert "session.c: unknown" in text
        _, question = await self.post(place, "revoke", cookie, token=token, **user)
        assert "All sessions of &lt;i&gt;alice" in question
        await self.post(place, "revoke", cookie, token=token, sure="yes", **user)
        assert self.proxy.asked == [{"do": "list", **user}, {"do": "end", **user}]

    async def test_of_very_many_sessions_the_newest_are_shown(self) -> None:
        place, cookie = await self.enter()
        form = {"token": await self.token(place, cookie), "issuer": "i"}
        self.proxy.many = 10_000
        _, text = await self.post(place, "sessions", cookie, subject="robot", **form)
        assert "10000 sessions; the newest 200 are shown" in text
        assert text.count('aria-label="Revoke the session') == 200

    async def test_sessions_are_looked_for_among_the_last_logins(self) -> None:
        place, cookie = await self.enter()
        query = "?find=wiki+CERTIFICATE&by=address"
        _, text, _ = await self.ask(place + query, cookie=cookie)
        assert re.findall('aria-label="Revoke the session of ([^"]*)"', text) == [
            "bob at wiki.example.com"
        ]
        query = "?find=%22%3E%3Cscript%3E%ff&find=b&by=%22%3E%3Cscript%3E"
        _, text, _ = await self.ask(place + query, cookie=cookie)
        assert "<script>" not in text
        query = "?find=%22%3E%3Cscript%3E%ff"
        _, text, _ = await self.ask(place + query, cookie=cookie)
        assert "<script>" not in text
        assert "None of the last 6 has this in it." in text

    async def test_forms_of_others_do_nothing(self) -> None:
        place, cookie = await self.enter()
        other_place, other_cookie = await self.enter()
        other = await self.token(other_place, other_cookie)
        token = await self.token(place, cookie)
        for given in (other, "", "é", token[:-1]):
            posted = await self.post(place, "revoke", cookie, token=given, id="S1")
            assert posted[0] == 403, given
        body, kind = f"token={token}&id=S1", "application/x-www-form-urlencoded"
        form = {"cookie": cookie, "content_type": kind, "origin": self.origin}
        for more in (
            {"origin": "http://127.0.0.1:1"},
            {"origin": "null"},
            {"sec_fetch_site": "same-site"},
            {"host": "evil.example"},
            {"cookie": other_cookie},
            {"content_type": "text/plain"},
        ):
            code, _, _ = await self.ask(
                place + "revoke", "POST", body, **{**form, **more}
            )
            assert code in (400, 401, 403, 421), more
        del form["origin"]
        assert (await self.ask(place + "revoke", "POST", body, **form))[0] == 403
        assert self.proxy.asked == []

    async def test_a_form_says_each_thing_once(self) -> None:
        place, cookie = await self.enter()
        token = await self.token(place, cookie)
        form = {
            "cookie": cookie,
            "origin": self.origin,
            "content_type": "application/x-www-form-urlencoded",
        }
        for body in (
            f"token={token}&id=S1&id=S2",
            f"token={token}&id=%ff",
            f"token={token}&id",
            f"token={token}&" + "&".join(f"a{n}=1" for n in range(20)),
            f"token={token}&id={'x' * 70000}",
        ):
            code, _, _ = await self.ask(place + "revoke", "POST", body, **form)
            assert code == 400, body[:60]
        assert self.proxy.asked == []

    async def test_a_refusal_is_shown_with_its_trace(self) -> None:
        place, cookie = await self.enter()
        code, text, _ = await self.ask(place + "explain/known-1", cookie=cookie)
        assert code == 200
        assert text.count("scope:&lt;b&gt;") == 2
        assert (await self.ask(place + "explain/other", cookie=cookie))[0] == 404
        assert (await self.ask(place + "explain/known-1"))[0] == 401

    async def test_who_leaves_has_to_get_a_new_link(self) -> None:
        place, cookie = await self.enter()
        token = await self.token(place, cookie)
        assert (await self.post(place, "leave", cookie, token=token))[0] == 200
        assert (await self.ask(place, cookie=cookie))[0] == 401

    async def test_other_methods_are_refused(self) -> None:
        place, cookie = await self.enter()
        for method in ("PUT", "DELETE", "OPTIONS"):
            assert (await self.ask(place, method, cookie=cookie))[0] == 405
