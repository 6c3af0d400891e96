"""
The ``ldap`` checker: a password is right if the directory lets its user in with it.

Somebody is found first and then tried, on a connection of their own.  For a name that
nobody has, a bind is tried, too: how long that takes should not say who has an account.
"""

from collections.abc import Iterator, Mapping
from typing import ClassVar, Self
from uuid import uuid4

import attrs
from attrs.validators import optional
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.checkers.ldap_groups import LdapGroups, LdapGroupsConfig, find_groups
from sso_proxy.config.checks import Attribute
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IHealth, IPasswordChecker, ITools
from sso_proxy.login import Account, Unproved
from sso_proxy.net.ldap_lookup import (
    DN,
    by_attribute,
    is_askable,
    one_text,
    open_pool,
    read_claims,
)
from sso_proxy.net.ldap_options import (
    LdapOptions,
    attribute_name,
    check_plain_attribute,
)
from sso_proxy.net.ldap_pool import LdapGuest, LdapPool, TooManyError
from sso_proxy.net.ldap_values import Entry, Search
from sso_proxy.specs.ldap import AllOf, build_conditions, check_template, fill_template
from sso_proxy.traffic import Histogram

_log = Logger()

_MOST_OCTETS = 1024
"""Of a password; a longer one is wrong without a look."""


def _template(_instance: object, _attribute: Attribute, value: str) -> None:
    check_template(value)


def _claims(_instance: object, _attribute: Attribute, value: Mapping[str, str]) -> None:
    for name in value.values():
        check_plain_attribute(name)


@attrs.frozen(kw_only=True)
class LdapCheckerConfig(LdapOptions):
    """
    The ``ldap`` checker's part of the configuration file.

    Attributes:
        attribute: Whose value is what users type as their name.
        dn: Instead of a search: the distinguished name of whoever types ``{user}``:
            ``uid={user},ou=people,dc=example,dc=com``.  Users read their own entries.
        nobody: An entry with a password that nobody knows: it is tried for names that
            nobody has, so that the server has the same to do.  Unset, an entry that is
            not there.
        subject: The attribute that says who somebody is, with one value that no other
            entry has, and that stays: ``entryUUID``.  ``dn``: the entry's name.
        claims: What becomes known of users: attributes by claim; ``dn`` is the
            entry's name.
        groups: The user's groups become known, too.
    """

    attribute: str = attrs.field(default="uid", validator=attribute_name)
    dn: str | None = attrs.field(default=None, validator=optional(_template))
    nobody: str = ""
    subject: str = attrs.field(default=DN, validator=attribute_name)
    claims: Mapping[str, str] = attrs.field(factory=dict, validator=_claims)
    groups: LdapGroupsConfig | None = None

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if (self.dn is None) == (not self.base):
            yield "either base is set, or dn"
        if self.dn is not None:
            if self.auth != "none":
                yield "auth has no effect with dn: users read their own entries"
            if self.scope != "subtree":
                yield "scope has no effect with dn"
        if self.groups is not None and self.groups.claim in self.claims:
            yield f"claims and groups both make {self.groups.claim!r}"


@implementer(IPasswordChecker, IHealth)
class LdapChecker:
    """Has the directory try passwords."""

    config_class: ClassVar = LdapCheckerConfig

    def __init__(self, name: str, config: LdapCheckerConfig, pool: LdapPool) -> None:
        self._name = name
        self._config = config
        self._pool = pool
        groups = config.groups
        self._groups = None if groups is None else LdapGroups(groups)
        wanted = {config.subject, *config.claims.values()}
        if self._groups is not None:
            wanted |= self._groups.attributes
        self._attributes = tuple(sorted(wanted - {DN}))

    @classmethod
    def from_config(cls, config: LdapCheckerConfig, tools: ITools) -> Self:
        """
        Make the checker that *config* describes.

        Raises:
            ConfigError: A file cannot be used.
        """
        return cls(tools.name, config, open_pool(config, tools))

    async def check(self, user: str, password: str) -> Account | Unproved | None:
        """Give the account, if the directory lets it in."""
        # RFC 4513 section 5.1.2: a bind without a password would succeed.
        if not password or len(password.encode(errors="replace")) > _MOST_OCTETS:
            return None
        try:
            password.encode()
        except UnicodeEncodeError:  # lone surrogates are nobody's password
            return None
        if not is_askable(user):
            return None
        if self._config.dn is not None:
            return await self._check_by_template(self._config.dn, user, password)
        return await self._check_by_search(user, password)

    @property
    def durations(self) -> Histogram:
        """How long the directory takes."""
        return self._pool.durations

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        return await self._pool.probe()

    async def _check_by_search(
        self, user: str, password: str
    ) -> Account | Unproved | None:
        entry = await self._find(user)
        subject = None if entry is None else one_text(entry, self._config.subject)
        if entry is None or not subject:
            await self._try_nobody(password)
            return None
        guest = await self._pool.log_in(entry.name, password)
        if guest is None:
            return Unproved(subject)
        guest.close()
        return await self._account(subject, entry, self._pool)

    async def _check_by_template(
        self, template: str, user: str, password: str
    ) -> Account | None:
        name = fill_template(template, user)
        guest = await self._pool.log_in(name, password)
        if guest is None:
            return None
        try:
            entry = await self._read_own(name, guest)
            subject = None if entry is None else one_text(entry, self._config.subject)
            if entry is None or not subject:
                return None
            return await self._account(subject, entry, guest)
        finally:
            guest.close()

    async def _find(self, user: str) -> Entry | None:
        config = self._config
        try:
            found = await self._pool.search(
                by_attribute(config, config.attribute, user, self._attributes)
            )
        except TooManyError:
            _log.warn("{name}: a name is that of several entries", name=self._name)
            return None
        return found[0] if found and found[0].name else None

    async def _read_own(self, name: str, guest: LdapGuest) -> Entry | None:
        """Have the user read their entry: it says what they are called for good."""
        config = self._config
        search = Search(
            base=name,
            scope="base",
            filter=AllOf(build_conditions(config.where, config.unless)),
            attributes=self._attributes,
            most=1,
        )
        found = await guest.search(search)
        return found[0] if found and found[0].name else None

    async def _account(
        self, subject: str, entry: Entry, where: LdapPool | LdapGuest
    ) -> Account:
        claims = read_claims(entry, self._config.claims)
        if self._groups is not None:
            found = await find_groups(self._groups, entry, where)
            claims[self._groups.claim] = list(found)
        return Account(subject=subject, claims=claims)

    async def _try_nobody(self, password: str) -> None:
        """Do what is done for somebody, and forget what came of it."""
        name = self._config.nobody or f"cn={uuid4().hex},{self._config.base}"
        guest = await self._pool.log_in(name, password)
        if guest is not None:
            guest.close()
            if not self._config.nobody:
                # It lets in whoever it does not know: no password proves anything.
                what = f"checker.{self._name}: the directory lets anybody in"
                raise UnavailableError(what, reason="ldap-lax")
