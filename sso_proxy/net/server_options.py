"""The options by which a server of others is reached, whatever it is asked for."""

from collections.abc import Iterator

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import Attribute, between
from sso_proxy.config.model import FilePath
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools
from sso_proxy.net.client_auth_options import certificate_problems
from sso_proxy.net.client_auth_parts import read_tls
from sso_proxy.net.client_identity import noting
from sso_proxy.net.http_agent import read_proxy
from sso_proxy.net.http_client import ClientTls, HttpClient


def _proxy(_instance: object, _attribute: Attribute, value: str | None) -> None:
    try:
        read_proxy(value)
    except ConfigError as e:
        raise ValueError(e.mistakes[0].problem) from None


@attrs.frozen(kw_only=True)
class ServerOptions:
    """
    How a server is reached.

    Attributes:
        certificate: PEM file: our client certificate and its chain, for the server.
        key: PEM file: its private key.
        ca: PEM file: CAs to trust for this server, instead of the system's and those
            of ``server.outbound``.
        crl: PEM file: current revocation lists of all CAs in ``ca``.
        proxy: A proxy to this server, ``http://host:port``, that takes CONNECT; unset,
            that of ``server.outbound``.  It is used for https alone.
        timeout: Seconds for an answer of the server; unset, that of
            ``server.outbound``.
    """

    certificate: FilePath | None = None
    key: FilePath | None = None
    ca: FilePath | None = None
    crl: FilePath | None = None
    proxy: str | None = attrs.field(default=None, validator=_proxy)
    timeout: float | None = attrs.field(
        default=None, validator=optional(between(0.1, 60))
    )

    def server_problems(self, url: str | None) -> Iterator[str]:
        """
        Say what is wrong with these options together.

        Args:
            url: Where the server is, if that is known already.
        """
        yield from certificate_problems(self.certificate, self.key)
        if self.crl is not None and self.ca is None:
            yield "crl needs ca: whose lists they are"
        plain = (url or "").startswith("http:")
        if plain and (self.certificate or self.ca or self.proxy):
            yield "certificate, ca and proxy have no effect at an http endpoint"


@attrs.frozen
class Access:
    """
    What reaches a server.

    Attributes:
        http_client: Sends requests, through the proxy of the options.
        tls: Our certificate, and whom to trust; None for what is usual.
        within: Seconds for an answer; None for what all requests have.
    """

    http_client: HttpClient
    tls: ClientTls | None
    within: float | None


def read_access(
    config: ServerOptions, tools: ITools, mistakes: list[Mistake]
) -> Access:
    """
    Make what reaches the server that *config* describes.

    Args:
        config: The options.
        tools: What may be used.
        mistakes: Takes what is wrong with the files.
    """
    http_client: HttpClient = tools.http_client
    proxy = read_proxy(config.proxy, "proxy")
    if proxy is not None:
        http_client = http_client.through(proxy)
    tls: ClientTls | None = None
    with noting(mistakes):
        tls = read_tls(config, "", crl=config.crl, now=tools.clock.time())
    return Access(http_client, tls, config.timeout)
