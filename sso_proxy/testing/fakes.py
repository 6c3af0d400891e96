"""
Doubles and builders for the tests of plugins, and for ours.

The builders give values with sensible defaults: name only what a test is about.  The
fakes provide the real interfaces and record what they were asked.
"""

import base64
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from sso_proxy.authz.conditions import compile_condition
from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.config.key_ring import KeyRing, RingKey
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import (
    IAuthenticator,
    ILocalPolicy,
    IPasswordChecker,
    IPolicy,
    ITokenSource,
    ITools,
    IUserMapper,
)
from sso_proxy.model import (
    PERMIT,
    Authenticated,
    Caller,
    CertificateFacts,
    Client,
    Decision,
    HeaderChallenge,
    Identity,
    LoginRedirect,
    MapperVerdict,
    Outcome,
    Refusal,
    Request,
    RequestHead,
    TlsFacts,
    UserName,
)
from sso_proxy.sealing import RingSealer
from sso_proxy.testing.clock import SettableClock
from sso_proxy.token import Audience, NotIssued, Token

T = TypeVar("T")

NOW = 1_800_000_000.0
"""The time at which `SettableClock` starts: seconds since the epoch, in 2027."""

KEY_RING = KeyRing((RingKey(kid="test", created=int(NOW), secret=bytes(range(32))),))
"""The keys of `FakeTools`: the same in every test."""


def make_identity(  # noqa: PLR0913
    subject: str = "alice",
    *,
    issuer: str = "https://login.example.com",
    authenticator: str = "fake",
    claims: Mapping[str, Any] | None = None,
    scopes: Iterable[str] = (),
    confirmation: Mapping[str, Any] | None = None,
    expires: float | None = None,
    token: str = "",
) -> Identity:
    """Make somebody: Alice, unless told otherwise."""
    return Identity(
        issuer=issuer,
        subject=subject,
        authenticator=authenticator,
        claims=dict(claims or {}),
        scopes=frozenset(scopes),
        confirmation=dict(confirmation or {}),
        expires=expires,
        token=token,
    )


def make_certificate(  # noqa: PLR0913
    subject: str = "CN=alice",
    *,
    der: bytes | None = None,
    issuer: str = "CN=Example CA",
    verified: bool = True,
    problem: str = "",
    not_after: float = NOW + 86400,
    names: Iterable[tuple[str, str]] = (),
) -> CertificateFacts:
    """
    Make the facts of a client certificate.

    *der* need not be a certificate; unset, it differs for each *subject*.  The
    thumbprint is right for it.
    """
    der = subject.encode() if der is None else der
    digest = hashlib.sha256(der).digest()
    return CertificateFacts(
        der=der,
        verified=verified,
        problem=problem,
        thumbprint=base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        subject=subject,
        issuer=issuer,
        serial="01",
        not_after=not_after,
        names=tuple(names),
    )


def make_request(  # noqa: PLR0913
    method: str = "GET",
    path: str = "/",
    *,
    host: str = "app.example.com",
    query: str | None = None,
    headers: Mapping[str, str] | None = None,
    certificate: CertificateFacts | None = None,
    tls: bool = True,
    client: str = "192.0.2.1",
    time: float | None = NOW,
) -> Request:
    """
    Make a request, over TLS 1.3 unless *tls* is false.

    *path* is canonical already; names in *headers* are made lower-case.
    """
    facts = TlsFacts(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        server_name=host,
        certificate=certificate,
    )
    head = RequestHead(
        method=method,
        scheme="https" if tls else "http",
        host=host,
        port=443 if tls else 80,
        path=path,
        query=query,
        headers=tuple((name.lower(), value) for name, value in (headers or {}).items()),
    )
    return Request(
        id="test-request",
        head=head,
        tls=facts if tls else None,
        client=Client(address=client, peer=client),
        time=time,
    )


