"""An authenticator of bearer tokens, and who knows about them."""

import json
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.authn.bearer import BearerAuthenticator
from sso_proxy.authn.bearer_config import BearerConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import (
    Authenticated,
    Client,
    Identity,
    Outcome,
    Rejected,
    Request,
    RequestHead,
)
from sso_proxy.net.http_client import ClientTls, HttpReply
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://login.example.com"
SIGNER = TokenSigner.create("ES256", "first")
SECOND = TokenSigner.create("ES256", "second")


class Provider:
    """Publishes keys; counts how often it is asked."""

    def __init__(self, *signers: TokenSigner) -> None:
        self.signers = signers
        self.down = False
        self.asked = 0

    async def get(
        self,
        _url: str,
        _headers: Mapping[str, str],
        *,
        max_bytes: int,  # noqa: ARG002
        tls: ClientTls | None = None,
    ) -> HttpReply:
        assert tls is None
        self.asked += 1
        if self.down:
            raise UnavailableError("login.example.com")
        return HttpReply(status=200, body=jwks(*self.signers))


class Issuer(Provider):
    """Publishes metadata, too, and answers questions about tokens."""

    def __init__(self, *signers: TokenSigner) -> None:
        super().__init__(*signers)
        self.questions = 0
        self.reply: HttpReply | Exception | None = None
        self.answer: dict[str, object] = {
            "active": True,
            "aud": ["api"],
            "sub": "alice",
        }

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int,
        tls: ClientTls | None = None,
    ) -> HttpReply:
        if "/.well-known/" not in url:
            return await super().get(url, headers, max_bytes=max_bytes, tls=tls)
        members = {
            "issuer": ISSUER,
            "jwks_uri": ISSUER + "/jwks",
            "introspection_endpoint": ISSUER + "/introspect",
        }
        return HttpReply(status=200, body=json.dumps(members).encode())

    async def post_form(self, url: str, *_: Any, **_options: Any) -> HttpReply:  # noqa: ANN401
        assert url == ISSUER + "/introspect"
        self.questions += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        if self.reply is not None:
            return self.reply
        fields = (("content-type", "application/json"),)
        body = json.dumps(self.answer).encode()
        return HttpReply(status=200, headers=fields, body=body)


def authenticator(tools: FakeTools, **options: Any) -> BearerAuthenticator:  # noqa: ANN401
    given = {"jwk": jwks(SIGNER).decode(), **options}
    if tools.http_client is not None:
        given = {"jwks_uri": ISSUER + "/jwks", **options}
    config = BearerConfig(issuer=ISSUER, audience=("api",), **given)
    return BearerAuthenticator.from_config(config, tools)


def request(*values: str) -> Request:
    headers = (("accept", "*/*"), *(("authorization", value) for value in values))
    head = RequestHead(
        method="GET", scheme="https", host="a", port=443, path="/", headers=headers
    )
    client = Client(address="192.0.2.1", peer="192.0.2.1")
    return Request(id="1", head=head, tls=None, client=client)


class BearerTestCase(TestCase):
    def setUp(self) -> None:
        self.tools = FakeTools(name="api")
        self.bearer = authenticator(self.tools)

    def with_provider(self, *signers: TokenSigner) -> Provider:
        """Have the keys come from a provider instead."""
        provider = Provider(*signers)
        self.tools.http_client = provider
        self.bearer = authenticator(self.tools)
        return provider

    def claims(self, **changes: object) -> dict[str, object]:
        now = self.tools.clock.time()
        claims = {"iss": ISSUER, "aud": "api", "sub": "alice", "exp": now + 300}
        claims = {**claims, **changes}
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, signer: TokenSigner = SIGNER, **changes: object) -> str:
        return signer.sign(self.claims(**changes))

    def now(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        """Give what *coroutine* gives without ever waiting."""
        with pytest.raises(StopIteration) as end:
            coroutine.send(None)
        return end.value.value

    def ask(self, *values: str) -> Outcome:
        outcome: Outcome = self.successResultOf(
            Deferred.fromCoroutine(self.bearer.authenticate(request(*values)))
        )
        return outcome

    def identity(self, token: str) -> Identity:
        outcome = self.ask(f"Bearer {token}")
        assert isinstance(outcome, Authenticated), outcome
        return outcome.identity

    def rejected(self, *values: str) -> Rejected:
        outcome = self.ask(*values)
        assert isinstance(outcome, Rejected), outcome
        return outcome

    def reason(self, token: str) -> str:
        """Give why *token* is refused, with 401."""
        rejected = self.rejected(f"Bearer {token}")
        assert rejected.status == 401
        assert 'error="invalid_token"' in str(rejected.challenge)
        return rejected.reason
