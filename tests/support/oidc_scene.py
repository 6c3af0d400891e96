"""Somebody who logs in by ``oidc``, with a provider that a test tells what to say."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs

from sso_proxy.authn.oidc import OidcAuthenticator
from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.authn.oidc_logout import WITHIN
from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.authn.oidc_rules import read_secrets
from sso_proxy.errors import BadMessageError
from sso_proxy.login import Finished, InFragment, Wanted
from sso_proxy.model import Request, Response
from sso_proxy.net.client_keys import ClientKeys
from sso_proxy.specs.jose.keys import KeySet, read_jwks
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oidc.metadata import ProviderEndpoints
from sso_proxy.specs.oidc.token_response import TokenResponse
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_request
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.caching import now
from tests.support.sessions import Browser, SessionTools, server_sessions

ISSUER: Final = "https://login.example.com"
SIGNER: Final = TokenSigner.create("ES256", "first")
FORM: Final = "application/x-www-form-urlencoded"


class FakeBody:
    """A body that is here."""

    def __init__(self, content: bytes) -> None:
        self.content: bytes | None = content

    async def read(self, limit: int) -> bytes:
        assert self.content is not None
        if len(self.content) > limit:
            raise BadMessageError(413, "body-too-large")
        return self.content


class FakeProvider:
    """
    Says what it is told to.

    Attributes:
        place: Where it is, and what it can do.
        signers: Its keys.
        claims: Changes to what its ID tokens say; None takes a claim out.
        tokens: Changes to what it answers for a code or a refresh token.
        about: The answer of the UserInfo endpoint.
        failures: What methods raise, by name.
        redeemed: The forms by which codes were redeemed.
        pushed: The requests that were pushed.
        refreshed: The refresh tokens that came.
        revoked: The tokens that came back, and what they were said to be.
        takes_back: Of what kind the tokens are that it takes back.
        slow: Seconds that it takes to take a token back.
        fetched: How often newer keys were asked for.
    """

    def __init__(self, clock: SettableClock) -> None:
        self.clock = clock
        self.place = ProviderEndpoints(
            issuer=ISSUER,
            authorization=ISSUER + "/authorize",
            token=ISSUER + "/token",
            jwks=ISSUER + "/jwks",
        )
        self.signers = [SIGNER]
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"typ": "JWT"}
        self.tokens: dict[str, Any] = {}
        self.about: tuple[int, str | None, bytes] = (200, "application/json", b"{}")
        self.failures: dict[str, Exception] = {}
        self.redeemed: list[dict[str, str]] = []
        self.pushed: list[dict[str, str]] = []
        self.refreshed: list[str] = []
        self.revoked: list[tuple[str, str]] = []
        self.takes_back = {"refresh_token", "access_token"}
        self.slow = 0.0
        self.fetched = 0
        self.nonce = ""
        self.proof_thumbprint: str | None = None

    async def endpoints(self) -> ProviderEndpoints:
        self._fail("endpoints")
        return self.place

    async def key_set(self) -> KeySet:
        self._fail("key_set")
        return read_jwks(jwks(SIGNER))

    async def key_set_for_unknown(self) -> KeySet:
        self.fetched += 1
        return read_jwks(jwks(*self.signers))

    async def push(self, fields: FormFields) -> str:
        self._fail("push")
        self.pushed.append(dict(fields))
        self.nonce = dict(fields).get("nonce", "")
        return "urn:example:1"

    async def redeem(self, fields: FormFields) -> TokenResponse:
        self.redeemed.append(dict(fields))
        self._fail("redeem")
        return self._answer("access-1", "refresh-1")

    async def refresh(self, token: str, fields: FormFields = ()) -> TokenResponse:
        assert not fields
        self.refreshed.append(token)
        self._fail("refresh")
        return self._answer("access-2", "refresh-2")

    async def revoke(self, token: str, hint: str, within: float) -> bool:
        assert 0 < within <= WITHIN
        self.revoked.append((hint, token))
        self.clock.advance(self.slow)
        self._fail("revoke")
        self._fail(hint)
        return hint in self.takes_back

    async def userinfo(
        self, access_token: str, token_type: str
    ) -> tuple[int, str | None, bytes]:
        assert (access_token, token_type) == ("access-1", "Bearer")
        self._fail("userinfo")
        return self.about

    async def warm(self) -> None:
        pass

    async def probe(self) -> tuple[str, ...]:
        return ("it is down",)

    def id_token(self, **changes: Any) -> str:  # noqa: ANN401
        """Sign what it says about Alice."""
        time = int(self.clock.time())
        claims = {
            "iss": ISSUER,
            "sub": "alice",
            "aud": "app",
            "iat": time,
            "exp": time + 300,
            "nonce": self.nonce,
            **self.claims,
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return self.signers[-1].sign(kept, **self.header)

    def _answer(self, access: str, refresh: str) -> TokenResponse:
        members = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_token": refresh,
            "id_token": self.id_token(),
            **self.tokens,
        }
        return TokenResponse(**members)

    def _fail(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]


class OidcScene:
    """
    A browser, our authenticator, and the provider.

    Attributes:
        provider: The provider.
        login: The authenticator.
        store: Its sessions.
        browser: Keeps cookies.
    """

    def __init__(self, *, keys: ClientKeys | None = None, **options: Any) -> None:  # noqa: ANN401
        self.tools = SessionTools(name="corp")
        self.clock = self.tools.clock
        self.provider = FakeProvider(self.clock)
        keys = keys or ClientKeys()
        options = {"auth": "none", **options}
        config = OidcConfig(issuer=ISSUER, client_id="app", **options)
        if config.overrides.par_required:
            self.provider.place = attrs.evolve(self.provider.place, par_required=True)
        self.parts = Parts(
            name="corp",
            config=config,
            provider=self.provider,
            keys=keys,
            secrets=read_secrets(config, keys.decryption),
            clock=self.clock,
            cache=None if config.cache == "" else self.tools.memory,
            sealer=self.tools.sealer("oidc"),
        )
        self.login = OidcAuthenticator(self.parts)
        self.store: Any = server_sessions(self.tools)
        self.browser = Browser()

    def request(self, **parts: Any) -> Request:  # noqa: ANN401
        """Make a request of the browser, with the session that it has."""
        headers = dict(parts.pop("headers", {}))
        if self.browser.cookies:
            pairs = self.browser.cookies.items()
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in pairs)
        body = parts.pop("body", None)
        request = make_request(
            parts.pop("method", "GET"), headers=headers, time=self.clock.time(), **parts
        )
        session = now(self.store.load(request)).session
        return attrs.evolve(
            request,
            session=session,
            sessions=self.store,
            body=None if body is None else FakeBody(body),
        )

    def begin(self, **wanted: Any) -> Response:  # noqa: ANN401
        """Begin to log in; the browser does as it is told."""
        wanted.setdefault("target", "/page?x=1")
        response = now(self.login.begin(self.request(), Wanted(**wanted)))
        self.browser.take(response.headers)
        self.provider.nonce = asked(response).get("nonce") or self.provider.nonce
        return response

    def callback(
        self,
        fields: Mapping[str, str],
        *,
        form: bool = False,
        fragment: bool = False,
    ) -> Finished | Response:
        """Come back with *fields*; the browser does as it is told."""
        text = urlencode(fields)
        if fragment:
            page = now(self.login.finish(self.request(path="/.sso/callback/corp")))
            assert isinstance(page, InFragment)
            form, text = True, urlencode({page.field: text})
        parts: dict[str, Any] = {"query": text}
        if form:
            parts = {
                "method": "POST",
                "headers": {"content-type": FORM},
                "body": text.encode(),
            }
        request = self.request(path="/.sso/callback/corp", **parts)
        found = now(self.login.finish(request))
        assert not isinstance(found, InFragment)
        self.browser.take(found.headers)
        if isinstance(found, Finished):
            started = now(self.store.start(request, found.identity, found.data))
            self.browser.take(started)
        return found

    def log_in(self, **answer: str) -> Finished | Response:
        """Begin, and come back."""
        state = self.state()
        return self.callback({"state": state, "code": "code-1", **answer})

    def state(self) -> str:
        """Begin, and give the state of the login."""
        before = set(self.browser.cookies)
        self.begin()
        (name,) = set(self.browser.cookies) - before
        return name.removeprefix("__Host-sso-login-")

    def refused(self, **answer: str) -> Response:
        """Begin, come back, and be refused; nobody is logged in then."""
        found = self.log_in(**answer)
        assert isinstance(found, Response), found
        assert found.status >= 400
        assert ("cache-control", "no-store") in found.headers
        assert self.request().session is None
        return found

    def good(self, **answer: str) -> Finished:
        """Begin, come back, and be logged in."""
        found = self.log_in(**answer)
        assert isinstance(found, Finished), found
        return found


def asked(response: Response) -> dict[str, str]:
    """Give what the provider is asked, by the URL that a browser is sent to."""
    query = urlsplit(dict(response.headers).get("location", "")).query
    return {name: values[0] for name, values in parse_qs(query).items()}
