"""The ``ldap`` mapper: the user's name is in their entry in a directory."""

from collections.abc import Iterator
from hashlib import sha256
from typing import ClassVar, Final, Literal, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.checks import Attribute, between
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, IHealth, ITools, IUserMapper
from sso_proxy.mappers.claim import one_string
from sso_proxy.model import DECLINED, REFUSED, Identity, MapperVerdict, UserName
from sso_proxy.net.ldap_lookup import (
    DN,
    by_attribute,
    is_askable,
    one_text,
    open_pool,
)
from sso_proxy.net.ldap_options import LdapOptions, attribute_name
from sso_proxy.net.ldap_pool import BUSY, LdapPool, TooManyError
from sso_proxy.net.once import Once
from sso_proxy.net.shelf import Shelf
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.user_name import is_safe_user_name
from sso_proxy.traffic import Histogram

_log = Logger()

_AT_ONCE: Final = 1024
"""Searches for different users that may be waited for."""
_OCTETS: Final = 300


def _source(_instance: object, _attribute: Attribute, value: str) -> None:
    read_claim_path(value)


@attrs.frozen(kw_only=True)
class LdapMapperConfig(LdapOptions):
    """
    The ``ldap`` mapper's part of the configuration file.

    Attributes:
        source: What is looked for: ``subject``, or a claim, written as in the ``claim``
            mapper.
        attribute: The attribute that has it in the user's entry.
        user: The attribute whose only value is the user's name.
        missing: What becomes of somebody without an entry: ``decline`` asks the next
            mapper, ``refuse`` is 403.
        ttl: Seconds that an answer is believed, also that there is no entry; 0: every
            request asks.
        cache_size: Answers that each process keeps.
    """

    source: str = attrs.field(default="subject", validator=_source)
    attribute: str = attrs.field(default="mail", validator=attribute_name)
    user: str = attrs.field(default="uid", validator=attribute_name)
    missing: Literal["decline", "refuse"] = "decline"
    ttl: float = attrs.field(default=30.0, validator=between(0, 3600))
    cache_size: int = attrs.field(default=10000, validator=between(1, 10**6))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if not self.base:
            yield "base is missing: where entries are"


@attrs.frozen
class _Kept:
    """An answer, and when its time is over."""

    verdict: UserName | MapperVerdict = attrs.field(repr=False)
    ends: float
    octets: int = _OCTETS


@implementer(IUserMapper, IHealth)
class LdapMapper:
    """Looks users up."""

    config_class: ClassVar = LdapMapperConfig

    def __init__(
        self, name: str, config: LdapMapperConfig, pool: LdapPool, clock: IClock
    ) -> None:
        self._name = name
        self._config = config
        self._pool = pool
        self._monotonic = clock.monotonic
        self._path = (
            None if config.source == "subject" else read_claim_path(config.source)
        )
        self._attributes = () if config.user == DN else (config.user,)
        self._kept: Shelf[_Kept] = Shelf(config.cache_size)
        self._asked: dict[bytes, Once[UserName | MapperVerdict]] = {}

    @classmethod
    def from_config(cls, config: LdapMapperConfig, tools: ITools) -> Self:
        """
        Make the mapper that *config* describes.

        Raises:
            ConfigError: A file cannot be used.
        """
        return cls(tools.name, config, open_pool(config, tools), tools.clock)

    async def map_user(self, identity: Identity) -> UserName | MapperVerdict:
        """
        Give the name in the user's entry.

        Several entries, or several names in one, are REFUSED rather than guessed at.

        Raises:
            UnavailableError: The directory does not answer.
        """
        text: str | MapperVerdict = identity.subject
        if self._path is not None:
            text = one_string(identity.claims, self._path)
        if isinstance(text, MapperVerdict):
            return text
        if not is_askable(text):
            return REFUSED
        key = sha256(text.encode()).digest()
        kept = self._kept.find(key)
        if kept is not None and self._monotonic() < kept.ends:
            return kept.verdict
        once = self._asked.get(key)
        if once is None:
            if len(self._asked) >= _AT_ONCE:
                what = f"mapper.{self._name}: too many are looked for"
                raise UnavailableError(what, reason=BUSY)
            sought = text
            once = Once(lambda: self._ask(key, sought))
            self._asked[key] = once
        return await once.join()

    @property
    def durations(self) -> Histogram:
        """How long the directory takes."""
        return self._pool.durations

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        return await self._pool.probe()

    async def _ask(self, key: bytes, text: str) -> UserName | MapperVerdict:
        try:
            verdict = await self._look_up(text)
        finally:
            del self._asked[key]
        if self._config.ttl:
            ends = self._monotonic() + self._config.ttl
            self._kept.put(key, _Kept(verdict, ends))
        return verdict

    async def _look_up(self, text: str) -> UserName | MapperVerdict:
        config = self._config
        search = by_attribute(config, config.attribute, text, self._attributes)
        try:
            found = await self._pool.search(search)
        except TooManyError:
            _log.warn("{name}: somebody has several entries", name=self._name)
            return REFUSED
        if not found:
            return REFUSED if config.missing == "refuse" else DECLINED
        name = one_text(found[0], config.user)
        if name is None or not is_safe_user_name(name):
            return REFUSED
        return UserName(name)