@implementer(ITools)
@attrs.define(kw_only=True)
class FakeTools:
    """
    What ``from_config`` is given.

    Attributes:
        name: The component's name in the configuration.
        clock: A clock that stands still.
        http_client: None, or a double of yours.
        reactor: None, or a double of yours.
        spawned: The coroutines that the component started; they do not run.
        state_dir: A directory that is not there, or one of yours.
        memory: The cache that is given for every name.
        tokens: Token sources by name.
        checkers: Password checkers by name.
        mappers: User mappers by name.
        changes: How often something was to be decided anew.
    """

    name: str = "test"
    clock: SettableClock = attrs.field(factory=SettableClock)
    http_client: Any = None
    reactor: Any = None
    spawned: list[Coroutine[Any, Any, Any]] = attrs.field(factory=list)
    state_dir: Path = Path("/nonexistent")
    tokens: dict[str, ITokenSource] = attrs.field(factory=dict)
    checkers: dict[str, IPasswordChecker] = attrs.field(factory=dict)
    mappers: dict[str, IUserMapper] = attrs.field(factory=dict)
    changes: int = 0
    memory: MemoryCache = attrs.field()

    @memory.default
    def _memory(self) -> MemoryCache:
        return MemoryCache(MemoryCacheConfig(), self.clock)

    def cache(self, name: str | None, needs: frozenset[str]) -> MemoryCache:  # noqa: ARG002
        """Give the cache, if there is such an operation at all."""
        if unknown := needs - self.memory.operations:
            raise ConfigError(Mistake("cache", f"no cache can do {sorted(unknown)}"))
        return self.memory

    def sealer(self, kind: str) -> RingSealer:
        """Give what seals with `KEY_RING`."""
        return RingSealer(kind, KEY_RING)

    def checker(self, name: str) -> IPasswordChecker:
        """Give one of `checkers`."""
        return _find("checker", self.checkers, name)

    def token(self, name: str) -> ITokenSource:
        """Give one of `tokens`."""
        return _find("token", self.tokens, name)

    def mapper(self, name: str) -> IUserMapper:
        """Give one of `mappers`."""
        return _find("mapper", self.mappers, name)

    def condition(self, text: str, option: str) -> Callable[[Identity, Request], bool]:
        """Give the test that a condition is."""
        return compile_condition(text, option).holds

    def decide_anew(self) -> None:
        """Count it in `changes`."""
        self.changes += 1

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Note *coroutine*."""
        self.spawned.append(coroutine)

    def shared(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401, ARG002
        """Make the thing: there was no configuration before."""
        return make()


def _find(word: str, given: Mapping[str, T], name: str) -> T:
    if name not in given:
        raise ConfigError(Mistake("", f"there is no {word} {name!r}"))
    return given[name]


class _Script:
    """Answers in turn, the last one for ever; an exception is raised."""

    def __init__(self, answers: tuple[Any, ...]) -> None:
        self._answers = list(answers)

    def next(self) -> Any:  # noqa: ANN401
        last = len(self._answers) == 1
        answer = self._answers[0] if last else self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@implementer(IAuthenticator)
class FakeAuthenticator:
    """
    Answers what it is told to.

    Args:
        answers: Outcomes, or exceptions to raise, in turn; the last one for ever.
            None given: Alice.
        challenge: What `challenge` answers.
        consumes: Names of header fields that the credential is said to be in.

    Attributes:
        asked: The requests it was asked about.
    """

    def __init__(
        self,
        *answers: Outcome | Exception,
        challenge: LoginRedirect | HeaderChallenge | None = None,
        consumes: tuple[str, ...] = (),
    ) -> None:
        self._script = _Script(answers or (Authenticated(make_identity()),))
        self._challenge = challenge
        self.consumes = consumes
        self.asked: list[Request] = []

    async def authenticate(self, request: Request) -> Outcome:
        """Give the next answer."""
        self.asked.append(request)
        outcome: Outcome = self._script.next()
        return outcome

    def challenge(
        self,
        request: Request,  # noqa: ARG002
    ) -> LoginRedirect | HeaderChallenge | None:
        """Give the challenge it was made with."""
        return self._challenge

    def refusal(
        self,
        request: Request,  # noqa: ARG002
        refusal: Refusal,
    ) -> HeaderChallenge | None:
        """Give what it was asked, as a challenge of a scheme of its own."""
        scope = " ".join(refusal.scope)
        text = f'Fake error="{refusal.error}", scope="{scope}"'
        if refusal.acr_values:
            text += f', acr_values="{" ".join(refusal.acr_values)}"'
        if refusal.max_age is not None:
            text += f', max_age="{refusal.max_age}"'
        return HeaderChallenge((text,))


@implementer(ITokenSource)
class FakeTokenSource:
    """
    Gives what it is told to.

    Args:
        answers: Tokens, reasons why there is none, Deferreds of these, or exceptions
            to raise, in turn; the last one for ever.  None given: ``t0ken``.
        consumes: Where the credentials are said to be that tokens are made from.

    Attributes:
        asked: Callers and audiences that it was asked about.
    """

    def __init__(self, *answers: Any, consumes: tuple[str, ...] = ()) -> None:  # noqa: ANN401
        self._script = _Script(answers or (Token(value="t0ken"),))
        self.consumes = consumes
        self.asked: list[tuple[Caller, Audience]] = []

    def check_audience(self, audience: Audience) -> None:
        """Take any."""

    async def token_for(self, caller: Caller, audience: Audience) -> Token | NotIssued:
        """Give the next answer."""
        self.asked.append((caller, audience))
        answer = self._script.next()
        if isinstance(answer, Deferred):
            answer = await answer
        given: Token | NotIssued = answer
        return given


@implementer(IUserMapper)
class FakeMapper:
    """
    Answers what it is told to.

    Args:
        answers: Names or verdicts, or exceptions to raise, in turn; the last one
            for ever.  None given: the subject.

    Attributes:
        asked: The identities it was asked about.
    """

    def __init__(self, *answers: str | MapperVerdict | Exception) -> None:
        self._script = _Script(answers) if answers else None
        self.asked: list[Identity] = []

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give the next answer."""
        self.asked.append(identity)
        if self._script is None:
            return UserName(identity.subject)
        answer: UserName | MapperVerdict = self._script.next()
        return answer


