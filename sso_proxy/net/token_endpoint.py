"""Ask a token endpoint for tokens that are not a login's (RFC 6749 section 3.2)."""

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

import attrs
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import HttpClient, NoReplyError, Trouble
from sso_proxy.net.provider_link import INVALID_CLIENT, ClientIdentity, ProviderLink
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oidc.token_response import USE_DPOP_NONCE, TokenResponseError

_log = Logger()

T = TypeVar("T")

Read = Callable[[int, str | None, bytes], T]
"""Reads status, media type and body of an answer; raises TokenResponseError."""

_STATUS: Final[Mapping[Trouble, int]] = {
    Trouble.UNREACHABLE: 502,
    Trouble.GARBLED: 502,
    Trouble.TIMEOUT: 504,
}
_BUSY: Final = frozenset({408, 425, 429, 503})
_BUSY_CODES: Final = frozenset({"temporarily_unavailable", "slow_down"})
_OUR_FAULT: Final = frozenset(
    {
        *(INVALID_CLIENT, "unauthorized_client", "unsupported_grant_type"),
        *(USE_DPOP_NONCE, "invalid_dpop_proof"),
    }
)
"""What no caller can do anything about: the operator has to know."""
_SECRET: Final = 8
"""Characters that a secret has at least."""
_HIDDEN: Final = "[…]"
_long_words = re.compile(r"[^\s,;:]{32,}").sub
"""Tokens, or the beginnings of some."""


class TokenEndpoint:
    """
    Asks one endpoint as one client.

    Args:
        name: What messages call it.
        find: Gives the URL; raises UnavailableError while nobody knows it.
        identity: Who we are there, and how it is reached.
        http_client: Sends the requests, and follows no redirect.
        clock: The time.
        unique: Gives what nobody has said before and nobody can guess.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        find: Callable[[], Coroutine[Any, Any, str]],
        identity: ClientIdentity,
        *,
        http_client: HttpClient,
        clock: IClock,
        unique: Callable[[], str],
    ) -> None:
        self._name = name
        self._find = find
        self._identity = identity
        self._link = ProviderLink(identity, http_client, clock, unique)
        self._problem = ""

    async def ask(
        self, fields: FormFields, read: Read[T], *, repeatable: bool = True
    ) -> T | TokenResponseError:
        """
        Ask for a token.

        A redirect is no answer: it would carry tokens to where somebody else says.

        Args:
            fields: The form, without what proves who we are.
            read: Reads the answer.
            repeatable: To ask twice is as good as once; not so for what can be used
                once, such as refresh tokens.

        Returns:
            What *read* gives, or what it raises: a refusal, or an answer that is none.

        Raises:
            UnavailableError: The server cannot be reached or fails (502), is busy
                (503), says nothing in time (504), or does not take us for its client
                (502), which is an error in the log.
        """
        url = await self._find()
        try:
            reply = await self._link.post(url, fields, repeatable=repeatable)
        except NoReplyError as e:
            raise attrs.evolve(e, status=_STATUS[e.trouble]) from None
        try:
            answer = read(reply.status, reply.media_type, reply.body)
        except TokenResponseError as e:
            error = attrs.evolve(e, detail=self._without_secrets(e.detail, fields))
            self._judge(reply.status, error)
            return error
        self._note("")
        return answer

    async def place(self) -> str:
        """
        Give its URL.

        Raises:
            UnavailableError: Nobody knows it now.
        """
        return await self._find()

    async def probe(self) -> tuple[str, ...]:
        """Say that the server does not take us for its client, if so."""
        if not self._problem:
            return ()
        return (f"{WARNING}token endpoint of {self._name}: {self._problem}",)

    def _judge(self, status: int, error: TokenResponseError) -> None:
        """Raise UnavailableError if an answer says nothing about what was asked."""
        text = f"{error.error} {error.detail}".strip()
        if error.error in _OUR_FAULT:
            self._note(text)
            raise self._unavailable(text, 502)
        if status in _BUSY or error.error in _BUSY_CODES:
            raise self._unavailable(text, 503)
        if status >= 500 or error.error == "server_error":
            raise self._unavailable(text, 504 if status == 504 else 502)
        if error.error:
            self._note("")

    def _without_secrets(self, text: str, fields: FormFields) -> str:
        """Take out of a server's words what we sent it, which some repeat."""
        sent = [value for _, value in fields]
        sent += [client.secret for client in self._identity.clients]
        for value in sent:
            if len(value) >= _SECRET:
                text = text.replace(value, _HIDDEN)
        return _long_words(_HIDDEN, text)

    def _note(self, problem: str) -> None:
        """Keep in mind whether we are known there; log it when that changes."""
        if problem != self._problem and problem:
            _log.error(
                "The token endpoint of {name} does not take us for its client:"
                " {problem}",
                name=self._name,
                problem=problem,
            )
        self._problem = problem

    def _unavailable(self, problem: str, status: int) -> UnavailableError:
        what = f"token endpoint of {self._name}: {problem}"
        return UnavailableError(what, status=status)
