"""The options of the ``redis`` cache."""

import re
from typing import Final

import attrs

from sso_proxy.caches.redis_dial import Place
from sso_proxy.config.checks import Attribute, between, non_empty, positive
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret

_ADDRESS: Final = re.compile(
    r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})|\[[0-9A-Fa-f:.]+\])"
    r":(?P<port>[0-9]{1,5})"
)
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:/-]{0,64}")


def read_address(text: str) -> Place:
    """
    Read ``host:port`` or ``unix:/path``.

    Raises:
        ValueError: It is neither.
    """
    if text.startswith("unix:/"):
        return Place(text.removeprefix("unix:"), 0)
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError(f"{text!r} is no address; write 'host:6379' or 'unix:/path'")
    return Place(found["host"].strip("[]"), int(found["port"]))


def _address(_instance: object, _attribute: Attribute, value: str) -> None:
    read_address(value)


def _servers(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse unix sockets: who names others by address is reached by address."""
    for text in value:
        if not read_address(text).port:
            raise ValueError(f"{text!r} is on this machine alone; write 'host:6379'")


def _prefix(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse braces above all: what is between them decides about the slot."""
    if not _PREFIX.fullmatch(value):
        raise ValueError("must be at most 64 of A-Z a-z 0-9 _ . : / -")


@attrs.frozen(kw_only=True)
class RedisTlsConfig:
    """
    TLS to servers of Redis; always verified.

    Attributes:
        ca: PEM file: the CAs to trust; unset, the system's.
        certificate: PEM file: our client certificate and its chain.
        key: PEM file: its private key.
        server_name: The name to expect in the servers' certificates; unset, each one's
            host name or address.  For servers that are named by address by others, and
            all have one name in their certificates.
    """

    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    server_name: str = ""


@attrs.frozen(kw_only=True)
class RedisSentinelConfig:
    """
    Sentinels that know where the master is.

    Attributes:
        servers: Their addresses, ``host:port``.
        master: What they call the master.
        username: Our ACL user there; unset, the default one.
        password: Its password.
        tls: TLS to the Sentinels; unset, none.  That to the master is ``tls`` of the
            cache.
    """

    servers: tuple[str, ...] = attrs.field(validator=[non_empty, _servers])
    master: str = attrs.field(validator=non_empty)
    username: str = ""
    password: Secret | None = None
    tls: RedisTlsConfig | None = None


@attrs.frozen(kw_only=True)
class RedisCacheConfig:
    """
    The ``redis`` cache: one store for several machines.

    Attributes:
        server: Its address, ``host:port`` or ``unix:/path``; unset, ``127.0.0.1:6379``
            unless there are Sentinels or a cluster.
        sentinel: Sentinels to ask for it instead.
        cluster: Addresses of some nodes of a cluster instead.
        username: Our ACL user; unset, the default one.
        password: Its password.
        tls: TLS to all servers but Sentinels; unset, none.
        allow_plaintext: Speak without TLS to other machines, too: who is on the way can
            read the password, and remove replay marks and revocations.
        database: The number of the database; not in a cluster.
        prefix: What all keys and channels begin with.
        budget: Octets that each kind of record may take, such as replay marks.
        timeout: Seconds for an answer.
        connect_timeout: Seconds for a connection.
        commands: Commands that may wait for an answer; more fail at once.
    """

    server: str | None = attrs.field(
        default=None, validator=attrs.validators.optional(_address)
    )
    sentinel: RedisSentinelConfig | None = None
    cluster: tuple[str, ...] = attrs.field(default=(), validator=_servers)
    username: str = ""
    password: Secret | None = None
    tls: RedisTlsConfig | None = None
    allow_plaintext: bool = False
    database: int = attrs.field(default=0, validator=between(0, 1023))
    prefix: str = attrs.field(default="sso:", validator=_prefix)
    budget: int = attrs.field(default=2**28, validator=between(2**22, 2**40))
    timeout: float = attrs.field(default=2.0, validator=positive)
    connect_timeout: float = attrs.field(default=2.0, validator=positive)
    commands: int = attrs.field(default=1000, validator=between(1, 100000))
