"""Requests to a provider in our own name (RFC 6749, RFC 8705, RFC 9449)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.logger import Logger

from sso_proxy.interfaces import IClock
from sso_proxy.net.http_client import ClientTls, HttpClient, HttpReply
from sso_proxy.specs.oauth.client_auth import (
    ClientAuth,
    FormFields,
    build_credentials,
)
from sso_proxy.specs.oauth.dpop_proof import ProofKey, make_proof, read_nonce
from sso_proxy.specs.oidc.token_response import (
    MAX_ANSWER,
    USE_DPOP_NONCE,
    TokenResponseError,
    refuse,
)

_log = Logger()

INVALID_CLIENT: Final = "invalid_client"
"""The provider does not believe that we are who we say (RFC 6749 section 5.2)."""

_USERINFO: Final = "application/json, application/jwt;q=0.9"
_JSON: Final = "application/json"

_wants_nonce = re.compile(
    rf'\berror[ \t]*=[ \t]*"?{USE_DPOP_NONCE}\b', re.IGNORECASE
).search
"""In a challenge; how the scheme before it is written does not matter."""


@attrs.frozen(kw_only=True)
class ClientIdentity:
    """
    Who we are to a provider.

    Attributes:
        clients: Our name and how we prove it; a second one has another secret.
        tls: Our certificate, and whom to trust; None for what is usual.
        proof_key: What our tokens are bound to (DPoP), or None.
        within: Seconds for an answer; None for what all requests have.
    """

    clients: Sequence[ClientAuth]
    tls: ClientTls | None = None
    proof_key: ProofKey | None = None
    within: float | None = None

    @property
    def has_certificate(self) -> bool:
        """Say whether we show a certificate."""
        return self.tls is not None and self.tls.certificate is not None


class ProviderLink:
    """
    Sends requests of one client to one provider.

    A request is sent once.  It is sent again, as a new one, if the provider says that
    it did nothing: once when it wants another DPoP nonce, and once with the other
    secret when it does not believe the one.

    Attributes:
        refused: The provider believed no secret of ours the last time.

    Args:
        identity: Who we are.
        http_client: Sends the requests, and follows no redirect.
        clock: The time.
        unique: Gives what nobody has said before and nobody can guess.
    """

    def __init__(
        self,
        identity: ClientIdentity,
        http_client: HttpClient,
        clock: IClock,
        unique: Callable[[], str],
    ) -> None:
        self.refused = False
        self._identity = identity
        self._http_client = http_client
        self._clock = clock
        self._unique = unique
        self._clients = tuple(identity.clients)
        # An authorization server and a resource server on one host may have nonces of
        # their own (RFC 9449 section 9).
        self._nonces: dict[tuple[str, str], str] = {}

    async def post(
        self,
        url: str,
        fields: FormFields,
        within: float | None = None,
        *,
        repeatable: bool = False,
    ) -> HttpReply:
        """
        Send a form as the client that we are.

        Args:
            url: An endpoint of the authorization server.
            fields: The form, without what proves who we are.
            within: Seconds for each answer, if these are fewer than usual.
            repeatable: To ask twice is as good as once: it is asked again if a
                connection ends without an answer, as one that was kept may.

        Raises:
            NoReplyError: There is no whole answer.  Nobody knows then what the request
                did, and it is not sent again unless it is *repeatable*.
        """
        clients = list(self._clients)
        may_repeat = self._identity.proof_key is not None
        while True:
            client = clients[0]
            nonce = self._nonces.get(_server("as", url))
            limits = {**self._limits(within), "repeatable": repeatable}
            reply = await self._post_once(url, fields, client, nonce, limits)
            renewed = self._note_nonce("as", url, reply) not in {None, nonce}
            error = _error_of(reply)
            if error == USE_DPOP_NONCE and renewed and may_repeat:
                may_repeat = False
            elif error == INVALID_CLIENT and len(clients) > 1:
                del clients[0]
            else:
                self._note_client(client, refused=error == INVALID_CLIENT)
                return reply

    async def fetch(
        self, url: str, token: str, token_type: str, *, in_body: bool = False
    ) -> HttpReply:
        """
        Ask a resource server of the provider, UserInfo for example.

        Args:
            url: What to ask for.
            token: The access token.
            token_type: ``Bearer``, or ``DPoP``.
            in_body: Send a Bearer token in a form (RFC 6750 section 2.2).

        Raises:
            NoReplyError: There is no whole answer.
            ValueError: The token is bound to a key, and we have none.
        """
        bound = token_type == "DPoP"  # noqa: S105
        nonce = self._nonces.get(_server("rs", url))
        if not bound:
            return await self._fetch_bearer(url, token, in_body=in_body)
        reply = await self._fetch_bound(url, token, nonce)
        given = self._note_nonce("rs", url, reply)
        if reply.status == 401 and given not in {None, nonce}:
            challenges = _values(reply, "www-authenticate")
            if any(map(_wants_nonce, challenges)):
                reply = await self._fetch_bound(url, token, given)
                self._note_nonce("rs", url, reply)
        return reply

    async def _post_once(
        self,
        url: str,
        fields: FormFields,
        client: ClientAuth,
        nonce: str | None,
        limits: Mapping[str, Any],
    ) -> HttpReply:
        """Send a form; what proves who we are is new each time."""
        own = build_credentials(client, now=self._clock.time(), unique=self._unique())
        # A field that stands twice is a mistake (RFC 6749 section 3.2).
        ours = {name for name, _ in own.fields}
        rest = tuple(field for field in fields if field[0] not in ours)
        headers = {"Accept": _JSON, **dict(own.headers)}
        if self._identity.proof_key is not None:
            headers["DPoP"] = self._prove("POST", url, nonce)
        return await self._http_client.post_form(
            url, (*rest, *own.fields), headers, **limits
        )

    async def _fetch_bearer(self, url: str, token: str, *, in_body: bool) -> HttpReply:
        """Ask with a token that is bound to no key of ours."""
        headers = {"Accept": _USERINFO}
        if in_body:
            form = (("access_token", token),)
            return await self._http_client.post_form(
                url, form, headers, repeatable=True, **self._limits()
            )
        headers["Authorization"] = f"Bearer {token}"
        return await self._http_client.get(url, headers, **self._limits())

    async def _fetch_bound(self, url: str, token: str, nonce: str | None) -> HttpReply:
        """Ask with a token that is bound to our key (RFC 9449 section 7)."""
        headers = {
            "Accept": _USERINFO,
            "Authorization": f"DPoP {token}",
            "DPoP": self._prove("GET", url, nonce, token),
        }
        return await self._http_client.get(url, headers, **self._limits())

    def _prove(
        self, method: str, url: str, nonce: str | None, token: str | None = None
    ) -> str:
        """Prove for one request that we hold our key."""
        key = self._identity.proof_key
        if key is None:
            raise ValueError("a token is bound to a key, and we have none")
        return make_proof(
            key,
            method=method,
            uri=url,
            now=self._clock.time(),
            jti=self._unique(),
            token=token,
            nonce=nonce,
        )

    def _limits(self, within: float | None = None) -> Mapping[str, Any]:
        """Give what bounds a request, and whom it is sent as."""
        identity = self._identity
        times = [each for each in (within, identity.within) if each is not None]
        return {
            "max_bytes": MAX_ANSWER,
            "within": min(times) if times else None,
            "tls": identity.tls,
        }

    def _note_nonce(self, kind: str, url: str, reply: HttpReply) -> str | None:
        """Keep the nonce for the next proof, if there is one (section 8.2)."""
        nonce = read_nonce(_values(reply, "dpop-nonce"))
        if nonce is not None and self._identity.proof_key is not None:
            self._nonces[_server(kind, url)] = nonce
        return nonce

    def _note_client(self, client: ClientAuth, *, refused: bool) -> None:
        """Begin with the secret that was believed, the next time."""
        self.refused = refused
        if not refused and client is not self._clients[0]:
            _log.info(
                "The secret that is used for {client} changes", client=client.client_id
            )
            others = (other for other in self._clients if other is not client)
            self._clients = (client, *others)


def _server(kind: str, url: str) -> tuple[str, str]:
    """Name the server that a nonce is for: what it does, and where it is."""
    parts = urlsplit(url)
    return kind, f"{parts.scheme}://{parts.netloc}"


def _values(reply: HttpReply, name: str) -> list[str]:
    """Give the values of all fields with this name."""
    return [value for field, value in reply.headers if field == name]


def _error_of(reply: HttpReply) -> str:
    """Give the code by which the provider refuses, or nothing."""
    if reply.status < 300:
        return ""
    try:
        refuse(reply.status, reply.header("content-type"), reply.body)
    except TokenResponseError as e:
        return e.error
