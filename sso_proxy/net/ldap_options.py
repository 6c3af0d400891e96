"""The options by which a directory is reached and searched."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import attrs

from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.client_auth_parts import read_tls
from sso_proxy.net.tls.client import ClientTls
from sso_proxy.specs.ldap import check_attribute

_URL: Final = re.compile(
    r"(ldaps?)://([A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?"
)
Conditions = Mapping[str, tuple[str, ...]]
Scope = Literal["base", "one", "subtree"]


@attrs.frozen
class Place:
    """
    Where a server is.

    Attributes:
        host: A name or an address.
        port: The port.
        ldaps: Whether TLS is there from the beginning.
    """

    host: str
    port: int
    ldaps: bool

    def __str__(self) -> str:
        """Give it as messages have it."""
        return f"{'ldaps' if self.ldaps else 'ldap'} at {self.host}:{self.port}"


def read_place(url: str) -> Place:
    """
    Read ``ldap://host:port`` or ``ldaps://host:port``.

    Raises:
        ValueError: It is neither.
    """
    found = _URL.fullmatch(url)
    if found is None or not 0 < int(found[3] or 1) < 65536:
        raise ValueError(f"{url!r} is no directory; write 'ldaps://ldap.example.com'")
    ldaps = found[1] == "ldaps"
    port = int(found[3] or (636 if ldaps else 389))
    return Place(found[2].strip("[]"), port, ldaps)


def _urls(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    for url in value:
        read_place(url)


def check_conditions(
    _instance: object, _attribute: Attribute, value: Conditions
) -> None:
    """Refuse conditions about what cannot be an attribute."""
    for name in value:
        check_attribute(name)


def attribute_name(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what cannot be an attribute."""
    check_plain_attribute(value)


def check_plain_attribute(name: str) -> None:
    """
    Check that *name* is an attribute's.

    Raises:
        ValueError: It is not.
    """
    check_attribute(name)
    if ":" in name:
        raise ValueError(f"{name!r} names a matching rule; an attribute alone is meant")


@attrs.frozen(kw_only=True)
class SearchOptions:
    """
    Which entries of a directory are meant.

    Attributes:
        base: The distinguished name below which entries are looked for.
        scope: ``subtree``, ``one`` (just below *base*) or ``base`` (itself).
        where: By attribute, values of which an entry has to have one; an empty list:
            any.  ``attribute:rule`` compares by a matching rule.
        unless: Likewise: entries that are not meant.
    """

    base: str = ""
    scope: Scope = "subtree"
    where: Conditions = attrs.field(factory=dict, validator=check_conditions)
    unless: Conditions = attrs.field(factory=dict, validator=check_conditions)


@attrs.frozen(kw_only=True)
class LdapOptions(SearchOptions):
    """
    How a directory is reached, and which of its entries are meant.

    Attributes:
        servers: URLs, ``ldaps://host`` or ``ldap://host``; the next one is tried if one
            does not answer.  ``ldap://`` is StartTLS.
        allow_plaintext: Speak without TLS to ``ldap://``: whoever is on the way reads
            passwords, and says who is in which group.
        ca: PEM file: CAs to trust instead of the system's.
        crl: PEM file: current revocation lists of all CAs in *ca*.
        certificate: PEM file: our client certificate and its chain.
        key: PEM file: its private key.
        auth: How the directory knows us when we search: ``none``, ``simple``
            (*bind_dn*, *bind_password*) or ``external``: by *certificate* (SASL
            EXTERNAL).
        bind_dn: Our name there.
        bind_password: Our password there.
        connections: Connections for searches that each process keeps; logins have
            their own, besides.
        logins: Logins that each process has at the same time; more wait.
        timeout: Seconds for an answer.
        connect_timeout: Seconds for a connection, until we are let in.
    """

    servers: tuple[str, ...] = attrs.field(validator=[non_empty, _urls])
    allow_plaintext: bool = False
    ca: FilePath | None = None
    crl: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    auth: Literal["none", "simple", "external"] = "none"
    bind_dn: str = ""
    bind_password: Secret | None = None
    connections: int = attrs.field(default=2, validator=between(1, 4))
    logins: int = attrs.field(default=8, validator=between(1, 64))
    timeout: float = attrs.field(default=5.0, validator=between(0.1, 60))
    connect_timeout: float = attrs.field(default=5.0, validator=between(0.1, 60))

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect, all of it at once."""
        problems = [*self.problems()]
        if problems:
            raise ValueError("; ".join(problems))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together; for classes with more, too."""
        simple = self.auth == "simple"
        for option in ("bind_dn", "bind_password"):
            if simple != bool(getattr(self, option)):
                how = "needs" if simple else "has no use for"
                yield f"auth = {self.auth!r} {how} {option}"
        # RFC 4513 section 5.1.2: a bind with an empty password succeeds for anybody.
        if self.bind_password is not None and not self.bind_password.reveal():
            yield "bind_password is empty"
        if (self.certificate is None) != (self.key is None):
            yield "certificate and key are set together"
        if self.auth == "external" and self.certificate is None:
            yield "auth = 'external' needs certificate and key"
        if self.crl is not None and self.ca is None:
            yield "crl needs ca: whose lists they are"
        if not self.allow_plaintext:
            return
        if all(read_place(url).ldaps for url in self.servers):
            yield "allow_plaintext has no effect at ldaps"
        elif self.auth == "external":
            yield "auth = 'external' needs TLS, without allow_plaintext"


@attrs.frozen(kw_only=True)
class LdapAccess:
    """
    Everything that connections depend on; equal ones may share them.

    Attributes:
        places: The servers.
        tls: What TLS is made of; None: the system's CAs.
        plaintext: Whether ``ldap`` is without TLS.
        auth: How we are known.
        bind_dn: Our name.
        bind_password: Our password.
        connections: Connections for searches.
        logins: Logins at the same time.
        timeout: Seconds for an answer.
        connect_timeout: Seconds for a connection.
    """

    places: tuple[Place, ...]
    tls: ClientTls | None = None
    plaintext: bool = False
    auth: str = "none"
    bind_dn: str = ""
    bind_password: Secret | None = None
    connections: int = 2
    logins: int = 8
    timeout: float = 5.0
    connect_timeout: float = 5.0


def read_ldap_access(config: LdapOptions, now: float) -> LdapAccess:
    """
    Read the files that *config* names.

    Args:
        config: The options.
        now: Seconds since the epoch: revocation lists have to be current.

    Raises:
        ConfigError: A file cannot be used.
    """
    files: Any = config
    tls = read_tls(files, "", crl=config.crl, now=now)
    if not config.bind_dn.isprintable():
        raise ConfigError(Mistake("bind_dn", "is no distinguished name"))
    return LdapAccess(
        places=tuple(read_place(url) for url in config.servers),
        tls=tls,
        plaintext=config.allow_plaintext,
        auth=config.auth,
        bind_dn=config.bind_dn,
        bind_password=config.bind_password,
        connections=config.connections,
        logins=config.logins,
        timeout=config.timeout,
        connect_timeout=config.connect_timeout,
    )
