"""Providers share secrets with us, and say whether an answer is theirs."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest
from twisted.internet import defer

from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpReply, NoReplyError
from sso_proxy.net.no_reply import Trouble
from sso_proxy.net.openid2_provider import (
    LEAST_LEFT,
    NEEDS,
    NONCES,
    RETRY_AFTER,
)
from sso_proxy.specs.openid2.association import OFFERS, read_offer
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.specs.openid2.message import read_message
from sso_proxy.specs.openid2.names import NS, XRDS
from sso_proxy.specs.openid2.realm import build_return_to_document
from sso_proxy.specs.openid2.request import build_request, request_url
from sso_proxy.testing.fakes import FakeTools
from tests.support.openid2_op import KINDS
from tests.support.openid2_scene import PKI, Said, Scene


class LoginTests(Scene):
    """Logins at a provider built on python3-openid."""

    async def test_somebody_logs_in_with_each_kind_of_association(self) -> None:
        """Over https all of them; over http those that hide the secret."""
        for pki in (PKI, None):
            op = self.run_op(pki)
            for kind in KINDS:
                if pki is None and kind.endswith("no-encryption"):
                    continue
                self.cache = FakeTools().cache(None, NEEDS)
                providers = self.make(offers=[read_offer(kind)])
                op.asked.clear()
                assertion, _ = await self.log_in(op, providers, op.identity("alice"))
                assert assertion.claimed_id == op.identity("alice")
                assert op.modes() == ["associate", "checkid_setup"]
                assert op.asked[1]["openid.assoc_handle"] == assertion.handle

    async def test_somebody_logs_in_without_an_association(self) -> None:
        op = self.run_op()
        providers = self.make(offers=())
        assertion, _ = await self.log_in(op, providers, op.identity("alice"))
        assert assertion.claimed_id == op.identity("alice")
        assert op.modes() == ["checkid_setup", "check_authentication"]

    async def test_somebody_is_chosen_at_the_provider(self) -> None:
        """Who it is, is discovered then."""
        for switches in ({}, {"local_ids": True}, {"fragment": "#2"}):
            op = self.run_op(user="bob", **switches)
            assertion, found = await self.log_in(op, self.make(), op.op_identifier)
            fragment = switches.get("fragment", "")
            assert assertion.claimed_id == f"{op.identity('bob')}{fragment}"
            assert isinstance(found, Discovered)

    async def test_somebody_has_another_name_at_the_provider(self) -> None:
        op = self.run_op(local_ids=True, found="html")
        assertion, _ = await self.log_in(op, self.make(), op.identity("alice"))
        assert assertion.identity == op.local_id("alice") != assertion.claimed_id

    async def test_who_is_not_logged_in_is_not_asked_at_once(self) -> None:
        op = self.run_op(user="")
        providers = self.make()
        _, url = await self.begin(providers, op.identity("alice"), immediate=True)
        assert self.bring(op.visit(url)).mode == "setup_needed"
        op.switches.user = "alice"
        assert self.bring(op.visit(url)).mode == "id_res"

    async def test_a_long_answer_is_posted(self) -> None:
        """Through a form, which has no query of ours in it."""
        op = self.run_op(pki=PKI)
        assertion, _ = await self.log_in(op, self.make(), op.identity("alice"))
        fields = assertion.message.fields
        text = "&".join(f"openid.{name}={_quoted(fields[name])}" for name in fields)
        again = read_message("login=abc", f"{text}&submit=Continue")
        assert self.read(again) == attrs.evolve(assertion, message=again)

    async def test_an_association_is_used_again(self) -> None:
        """By other processes, too: it is in the cache."""
        op = self.run_op()
        for _ in range(2):
            await self.log_in(op, self.make(), op.identity("alice"))
        assert op.modes().count("associate") == 1
        assert "check_authentication" not in op.modes()

    async def test_one_association_is_asked_for_at_a_time(self) -> None:
        op = self.run_op()
        providers = self.make()
        asked = [
            defer.Deferred.fromCoroutine(providers.associate(op.op_endpoint))
            for _ in range(5)
        ]
        first, *others = await defer.gatherResults(asked)
        assert first is not None
        assert all(other == first for other in others)
        assert op.modes() == ["associate"]

    async def test_exponents_are_raised_beside_the_reactor(self) -> None:
        op = self.run_op()
        await self.make().associate(op.op_endpoint)
        assert len(self.threads.seen) == 2
        assert threading.get_ident() not in self.threads.seen

    async def test_an_association_that_the_provider_has_lost_is_forgotten(self) -> None:
        """It then signs with one of its own, and says which it does not know."""
        op = self.run_op()
        providers = self.make()
        first, _ = await self.log_in(op, providers, op.identity("alice"))
        op.forget()
        second, _ = await self.log_in(op, providers, op.identity("alice"))
        assert second.invalidate_handle == first.handle
        assert op.modes()[-1] == "check_authentication"
        await self.log_in(op, providers, op.identity("alice"))
        assert op.modes()[-2:] == ["associate", "checkid_setup"]

    async def test_a_provider_may_know_one_kind_alone(self) -> None:
        """It says so, and which."""
        op = self.run_op(kinds=("HMAC-SHA1/DH-SHA1",))
        made = await self.make().associate(op.op_endpoint)
        assert made is not None
        assert made.kind == "HMAC-SHA1"
        assert op.modes() == ["associate", "associate"]

    async def test_a_provider_may_make_no_association(self) -> None:
        """Then it is asked about its answers, and not again at each login."""
        for switches, most in (({"kinds": ()}, 2), ({"refuses": True}, 1)):
            op = self.run_op(**switches)
            providers = self.make()
            await self.log_in(op, providers, op.identity("alice"))
            await self.log_in(op, providers, op.identity("alice"))
            assert op.modes().count("associate") == most
            assert op.modes().count("check_authentication") == 2
            self.clock.advance(RETRY_AFTER + 1)
            op.switches.kinds, op.switches.refuses = KINDS, False
            assert await providers.associate(op.op_endpoint) is not None


class Document(BaseHTTPRequestHandler):
    """Says where answers may go: below the path that its server has."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        server: Any = self.server
        place = f"http://127.0.0.1:{server.server_port}/"
        body = build_return_to_document(f"{place}{server.allowed}")
        self.send_response(200)
        self.send_header("Content-Type", XRDS)
        self.end_headers()
        self.wfile.write(body)


