"""Who it is, by a name and a password, for whichever way these came."""

import math
import unicodedata
from typing import Any, Final, Literal

import attrs
from twisted.logger import Logger

from sso_proxy.authn.password_config import PasswordConfig
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.interfaces import IPasswordChecker, ITools
from sso_proxy.login import Account, Unproved
from sso_proxy.model import Headers, Identity, Request
from sso_proxy.net.address_limit import network_of
from sso_proxy.net.tries import NEEDS, PURPOSE, Tries, fold

_log = Logger()

METHOD: Final = "pwd"
"""What a password is in ``amr`` (RFC 8176 section 2)."""

_LONGEST_USER: Final = 255
_LONGEST_PASSWORD: Final = 1024


@attrs.frozen(kw_only=True)
class Refused:
    """
    It is nobody.

    Attributes:
        reason: ``password-wrong``, or ``password-wait``: there were too many tries.
        wait: Seconds until the next try makes sense.
    """

    reason: Literal["password-wrong", "password-wait"]
    wait: float = 0.0

    @property
    def headers(self) -> Headers:
        """Give the fields of the answer: when to come again (RFC 9110 10.2.3)."""
        if self.reason == "password-wrong":
            return ()
        return (("retry-after", str(max(1, math.ceil(self.wait)))),)


_WRONG: Final = Refused(reason="password-wrong")


class Passwords:
    """
    Asks a checker, and counts tries: by user, and by address.

    The counts are the checker's: all authenticators with the same one share them, so
    that nobody gets further tries by another door.

    Args:
        config: The options.
        checker: Knows the passwords.
        users: Counts by user.
        addresses: Counts by address.
        name: What the configuration calls the authenticator.
    """

    def __init__(
        self,
        config: PasswordConfig,
        checker: IPasswordChecker,
        users: Tries,
        addresses: Tries,
        name: str,
    ) -> None:
        self._config = config
        self._checker = checker
        self._users = users
        self._addresses = addresses
        self._name = name
        self._issuer = config.issuer or f"checker:{config.checker}"

    async def check(
        self, request: Request, user: str, password: str
    ) -> Account | Refused:
        """
        Say whose *password* it is.

        Raises:
            UnavailableError: That cannot be found out now, or not be counted.
        """
        # As users type and directories keep them (RFC 8265 section 4.2).
        user = unicodedata.normalize("NFC", user)
        password = unicodedata.normalize("NFC", password)
        by, address = self._config.checker, network_of(request.client.address)
        typed = fold(user)
        wait = await self._addresses.begin("address", by, address)
        wait = wait or await self._users.begin("user", by, typed)
        if wait:
            return self._refuse(request, Refused(reason="password-wait", wait=wait))
        try:
            found = await self._ask(user, password)
        except UnavailableError:
            await self._users.take_back("user", by, typed)
            await self._addresses.take_back("address", by, address)
            raise
        if not isinstance(found, Account):
            known = fold(found.subject) if isinstance(found, Unproved) else typed
            # The same work where nobody is known by another name (C25).
            kind = "user" if known != typed else "nobody"
            await self._users.add(kind, by, known)
            return self._refuse(request, _WRONG)
        known = fold(found.subject)
        if known != typed:
            # Whoever guesses under all names of an account learns nothing either.
            wait = await self._users.wait("user", by, known)
            if wait:
                refused = Refused(reason="password-wait", wait=wait)
                return self._refuse(request, refused)
            await self._users.forget("user", by, known)
        await self._users.forget("user", by, typed)
        await self._addresses.take_back("address", by, address)
        return found

    def identify(self, account: Account, *, at: float | None) -> Identity:
        """
        Give the identity of *account*.

        Args:
            account: The account.
            at: Seconds since the epoch when somebody typed the password; None if that
                was perhaps a program.
        """
        claims: dict[str, Any] = {**account.claims, "amr": [METHOD]}
        # What a directory says about these was not said about this login.
        claims.pop("acr", None)
        claims.pop("auth_time", None)
        if self._config.acr:
            claims["acr"] = self._config.acr
        if at is not None:
            claims["auth_time"] = int(at)
        return Identity(
            issuer=self._issuer,
            subject=account.subject,
            authenticator=self._name,
            claims=claims,
        )

    async def _ask(self, user: str, password: str) -> Account | Unproved | None:
        """Ask the checker, unless it could be misunderstood."""
        if not is_text(user, _LONGEST_USER) or not is_text(password, _LONGEST_PASSWORD):
            return None
        return await self._checker.check(user, password)

    def _refuse(self, request: Request, refused: Refused) -> Refused:
        _log.info(
            "Request {id}: {name}: {reason}, from {address}",
            id=request.id,
            name=self._name,
            reason=refused.reason,
            address=request.client.address,
        )
        return refused


def build_passwords(config: PasswordConfig, tools: ITools) -> Passwords:
    """
    Make what asks the checker of *config*.

    Raises:
        ConfigError: There is no such checker, or no cache for the counts.
    """
    try:
        checker = tools.checker(config.checker)
    except ConfigError as e:
        raise ConfigError(
            *(Mistake("checker", m.problem) for m in e.mistakes)
        ) from None
    cache, sealer = tools.cache(config.cache, NEEDS), tools.sealer(PURPOSE)
    users, addresses = (
        Tries(cache, sealer, tools.clock, config.pace(free))
        for free in (config.tries, config.tries_per_address)
    )
    return Passwords(config, checker, users, addresses, tools.name)


def is_text(text: str, longest: int) -> bool:
    """Say whether *text* is neither empty nor too long, and has no controls."""
    if not 0 < len(text) <= longest:
        return False
    return not any(unicodedata.category(each) in ("Cc", "Cs") for each in text)
