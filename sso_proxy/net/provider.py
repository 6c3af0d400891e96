"""
What we ask an OpenID provider, and how we prove to it who we are.

Everything that a provider sends is bounded in size and time.  Redirects are never
followed: they would carry codes, tokens and secrets to where somebody else says.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import attrs
from zope.interface import implementer

from sso_proxy.errors import SsoProxyError, UnavailableError
from sso_proxy.interfaces import IClock, IHealth
from sso_proxy.net.http_client import HttpClient, HttpReply
from sso_proxy.net.provider_link import ClientIdentity, ProviderLink
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.metadata import ServerMetadata
from sso_proxy.specs.oidc.metadata import (
    EndpointOverrides,
    ProviderEndpoints,
    ProviderRefusedError,
    login_endpoints,
)
from sso_proxy.specs.oidc.pushed_request import read_pushed_response
from sso_proxy.specs.oidc.revocation import read_revocation
from sso_proxy.specs.oidc.token_response import (
    TokenResponse,
    TokenResponseError,
    read_token_response,
)

_BUSY: Final = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_TRY_LATER: Final = frozenset({408, 425, 429})


class KeySource(Protocol):
    """What `IssuerSource` and `JwksSource` have in common."""

    async def key_set(self) -> KeySet:
        """Give the keys."""

    async def key_set_for_unknown(self) -> KeySet:
        """Give the keys after one was named that was not among them."""

    async def warm(self) -> None:
        """Fetch what there is not yet."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""