class RealmTests(Scene):
    """A provider that looks up where answers may go (section 9.2.1)."""

    async def test_answers_may_go_where_our_document_says(self) -> None:
        """And nowhere else, as another implementation reads it."""
        op = self.run_op(verifies=True)
        endpoint = Endpoint(op_endpoint=op.op_endpoint, select=True)
        server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Document)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        realm = f"http://127.0.0.1:{server.server_port}/"
        for server.allowed in ("callback/openid", "callback/other"):
            place = f"{realm}callback/openid?login=a"
            fields = build_request(endpoint, return_to=place, realm=realm)
            op.look(request_url(op.op_endpoint, fields))
        assert op.verified == [True, False]


OP = "https://op.example/login"


def refusal(**fields: str) -> HttpReply:
    lines = {"ns": NS, "error": "no", "error_code": "unsupported-type", **fields}
    body = "".join(f"{name}:{value}\n" for name, value in lines.items())
    return HttpReply(status=200, body=body.encode())


def given(life: int) -> HttpReply:
    lines = {
        "ns": NS,
        "assoc_handle": "h",
        "assoc_type": "HMAC-SHA256",
        "session_type": "no-encryption",
        "expires_in": life,
        "mac_key": "A" * 43 + "=",
    }
    body = "".join(f"{name}:{value}\n" for name, value in lines.items())
    return HttpReply(status=200, body=body.encode())


NOBODY = NoReplyError("nobody", problem="nobody", trouble=Trouble.TIMEOUT)
PLAIN = [read_offer("HMAC-SHA256/no-encryption")]


