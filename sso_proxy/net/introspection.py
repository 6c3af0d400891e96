"""Ask an authorization server about tokens (RFC 7662, RFC 9701)."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final, Literal, Protocol

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.interfaces import IClock, IHealth
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import (
    ClientTls,
    HttpClient,
    HttpReply,
    NoReplyError,
    Trouble,
)
from sso_proxy.net.once import Once
from sso_proxy.net.standing import Standing
from sso_proxy.specs.jose.compact import ALGORITHMS, CompactJws
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.specs.oauth.client_auth import (
    ClientAuth,
    build_credentials,
)
from sso_proxy.specs.oauth.introspection import (
    ACCESS_TOKEN,
    JSON_TYPE,
    JWT_TYPE,
    MAX_ANSWER,
    TOKEN,
    AnswerError,
    build_fields,
    check_status,
    read_json_answer,
    read_jwt_answer,
    split_jwt_answer,
)

_log = Logger()

CHECK_AFTER: Final = 5.0
"""Seconds between questions of our own while health is asked for and not good."""

_NO_TOKEN: Final = "sso-proxy-asks-whether-you-answer"  # noqa: S105

_STATUS: Final[Mapping[Trouble, int]] = {
    Trouble.UNREACHABLE: 502,
    Trouble.GARBLED: 502,
    Trouble.TIMEOUT: 504,
}


class KeySource(Protocol):
    """What `JwksSource` and its kin have in common."""

    async def key_set(self) -> KeySet:
        """Give the keys."""

    async def key_set_for_unknown(self) -> KeySet:
        """Give the keys after one was named that was not among them."""


@attrs.frozen(kw_only=True)
class SignedAnswers:
    """
    What answers must be, if they must be signed (RFC 9701).

    Attributes:
        keys: The authorization server's.
        issuer: Its name.
        audience: Ours.
        algorithms: Those that it may sign with.
        leeway: Seconds that its clock may differ from ours.
        decrypt: Gives the JWS inside a JWE, or raises TokenError; None takes none.
    """

    keys: KeySource
    issuer: str
    audience: str
    algorithms: frozenset[str] = ALGORITHMS
    leeway: float = 10.0
    decrypt: Callable[[str], bytes] | None = None


@attrs.frozen(kw_only=True)
class IntrospectionEndpoint:
    """
    Where and how to ask.

    Attributes:
        name: What messages call it.
        find: Gives the URL: https, or http to a loopback address; raises
            UnavailableError while nobody knows it.
        client: Who we are there.
        tls: Our certificate, and whom to trust; None for what is usual.
        method: ``POST``, or ``GET`` for servers that know nothing else.
        token_param: The field with the token.
        hint: The ``token_type_hint``; empty sends none.
        params: Further fields.
        signed: What answers must be; None for plain JSON.
        within: Seconds for an answer; None for what all requests have.
        at_once: Different tokens that are asked about at the same time.
    """

    name: str
    find: Callable[[], Coroutine[Any, Any, str]] = attrs.field(repr=False)
    client: ClientAuth
    tls: ClientTls | None = None
    method: Literal["GET", "POST"] = "POST"
    token_param: str = TOKEN
    hint: str = ACCESS_TOKEN
    params: Mapping[str, str] = attrs.field(factory=dict)
    signed: SignedAnswers | None = None
    within: float | None = None
    at_once: int = 256


@implementer(IHealth)
class Introspector:
    """
    Asks one endpoint about tokens.

    Who asks about a token that is being asked about waits for the same answer; nothing
    is remembered beyond it.  An endpoint that is down is asked once a second, and the
    others are told at once that it is.

    Args:
        endpoint: Where and how to ask.
        http_client: Sends the questions.
        clock: The time.
        unique: Gives what nobody has said before and nobody can guess.
    """

    def __init__(
        self,
        endpoint: IntrospectionEndpoint,
        http_client: HttpClient,
        clock: IClock,
        unique: Callable[[], str],
    ) -> None:
        self._endpoint = endpoint
        self._http_client = http_client
        self._clock = clock
        self._unique = unique
        self._standing = Standing(clock, self._tell)
        self._asked: dict[bytes, Once[Mapping[str, Any]]] = {}
        self._check = Once(self._ask_about_none)
        self._check_at = float("-inf")
        self._refused = False

    async def ask(self, token: str) -> Mapping[str, Any]:
        """
        Give what the endpoint says about *token*, which it calls active.

        Nothing in it is checked: not for whom the token is, nor until when.

        Raises:
            TokenError: It calls the token inactive.
            UnavailableError: There is no answer: 502 if the endpoint cannot be
                reached or what it says is none, 504 if it says nothing in time, 503
                if it was not asked, as it is down or too many are being asked about.
        """
        name = sha256(token.encode()).digest()
        once = self._asked.get(name)
        if once is None:
            if len(self._asked) >= self._endpoint.at_once:
                raise self._unavailable("too many tokens are being asked about", 503)
            if not self._standing.admit():
                raise self._unavailable(self._standing.problem, 503)
            once = self._asked[name] = Once(lambda: self._ask(name, token))
        return await once.join()

    async def warm(self) -> None:
        """Ask about a token that is none, so that a mistake is in the log at once."""
        self._check_at = self._clock.monotonic() + CHECK_AFTER
        await self._check.join()

    async def probe(self) -> tuple[str, ...]:
        """
        Say what is wrong with the endpoint, as far as is known; asks it again then.

        Otherwise a proxy that gets no requests before it is ready would never be.
        """
        if not self._standing.problem:
            return ()
        now = self._clock.monotonic()
        if now >= self._check_at:
            self._check_at = now + CHECK_AFTER
            self._check.begin()
        line = f"introspection at {self._endpoint.name}: {self._standing.problem}"
        serious = self._refused or self._standing.is_down
        return (line if serious else f"{WARNING}{line}",)

    async def _ask(self, name: bytes, token: str) -> Mapping[str, Any]:
        """Ask, and let the next who asks ask anew."""
        try:
            return await self._answer(token)
        finally:
            del self._asked[name]

    async def _ask_about_none(self) -> None:
        """Ask for the sake of asking; the answer says nothing."""
        with suppress(TokenError, UnavailableError):  # noted already
            await self._answer(_NO_TOKEN)

    async def _answer(self, token: str) -> Mapping[str, Any]:
        """Ask, and keep account of how that went."""
        try:
            reply = await self._send(token)
        except NoReplyError as e:
            self._note(e.problem, counts=e.trouble is not Trouble.GARBLED)
            raise self._unavailable(e.problem, _STATUS[e.trouble]) from e
        try:
            members = await self._read(reply)
        except AnswerError as e:
            if token is _NO_TOKEN and e.disliked:
                self._note("")
            else:
                self._note(e.detail, counts=e.refused or e.busy, refused=e.refused)
            raise self._unavailable(e.detail, 502) from e
        except TokenError:
            self._note("")
            raise
        self._note("")
        return members

    async def _send(self, token: str) -> HttpReply:
        """Send the question."""
        endpoint = self._endpoint
        url = await endpoint.find()
        own = build_credentials(
            endpoint.client, now=self._clock.time(), unique=self._unique()
        )
        question = build_fields(
            token,
            token_param=endpoint.token_param,
            hint=endpoint.hint,
            params=endpoint.params,
        )
        fields = (*question, *own.fields)
        accept = JSON_TYPE if endpoint.signed is None else JWT_TYPE
        headers = {"Accept": accept, **dict(own.headers)}
        limits: dict[str, Any] = {
            "max_bytes": MAX_ANSWER,
            "within": endpoint.within,
            "tls": endpoint.tls,
        }
        if endpoint.method == "GET":
            return await self._http_client.get(url, headers, fields=fields, **limits)
        return await self._http_client.post_form(
            url, fields, headers, repeatable=True, **limits
        )

    async def _read(self, reply: HttpReply) -> Mapping[str, Any]:
        """Read the answer."""
        check_status(reply.status, reply.body)
        kind = reply.header("content-type")
        signed = self._endpoint.signed
        if signed is None:
            return read_json_answer(kind, reply.body)
        jws = split_jwt_answer(kind, reply.body, decrypt=signed.decrypt)
        try:
            await _check_signature(jws, signed)
        except TokenError as e:
            raise AnswerError(f"the answer is not to be believed: {e.detail}") from None
        return read_jwt_answer(
            jws.payload,
            issuer=signed.issuer,
            audience=signed.audience,
            now=self._clock.time(),
            leeway=signed.leeway,
        )

    def _note(
        self, problem: str, *, counts: bool = False, refused: bool = False
    ) -> None:
        """Keep account of how it went."""
        self._refused = refused
        self._standing.note(problem, counts=counts)

    def _tell(self, problem: str) -> None:
        """Log what is news."""
        if problem:
            _log.warn(
                "No answer about a token from {url}: {problem}",
                url=self._endpoint.name,
                problem=problem,
            )
        else:
            _log.info("{url} answers again about tokens", url=self._endpoint.name)

    def _unavailable(self, problem: str, status: int) -> UnavailableError:
        """Say that nobody knows about the token."""
        what = f"introspection at {self._endpoint.name}: {problem}"
        return UnavailableError(what, status=status)


async def _check_signature(jws: CompactJws, signed: SignedAnswers) -> None:
    """
    Check that the server has signed its answer.

    Raises:
        TokenError: It has not.
        UnavailableError: Its keys cannot be had.
    """
    try:
        keys = await signed.keys.key_set()
        check_signature(jws, keys, algorithms=signed.algorithms)
    except TokenError as e:
        # Keys without a name change without one, and then signatures seem wrong.
        if e.reason not in {"token-key-unknown", "token-signature"}:
            raise
        keys = await signed.keys.key_set_for_unknown()
        check_signature(jws, keys, algorithms=signed.algorithms)
