"""
The ``htpasswd`` checker: users and hashes in a file, read again when it changes.

Hashes are made in threads of their own: one takes a quarter of a second, and the
reactor does not wait for it.
"""

import hmac
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import ClassVar, Final, Literal, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.model import FilePath
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IHealth, IPasswordChecker, ITools
from sso_proxy.login import Account, Unproved
from sso_proxy.model import WARNING
from sso_proxy.net.threads import Threads
from sso_proxy.net.watched_file import WatchedFile
from sso_proxy.specs.htpasswd import (
    STAND_IN,
    HtpasswdError,
    PasswordHash,
    is_user_name,
    read_htpasswd,
)

_log = Logger()

MOST_OCTETS: Final = 1 << 22
"""Of a file: some 50,000 users."""
LONGEST_PASSWORD: Final = 1024
"""Octets; a longer one is wrong without a look."""

_THREADS: Final = 2


@attrs.frozen(kw_only=True)
class HtpasswdConfig:
    """
    The ``htpasswd`` checker's part of the configuration file.

    Attributes:
        file: The file, as Apache's ``htpasswd`` makes it: bcrypt (``htpasswd -B``),
            SHA-crypt (``openssl passwd -6``) or ``$apr1$``.  It is read again when it
            has changed; one that cannot be used then leaves the last one in force.
        names: How typed names are compared with those in the file: ``exact``, or
            ``casefold`` for upper and lower case alike.
    """

    file: FilePath
    names: Literal["exact", "casefold"] = "exact"


@attrs.frozen
class _Users:
    """
    What one reading of the file gave.

    Attributes:
        hashes: The name in the file, and its hash, by the name that is compared.
        every: All hashes.
        key: Chooses among them for names that there are not.
    """

    hashes: Mapping[str, tuple[str, PasswordHash]] = attrs.field(repr=False)
    every: tuple[PasswordHash, ...] = attrs.field(repr=False)
    key: bytes = attrs.field(repr=False)

    def find(self, name: str) -> tuple[str | None, PasswordHash]:
        """
        Give the name in the file, if it is there, and what to compare with.

        For a name that is not, that is always the hash of the same other user: so it
        takes as long as one that could be there, however hashes differ, in all our
        processes and each time.
        """
        found = self.hashes.get(name)
        if found is not None:
            return found
        if not self.every:
            return None, STAND_IN
        digest = hmac.digest(self.key, name.encode(), "sha256")
        number = int.from_bytes(digest, "big") % len(self.every)
        return None, self.every[number]


@implementer(IPasswordChecker, IHealth)
class HtpasswdChecker:
    """
    Compares passwords with a file's hashes.

    Args:
        name: What the configuration calls it.
        config: Its options.
        threads: Where hashes are made.

    Raises:
        HtpasswdError: The file cannot be used.
        OSError: It cannot be read.
        ValueError: It is too large, or no text.
    """

    config_class: ClassVar = HtpasswdConfig

    def __init__(self, name: str, config: HtpasswdConfig, threads: Threads) -> None:
        self._name = name
        self._config = config
        self._threads = threads
        self._lock = Lock()
        self._file = WatchedFile(config.file, MOST_OCTETS)
        self._problem = ""
        self._users = self._read()

    @classmethod
    def from_config(cls, config: HtpasswdConfig, tools: ITools) -> Self:
        """
        Make the checker, and read its file.

        Raises:
            ConfigError: It cannot be used.
        """
        reactor = tools.reactor
        threads = tools.shared(
            ("password-threads",), lambda: Threads(reactor, "passwords", _THREADS)
        )
        try:
            return cls(tools.name, config, threads)
        except HtpasswdError as e:
            raise ConfigError(
                *(Mistake("file", problem) for problem in e.problems)
            ) from None
        except (OSError, ValueError) as e:
            raise ConfigError(Mistake("file", str(e))) from None

    async def check(self, user: str, password: str) -> Account | Unproved | None:
        """
        Give the account of *user* if the password is right.

        Raises:
            UnavailableError: Too many ask at the same time.
        """
        name, octets = self._fold(user), password.encode()
        if not is_user_name(name) or not 0 < len(octets) <= LONGEST_PASSWORD:
            return None
        found, right = await self._threads.run(self._compare, name, octets)
        if found is None:
            return None
        return Account(subject=found) if right else Unproved(found)

    def _compare(self, name: str, password: bytes) -> tuple[str | None, bool]:
        """Do the work, in a thread."""
        found, known = self._current().find(name)
        return found, known.matches(password)

    def _current(self) -> _Users:
        """Give the users that there are now, in a thread."""
        with self._lock:
            try:
                if self._file.changed():
                    self._users = self._read()
                    self._problem = ""
                    _log.info("checker.{name}: users are read anew.", name=self._name)
            except HtpasswdError as e:
                self._keep("; ".join(e.problems[:3]))
            except (OSError, ValueError) as e:
                self._keep(str(e))
            return self._users

    async def probe(self) -> tuple[str, ...]:
        """Say that the file could not be read anew, if it could not."""
        problem = self._problem  # a thread may change it
        if not problem:
            return ()
        return (f"{WARNING}checker.{self._name}: the users are old: {problem}",)

    def _keep(self, why: str) -> None:
        """Note once why the users stay as they were."""
        if why == self._problem:
            return  # whoever tries passwords would fill the log
        self._problem = why
        _log.error(
            "checker.{name}: the users stay as they were: {why}",
            name=self._name,
            why=why,
        )

    def _read(self) -> _Users:
        """
        Read the file.

        Raises:
            HtpasswdError: There are lines that cannot be used.
            OSError: It cannot be read.
            ValueError: It is too large, or no text, or being written.
        """
        text = self._file.read()
        found = read_htpasswd(text)
        hashes: dict[str, tuple[str, PasswordHash]] = {}
        for user, known in found.items():
            other = hashes.setdefault(self._fold(user), (user, known))[0]
            if other != user:
                raise HtpasswdError((f"{user!r} and {other!r} are the same name here",))
        key = sha256(text.encode()).digest()
        return _Users(hashes, tuple(found.values()), key)

    def _fold(self, user: str) -> str:
        if self._config.names == "exact":
            return user
        return unicodedata.normalize("NFKC", user).casefold()