class NegotiationTests(Scene):
    """Providers that say odd things."""

    def kinds(self, said: Said) -> list[str]:
        return [
            f"{each['openid.assoc_type']}/{each['openid.session_type']}"
            for each in said.asked
        ]

    async def test_an_illegal_suggestion_leads_to_the_next_kind(self) -> None:
        """Net::OpenID::Server makes it, with 200 and without a mode."""
        odd = refusal(assoc_type="HMAC-SHA256", session_type="DH-SHA1")
        said = Said(odd, odd, odd, odd)
        assert await self.make(said).associate(OP) is None
        assert self.kinds(said) == [str(offer) for offer in OFFERS[:3]]

    async def test_a_suggestion_that_an_operator_has_left_out_is_not_taken(
        self,
    ) -> None:
        said = Said(refusal(assoc_type="HMAC-SHA1", session_type="DH-SHA1"))
        assert await self.make(said, offers=OFFERS[:1]).associate(OP) is None
        assert self.kinds(said) == [str(OFFERS[0])]

    async def test_a_secret_is_never_asked_for_openly_over_http(self) -> None:
        said = Said()
        providers = self.make(said, offers=OFFERS[2:])
        assert await providers.associate("http://op.example/") is None
        assert said.asked == []

    async def test_a_provider_that_is_down_is_left_alone_for_a_while(self) -> None:
        said = Said(NOBODY, given(9999))
        providers = self.make(said, offers=PLAIN)
        for _ in range(3):
            assert await providers.associate(OP) is None
        assert len(said.asked) == 1
        self.clock.advance(RETRY_AFTER)
        assert await providers.associate(OP) is not None

    async def test_an_association_lasts_for_a_login(self) -> None:
        said = Said(given(int(LEAST_LEFT) + 10), given(9999))
        providers = self.make(said, offers=PLAIN)
        first = await providers.associate(OP)
        assert await providers.associate(OP) == first
        self.clock.advance(20)
        second = await providers.associate(OP)
        assert second != first
        assert len(said.asked) == 2

    async def test_too_much_to_do_here_needs_no_association(self) -> None:
        self.threads.close()
        assert await self.make(Said()).associate(OP) is None

    async def test_answers_are_short(self) -> None:
        said = Said(given(9999))
        await self.make(said, offers=PLAIN).associate(OP)
        assert said.options[0]["max_bytes"] == 16384

    async def test_many_providers_are_not_remembered_for_ever(self) -> None:
        """Anybody can have us ask any."""
        said = Said(*[NOBODY] * 1100)
        providers = self.make(said, offers=PLAIN)
        for n in range(1100):
            await providers.associate(f"https://{n}.example/")
        assert len(providers._retry_at) == 1000  # noqa: SLF001
        assert not providers._asking  # noqa: SLF001


def _quoted(text: str) -> str:
    return "".join(f"%{octet:02x}" for octet in text.encode())


class QuestionTests(Scene):
    """Questions about answers that are signed with what we do not know."""

    async def ask(self, said: HttpReply | Exception) -> None:
        op = self.run_op()
        assertion, found = await self.log_in(op, self.make(), op.identity("alice"))
        self.cache = FakeTools().cache(None, NEEDS)
        await self.make(Said(said), offers=()).verify(assertion, found)

    async def test_a_provider_that_does_not_say_yes_says_no(self) -> None:
        for status, body in (
            (200, f"ns:{NS}\nis_valid:false\n"),
            (200, "is_valid:true\n"),
            (200, f"ns:{NS}\nis_valid:true\nis_valid:true\n"),
            (200, f"ns:{NS}\nerror:bad_handle\n"),
            (302, f"ns:{NS}\nis_valid:true\n"),
            (404, ""),
        ):
            reply = HttpReply(status=status, body=body.encode())
            assert await self.refused(self.ask(reply)) == "openid-signature"

    async def test_a_handle_that_the_provider_did_not_name_is_kept(self) -> None:
        """It says with its answer which one it does not know, and signs that it did."""
        op = self.run_op()
        assertion, found = await self.log_in(op, self.make(), op.identity("alice"))
        self.cache = FakeTools().cache(None, NEEDS)
        kept = await self.make().associate(op.op_endpoint)
        assert kept is not None
        lines = f"ns:{NS}\nis_valid:true\ninvalidate_handle:{kept.handle}\n"
        said = Said(HttpReply(status=200, body=lines.encode()))
        await self.make(said).verify(assertion, found)
        assert await self.make().associate(op.op_endpoint) == kept

    async def test_a_provider_that_is_down_is_no_refusal(self) -> None:
        for said in (NOBODY, HttpReply(status=503)):
            with pytest.raises(UnavailableError):
                await self.ask(said)

    async def test_no_mark_is_kept_for_what_was_refused(self) -> None:
        """Anybody can make up answers, and marks are never thrown away."""
        reply = HttpReply(status=200, body=f"ns:{NS}\nis_valid:false\n".encode())
        await self.refused(self.ask(reply))
        kinds: Callable[[str], Any] = self.cache._kinds.get  # noqa: SLF001
        assert kinds(NONCES) is None
