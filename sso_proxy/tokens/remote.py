"""What all token sources have in common that ask a server."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IHealth, ITokenSource, ITools
from sso_proxy.interfaces.tokens import ICountsTokens
from sso_proxy.model import Caller, Identity
from sso_proxy.net.client_identity import noting
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.server_options import read_access
from sso_proxy.specs.jose.expiry import read_expiry
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.kept import build_keeper
from sso_proxy.tokens.refused import unusable
from sso_proxy.tokens.remote_config import RemoteConfig
from sso_proxy.tokens.subject import Presented, Subject, read_subject_option

_ASKED: Final = ("subject_of", "actor_of", "key_of")
"""What says what a token depends on."""

_MOST_RECENT: Final = 1024
"""Callers of whom that is remembered, or each of their requests would find it out."""


@attrs.frozen(kw_only=True)
class Wanted:
    """
    A token that a server is asked for.

    Attributes:
        subject: What it is made from, or None.
        actor: Who acts for that, or None.
        caller: Who calls.
        audience: Whom it is for, as the route says.
    """

    subject: Presented | None
    actor: Presented | None
    caller: Caller
    audience: Audience


@attrs.frozen(kw_only=True)
class _Recent:
    """
    What a caller's token depends on, found out once.

    Attributes:
        identity: Whose.
        audience: Whom it is for.
        key: Names it among all.
        until: Seconds since the epoch when what it is made from ends, or None.
    """

    identity: Identity
    audience: Audience
    key: bytes
    until: float | None


@implementer(ITokenSource, IHealth, ICountsTokens)
class RemoteSource(ABC):
    """
    Asks a server for tokens, and keeps what it got.

    Types of sources are made of it by `ask`.

    Args:
        config: The options.
        tools: What may be used.

    Attributes:
        name: What the configuration calls it.
        config: The options.
        clock: The time.
        http_client: Sends requests, through the proxy of the options.
        tls: Our certificate, and whom to trust; None for what is usual.

    Raises:
        ConfigError: A file cannot be used, or there is no such other token.
    """

    config_class: ClassVar[Any]
    ahead: ClassVar[bool] = True
    """Whether a token is renewed before it ends, when nobody waits for it."""

    def __init__(self, config: Any, tools: ITools) -> None:  # noqa: ANN401
        self.config = config
        self.clock = tools.clock
        mistakes: list[Mistake] = []
        access = read_access(config, tools, mistakes)
        self.http_client: HttpClient = access.http_client
        self.tls: ClientTls | None = access.tls
        self._subject = self._actor = Subject(kind="none")
        with noting(mistakes):
            self._subject = _place(config, "subject", tools)
        with noting(mistakes):
            self._actor = _place(config, "actor", tools)
        self._options = config.digest()
        self._begun: dict[Audience, Any] = {}
        self._recent: dict[int, _Recent] = {}
        self._by_identity = (
            config.subject == "access_token"
            and config.actor == "none"
            and all(getattr(type(self), n) is getattr(RemoteSource, n) for n in _ASKED)
        )
        self.name = tools.name
        if mistakes:
            raise ConfigError(*mistakes)
        self._keeper = build_keeper(config.keep, tools)
        places = (*self._subject.consumes, *self._actor.consumes)
        self.consumes: tuple[str, ...] = tuple(dict.fromkeys(places))

    @classmethod
    def from_config(cls, config: Any, tools: ITools) -> Self:  # noqa: ANN401
        """
        Make one.

        Raises:
            ConfigError: As for the class.
        """
        return cls(config, tools)

    @abstractmethod
    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """
        Ask the server.

        Raises:
            UnavailableError: It cannot be reached, or fails.
        """

    def check_audience(self, audience: Audience) -> None:  # noqa: B027
        """Take any audience; for types that do not."""

    async def subject_of(self, caller: Caller) -> Presented | NotIssued | None:
        """Give what a token is made from; None if that is nothing."""
        return await self._subject.present(caller)

    async def actor_of(self, caller: Caller) -> Presented | NotIssued | None:
        """Give who acts for the subject; None if nobody does."""
        return await self._actor.present(caller)

    def key_of(self, wanted: Wanted) -> tuple[str | bytes, ...]:
        """
        Say what a token depends on, besides the options and the audience.

        Who has the same gets the same token.
        """
        identity = wanted.caller.identity
        who = ("", "") if identity is None else (identity.issuer, identity.subject)
        return (*who, _key(wanted.subject), _key(wanted.actor))

    async def token_for(self, caller: Caller, audience: Audience) -> Token | NotIssued:
        """
        Give a token good for *audience* alone, a kept one if there is one.

        Raises:
            UnavailableError: The server cannot be reached.
        """
        if self._by_identity:
            recent = self._recent.get(id(caller.identity))
            if (
                recent is not None
                and recent.identity is caller.identity
                and recent.audience is audience
            ):
                return await self._keeper.get(
                    recent.key,
                    lambda: self._fetch_for(caller, audience),
                    until=recent.until,
                    ahead=self.ahead,
                )
        subject = await self.subject_of(caller)
        if isinstance(subject, NotIssued):
            return subject
        actor = await self.actor_of(caller)
        if isinstance(actor, NotIssued):
            return actor
        wanted = Wanted(subject=subject, actor=actor, caller=caller, audience=audience)
        ends = [p.expires for p in (subject, actor) if p and p.expires is not None]
        key, until = self._key(wanted), min(ends) if ends else None
        if self._by_identity and caller.identity is not None:
            self._note(caller.identity, audience, key, until)
        token = await self._keeper.get(
            key, lambda: self._fetch(wanted), until=until, ahead=self.ahead
        )
        return _with_headers(token, subject, actor)

    def _note(
        self, identity: Identity, audience: Audience, key: bytes, until: float | None
    ) -> None:
        """Remember what somebody's token depends on, who is likely to come again."""
        if len(self._recent) >= _MOST_RECENT:
            self._recent.clear()
        self._recent[id(identity)] = _Recent(
            identity=identity, audience=audience, key=key, until=until
        )

    async def _fetch_for(self, caller: Caller, audience: Audience) -> Token | NotIssued:
        """Ask the server for the token of a caller who came before."""
        subject = await self.subject_of(caller)
        if isinstance(subject, NotIssued):
            return subject
        return await self._fetch(
            Wanted(subject=subject, actor=None, caller=caller, audience=audience)
        )

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        return await self._keeper.probe()

    @property
    def counts(self) -> Mapping[str, int]:
        """Count what became of requests for tokens."""
        return self._keeper.counts

    async def _fetch(self, wanted: Wanted) -> Token | NotIssued:
        """Ask the server; what it gives is over no later than it says itself."""
        token = await self.ask(wanted)
        if isinstance(token, NotIssued):
            return token
        ends = [e for e in (token.expires, read_expiry(token.value)) if e is not None]
        if not ends:
            return token
        if min(ends) <= self.clock.time():
            return unusable("the token was over when it came")
        return attrs.evolve(token, expires=min(ends))

    def _key(self, wanted: Wanted) -> bytes:
        """Give a digest of all that a token depends on."""
        audience = wanted.audience
        begun = self._begun.get(audience)
        if begun is None:  # routes name a few, and each request needs one of them
            known = (self.name, self._options, audience.name, audience.thumbprint)
            begun = self._begun[audience] = sha256(b"".join(map(_counted, known)))
        digest = begun.copy()
        digest.update(b"".join(map(_counted, self.key_of(wanted))))
        return digest.digest()