class MetadataSource(Protocol):
    """What an `IssuerSource` is to us."""

    async def metadata(self) -> ServerMetadata:
        """Give the provider's metadata."""

    async def warm(self) -> None:
        """Fetch what there is not yet."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""


@attrs.frozen
class ProviderError(SsoProxyError):
    """
    The provider answered, and what it said is no success.

    Attributes:
        error: Its code (RFC 6749 section 5.2), such as ``invalid_grant``; empty if
            what it said is nothing that the specifications know.
        description: For the log: its words, or what was wrong with them; never holds
            a secret.
    """

    error: str
    description: str


@attrs.frozen(kw_only=True)
class ProviderAccess:
    """
    A provider, and what we are to it.

    Attributes:
        issuer: Its issuer identifier, or template.
        identity: Who we are.
        keys: Where its keys are.
        metadata: Where its metadata is; None if the operator says all there is.
        overrides: What the operator says.
        bound: Refuse tokens that are not bound to our key (DPoP).
        token_params: Further fields of requests for tokens.
        userinfo_in_body: Send access tokens to UserInfo in a form.
        codes: It gives codes, which have to become tokens.
        pkce: It is asked for codes with a challenge.
    """

    issuer: str
    identity: ClientIdentity
    keys: KeySource
    metadata: MetadataSource | None = None
    overrides: EndpointOverrides = attrs.field(factory=EndpointOverrides)
    bound: bool = False
    token_params: Mapping[str, str] = attrs.field(factory=dict)
    userinfo_in_body: bool = False
    codes: bool = True
    pkce: bool = True


@implementer(IHealth)
class ProviderClient:
    """
    Asks one provider.

    All methods that wait raise `UnavailableError` if the provider, or what it says of
    itself, cannot be had now, and `ProviderError` if it says no.

    Args:
        access: The provider, and what we are to it.
        http_client: Sends the requests.
        clock: The time.
        unique: Gives what nobody has said before and nobody can guess.
    """

    def __init__(
        self,
        access: ProviderAccess,
        http_client: HttpClient,
        clock: IClock,
        unique: Callable[[], str],
    ) -> None:
        self._access = access
        self._link = ProviderLink(access.identity, http_client, clock, unique)
        self._known: tuple[ServerMetadata | None, ProviderEndpoints] | None = None
        self._unfit = ""

    @property
    def proof_thumbprint(self) -> str | None:
        """The ``dpop_jkt`` of our requests (RFC 9449 section 10), or None."""
        key = self._access.identity.proof_key
        return None if key is None else key.thumbprint

    async def endpoints(self) -> ProviderEndpoints:
        """
        Give where the provider is, without waiting if that is known.

        With a certificate of ours, these are the endpoints for clients that have one,
        where the provider has such (RFC 8705 section 5): at others, tokens would not
        be bound to it.  One that cannot be used makes the whole metadata unusable.

        Raises:
            UnavailableError: It is not known, or not fit for logins.
        """
        access = self._access
        source = access.metadata
        metadata = None if source is None else await source.metadata()
        known = self._known
        if known is not None and known[0] is metadata:
            return known[1]
        try:
            endpoints = login_endpoints(
                metadata,
                access.overrides,
                issuer=access.issuer,
                certificate=access.identity.has_certificate,
                codes=access.codes,
                pkce=access.pkce,
            )
        except ProviderRefusedError as e:
            self._unfit = f"provider {access.issuer}: {e.detail}"
            raise UnavailableError(self._unfit) from e
        self._known, self._unfit = (metadata, endpoints), ""
        return endpoints

    async def key_set(self) -> KeySet:
        """
        Give the provider's keys, without waiting if there are any.

        Raises:
            UnavailableError: There are none, and they cannot be had now.
        """
        return await self._access.keys.key_set()

    async def key_set_for_unknown(self) -> KeySet:
        """
        Give the provider's keys after a token named one that was not among them.

        Raises:
            UnavailableError: They could not be had lately.
        """
        return await self._access.keys.key_set_for_unknown()

    async def push(self, fields: FormFields) -> str:
        """
        Leave an authorization request with the provider (RFC 9126).

        Args:
            fields: The request; ours to prove who we are are added.

        Returns:
            The ``request_uri``.

        Raises:
            ProviderError: The provider refuses, or has no endpoint for it.
            UnavailableError: It cannot be reached.
        """
        url = (await self.endpoints()).pushed_authorization
        if url is None:
            raise ProviderError("", "requests cannot be pushed there")
        reply = await self._link.post(url, fields)
        try:
            return read_pushed_response(*_parts(reply)).request_uri
        except TokenResponseError as e:
            raise self._failure("pushed request", e) from e

    async def redeem(self, fields: FormFields) -> TokenResponse:
        """
        Have a code exchanged for tokens (OpenID Connect Core section 3.1.3).

        The request is never repeated when it may have been received: a code is good
        once, and a provider that sees it twice may revoke what it gave for it.

        Args:
            fields: ``code``, ``redirect_uri``, ``code_verifier``, for example.

        Raises:
            ProviderError: The provider refuses, what came is no answer, or the token
                is not bound although it has to be.
            UnavailableError: It cannot be reached.
        """
        return await self._ask_for_tokens("authorization_code", fields)

    async def refresh(self, token: str, fields: FormFields = ()) -> TokenResponse:
        """
        Have new tokens for a refresh token (RFC 6749 section 6).

        Args:
            token: The refresh token; it may be good once.
            fields: Others, ``scope`` or ``resource``.

        Raises:
            ProviderError: As for `redeem`; ``invalid_grant`` if it is no longer good.
            UnavailableError: As for `redeem`.
        """
        more = (("refresh_token", token), *fields)
        return await self._ask_for_tokens("refresh_token", more)

    async def revoke(self, token: str, hint: str, within: float) -> bool:
        """
        Give a token back (RFC 7009).

        Args:
            token: The token.
            hint: ``refresh_token`` or ``access_token``.
            within: Seconds for the answer, at most.

        Returns:
            Whether it is worth nothing now; False if the provider does not take such
            tokens back.

        Raises:
            ProviderError: The provider refuses, or has no endpoint for it.
            UnavailableError: It cannot be reached.
        """
        url = (await self.endpoints()).revocation
        if url is None:
            raise ProviderError("", "there is no revocation_endpoint")
        fields = (("token", token), ("token_type_hint", hint))
        reply = await self._link.post(url, fields, within)
        try:
            return read_revocation(*_parts(reply))
        except TokenResponseError as e:
            raise self._failure("revocation", e) from e

    async def userinfo(
        self, access_token: str, token_type: str
    ) -> tuple[int, str | None, bytes]:
        """
        Ask for claims about the user (OpenID Connect Core section 5.3).

        Args:
            access_token: The token.
            token_type: ``Bearer`` or ``DPoP``.

        Returns:
            Status, media type and body of the answer, whatever they are.

        Raises:
            ProviderError: There is no such endpoint, or the token is bound to a key
                that we do not have.
            UnavailableError: The endpoint cannot be reached, or is busy.
        """
        url = (await self.endpoints()).userinfo
        if url is None:
            raise ProviderError("", "there is no userinfo_endpoint")
        self._check_type(token_type, required=False)
        reply = await self._link.fetch(
            url, access_token, token_type, in_body=self._access.userinfo_in_body
        )
        if _is_busy(reply.status):
            raise self._unavailable("UserInfo", f"status {reply.status}")
        return _parts(reply)

    async def warm(self) -> None:
        """Fetch what there is not yet; that it cannot be had is only logged."""
        with suppress(UnavailableError):
            await self.endpoints()
        await self._access.keys.warm()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing or unfit, or that the provider does not believe us."""
        access = self._access
        sources: tuple[Any, ...] = (access.metadata, access.keys)
        lines: tuple[str, ...] = ()
        for source in dict.fromkeys(sources):
            if source is not None:
                lines += await source.probe()
        if self._unfit:
            lines += (self._unfit,)
        if self._link.refused:
            problem = f"provider {access.issuer}: does not believe our credentials"
            lines += (problem,)
        return lines

    async def _ask_for_tokens(self, grant: str, fields: FormFields) -> TokenResponse:
        """Send a request for tokens, and read the answer."""
        url = (await self.endpoints()).token
        if url is None:
            raise ProviderError("", "there is no token_endpoint")
        form = (("grant_type", grant), *fields)
        given = {name for name, _ in form}
        params = self._access.token_params.items()
        more = ((name, value) for name, value in params if name not in given)
        reply = await self._link.post(url, (*form, *more))
        try:
            tokens = read_token_response(*_parts(reply))
        except TokenResponseError as e:
            raise self._failure("token request", e) from e
        self._check_type(tokens.token_type, required=self._access.bound)
        return tokens

    def _check_type(self, token_type: str, *, required: bool) -> None:
        """Refuse tokens that we cannot use, or that others could."""
        bound = token_type == "DPoP"  # noqa: S105
        if bound and self._access.identity.proof_key is None:
            raise ProviderError("", "the token is bound to a key, and we have none")
        if required and not bound:
            raise ProviderError("", "the token is not bound to our key (DPoP)")

    def _failure(self, what: str, error: TokenResponseError) -> SsoProxyError:
        """Say that there is no success, for now or altogether."""
        if _is_busy(error.status) or error.error in _BUSY:
            problem = f"{error.error} {error.detail}".strip()
            return self._unavailable(what, problem)
        return ProviderError(error.error, error.detail)

    def _unavailable(self, what: str, problem: str) -> UnavailableError:
        """Say that the provider does not do its work now."""
        return UnavailableError(f"{what} at {self._access.issuer}: {problem}")


def _is_busy(status: int) -> bool:
    """Say whether a status means that another time may be better."""
    return status >= 500 or status in _TRY_LATER


def _parts(reply: HttpReply) -> tuple[int, str | None, bytes]:
    """Take an answer apart."""
    types: Any = [value for name, value in reply.headers if name == "content-type"]
    # Two of them are two readings.
    return reply.status, ", ".join(types) if types else None, reply.body