@implementer(IPolicy)
class FakePolicy:
    """
    Answers what it is told to.

    Args:
        answers: Decisions, or exceptions to raise, in turn; the last one for ever.
            None given: permit.
        sets: Names of header fields that its obligations may set.

    Attributes:
        asked: The identities and requests it was asked about.
    """

    def __init__(
        self, *answers: Decision | Exception, sets: frozenset[str] = frozenset()
    ) -> None:
        self.sets = sets
        self._script = _Script(answers or (PERMIT,))
        self.asked: list[tuple[Identity, Request]] = []

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """Give the next answer."""
        self.asked.append((identity, request))
        decision: Decision = self._script.next()
        return decision


@implementer(ILocalPolicy)
class FakeLocalPolicy:
    """
    Says the same at once, for some seconds.

    Args:
        answer: A decision, or an exception to raise.
        by_request: Whether it may say something else for another request.
        sets: Names of header fields that its obligations may set.

    Attributes:
        steady: The seconds.
        asked: The identities and requests it was asked about.
    """

    def __init__(
        self,
        answer: Decision | Exception = PERMIT,
        *,
        by_request: bool = False,
        sets: frozenset[str] = frozenset(),
    ) -> None:
        self._answer = answer
        self.depends_on_request = by_request
        self.sets = sets
        self.steady = 9.0
        self.asked: list[tuple[Identity, Request]] = []

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """Decide as `check` does."""
        return self.check(identity, request)

    def check(self, identity: Identity, request: Request) -> Decision:
        """Give the answer."""
        self.asked.append((identity, request))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def steady_for(self, identity: Identity, request: Request) -> float:  # noqa: ARG002
        """Give the seconds."""
        return self.steady