def _counted(part: str | bytes) -> bytes:
    """Write *part* so that it does not run into the next one."""
    octets = part if isinstance(part, bytes) else part.encode()
    return len(octets).to_bytes(8, "big") + octets


def _place(config: RemoteConfig, option: str, tools: ITools) -> Subject:
    """Give what is at the place that *option* names."""
    place = attrs.evolve(
        read_subject_option(getattr(config, option)),
        longest=config.max_length,
        authenticator=config.authenticator,
        issuer=config.subject_issuer,
    )
    audience = getattr(config, f"{option}_audience")
    try:
        return place.bound(tools, audience)
    except ConfigError as e:
        raise ConfigError(
            *(Mistake(option, mistake.problem) for mistake in e.mistakes)
        ) from None
    except ValueError as e:
        raise ConfigError(Mistake(f"{option}_audience", str(e))) from None


def _with_headers(
    token: Token | NotIssued, *sources: Presented | None
) -> Token | NotIssued:
    """Add what the client has to hear about the tokens that this one is made from."""
    headers = tuple(h for each in sources if each is not None for h in each.headers)
    if not headers or isinstance(token, NotIssued):
        return token
    return attrs.evolve(token, headers=(*token.headers, *headers))


def _key(presented: Presented | None) -> bytes:
    """Give the digest of what was presented."""
    return b"" if presented is None else presented.key
