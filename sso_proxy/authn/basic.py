"""
The ``basic`` authenticator: a user and a password in each request (RFC 7617).

For programs; people log in by ``form``.  Passwords that were right are known again for
a while by a digest that is good in this process only.
"""

import hmac
import secrets
from typing import ClassVar, Final, Literal, Self

import attrs
from zope.interface import implementer

from sso_proxy.authn.password_config import PasswordConfig
from sso_proxy.authn.passwords import Passwords, Refused, build_passwords
from sso_proxy.config.checks import Attribute, between
from sso_proxy.interfaces import IAuthenticator, IClock, ITools
from sso_proxy.login import Account
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.net.once import Once
from sso_proxy.net.shelf import Shelf
from sso_proxy.specs.http.basic import (
    BasicError,
    UserPass,
    basic_challenge,
    read_basic,
)

_NOT_PRESENTED: Final = NotPresented()
_ENTRY_OCTETS: Final = 500


def _realm(_instance: object, _attribute: Attribute, value: str) -> None:
    basic_challenge(value)


@attrs.frozen(kw_only=True)
class BasicConfig(PasswordConfig):
    """
    The ``basic`` authenticator's part of the configuration file.

    Attributes:
        realm: What browsers and programs are told that the password is for: printable
            ASCII.
        challenge: Who is told that a password is wanted: ``all``, or ``programs``:
            nobody who says to be a browser (``Sec-Fetch-Mode``), which would open a
            dialog of its own.
        ttl: Seconds for which a password that was right is not checked again; 0: each
            time.  So long can a changed password or a removed user still get in.
        cache_size: How many of them are known at a time.
    """

    realm: str = attrs.field(default="sso-proxy", validator=_realm)
    challenge: Literal["all", "programs"] = "all"
    ttl: float = attrs.field(default=60.0, validator=between(0, 3600))
    cache_size: int = attrs.field(default=10_000, validator=between(1, 1_000_000))


@attrs.frozen
class _Known:
    """
    A password that was right.

    Attributes:
        account: Whose.
        until: When it is checked again: seconds of the monotonic clock.
    """

    account: Account
    until: float
    octets: ClassVar = _ENTRY_OCTETS


@implementer(IAuthenticator)
class BasicAuthenticator:
    """
    Goes by a password in each request.

    Args:
        config: The options.
        passwords: Knows them.
        clock: The time.
    """

    config_class: ClassVar = BasicConfig
    consumes: ClassVar[tuple[str, ...]] = ("authorization",)

    def __init__(
        self, config: BasicConfig, passwords: Passwords, clock: IClock
    ) -> None:
        self._config = config
        self._passwords = passwords
        self._clock = clock
        self._challenge = HeaderChallenge((basic_challenge(config.realm),))
        self._known: Shelf[_Known] = Shelf(config.cache_size)
        self._asked: dict[bytes, Once[Account | Refused]] = {}
        self._key = secrets.token_bytes(32)

    @classmethod
    def from_config(cls, config: BasicConfig, tools: ITools) -> Self:
        """
        Make the authenticator that *config* describes.

        Raises:
            ConfigError: There is no such checker, or no cache.
        """
        return cls(config, build_passwords(config, tools), tools.clock)

    async def authenticate(self, request: Request) -> Outcome:
        """
        Say whose password the request has.

        Raises:
            UnavailableError: That cannot be found out now.
        """
        try:
            given = read_basic(request.head.values("authorization"))
        except BasicError as e:
            return Rejected(status=400, reason="password-unreadable", detail=e.detail)
        if given is None:
            return _NOT_PRESENTED
        digest, now = self._digest(given), self._clock.monotonic()
        known = self._known.find(digest)
        if known is not None and now < known.until:
            return self._admit(known.account, known.until - now)
        found = await self._ask(request, digest, given)
        if isinstance(found, Account):
            return self._admit(found, self._config.ttl)
        return self._refuse(request, found)

    def challenge(self, request: Request) -> HeaderChallenge | None:
        """Ask for a password."""
        browser = request.head.values("sec-fetch-mode")
        if browser and self._config.challenge == "programs":
            return None
        return self._challenge

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge | None:
        """Ask for another password where this one's account is none any more."""
        if refusal.error == "invalid_token":
            return self.challenge(request)
        return None

    def _digest(self, given: UserPass) -> bytes:
        """Give what stands for a user and a password, in this process."""
        text = f"{given.user}\0{given.password}".encode()
        return hmac.digest(self._key, text, "sha256")

    async def _ask(
        self, request: Request, digest: bytes, given: UserPass
    ) -> Account | Refused:
        """Have it checked once for all who come with it at the same time."""
        once = self._asked.get(digest)
        if once is None:

            async def check() -> Account | Refused:
                try:
                    found = await self._passwords.check(
                        request, given.user, given.password
                    )
                finally:
                    del self._asked[digest]
                if isinstance(found, Account) and self._config.ttl:
                    until = self._clock.monotonic() + self._config.ttl
                    self._known.put(digest, _Known(found, until))
                return found

            once = self._asked[digest] = Once(check)
        return await once.join()

    def _admit(self, account: Account, left: float) -> Authenticated:
        # When somebody typed it, nobody knows: no login that is so fresh, or so
        # strong, was ever seen (C24).
        identity = self._passwords.identify(account, at=None)
        return Authenticated(identity, until=self._clock.time() + left)

    def _refuse(self, request: Request, refused: Refused) -> Rejected:
        """Refuse; another authenticator may have a user of that name."""
        if refused.reason == "password-wait":
            told = HeaderChallenge((), refused.headers)
            return Rejected(
                status=429, reason=refused.reason, challenge=told, final=False
            )
        challenge = self.challenge(request)
        return Rejected(reason=refused.reason, challenge=challenge, final=False)
