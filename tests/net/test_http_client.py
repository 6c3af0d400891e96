"""Requests of ours are verified, bounded, and go nowhere but where they were sent."""

import json

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.net.guard import Guard
from sso_proxy.net.http_agent import read_proxy
from sso_proxy.net.http_client import (
    ClientTls,
    HttpClient,
    HttpReply,
    NoReplyError,
    Trouble,
)
from sso_proxy.net.jwks import JwksSource
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import jwks
from tests.support.http_client_scene import (
    SIGNER,
    HttpClientTestCase,
    client_tls,
    pause,
    reactor,
)


class HttpClientTests(HttpClientTestCase):
    async def test_a_form_is_sent(self) -> None:
        origin = self.serve()
        fields = (("token", "a b&c=ü"), ("token", "twice"), ("empty", ""))
        reply = await self.client().post_form(
            origin + "/form?x=1", fields, {"Authorization": "Basic abc"}
        )
        body = "token=a+b%26c%3D%C3%BC&token=twice&empty="
        assert json.loads(reply.body) == {
            "method": "POST",
            "uri": "/form?x=1",
            "type": "application/x-www-form-urlencoded",
            "length": str(len(body)),
            "authorization": "Basic abc",
            "body": body,
            "client": None,
        }

    async def test_how_long_it_took_is_counted_by_who_answers(self) -> None:
        client, origin = self.client(), self.serve()
        await client.post_form(origin + "/form?secret=1", ())
        there = origin.replace("://", "://user:secret@")
        with pytest.raises(NoReplyError):
            await client.get(there.rpartition(":")[0] + ":1/")
        first, second = client.durations.by_name
        assert first == origin
        assert second.endswith(":1")
        assert "secret" not in second
        assert sum(client.durations.by_name[first].counts) == 1

    async def test_strangers_names_are_no_labels(self) -> None:
        client = self.client()
        guarded = client.guarded(Guard())
        with pytest.raises(NoReplyError):
            await guarded.get("https://127.0.0.1:1/")
        assert list(client.durations.by_name) == ["others"]

    async def test_any_body_is_sent_as_its_fields_say(self) -> None:
        origin = self.serve()
        fields = {"Content-Type": "text/xml", "Authorization": "Basic abc"}
        reply = await self.client().send("POST", origin + "/form", b"<a/>", fields)
        seen = json.loads(reply.body)
        assert (seen["type"], seen["body"]) == ("text/xml", "<a/>")
        assert seen["authorization"] == "Basic abc"

    async def test_fields_of_a_get_stand_in_the_query(self) -> None:
        origin = self.serve()
        client = self.client()
        fields = (("token", "a b"),)
        reply = await client.get(origin + "/form", fields=fields)
        assert json.loads(reply.body)["uri"] == "/form?token=a+b"
        reply = await client.get(origin + "/form?x=1", fields=fields)
        assert json.loads(reply.body)["uri"] == "/form?x=1&token=a+b"

    async def test_a_form_is_never_sent_on_to_where_a_redirect_leads(self) -> None:
        origin = self.serve()
        reply = await self.client().post_form(origin + "/redirect", (("token", "t"),))
        assert reply.status == 307
        assert self.counting.made == 1

    async def test_connections_for_forms_are_kept(self) -> None:
        origin = self.serve()
        client = self.client()
        for _ in range(3):
            await client.post_form(origin + "/form", (("token", "t"),))
        assert self.counting.made == 1

    async def test_a_form_that_may_be_repeated_is_when_its_connection_had_ended(
        self,
    ) -> None:
        """A server may close a connection that was kept just as we write to it."""
        answers = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", False),
            (b"", True),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", True),
        ]
        origin = self.serve_turns(answers)
        client = self.client()
        url, fields = origin + "/", (("token", "t"),)
        assert (await client.post_form(url, fields)).body == b"{}"
        reply = await client.post_form(url, fields, repeatable=True)
        assert reply.body == b"[]"

    async def test_other_forms_are_not_repeated(self) -> None:
        origin = self.serve_turns([(b"", True)])
        with pytest.raises(NoReplyError) as caught:
            await self.client().post_form(origin + "/", (("code", "once"),))
        assert caught.value.trouble is Trouble.GARBLED

    async def test_what_ends_twice_is_not_asked_a_third_time(self) -> None:
        turns = [(b"", True), (b"", True)]
        origin = self.serve_turns(turns)
        with pytest.raises(NoReplyError):
            await self.client().post_form(origin + "/", (), repeatable=True)
        assert turns == []

    async def test_a_form_without_an_answer_is_given_up_and_not_repeated(self) -> None:
        turns = [(b"", False), (b"", False)]
        origin = self.serve_turns(turns)
        with pytest.raises(NoReplyError) as caught:
            await self.client().post_form(origin + "/", (), repeatable=True, within=0.2)
        assert caught.value.trouble is Trouble.TIMEOUT
        assert len(turns) == 1

    async def test_a_request_may_have_a_shorter_or_longer_time(self) -> None:
        origin = self.serve()
        silent = origin + "/silent"
        problem = await self.problem(self.client(timeout=60), silent, within=0.2)
        assert "no answer in 0.2 s" in problem
        problem = await self.problem(self.client(timeout=0.1), silent, within=0.3)
        assert "no answer in 0.3 s" in problem

    async def test_what_went_wrong_is_told_apart(self) -> None:
        client = self.client(max_bytes=1000)
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        closed = f"http://127.0.0.1:{port.getHost().port}/"
        await port.stopListening()
        origin = self.serve()
        stranger = Pki.create().issue("op", ips=["127.0.0.1"], server=True)
        for url, trouble in (
            (closed, Trouble.UNREACHABLE),
            ("http://nobody.invalid/", Trouble.UNREACHABLE),
            (origin + "/endless", Trouble.GARBLED),
            (self.serve_script(b"SSH-2.0\r\n\r\n") + "/", Trouble.GARBLED),
            (self.serve_script(b"") + "/", Trouble.GARBLED),
            (self.serve(stranger) + "/keys", Trouble.UNREACHABLE),
        ):
            assert await self.trouble(client, url) is trouble, url
        silent = origin + "/silent"
        assert await self.trouble(client, silent, within=0.1) is Trouble.TIMEOUT

    async def test_what_comes_back_stays_out_of_messages(self) -> None:
        """A server, or what stands for it, may send back what it was sent."""
        client = self.client()
        for answer in (
            b"token=secret HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nsecret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
        ):
            url = self.serve_script(answer) + "/?token=secret"
            with pytest.raises(NoReplyError) as caught:
                await client.post_form(url, (("token", "secret"),))
            assert caught.value.trouble is Trouble.GARBLED
            assert "secret" not in str(caught.value), answer
            assert caught.value.__suppress_context__

    async def test_the_server_sees_our_certificate(self) -> None:
        origin = self.serve(clients=self.pki)
        mine = client_tls(self.pki.issue("us", client=True))
        reply = await self.client().post_form(origin + "/form", (), tls=mine)
        assert json.loads(reply.body)["client"] == "us"

    async def test_the_server_sees_the_chain_of_our_certificate(self) -> None:
        below = self.pki.intermediate()
        origin = self.serve(clients=self.pki)
        mine = client_tls(below.issue("us", client=True))
        reply = await self.client().get(origin + "/form", tls=mine)
        assert json.loads(reply.body)["client"] == "us"

    async def test_each_certificate_has_connections_of_its_own(self) -> None:
        """A request on another's connection would be made in the other's name."""
        origin = self.serve(clients=self.pki)
        client = self.client()
        first = client_tls(self.pki.issue("first", client=True))
        second = client_tls(self.pki.issue("second", client=True))
        seen = []
        for tls in (first, second, None, first, second, None):
            reply = await client.post_form(origin + "/form", (), tls=tls)
            seen.append(json.loads(reply.body)["client"])
        assert seen == ["first", "second", None] * 2
        assert self.counting.made == 3

    async def test_equal_certificates_share_connections(self) -> None:
        origin = self.serve(clients=self.pki)
        client = self.client()
        issued = self.pki.issue("us", client=True)
        for _ in range(2):
            await client.get(origin + "/form", tls=client_tls(issued))
        assert self.counting.made == 1

    async def test_ca_of_a_request_is_the_only_one(self) -> None:
        other = Pki.create()
        issued = other.issue("op", ips=["127.0.0.1"], server=True)
        client = self.client()
        theirs = ClientTls(ca=other.ca_pem)
        assert (
            await client.get(self.serve(issued) + "/keys", tls=theirs)
        ).status == 200
        assert "verify failed" in await self.problem(
            client, self.serve() + "/keys", tls=theirs
        )

    async def test_certificates_that_changed_long_ago_are_forgotten(self) -> None:
        client = self.client()
        origin = self.serve()
        for number in range(70):
            tls = ClientTls(ca=self.pki.ca_pem + b"\n" * number)
            await client.get(origin + "/keys", tls=tls if number else None)
        assert self.counting.made == 70
        await client.get(origin + "/keys")
        assert self.counting.made == 70

    async def test_a_document_is_fetched(self) -> None:
        origin = self.serve()
        reply = await self.client().get(origin + "/keys")
        assert reply.status == 200
        assert reply.header("content-type") == "application/json"
        assert reply.header("nothing") is None
        assert reply.body == jwks(SIGNER)

    async def test_connections_are_kept(self) -> None:
        origin = self.serve()
        client = self.client()
        for _ in range(3):
            await client.get(origin + "/keys")
        assert self.counting.made == 1

    async def test_header_fields_are_sent(self) -> None:
        origin = self.serve()
        reply = await self.client().get(origin + "/echo", {"Accept": "text/x"})
        assert b"Accept: text/x" in reply.body
        assert b"User-Agent: sso-proxy/" in reply.body

    async def test_a_redirect_is_an_answer_and_its_cookie_is_forgotten(self) -> None:
        origin = self.serve()
        client = self.client()
        assert (await client.get(origin + "/redirect")).status == 302
        assert b"Cookie" not in (await client.get(origin + "/echo")).body

    async def test_a_server_of_another_ca_is_refused(self) -> None:
        stranger = Pki.create().issue("op", ips=["127.0.0.1"], server=True)
        origin = self.serve(stranger)
        assert "verify failed" in await self.problem(self.client(), origin + "/keys")

    async def test_a_server_with_another_name_is_refused(self) -> None:
        other = self.pki.issue("op", dns=["op.example.com"], server=True)
        origin = self.serve(other)
        assert await self.problem(self.client(), origin + "/keys")

    async def test_a_server_with_an_expired_certificate_is_refused(self) -> None:
        old = self.pki.issue("op", ips=["127.0.0.1"], server=True, expired=True)
        origin = self.serve(old)
        assert "verify failed" in await self.problem(self.client(), origin + "/keys")

    async def test_without_our_ca_the_server_is_refused(self) -> None:
        origin = self.serve()
        assert await self.problem(self.client(ca=None), origin + "/keys")

    async def test_an_answer_that_does_not_come_is_given_up(self) -> None:
        origin = self.serve()
        client = self.client(timeout=0.2)
        assert "no answer in 0.2 s" in await self.problem(client, origin + "/silent")

    async def test_a_body_that_does_not_end_is_given_up(self) -> None:
        origin = self.serve_script(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", close=False
        )
        client = self.client(timeout=0.2)
        assert "no answer" in await self.problem(client, origin + "/")

    async def test_an_answer_without_end_is_cut_at_the_limit(self) -> None:
        origin = self.serve()
        client = self.client(max_bytes=50_000)
        assert "too long" in await self.problem(client, origin + "/endless")

    async def test_header_fields_without_end_are_cut(self) -> None:
        """Twisted would keep them all, for as long as the time limit lasts."""
        many = b"X-Field: %b\r\n" % (b"x" * 1000) * 70
        origin = self.serve_script(b"HTTP/1.1 200 OK\r\n" + many, close=False)
        client = self.client(max_bytes=1000)
        assert await self.trouble(client, origin + "/") is Trouble.GARBLED

    async def test_interim_answers_without_end_are_cut(self) -> None:
        many = b"HTTP/1.1 100 Continue\r\n\r\n" * 3000
        origin = self.serve_script(many, close=False)
        client = self.client(max_bytes=1000)
        assert await self.trouble(client, origin + "/") is Trouble.GARBLED

    async def test_answers_on_one_connection_count_one_by_one(self) -> None:
        body = b"x" * 60_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"
        origin = self.serve_turns([(head + body, False)] * 3)
        client = self.client(max_bytes=60_000)
        for _ in range(3):
            assert (await client.get(origin + "/")).body == body

    async def test_a_caller_may_set_a_lower_limit_but_no_higher_one(self) -> None:
        origin = self.serve()
        client = self.client(max_bytes=1000)
        url = origin + "/keys"
        assert "too long" in await self.problem(client, url, max_bytes=10)
        assert (await client.get(url, max_bytes=10**6)).status == 200
        small = self.client(max_bytes=10)
        assert "too long" in await self.problem(small, url, max_bytes=10**6)

    async def test_a_cut_answer_is_none(self) -> None:
        origin = self.serve_script(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}")
        assert await self.problem(self.client(), origin + "/")

    async def test_a_connection_that_is_closed_is_no_answer(self) -> None:
        origin = self.serve_script(b"")
        assert await self.problem(self.client(), origin + "/")

    async def test_garbage_is_no_answer(self) -> None:
        origin = self.serve_script(b"SSH-2.0-OpenSSH\r\n\r\n")
        assert await self.problem(self.client(), origin + "/")

    async def test_nobody_listening_is_no_answer(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        problem = await self.problem(self.client(), f"http://127.0.0.1:{number}/")
        assert "refused" in problem

    async def test_the_query_stays_out_of_messages(self) -> None:
        origin = self.serve_script(b"")
        problem = await self.problem(self.client(), origin + "/p?code=secret")
        assert problem.startswith(origin + "/p:")
        assert "secret" not in problem

    async def test_other_schemes_and_user_names_are_refused(self) -> None:
        client = self.client()
        for url in ("file:///etc/passwd", "ftp://a/", "https://u:p@127.0.0.1/"):
            await self.problem(client, url)

    async def test_who_is_cancelled_cuts_the_exchange(self) -> None:
        origin = self.serve()
        waiting = Deferred.fromCoroutine(self.client().get(origin + "/silent"))
        while not self.counting.open:
            await pause()
        await pause(0.05)
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting

    async def test_https_goes_through_the_proxy_and_is_verified(self) -> None:
        origin = self.serve()
        client = self.client(proxy=self.serve_proxy())
        for _ in range(2):
            assert (await client.get(origin + "/keys")).body == jwks(SIGNER)
        authority = origin.removeprefix("https://")
        assert self.asked == [f"CONNECT {authority} HTTP/1.1".encode()]
        stranger = self.client(proxy=self.serve_proxy(), ca=None)
        assert "verify failed" in await self.problem(stranger, origin + "/keys")

    async def test_a_proxy_that_answers_for_the_server_is_refused(self) -> None:
        origin = self.serve()
        client = self.client(proxy=self.serve_proxy(b"HTTP/1.1 200 OK\r\n\r\n{}"))
        assert "before TLS" in await self.problem(client, origin + "/keys")

    async def test_a_proxy_that_refuses_is_told(self) -> None:
        refusing = self.serve_script(b"HTTP/1.1 403 No\r\n\r\n")
        client = self.client(proxy=refusing)
        problem = await self.problem(client, "https://op.example.com/keys")
        assert "the proxy refused: 403" in problem

    async def test_http_does_not_go_through_the_proxy(self) -> None:
        origin = self.serve_script(b"HTTP/1.1 200 OK\r\n\r\n{}")
        client = self.client(proxy=self.serve_proxy())
        assert (await client.get(origin + "/")).body == b"{}"
        assert self.asked == []

    async def test_keys_come_from_a_real_server(self) -> None:
        origin = self.serve()
        source = JwksSource(origin + "/keys", self.client(), SettableClock())
        assert [key.kid for key in (await source.key_set()).keys] == ["key-1"]
        assert await source.probe() == ()

    async def test_keys_do_not_come_from_a_redirect(self) -> None:
        origin = self.serve()
        source = JwksSource(origin + "/redirect", self.client(), SettableClock())
        with pytest.raises(UnavailableError, match="302"):
            await source.key_set()

    async def test_keys_do_not_come_from_a_flood(self) -> None:
        """A set of keys of 10 MB is cut off after 150 kB."""
        origin = self.serve()
        source = JwksSource(origin + "/endless", self.client(), SettableClock())
        with pytest.raises(UnavailableError, match="too long"):
            await source.key_set()

    async def test_a_revoked_server_gets_nothing(self) -> None:
        """Its CA, and nobody else, says that it is none any more (RFC 5280 6.3)."""
        issued = self.pki.issue("op", ips=["127.0.0.1"], server=True)
        url = self.serve(issued) + "/keys"
        client, ca = self.client(), self.pki.ca_pem
        good = ClientTls(ca=ca, crl=self.pki.crl())
        assert (await client.get(url, tls=good)).status == 200
        for lists in (self.pki.crl([issued]), self.pki.crl(expired=True)):
            bad = ClientTls(ca=ca, crl=lists)
            assert await self.trouble(client, url, tls=bad) is Trouble.UNREACHABLE

    async def test_a_ca_without_a_list_vouches_for_nobody(self) -> None:
        other = Pki.create("Other CA")
        url = self.serve() + "/keys"
        tls = ClientTls(ca=self.pki.ca_pem + other.ca_pem, crl=other.crl())
        assert await self.trouble(self.client(), url, tls=tls) is Trouble.UNREACHABLE

    async def test_one_server_may_be_behind_another_proxy(self) -> None:
        url = self.serve() + "/keys"
        host, port = read_proxy(self.serve_proxy()) or ("", 0)
        client = self.client()
        behind = client.through((host, port))
        assert client.through((host, port)) is behind
        assert (await behind.get(url)).status == 200
        assert len(self.asked) == 1
        assert (await client.get(url)).status == 200
        assert len(self.asked) == 1

    def test_options_can_be_checked_without_a_reactor(self) -> None:
        HttpClient(None, OutboundConfig(ca=self.ca, proxy="http://[::1]:3128"))

    def test_an_unusable_ca_file_is_a_mistake(self) -> None:
        empty = self.directory / "empty.crt"
        empty.write_bytes(b"no certificate")
        for path in (empty, self.directory / "missing.crt"):
            with pytest.raises(ConfigError) as caught:
                self.client(ca=str(path))
            assert caught.value.mistakes[0].path == "server.outbound.ca"

    def test_an_unusable_proxy_is_a_mistake(self) -> None:
        for proxy in (
            "proxy:3128",
            "https://proxy:3128",
            "http://proxy",
            "http://proxy:99999",
            "http://user:password@proxy:3128",
            "http://proxy:3128/path",
            "http://:3128",
        ):
            with pytest.raises(ConfigError) as caught:
                self.client(proxy=proxy)
            assert caught.value.mistakes[0].path == "server.outbound.proxy"
            assert "password" not in str(caught.value)


def test_a_body_is_not_shown() -> None:
    assert "secret" not in repr(HttpReply(status=200, body=b"secret"))
