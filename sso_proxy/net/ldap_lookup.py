"""What checkers and mappers share: finding one entry, and what is known of it."""

from collections.abc import Mapping
from typing import Any, Final

from twisted.logger import Logger

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools
from sso_proxy.net.ldap_options import LdapOptions, SearchOptions, read_ldap_access
from sso_proxy.net.ldap_pool import LdapPool
from sso_proxy.net.ldap_values import Entry, Search
from sso_proxy.specs.ldap import AllOf, Equal, Filter, build_conditions

_log = Logger()

DN: Final = "dn"
"""Stands for an entry's distinguished name where an attribute could be named."""
_LONGEST: Final = 256


def open_pool(config: LdapOptions, tools: ITools) -> LdapPool:
    """
    Give the pool for *config*, one for all who have the same options.

    Raises:
        ConfigError: A file cannot be used, or the extra is not installed.
    """
    try:
        # Not above: whoever has no directory, and not the extra, still reads options.
        from sso_proxy.net.ldap_dial import dial  # noqa: PLC0415
    except ImportError as e:
        problem = f"needs {e.name}; install 'sso-proxy[ldap]'"
        raise ConfigError(Mistake("type", problem)) from None
    access = read_ldap_access(config, tools.clock.time())

    def make() -> LdapPool:
        exposed = [str(place) for place in access.places if not place.ldaps]
        if access.plaintext:
            _log.warn("Passwords go to {places} without TLS", places=", ".join(exposed))
        return LdapPool(access, tools.reactor, tools.clock, dial)

    pool: LdapPool = tools.shared(("ldap", access), make)
    return pool


def is_askable(text: str) -> bool:
    """Say whether a directory may be asked for *text*, which somebody typed."""
    return 0 < len(text) <= _LONGEST and text.isprintable() and bool(text.strip())


def search_for(
    where: SearchOptions, match: Filter, attributes: tuple[str, ...], most: int
) -> Search:
    """Make a search for entries that *match*, among those that are meant."""
    conditions = build_conditions(where.where, where.unless)
    wanted = AllOf((match, *conditions)) if conditions else match
    return Search(
        base=where.base,
        scope=where.scope,
        filter=wanted,
        attributes=attributes,
        most=most,
    )


def by_attribute(
    where: SearchOptions, attribute: str, value: str, attributes: tuple[str, ...]
) -> Search:
    """Make a search for the one entry that has *value*."""
    return search_for(where, Equal(attribute, value), attributes, 1)


def one_text(entry: Entry, attribute: str) -> str | None:
    """Give the only value of *attribute*, or the name; None if it is not one text."""
    if attribute == DN:
        return entry.name
    values = entry.values.get(attribute.lower(), ())
    texts = entry.texts(attribute)
    return texts[0] if len(values) == len(texts) == 1 else None


def read_claims(entry: Entry, claims: Mapping[str, str]) -> dict[str, Any]:
    """
    Give claims of attributes: a text, or a list if there are several values.

    Values that are no text are left out.
    """
    given: dict[str, Any] = {}
    for claim, attribute in claims.items():
        texts = (entry.name,) if attribute == DN else entry.texts(attribute)
        if texts:
            given[claim] = texts[0] if len(texts) == 1 else list(texts)
    return given
