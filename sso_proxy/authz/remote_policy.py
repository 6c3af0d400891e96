"""What all policies have in common that ask a decision point elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Final, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.authz.foreign_obligations import ForeignObligations
from sso_proxy.errors import ConfigError, Mistake, SsoProxyError, UnavailableError
from sso_proxy.interfaces import IHealth, IPolicy, ITools
from sso_proxy.model import WARNING, Decision, Effect, Identity, Request
from sso_proxy.net.http_client import HttpReply, NoReplyError, Trouble
from sso_proxy.net.once import Once
from sso_proxy.net.server_options import read_access
from sso_proxy.net.shelf import Shelf
from sso_proxy.net.standing import Standing
from sso_proxy.specs.oauth.client_auth import build_credentials

_log = Logger()

MAX_ANSWER: Final = 65536
"""Octets of an answer."""

DOWN: Final = "policy-down"
"""Nobody is there, or nobody who has the time."""
SLOW: Final = "policy-slow"
UNUSABLE: Final = "policy-unusable"
"""What came is no answer."""
STRANGER: Final = "policy-stranger"
"""The decision point does not take us for anybody who may ask."""

UNFIT: Final = Decision(effect=Effect.DENY, reasons=("attribute-unfit",))
"""What is known cannot be told to others, so that nobody can be asked."""

_REASON: Final[Mapping[Trouble, str]] = {
    Trouble.UNREACHABLE: DOWN,
    Trouble.TIMEOUT: SLOW,
    Trouble.GARBLED: UNUSABLE,
}
_BUSY: Final = frozenset({408, 425, 429, 503})
_STRANGERS: Final = frozenset({401, 403, 407})


@attrs.frozen
class PolicyAnswerError(SsoProxyError):
    """
    What a decision point sent is no answer.

    Attributes:
        detail: Why, for the log; nothing that the decision point said.
    """

    detail: str


@attrs.frozen
class UnfitError(SsoProxyError):
    """
    Nothing can be asked about this request and this identity.

    Attributes:
        detail: Why, for the log; no value of either.
    """

    detail: str


@attrs.frozen(kw_only=True)
class Question:
    """
    What is asked.

    Attributes:
        url: Where.
        body: All that the decision is to depend on.
        content_type: What the body is.
        accept: What the answer is to be.
        key: A digest of all that the answer depends on; unless the body has something
            in it that is always new, that of all of the above.
    """

    url: str
    body: bytes = attrs.field(repr=False)
    content_type: str = "application/json"
    accept: str = "application/json"
    key: bytes = attrs.field(repr=False)

    @key.default
    def _key(self) -> bytes:
        digest = sha256()
        for text in (self.url, self.content_type, self.accept):
            octets = text.encode()
            digest.update(len(octets).to_bytes(8, "big") + octets)
        digest.update(self.body)
        return digest.digest()


@attrs.frozen
class Answer:
    """
    What the decision point says.

    Attributes:
        decision: In our words.
        keep: Whether it may be the answer to the same question again.
        why: What it says about that, in lines for the log.
    """

    decision: Decision
    keep: bool = True
    why: tuple[str, ...] = ()


@attrs.frozen
class _Kept:
    """
    An answer on the shelf.

    Attributes:
        decision: It.
        ends: When it is believed no more, by the monotonic clock.
        octets: How large the answer was.
    """

    decision: Decision
    ends: float
    octets: int


@implementer(IPolicy, IHealth)
class RemotePolicy(ABC):
    """
    Asks a decision point, and believes its answers for a while.

    Types of policies are made of it by `build` and `read`.  Who asks what is being
    asked waits for the same answer; a decision point that is down is asked once a
    second, and the others are told at once that it is.

    Args:
        config: The options.
        tools: What may be used.

    Attributes:
        max_answer: Octets that an answer may have.
        name: What the configuration calls it.
        config: The options.
        clock: The time.
        obligations: Says its obligations in our words.
        sets: Lower-case names of header fields that these may set.

    Raises:
        ConfigError: A file cannot be used.
    """

    config_class: ClassVar[Any]
    max_answer: ClassVar[int] = MAX_ANSWER

    def __init__(self, config: Any, tools: ITools) -> None:  # noqa: ANN401
        self.config = config
        self.clock = tools.clock
        self.name = tools.name
        self.obligations = ForeignObligations(config.obligations, config.headers)
        self.sets = self.obligations.sets
        mistakes: list[Mistake] = []
        self.access = read_access(config, tools, mistakes)
        if mistakes:
            raise ConfigError(*mistakes)
        self._own = dict(build_credentials(config.client, now=0.0, unique="").headers)
        self._monotonic = tools.clock.monotonic
        self._standing = Standing(tools.clock, self._tell)
        self._kept: Shelf[_Kept] = Shelf(config.cache_size)
        self._asked: dict[bytes, Once[Decision]] = {}

    @classmethod
    def from_config(cls, config: Any, tools: ITools) -> Self:  # noqa: ANN401
        """
        Make one.

        Raises:
            ConfigError: As for the class.
        """
        return cls(config, tools)

    @abstractmethod
    def build(self, identity: Identity, request: Request) -> Question:
        """
        Say what is asked about *request*.

        Raises:
            UnfitError: Nothing can be; it is denied.
        """

    @abstractmethod
    def read(self, question: Question, reply: HttpReply) -> Answer:
        """
        Read an answer, whose status is 200.

        Raises:
            PolicyAnswerError: It is none.
        """

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """
        Give what the decision point says, or said just now.

        Raises:
            UnavailableError: It says nothing, or nothing that is an answer: 503, and a
                reason of its own for each.
        """
        try:
            question = self.build(identity, request)
        except UnfitError as e:
            _log.info(
                "Request {id}: {name} cannot be asked: {why}",
                id=request.id,
                name=self.name,
                why=e.detail,
            )
            return UNFIT
        key = question.key
        kept = self._kept.find(key)
        if kept is not None and self._monotonic() < kept.ends:
            return kept.decision
        once = self._asked.get(key)
        if once is None:
            if len(self._asked) >= self.config.at_once:
                raise self._unavailable("too many questions are being asked", DOWN)
            if not self._standing.admit():
                raise self._unavailable(self._standing.problem, DOWN)
            once = Once(lambda: self._ask(question, request.id))
            self._asked[key] = once
        return await once.join()

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        if not self._standing.problem:
            return ()
        return (f"{WARNING}policy.{self.name}: {self._standing.problem}",)

    async def _ask(self, question: Question, id_: str) -> Decision:
        """Ask, and let the next who asks ask anew unless the answer is kept."""
        try:
            reply = await self._send(question, id_)
            try:
                answer = self.read(question, reply)
            except PolicyAnswerError as e:
                raise self._failed(e.detail, UNUSABLE) from None
        finally:
            del self._asked[question.key]
        self._standing.note()
        self._keep(question, answer, reply)
        for line in answer.why:
            _log.info(
                "Request {id}: {name} says: {why}", id=id_, name=self.name, why=line
            )
        return answer.decision

    async def _send(self, question: Question, id_: str) -> HttpReply:
        """
        Send the question.

        Raises:
            UnavailableError: Nothing comes that could be an answer.
        """
        access = self.access
        headers = {
            "Content-Type": question.content_type,
            "Accept": question.accept,
            "X-Request-ID": id_,
            **self._own,
        }
        try:
            reply = await access.http_client.send(
                "POST",
                question.url,
                question.body,
                headers,
                max_bytes=self.max_answer,
                within=access.within,
                tls=access.tls,
                repeatable=True,
            )
        except NoReplyError as e:
            counts = e.trouble is not Trouble.GARBLED
            raise self._failed(e.problem, _REASON[e.trouble], counts=counts) from None
        self._check_status(reply.status)
        return reply

    def _check_status(self, status: int) -> None:
        """Raise UnavailableError for what is no answer."""
        if status == 200:
            return
        text = f"status {status}"
        if status in _STRANGERS:
            raise self._failed(text, STRANGER, counts=True)
        if status in _BUSY:
            raise self._failed(text, DOWN, counts=True)
        if status >= 500:
            raise self._failed(text, DOWN)
        raise self._failed(text, UNUSABLE)

    def _keep(self, question: Question, answer: Answer, reply: HttpReply) -> None:
        """Keep an answer, if it may be kept."""
        if not answer.keep:
            return
        if answer.decision.obligations and not self.config.cache_obligations:
            return
        ttl = min(self.config.ttl, _freshness(reply))
        if ttl > 0:
            ends = self._monotonic() + ttl
            entry = _Kept(answer.decision, ends, len(reply.body))
            self._kept.put(question.key, entry)

    def _failed(
        self, problem: str, reason: str, *, counts: bool = False
    ) -> UnavailableError:
        """Keep account of what went wrong."""
        self._standing.note(problem, counts=counts)
        return self._unavailable(problem, reason)

    def _unavailable(self, problem: str, reason: str) -> UnavailableError:
        what = f"policy.{self.name}: {problem}"
        return UnavailableError(what, reason=reason)

    def _tell(self, problem: str) -> None:
        """Log what is news."""
        if problem:
            _log.warn("No decision by {name}: {why}", name=self.name, why=problem)
        else:
            _log.info("{name} decides again", name=self.name)


def _freshness(reply: HttpReply) -> float:
    """Say for how many seconds an answer is good, if it says so (RFC 9111 5.2.2)."""
    seconds = float("inf")
    for name, value in reply.headers:
        if name != "cache-control":
            continue
        for directive in value.lower().split(","):
            word, _, argument = directive.strip().partition("=")
            if word in {"no-store", "no-cache"}:
                return 0.0
            if word == "max-age":
                digits = argument.strip('"')
                short = digits.isascii() and digits.isdigit() and len(digits) < 10
                seconds = min(seconds, float(digits) if short else 0.0)
    return seconds
