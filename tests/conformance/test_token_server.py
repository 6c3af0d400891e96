"""Tests for the token endpoint that other tests use: in memory and over https."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.http_client import HttpClient, HttpReply, NoReplyError, Trouble
from sso_proxy.specs.oidc.token_response import (
    TokenResponseError,
    read_token_response,
)
from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Client
from tests.support.sts import ACCESS_TOKEN, EXCHANGE, TokenServer
from tests.support.sts_faults import DOWN, REDIRECTS, REFUSALS, SLOW, UNUSABLE, names
from tests.support.sts_serving import listen

reactor: Any = installed

SUBJECT = (("subject_token", "theirs"), ("subject_token_type", ACCESS_TOKEN))
FORM = (("grant_type", EXCHANGE), *SUBJECT, ("audience", "orders"))


def ask(server: TokenServer, *more: tuple[str, str], **headers: str) -> HttpReply:
    """Ask in memory, and have the answer at once."""
    got: list[HttpReply] = []
    client = server.http_client()
    asking = Deferred.fromCoroutine(
        client.post_form(server.url, (*FORM, *more), headers)
    )
    asking.addCallback(got.append)
    failed: list[Any] = []
    asking.addErrback(failed.append)
    if failed:
        failed[0].raiseException()
    return got[0]


def read(reply: HttpReply) -> str:
    """Give the token that a client would take."""
    kind = reply.header("content-type")
    return read_token_response(reply.status, kind, reply.body).access_token


def test_a_token_is_given_and_the_request_kept() -> None:
    server = TokenServer()
    assert read(ask(server)) == server.issued[0]
    assert (server.count, server.last["audience"]) == (1, "orders")


@pytest.mark.parametrize("name", [*names(UNUSABLE), "huge", "cut", "endless", "reset"])
def test_what_cannot_be_used_is_not_used(name: str) -> None:
    server = TokenServer()
    server.fail(name)
    if name == "expired":
        assert read(ask(server)) != server.issued[0]
    else:
        with pytest.raises((TokenResponseError, NoReplyError)):
            read(ask(server))
    assert read(ask(server)) == server.issued[-1]


@pytest.mark.parametrize("name", names(REFUSALS))
def test_a_refusal_says_why(name: str) -> None:
    server = TokenServer()
    server.always(name)
    with pytest.raises(TokenResponseError) as caught:
        read(ask(server))
    assert caught.value.error
    assert not server.complaints


@pytest.mark.parametrize("name", names(REDIRECTS))
def test_a_redirect_leads_to_where_followers_are_seen(name: str) -> None:
    server = TokenServer()
    server.always(name)
    assert ask(server).header("location") == f"{server.origin}/elsewhere"


def test_who_is_not_known_is_refused_and_told_in_the_complaints() -> None:
    server = TokenServer(Client(client_id="proxy", auth="client_secret_post"))
    assert ask(server, ("client_id", "proxy"), ("client_secret", "no")).status == 401
    good = (("client_id", "proxy"), ("client_secret", server.clients[0].secret))
    assert ask(server, *good).status == 200
    assert len(server.complaints) == 1


@pytest.mark.parametrize("more", [("audience", "b"), ("resource", "https://b")])
def test_only_audience_and_resource_may_stand_twice(more: tuple[str, str]) -> None:
    assert ask(TokenServer(), more).status == 200
    assert ask(TokenServer(), ("subject_token", "another")).status == 400


class ServedTests(TestCase):
    """Over https, with the client that the proxy has."""

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir(parents=True)
        self.server = TokenServer()
        serving = listen(self.server, directory, Pki.create())
        self.listening = serving.__enter__()
        self.addCleanup(serving.__exit__, None, None, None)
        self.client = HttpClient(reactor, OutboundConfig(ca=str(self.listening.ca)))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        await self.client.close()
        await deferLater(reactor, 0.02, lambda: None)

    async def ask(self, within: float = 10.0) -> HttpReply:
        return await self.client.post_form(self.server.url, FORM, within=within)

    async def trouble(self, within: float = 10.0) -> Trouble:
        with pytest.raises(NoReplyError) as caught:
            await self.ask(within)
        return caught.value.trouble

    async def test_tokens_are_given_over_one_connection(self) -> None:
        first, second = await self.ask(), await self.ask()
        assert [read(first), read(second)] == self.server.issued
        assert self.listening.connections == 1

    async def test_what_is_down_gives_no_token(self) -> None:
        for name in names(DOWN):
            self.server.fail(name)
            with pytest.raises((NoReplyError, TokenResponseError)) as caught:
                read(await self.ask())
            trouble = getattr(caught.value, "trouble", None)
            assert trouble is not Trouble.TIMEOUT, name
        assert read(await self.ask()) == self.server.issued[-1]

    async def test_what_is_slow_gives_none_in_time(self) -> None:
        for name in names(SLOW):
            self.server.fail(name)
            assert await self.trouble(within=0.3) is Trouble.TIMEOUT

    async def test_what_is_held_comes_when_it_is_let_go(self) -> None:
        self.server.fail("held")
        asking = Deferred.fromCoroutine(self.ask())
        while not self.server.count:
            await deferLater(reactor, 0.01, lambda: None)
        assert not asking.called
        self.server.release()
        assert read(await asking) == self.server.issued[-1]

    async def test_what_is_held_holds_in_memory_too(self) -> None:
        self.server.fail("held")
        client = self.server.http_client()
        asking = Deferred.fromCoroutine(client.post_form(self.server.url, FORM))
        assert not asking.called
        self.server.release()
        assert read(self.successResultOf(asking)) == self.server.issued[-1]

    async def test_certificates_of_others_are_not_believed(self) -> None:
        for shown in ("wrong-name", "expired", "stranger"):
            self.listening.show(shown)
            assert await self.trouble() is Trouble.UNREACHABLE, shown
        assert not self.server.count
        self.listening.show("good")
        assert read(await self.ask()) == self.server.issued[-1]
