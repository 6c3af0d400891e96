"""Answers of OpenID 2.0 that somebody else, or nobody, has given."""

import ast
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from sso_proxy.specs.openid2.names import NS
from tests.support.openid2_login import CROSS_SITE, OpenIdSite, SiteCase

TESTS = Path(__file__).parent.parent
HERE = "attacks/test_openid_attacked.py::"
PAGES = "attacks/test_openid_pages_attacked.py::"
FINISH = "authn/test_openid2_finish.py::"
FETCH = "net/test_openid2_fetch.py::"
SPEC = "specs/openid2/"

TABLE = {
    "an identifier that the provider may not speak for": (
        HERE + "test_a_provider_speaks_for_nobody_who_does_not_name_it",
        HERE + "test_a_provider_speaks_only_for_who_was_asked_about",
    ),
    "the association of another provider": (
        HERE + "test_a_secret_of_one_provider_is_none_of_another",
    ),
    "an answer that was given to another site": (
        HERE + "test_an_answer_to_another_site_is_none_to_us",
    ),
    "an answer of another provider than where the login began": (
        HERE + "test_another_provider_answers_nothing",
    ),
    "a document and a page that say different things": (
        PAGES + "test_a_page_and_its_document_are_not_mixed",
        PAGES + "test_a_document_that_is_gone_is_not_replaced_by_the_page",
        FETCH + "test_a_document_that_was_named_is_not_replaced_by_links",
        FETCH + "test_a_document_goes_before_the_links_of_its_page",
    ),
    "what others write on somebody's page": (
        PAGES + "test_what_others_write_on_a_page_is_no_provider",
    ),
    "a login that another browser has begun": (
        PAGES + "test_a_login_is_finished_by_the_browser_that_began_it",
        PAGES + "test_a_login_that_one_began_is_none_of_anothers",
    ),
    "fields that are not signed": (
        HERE + "test_what_is_not_signed_is_not_believed",
        HERE + "test_what_is_changed_behind_the_signature_is_noticed",
    ),
    "the same answer again": (
        FINISH + "test_an_answer_logs_in_once",
        PAGES + "test_a_login_is_finished_once",
    ),
    "a parameter that stands twice": (
        HERE + "test_a_parameter_that_stands_twice_is_refused",
    ),
    "a document with entities": (HERE + "test_a_document_with_entities_is_none",),
    "our own network, by what is typed, a redirect or a name": (
        HERE + "test_nobody_leads_us_into_our_own_network",
        PAGES + "test_a_page_leads_nobody_into_our_network",
        PAGES + "test_a_name_that_changes_leads_nobody_into_our_network",
        FETCH + "test_a_redirect_into_our_network_leads_nowhere",
        FETCH + "test_a_name_that_changes_leads_nowhere_else",
    ),
    "an answer that nobody asked for": (
        FINISH + "test_an_answer_that_nobody_asked_for_logs_nobody_in",
        HERE + "test_an_answer_without_a_login_is_none",
    ),
    "a form of another site that logs somebody in": (
        HERE + "test_what_another_site_posts_is_not_typed",
    ),
    "an identifier that has another owner now": (
        HERE + "test_the_next_owner_of_an_identifier_is_somebody_else",
    ),
    "an identifier or a provider without TLS": (
        FETCH + "test_nothing_leads_from_https_to_http",
        FETCH + "test_only_https_counts_where_that_is_said",
    ),
    "looking things up, all day long": (
        HERE + "test_nobody_has_us_look_up_more_than_a_few_identifiers",
    ),
}


@pytest.mark.parametrize("attack", TABLE)
def test_a_row_names_tests_that_exist(attack: str) -> None:
    for test in TABLE[attack]:
        file, _, name = test.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        found = {getattr(node, "name", "") for node in ast.walk(tree)}
        assert name in found, test


def changed(place: str, *fields: tuple[str, str], **changes: str) -> str:
    """Give *place* with other parameters, and *fields* behind them."""
    where, _, query = place.partition("?")
    given = {**dict(parse_qsl(query)), **changes}
    return f"{where}?{urlencode([*given.items(), *fields])}"


