"""What token sources have in common that ask OAuth token endpoints."""

import secrets

from zope.interface import alsoProvides

from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.interfaces import IPublishesKeys, ITools
from sso_proxy.net.client_identity import noting, read_clients, read_dpop_key
from sso_proxy.net.client_keys import ClientKeys, read_client_keys
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.net.provider_link import ClientIdentity
from sso_proxy.net.token_endpoint import TokenEndpoint
from sso_proxy.specs.oauth.grants import check_resource
from sso_proxy.token import Audience
from sso_proxy.tokens.remote import RemoteSource
from sso_proxy.tokens.remote_config import GrantConfig


class GrantSource(RemoteSource):
    """
    Asks an OAuth token endpoint.

    With keys of ours it is an `IPublishesKeys`, too: the server looks them up.

    Attributes:
        config: The options.
        endpoint: Where, and as whom.
        public_keys: The public halves of our keys, by which the server knows us.
        publish_at: No hosts but those of its routes.
    """

    config: GrantConfig

    def __init__(self, config: GrantConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        self.endpoint, keys = build_endpoint(
            config, tools, http_client=self.http_client, tls=self.tls
        )
        self.public_keys = keys.public
        self.publish_at: tuple[str, ...] = ()
        if keys.public:
            alsoProvides(self, IPublishesKeys)

    def check_audience(self, audience: Audience) -> None:
        """
        Check that *audience* can be sent.

        Raises:
            ValueError: It is no URI, and has to be (RFC 8707 section 2).
        """
        if audience.name and self.config.audience_as == "resource":
            check_resource(audience.name)

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        return (*await super().probe(), *await self.endpoint.probe())

    def more(self, fields: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """Give *fields* with those that the operator adds."""
        return (*fields, *self.config.params.items())


def build_endpoint(
    config: GrantConfig,
    tools: ITools,
    *,
    http_client: HttpClient,
    tls: ClientTls | None,
) -> tuple[TokenEndpoint, ClientKeys]:
    """
    Build what asks the token endpoint that *config* says; give our keys for that, too.

    Args:
        config: The options.
        tools: Clock, and what is kept over reloads.
        http_client: Sends the requests.
        tls: Our certificate, and whom to trust.

    Raises:
        ConfigError: A key or a secret cannot be used.
    """
    mistakes: list[Mistake] = []
    keys, proof_key = ClientKeys(), None
    with noting(mistakes):
        keys = read_client_keys(
            signing=config.signing_keys,
            alg=config.signing_alg,
            kid=config.signing_kid,
        )
    with noting(mistakes):
        proof_key = read_dpop_key(config, "")
    name = config.issuer or config.endpoint or ""
    clients = read_clients(config, keys, name, "", mistakes)
    if mistakes:
        raise ConfigError(*mistakes)
    identity = ClientIdentity(
        clients=clients, tls=tls, proof_key=proof_key, within=config.timeout
    )
    endpoint = TokenEndpoint(
        name.partition("?")[0],
        _Finder(config, tools, http_client, tls).find,
        identity,
        http_client=http_client,
        clock=tools.clock,
        unique=lambda: secrets.token_urlsafe(16),
    )
    return endpoint, keys


class _Finder:
    """Says where a token endpoint is."""

    def __init__(
        self,
        config: GrantConfig,
        tools: ITools,
        http_client: HttpClient,
        tls: ClientTls | None,
    ) -> None:
        self._url = config.endpoint
        self._certificate = config.certificate is not None
        self._source: IssuerSource | None = None
        issuer = config.issuer
        if self._url is None and issuer is not None:
            # Metadata is for everybody to see: our certificate is not shown for it.
            trust = ClientTls(ca=tls.ca, crl=tls.crl) if tls and tls.ca else None
            self._source = tools.shared(
                ("IssuerSource", issuer, http_client, trust, None),
                lambda: IssuerSource(issuer, http_client, tools.clock, trust),
            )
            self._source.expire()

    async def find(self) -> str:
        """
        Give the URL.

        Raises:
            UnavailableError: The issuer does not say it, or cannot be reached.
        """
        if self._url is not None or self._source is None:
            return self._url or ""
        try:
            metadata = await self._source.metadata()
        except UnavailableError as e:
            raise UnavailableError(e.what, status=502) from e
        url = metadata.endpoint("token_endpoint", certificate=self._certificate)
        if url is None:
            what = f"metadata of {metadata.issuer}: has no token_endpoint"
            raise UnavailableError(what, status=502)
        return url
