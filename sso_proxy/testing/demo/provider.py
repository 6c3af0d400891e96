"""
A small OpenID Provider for the demo.

It does the code flow (OpenID Connect Core 1.0 section 3.1) with PKCE (RFC 7636) for one
client, and asks people for nothing but who they are.  It keeps what it gives out in
memory, and forgets the oldest.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo.people import PEOPLE, Person
from sso_proxy.testing.tokens import TokenSigner

CODE_LIFETIME: Final = 60
"""Seconds between the browser's way back and the proxy's request."""
LIFETIME: Final = 300
"""Seconds that tokens are good for."""
MOST: Final = 1000
"""Codes, and tokens of each kind, that are kept."""

T = TypeVar("T")
Answer = tuple[int, dict[str, Any]]


@attrs.frozen
class NotInOrderError(SsoProxyError):
    """
    An authorization request that nobody is sent back with.

    Attributes:
        problem: What is wrong with it, for the person at the browser.
    """

    problem: str


@attrs.frozen(kw_only=True)
class Client:
    """
    Who may ask.

    Attributes:
        client_id: Its name.
        secret: What it proves that with.
        redirect_uris: Where people may be sent back.
    """

    client_id: str
    secret: str = attrs.field(repr=False)
    redirect_uris: tuple[str, ...]


@attrs.frozen(kw_only=True)
class AuthorizationRequest:
    """
    What a browser came with, in order.

    Attributes:
        redirect_uri: Where people are sent back.
        state: The client's, returned as it is.
        nonce: For the ID token; empty for none.
        code_challenge: The hash of what redeems the code.
        fields: All of it, for the form that goes on with it.
    """

    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str
    fields: tuple[tuple[str, str], ...]


@attrs.frozen(kw_only=True)
class Grant:
    """
    What one login is good for.

    Attributes:
        person: Who logged in.
        at: When, in seconds since the epoch.
        nonce: For the ID token.
        redirect_uri: For the code.
        code_challenge: For the code.
        until: When it ends.
    """

    person: Person
    at: int
    nonce: str
    redirect_uri: str
    code_challenge: str
    until: float


@attrs.frozen(kw_only=True)
class OpenIdProvider:
    """
    What the provider knows.

    Attributes:
        issuer: Its own URL.
        client: Its only client.
        now: Gives the time in seconds since the epoch.
        key: What it signs with.
    """

    issuer: str
    client: Client
    now: Callable[[], float]
    key: TokenSigner = attrs.field(factory=TokenSigner.create)
    _codes: dict[str, Grant] = attrs.field(factory=dict, init=False, repr=False)
    _access: dict[str, Grant] = attrs.field(factory=dict, init=False, repr=False)
    _refresh: dict[str, Grant] = attrs.field(factory=dict, init=False, repr=False)

    def metadata(self) -> dict[str, Any]:
        """Describe the provider (OpenID Connect Discovery 1.0 section 3)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def read_request(self, fields: Mapping[str, str]) -> AuthorizationRequest:
        """
        Read what a browser came with (OpenID Connect Core 1.0 section 3.1.2.1).

        Raises:
            NotInOrderError: It is not from our client, or not what we do.
        """
        wanted = {
            "client_id": self.client.client_id,
            "response_type": "code",
            "code_challenge_method": "S256",
        }
        for name, value in wanted.items():
            if fields.get(name) != value:
                raise NotInOrderError(f"{name} has to be {value}")
        redirect_uri = fields.get("redirect_uri", "")
        if redirect_uri not in self.client.redirect_uris:
            raise NotInOrderError("redirect_uri is not the client's")
        for name in ("state", "code_challenge"):
            if not fields.get(name):
                raise NotInOrderError(f"{name} is missing")
        if "openid" not in fields.get("scope", "").split():
            raise NotInOrderError("scope has to have openid")
        return AuthorizationRequest(
            redirect_uri=redirect_uri,
            state=fields["state"],
            nonce=fields.get("nonce", ""),
            code_challenge=fields["code_challenge"],
            fields=tuple(fields.items()),
        )

    def send_back(self, request: AuthorizationRequest, key: str) -> str:
        """
        Give the URL that the browser goes to next.

        Args:
            request: What it came with.
            key: Who logged in; nobody of that name has cancelled.
        """
        answer = {"state": request.state, "iss": self.issuer}
        if key not in PEOPLE:
            answer["error"] = "access_denied"
        else:
            now = self.now()
            grant = Grant(
                person=PEOPLE[key],
                at=int(now),
                nonce=request.nonce,
                redirect_uri=request.redirect_uri,
                code_challenge=request.code_challenge,
                until=now + CODE_LIFETIME,
            )
            answer["code"] = _keep(self._codes, grant)
        return f"{request.redirect_uri}?{urlencode(answer)}"

    def answer(self, form: Mapping[str, str], authorization: str) -> Answer:
        """
        Answer a token request.

        Args:
            form: The parameters.
            authorization: The ``Authorization`` field, or empty.
        """
        if not self._is_client(authorization):
            return 401, {"error": "invalid_client"}
        match form.get("grant_type"):
            case "authorization_code":
                grant = self._redeem(form)
            case "refresh_token":
                token = form.get("refresh_token", "")  # good once: the next one is new
                grant = self._still_good(self._refresh.pop(token, None))
            case _:
                return 400, {"error": "unsupported_grant_type"}
        if grant is None:
            return 400, {"error": "invalid_grant"}
        return 200, self._tokens(grant)

    def userinfo(self, authorization: str) -> Answer:
        """Say more about whose access token it is (section 5.3)."""
        scheme, _, token = authorization.partition(" ")
        grant = self._still_good(self._access.get(token))
        if scheme.lower() != "bearer" or grant is None:
            return 401, {"error": "invalid_token"}
        person = grant.person
        return 200, {
            "sub": person.subject,
            "name": person.name,
            "email": person.email,
            "groups": list(person.groups),
        }

    def _is_client(self, authorization: str) -> bool:
        """Check the client's secret (RFC 6749 section 2.3.1)."""
        own = f"{self.client.client_id}:{self.client.secret}"
        expected = f"Basic {base64.b64encode(own.encode()).decode()}"
        return hmac.compare_digest(authorization.encode(), expected.encode())

    def _redeem(self, form: Mapping[str, str]) -> Grant | None:
        """Take a code, once, from whoever began (RFC 7636 section 4.6)."""
        grant = self._still_good(self._codes.pop(form.get("code", ""), None))
        if grant is None or form.get("redirect_uri") != grant.redirect_uri:
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return grant if challenge == grant.code_challenge else None

    def _still_good(self, grant: Grant | None) -> Grant | None:
        return grant if grant is not None and self.now() < grant.until else None

    def _tokens(self, grant: Grant) -> dict[str, Any]:
        """Give what a code or a refresh token is good for."""
        now = self.now()
        return {
            "access_token": _keep(
                self._access, attrs.evolve(grant, until=now + LIFETIME)
            ),
            "refresh_token": _keep(
                self._refresh, attrs.evolve(grant, until=now + 86400)
            ),
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "id_token": self.key.sign(self._claims(grant, int(now)), typ="JWT"),
        }

    def _claims(self, grant: Grant, now: int) -> dict[str, Any]:
        """Say who logged in (OpenID Connect Core 1.0 section 2)."""
        claims = {
            "iss": self.issuer,
            "sub": grant.person.subject,
            "aud": self.client.client_id,
            "iat": now,
            "exp": now + LIFETIME,
            "auth_time": grant.at,
        }
        return claims | ({"nonce": grant.nonce} if grant.nonce else {})


def _keep(store: dict[str, T], value: T) -> str:
    """Keep *value* under a new name, and let go of the oldest."""
    while len(store) >= MOST:
        del store[next(iter(store))]
    name = secrets.token_urlsafe(24)
    store[name] = value
    return name
