"""The options of the ``memcached`` cache."""

from collections.abc import Iterator
from pathlib import Path

import attrs

from sso_proxy.caches.memcached_servers import read_address
from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.tls.client import ClientTls, MaterialError, client_options


def _servers(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse what is no server, and one that is named twice."""
    places = [read_address(text) for text in value]
    if len(set(places)) < len(places):
        raise ValueError("names a server twice")


@attrs.frozen(kw_only=True)
class MemcachedCacheConfig:
    """
    The ``memcached`` cache: servers that several machines share.

    They forget whatever they like, so nothing is kept here that must not be forgotten:
    no marks of what was used, no lists of what is revoked, no indexes.

    Attributes:
        servers: Each ``host:port``, ``[address]:port`` or ``unix:/path``; without a
            port, 11211.  Of several, each has a part of the records.
        tls: Whether to speak TLS with them, verified.
        ca: PEM file: CAs to trust instead of the system's.
        certificate: PEM file: our client certificate and its chain.
        key: PEM file: its private key.
        allow_plaintext: Reach servers on other machines without TLS: who is on the way
            can delete records, and put old ones back in their places.
        prefix: Sets our records apart from those of others on the same servers; the
            same on all machines that share them.
        timeout: Seconds for an answer.
    """

    servers: tuple[str, ...] = attrs.field(
        default=("127.0.0.1:11211",), validator=[non_empty, _servers]
    )
    tls: bool = False
    ca: FilePath | None = None
    certificate: FilePath | None = None
    key: FilePath | None = None
    allow_plaintext: bool = False
    prefix: str = "sso:"
    timeout: float = attrs.field(default=1.0, validator=between(0.01, 60))

    def __attrs_post_init__(self) -> None:
        """Refuse what is unsafe or has no effect."""
        if problems := [*self._problems()]:
            raise ValueError("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        if (self.certificate is None) != (self.key is None):
            yield "certificate and key are set together"
        if not self.tls:
            for option in ("ca", "certificate", "key"):
                if getattr(self, option) is not None:
                    yield f"{option} has no effect without tls = true"
        elif self.allow_plaintext:
            yield "allow_plaintext has no effect with tls = true"
        for name in self.servers:
            address = read_address(name)
            if self.tls and not address.port:
                yield f"{name!r} is a unix socket, which needs no tls"
            if not (self.tls or self.allow_plaintext or address.stays_here):
                yield (
                    f"{name!r} may be another machine: set tls = true, or"
                    " allow_plaintext = true where nobody else is on the way"
                )


def read_tls(config: MemcachedCacheConfig) -> ClientTls:
    """
    Read whom to trust, and our certificate.

    Raises:
        ConfigError: A file is unusable.
    """
    contents = {}
    for option in ("ca", "certificate", "key"):
        if (file := getattr(config, option)) is not None:
            try:
                contents[option] = Path(file).read_bytes()
            except OSError as e:
                problem = f"cannot be read: {e.strerror}"
                raise ConfigError(Mistake(option, problem)) from e
    tls = ClientTls(**contents)
    for option, part in (
        ("ca", ClientTls(ca=tls.ca)),
        ("certificate", attrs.evolve(tls, ca=None)),
    ):
        try:
            client_options("localhost", tls=part)
        except MaterialError as e:
            raise ConfigError(Mistake(option, str(e))) from None
    return tls