class OpenIdAttackTests(SiteCase):
    """Everybody knows the victim's identifier, and has a provider."""

    async def nobody(
        self, site: OpenIdSite, place: str, why: str, status: int = 403
    ) -> None:
        """Check that *place* logs nobody in, and that the log says why."""
        before = len(site.scene.backend.asked)
        answer = await site.bring(place)
        assert answer.status == status, answer
        assert why in self.said(), self.lines
        asks = await site.get("/")
        assert 'name="openid_identifier"' in asks.body, "somebody is logged in"
        assert len(site.scene.backend.asked) == before

    async def test_a_provider_speaks_for_nobody_who_does_not_name_it(self) -> None:
        """ID spoofing: the attacker's own provider says that they are the victim."""
        theirs, evil = self.run_op(), self.run_op()
        site = self.site(theirs)
        away = await site.leave(evil.op_identifier)
        evil.switches.claims = theirs.identity("alice")
        await self.nobody(site, evil.visit(away), "openid-discovery: ")

    async def test_a_provider_speaks_only_for_who_was_asked_about(self) -> None:
        """The same, though a login of somebody named was begun."""
        theirs, evil = self.run_op(), self.run_op()
        site = self.site(theirs)
        away = await site.leave(evil.identity("mallory"))
        evil.switches.user = "mallory"
        evil.switches.claims = theirs.identity("alice")
        await self.nobody(site, evil.visit(away), "openid-discovery: ")

    async def test_a_secret_of_one_provider_is_none_of_another(self) -> None:
        """Key confusion: their handle, and the victim's provider as the speaker."""
        theirs, evil = self.run_op(), self.run_op(claims="x")
        site = self.site(theirs)
        known = dict(parse_qsl((await site.leave(evil.op_identifier)).split("?")[1]))
        away = await site.leave(theirs.identity("alice"))

        def forge(fields: Any) -> None:  # noqa: ANN401
            fields.setArg(NS, "op_endpoint", theirs.op_endpoint)

        evil.switches.claims = theirs.identity("alice")
        evil.switches.before_signing = forge
        asked = away.replace(theirs.op_endpoint, evil.op_endpoint)
        handle = {"openid.assoc_handle": known["openid.assoc_handle"]}
        place = evil.visit(changed(asked, **handle))
        assert known["openid.assoc_handle"] in dict(parse_qsl(place)).values()
        await self.nobody(site, place, "openid-signature: ")

    async def test_an_answer_to_another_site_is_none_to_us(self) -> None:
        """Token recipient confusion: the victim logs in at the attacker's site."""
        op = self.run_op()
        site = self.site(op)
        away = await site.leave(op.identity("alice"))
        back = dict(parse_qsl(away.partition("?")[2]))["openid.return_to"]
        elsewhere = back.replace("app.example.com", "evil.example")
        told = {
            "openid.return_to": elsewhere,
            "openid.realm": "https://evil.example/",
        }
        place = op.visit(changed(away, **told))
        assert place.startswith("https://evil.example/")
        await self.nobody(
            site,
            place.replace("evil.example", "app.example.com", 1),
            "openid-return-to: ",
        )

    async def test_another_provider_answers_nothing(self) -> None:
        """Where people may only choose, nobody brings a provider of their own."""
        ours, other = self.run_op(), self.run_op()
        users = {other.identity("alice"): "alice"}
        site = self.site(ours, users, choices={"Ours": ours.op_identifier}, typed=False)
        page = await site.get("/")
        link = page.body.partition('<li><a href="')[2].partition('"')[0]
        away = (await site.get(link.replace("&amp;", "&"))).location
        asked = away.replace(ours.op_endpoint, other.op_endpoint)
        handle = {"openid.assoc_handle": ""}
        place = other.visit(changed(asked, **handle))
        assert (await site.bring(place)).status == 403
        assert "openid-provider: " in self.said()

    async def test_what_is_not_signed_is_not_believed(self) -> None:
        op = self.run_op()
        site = self.site(op)
        for missing in ("claimed_id", "return_to", "op_endpoint", "response_nonce"):

            def forget(fields: Any, name: str = missing) -> None:  # noqa: ANN401
                names = fields.getArg(NS, "signed").split(",")
                names.remove(name)
                fields.setArg(NS, "signed", ",".join(names))

            op.switches.after_signing = forget
            place = op.visit(await site.leave(op.identity("alice")))
            await self.nobody(site, place, "openid-unsigned: ")

    async def test_what_is_changed_behind_the_signature_is_noticed(self) -> None:
        op = self.run_op(user="bob")
        site = self.site(op)
        place = op.visit(await site.leave(op.op_identifier))
        alice = op.identity("alice")
        forged = {"openid.claimed_id": alice, "openid.identity": alice}
        await self.nobody(site, changed(place, **forged), "openid-")

    async def test_a_parameter_that_stands_twice_is_refused(self) -> None:
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        twice = ("openid.claimed_id", op.identity("bob"))
        await self.nobody(site, changed(place, twice), "there twice", 400)
        await self.nobody(site, changed(place, ("login", "x")), "no state", 400)
        await self.nobody(site, changed(place, ("more", "x")), "openid-return-to: ")

    async def test_a_document_with_entities_is_none(self) -> None:
        op = self.run_op(found="itself")
        site = self.site(op)
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
        kind: Any = op.RequestHandlerClass
        show = kind._send  # noqa: SLF001

        def send(handler: Any, status: int, text: str, headers: Any = None) -> None:  # noqa: ANN401
            show(
                handler,
                status,
                text.replace("<xrds:XRDS", f"{bomb}<xrds:XRDS", 1),
                headers,
            )

        self.patch(kind, "_send", send)
        page = await site.type(await site.get("/"), op.identity("alice"))
        assert page.status == 400

    async def test_nobody_leads_us_into_our_own_network(self) -> None:
        op = self.run_op()
        site = self.site(op, networks=())
        for typed in (op.identity("alice"), op.url.replace("127.0.0.1", "localhost")):
            page = await site.type(await site.get("/"), typed)
            assert page.status == 400
        assert op.fetched == []

    async def test_an_answer_without_a_login_is_none(self) -> None:
        op = self.run_op()
        site = self.site(op)
        place = op.visit(await site.leave(op.identity("alice")))
        where, _, query = place.partition("?")
        rest = [each for each in parse_qsl(query) if each[0] != "login"]
        await self.nobody(site, f"{where}?{urlencode(rest)}", "no state", 400)

    async def test_what_another_site_posts_is_not_typed(self) -> None:
        """Login CSRF: the victim would go on as the attacker, and notice nothing."""
        op = self.run_op()
        site = self.site(op)
        fields = {"openid_identifier": op.identity("alice")}
        page = await site.post("/.sso/login", fields, *CROSS_SITE)
        assert 'name="openid_identifier"' in page.body
        query = await site.wait(f"/.sso/login?{urlencode(fields)}", *CROSS_SITE[:4])
        assert 'name="openid_identifier"' in query.body
        assert op.fetched == []

    async def test_the_next_owner_of_an_identifier_is_somebody_else(self) -> None:
        op = self.run_op(fragment="#2")
        site = self.site(op)
        page = await site.enter(op, op.op_identifier)
        assert page.status == 403
        assert op.identity("alice") + "#2" in page.body

    async def test_nobody_has_us_look_up_more_than_a_few_identifiers(self) -> None:
        op = self.run_op()
        site = self.site(op, lookups_per_address=3)
        statuses = []
        for user in "abcde":
            away = await site.type(await site.get("/"), op.identity(user))
            statuses.append(away.status)
        assert statuses == [303, 303, 303, 429, 429]
        assert len(op.fetched) == 6  # a page and a document each
