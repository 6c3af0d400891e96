"""The ``file`` mapper: users stand in a file, which is read again when it changes."""

from collections.abc import Mapping
from typing import ClassVar, Final, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.checks import Attribute
from sso_proxy.config.model import FilePath
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.interfaces import IClock, IHealth, ITools, IUserMapper
from sso_proxy.mappers.claim import one_string
from sso_proxy.model import (
    DECLINED,
    REFUSED,
    WARNING,
    Identity,
    MapperVerdict,
    UserName,
)
from sso_proxy.net.once import Once
from sso_proxy.net.threads import Threads
from sso_proxy.net.watched_file import WatchedFile
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.user_map import check_delimiter, read_user_map

_log = Logger()

MOST_OCTETS: Final = 1 << 22
"""Of a file: some 50,000 users."""
LOOKS_EACH: Final = 1.0
"""Seconds between two looks at whether the file has changed."""

_Users = Mapping[str, UserName | MapperVerdict]


def _source(_instance: object, _attribute: Attribute, value: str) -> None:
    read_claim_path(value)


def _delimiter(_instance: object, _attribute: Attribute, value: str) -> None:
    check_delimiter(value)


@attrs.frozen(kw_only=True)
class FileMapperConfig:
    """
    The ``file`` mapper's part of the configuration file.

    Attributes:
        file: The file: in each line an identity, the delimiter and a user name.  An
            empty name, or ``!``, is somebody who does not get in.  It is read again
            when it has changed; one that cannot be used then leaves the last one in
            force.
        delimiter: The character between the two; a space or tab stands for any number
            of both.
        source: What is looked up: ``subject``; ``qualified`` for the issuer and the
            subject with a ``|`` between them, for routes whose callers are of several
            issuers; or a claim, written as in the ``claim`` mapper (``'subject'`` in
            quotes is the claim of that name).
    """

    file: FilePath
    delimiter: str = attrs.field(default=" ", validator=_delimiter)
    source: str = attrs.field(default="subject", validator=_source)


@implementer(IUserMapper, IHealth)
class FileMapper:
    """
    Looks users up in a file.

    Args:
        name: What the configuration calls it.
        config: Its options.
        threads: Where the file is read.
        clock: Says when to look at it again.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is too large, or no text, or has lines that cannot be used.
    """

    config_class: ClassVar = FileMapperConfig

    def __init__(
        self, name: str, config: FileMapperConfig, threads: Threads, clock: IClock
    ) -> None:
        self._name = name
        self._source = config.source
        self._path = read_claim_path(config.source)
        self._delimiter = config.delimiter
        self._threads = threads
        self._monotonic = clock.monotonic
        self._file = WatchedFile(config.file, MOST_OCTETS)
        self._reading = Once(self._read_anew)
        self._problem = ""
        self._users = self._read()
        self._next = self._monotonic() + LOOKS_EACH

    @classmethod
    def from_config(cls, config: FileMapperConfig, tools: ITools) -> Self:
        """
        Make the mapper, and read its file.

        Raises:
            ConfigError: It cannot be used.
        """
        reactor = tools.reactor
        threads = tools.shared(
            ("map-threads",), lambda: Threads(reactor, "user maps", 1)
        )
        try:
            return cls(tools.name, config, threads, tools.clock)
        except (OSError, ValueError) as e:
            raise ConfigError(Mistake("file", str(e))) from None

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """Give the name in the file, REFUSED if it is none, DECLINED without a line."""
        key = self._key(identity)
        if isinstance(key, MapperVerdict):
            return key
        if self._monotonic() >= self._next:
            self._look()
        if self._reading.running:
            # Whoever was taken out of the file must not get in once more.
            await self._reading.join()
        return self._users.get(key, DECLINED)

    async def probe(self) -> tuple[str, ...]:
        """Say that the file could not be read anew, if it could not."""
        self._look()
        if self._reading.running:
            await self._reading.join()
        if not self._problem:
            return ()
        return (f"{WARNING}mapper.{self._name}: the users are old: {self._problem}",)

    def _key(self, identity: Identity) -> str | MapperVerdict:
        if self._source == "subject":
            return identity.subject
        if self._source == "qualified":
            return f"{identity.issuer}|{identity.subject}"
        return one_string(identity.claims, self._path)

    def _look(self) -> None:
        """Begin to read the file if it has changed."""
        if self._reading.running:
            return
        self._next = self._monotonic() + LOOKS_EACH
        try:
            if self._file.changed():
                self._reading.begin()
        except OSError as e:
            self._keep(str(e))

    async def _read_anew(self) -> None:
        try:
            self._users = await self._threads.run(self._read)
        except (OSError, ValueError, UnavailableError) as e:
            self._keep(str(e))
        else:
            self._problem = ""
            _log.info("mapper.{name}: users are read anew", name=self._name)

    def _read(self) -> _Users:
        """
        Read the file.

        Raises:
            OSError: It cannot be read.
            ValueError: It cannot be used.
        """
        found = read_user_map(self._file.read(), self._delimiter)
        return {
            identity: REFUSED if name is None else UserName(name)
            for identity, name in found.items()
        }

    def _keep(self, why: str) -> None:
        """Note once why the users stay as they were."""
        if why == self._problem:
            return
        self._problem = why
        _log.warn(
            "mapper.{name}: the users stay as they were: {why}",
            name=self._name,
            why=why,
        )
