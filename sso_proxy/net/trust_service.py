"""Ask a security token service (WS-Trust 1.3 over SOAP and HTTP)."""

import re
from collections.abc import Collection, Mapping
from typing import Final

import attrs
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import (
    ClientTls,
    HttpClient,
    HttpReply,
    NoReplyError,
    Trouble,
)
from sso_proxy.specs.wstrust.answer import (
    MAX_ANSWER,
    Issued,
    NotValid,
    TrustAnswerError,
    read_answer,
)
from sso_proxy.specs.wstrust.fault import Blame, SoapFaultError
from sso_proxy.specs.wstrust.request import TokenRequest, build_headers, build_request

_log = Logger()

_STATUS: Final[Mapping[Trouble, int]] = {
    Trouble.UNREACHABLE: 502,
    Trouble.GARBLED: 502,
    Trouble.TIMEOUT: 504,
}
_BUSY: Final = frozenset({408, 425, 429, 503})
_STRANGERS: Final = frozenset({401, 403, 407})
_FAULTS: Final = frozenset({400, 500})
"""Status of faults: SOAP 1.1 section 6.2, SOAP 1.2 part 2 section 7.5.2."""
_TELL_AFTER: Final = 60.0
"""Seconds between two lines in the log."""
_SECRET: Final = 8
"""Characters that a secret has at least."""
_HIDDEN: Final = "[…]"
_long_words = re.compile(r"[^\s,;:]{32,}").sub
"""Tokens that a service repeats, or the beginnings of some."""


@attrs.frozen(kw_only=True)
class TrustAccess:
    """
    How a service is reached.

    Attributes:
        url: Where it is; https, or http to a loopback address.
        authorization: What HTTP says of us: ``Basic …``; empty says nothing.
        tls: Our certificate, and whom to trust; None for what is usual.
        within: Seconds for an answer; None for what all requests have.
    """

    url: str
    authorization: str = attrs.field(default="", repr=False)
    tls: ClientTls | None = None
    within: float | None = None


class TrustService:
    """
    Asks one service.

    Args:
        access: How it is reached.
        http_client: Sends the requests, and follows no redirect.
        clock: The time.
    """

    def __init__(
        self, access: TrustAccess, http_client: HttpClient, clock: IClock
    ) -> None:
        self._access = access
        self._http_client = http_client
        self._clock = clock
        self._problem = ""
        self._tell_at = float("-inf")

    async def ask(
        self, request: TokenRequest, secrets: Collection[str] = ()
    ) -> Issued | NotValid | SoapFaultError | TrustAnswerError:
        """
        Ask for a token.

        Args:
            request: What is asked.
            secrets: What is sent that must not be in what the service says in words,
                as some repeat it.

        Returns:
            The token, or why there is none: what was to be validated is not valid, the
            service refuses, or its answer is none.

        Raises:
            UnavailableError: The service cannot be reached or fails (502), is busy
                (503), says nothing in time (504), or does not know us (502), which is
                an error in the log.
            TextError: Something in the request has a character that XML cannot hold.
        """
        reply = await self._send(request)
        if reply.status not in {200, *_FAULTS}:
            return self._judge(reply.status)
        kinds = [value for name, value in reply.headers if name == "content-type"]
        try:
            answer = read_answer(
                reply.body, ", ".join(kinds), request, self._clock.time()
            )
        except SoapFaultError as e:
            reason = _without(secrets, e.reason)
            return self._judge_fault(attrs.evolve(e, reason=reason))
        except TrustAnswerError as e:
            if reply.status >= 500:
                raise self._unavailable(f"status {reply.status}", 502) from None
            return e
        if reply.status != 200:
            return TrustAnswerError(f"status {reply.status}, and no fault")
        self._note("")
        if isinstance(answer, NotValid):
            return NotValid(reason=_without(secrets, answer.reason))
        return answer

    async def probe(self) -> tuple[str, ...]:
        """Say that the service does not know us or our request, if so."""
        if not self._problem:
            return ()
        return (f"{WARNING}token service at {self._access.url}: {self._problem}",)

    async def _send(self, request: TokenRequest) -> HttpReply:
        """Send the request; a token that is issued twice is lost once, and no harm."""
        access = self._access
        headers = dict(build_headers(request))
        if access.authorization:
            headers["Authorization"] = access.authorization
        try:
            return await self._http_client.send(
                "POST",
                access.url,
                build_request(request),
                headers,
                max_bytes=MAX_ANSWER,
                within=access.within,
                tls=access.tls,
                repeatable=True,
            )
        except NoReplyError as e:
            raise attrs.evolve(e, status=_STATUS[e.trouble]) from None

    def _judge(self, status: int) -> TrustAnswerError:
        """Say what a status means with which no SOAP message comes."""
        text = f"status {status}"
        if status in _STRANGERS:
            self._note(text)
            raise self._unavailable(text, 502)
        if status in _BUSY:
            raise self._unavailable(text, 503)
        if status >= 500:
            raise self._unavailable(text, 504 if status == 504 else 502)
        return TrustAnswerError(text)

    def _judge_fault(self, fault: SoapFaultError) -> SoapFaultError:
        """Keep in mind a fault of ours; raise for one of the service."""
        if fault.blame is Blame.SERVICE:
            raise self._unavailable(str(fault), 502)
        if fault.blame is Blame.REQUEST:
            self._note(str(fault))
        return fault

    def _note(self, problem: str) -> None:
        """Keep in mind what is wrong with us; log it once a minute."""
        now = self._clock.monotonic()
        if problem and now >= self._tell_at:
            # what was presented may be at fault, too: not a line for each request
            self._tell_at = now + _TELL_AFTER
            _log.error(
                "The token service at {url} does not take what we ask: {problem}",
                url=self._access.url,
                problem=problem,
            )
        self._problem = problem

    def _unavailable(self, problem: str, status: int) -> UnavailableError:
        what = f"token service at {self._access.url}: {problem}"
        return UnavailableError(what, status=status)


def _without(secrets: Collection[str], text: str) -> str:
    """Take out of a service's words what we sent it."""
    for value in secrets:
        if len(value) >= _SECRET:
            text = text.replace(value, _HIDDEN)
    return _long_words(_HIDDEN, text)
