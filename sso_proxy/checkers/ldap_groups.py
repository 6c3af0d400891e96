"""The groups of a directory that somebody is in."""

import re
from collections.abc import Iterator
from typing import Final, Protocol

import attrs

from sso_proxy.config.checks import between, non_empty
from sso_proxy.errors import UnavailableError
from sso_proxy.net.ldap_lookup import DN, one_text, search_for
from sso_proxy.net.ldap_options import (
    SearchOptions,
    attribute_name,
    check_plain_attribute,
)
from sso_proxy.net.ldap_pool import TOO_MANY
from sso_proxy.net.ldap_values import Entry, Search
from sso_proxy.specs.ldap import Equal, read_leading

_EQUALS: Final = re.compile(r" *= *")
_LONGEST: Final = 1024
"""Characters of a group's name."""


@attrs.frozen(kw_only=True)
class LdapGroupsConfig(SearchOptions):
    """
    How groups are found.

    Attributes:
        attribute: The attribute of users that names their groups: ``memberOf``.
        member: Or groups are searched for, below *base*: those of which this attribute
            names the user: ``member``, ``memberUid``.
        by: What *member* has of users: an attribute of theirs, or ``dn``.
        name: What a group is called: its attribute, such as ``cn``; ``dn``: its whole
            name.  Groups of other people may have the same ``cn``: set *base*.
        claim: The claim with the list of their names.
        most: Groups that somebody may be in; nobody logs in with more, since a
            condition may be that they are not in one.
    """

    attribute: str = ""
    member: str = ""
    by: str = attrs.field(default=DN, validator=attribute_name)
    name: str = attrs.field(default=DN, validator=attribute_name)
    claim: str = attrs.field(default="groups", validator=non_empty)
    most: int = attrs.field(default=1000, validator=between(1, 4000))

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect, all of it at once."""
        problems = [*self._problems()]
        if problems:
            raise ValueError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if bool(self.attribute) == bool(self.member):
            yield "either attribute is set, or member"
        for name in filter(None, (self.attribute, self.member)):
            check_plain_attribute(name)
        if self.member and not self.base:
            yield "member needs base"
        if self.attribute:
            if self.name != DN and not self.base:
                yield "name needs base: the groups whose short names are meant"
            if self.where or self.unless or self.by != DN or self.scope != "subtree":
                yield "where, unless, by and scope have no effect with attribute"


class Searches(Protocol):
    """What finds entries."""

    async def search(self, search: Search) -> tuple[Entry, ...]:
        """Find them."""


class LdapGroups:
    """
    How groups are found, made of the options.

    Attributes:
        config: These options.
        claim: The claim with their names.
        attributes: What has to be known of users.
    """

    def __init__(self, config: LdapGroupsConfig) -> None:
        self.config = config
        self.claim = config.claim
        self.attributes = frozenset({config.attribute or config.by}) - {DN}


async def find_groups(
    groups: LdapGroups, user: Entry, where: Searches
) -> tuple[str, ...]:
    """
    Give the names of the groups that *user* is in, sorted.

    Raises:
        UnavailableError: There are too many, or they cannot be found.
    """
    config = groups.config
    if config.attribute:
        names = _named(config, user.texts(config.attribute))
    else:
        key = one_text(user, config.by)
        if key is None:
            return ()
        wanted = () if config.name == DN else (config.name,)
        match = Equal(config.member, key)
        found = await where.search(search_for(config, match, wanted, config.most))
        names = [_name_of(config, entry) for entry in found]
    if len(names) > config.most:
        what = f"somebody is in more than {config.most} groups"
        raise UnavailableError(what, reason=TOO_MANY)
    return tuple(sorted({name for name in names if name and len(name) <= _LONGEST}))


def _name_of(config: LdapGroupsConfig, group: Entry) -> str:
    """Give what a group is called; empty if nobody can say."""
    if config.name == DN:
        return group.name
    # Of several names, the one in the distinguished name is the group's own.
    leading = read_leading(group.name, config.name)
    return leading or one_text(group, config.name) or ""


def _named(config: LdapGroupsConfig, values: tuple[str, ...]) -> list[str]:
    """Give what the groups with these distinguished names are called."""
    if config.base:
        values = tuple(each for each in values if _is_below(each, config.base))
    if config.name == DN:
        return [*values]
    return [read_leading(each, config.name) or "" for each in values]


def _is_below(name: str, base: str) -> bool:
    """Say whether *name* is just below *base*, or further."""
    plain, end = _plain(name), _plain(base)
    before = plain.removesuffix("," + end)
    # An escaped comma is part of a value, and begins no name.
    backslashes = len(before) - len(before.rstrip("\\"))
    return before != plain and backslashes % 2 == 0


def _plain(name: str) -> str:
    """Write a distinguished name without what does not count, as far as we can."""
    parts = (part.strip(" ") for part in name.split(","))
    return ",".join(_EQUALS.sub("=", part, count=1) for part in parts).lower()
