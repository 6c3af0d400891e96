"""What an ``oidc`` authenticator is made of."""

from functools import partial
from typing import Protocol

import attrs

from sso_proxy.authn.oidc_client_parts import build_provider
from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.authn.oidc_fapi import weak_algorithms
from sso_proxy.authn.oidc_others import Others
from sso_proxy.authn.oidc_rules import Secrets, read_secrets
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ICache, IClock, ISealer, ITools
from sso_proxy.net.client_keys import ClientKeys
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.specs.jose.keys import KeyRefusedError, KeySet
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oidc.metadata import ProviderEndpoints
from sso_proxy.specs.oidc.token_response import TokenResponse

NEEDS = frozenset({"get", "put", "compare_and_set"})
"""What the cache has to be able to do."""


class Provider(Protocol):
    """What a `ProviderClient` is to us."""

    @property
    def proof_thumbprint(self) -> str | None:
        """The key that tokens are bound to, or None."""

    async def endpoints(self) -> ProviderEndpoints:
        """Give where the provider is, and what it can do."""

    async def key_set(self) -> KeySet:
        """Give the provider's keys."""

    async def key_set_for_unknown(self) -> KeySet:
        """Give the provider's keys after one was named that was not among them."""

    async def push(self, fields: FormFields) -> str:
        """Leave an authorization request with the provider."""

    async def redeem(self, fields: FormFields) -> TokenResponse:
        """Have a code exchanged for tokens."""

    async def refresh(self, token: str, fields: FormFields = ()) -> TokenResponse:
        """Have new tokens for a refresh token."""

    async def revoke(self, token: str, hint: str, within: float) -> bool:
        """Give a token back; False if the provider does not take such tokens."""

    async def userinfo(
        self, access_token: str, token_type: str
    ) -> tuple[int, str | None, bytes]:
        """Ask for claims about the user."""

    async def warm(self) -> None:
        """Fetch what there is not yet."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""


@attrs.frozen(kw_only=True)
class Parts:
    """
    The parts.

    Attributes:
        name: What the configuration calls the authenticator.
        config: Its options.
        provider: Asks the provider.
        keys: Ours, toward the provider.
        secrets: What ID tokens may be signed and encrypted with besides.
        clock: The time.
        cache: Knows which logins are finished, and has signed requests to be fetched;
            None: nobody does.
        sealer: Seals what is in the cache.
        others: Those whose claims are believed, too; None: nobody.
    """

    name: str
    config: OidcConfig
    provider: Provider
    keys: ClientKeys
    secrets: Secrets
    clock: IClock
    cache: ICache | None
    sealer: ISealer
    others: Others | None = None


def build_parts(config: OidcConfig, tools: ITools) -> Parts:
    """
    Build what *config* describes.

    Raises:
        ConfigError: A key, a secret or a URL cannot be used.
    """
    provider = build_provider(
        config,
        issuer=config.issuer,
        http_client=tools.http_client,
        clock=tools.clock,
        overrides=config.overrides,
        discover=not config.by_hand,
        metadata_url=config.metadata,
        codes=config.answer_type.has_code,
        pkce=config.pkce != "off",
        shared=tools.shared,
    )
    weak = weak_algorithms(key.alg for key in provider.keys.signing)
    if config.fapi and weak:
        problem = f"profile = 'fapi2' needs keys that do not sign with {weak[0]}"
        raise ConfigError(Mistake("signing_keys", problem))
    try:
        secrets = read_secrets(config, provider.keys.decryption)
    except KeyRefusedError as e:
        raise ConfigError(Mistake("client_secret", e.detail)) from None
    return Parts(
        name=tools.name,
        config=config,
        provider=provider.client,
        keys=provider.keys,
        secrets=secrets,
        clock=tools.clock,
        cache=None if config.cache == "" else tools.cache(config.cache, NEEDS),
        sealer=tools.sealer("oidc"),
        others=_others(config, tools),
    )


def _others(config: OidcConfig, tools: ITools) -> Others | None:
    """Give those whose claims are believed."""
    client, clock = tools.http_client, tools.clock
    if not config.claims_providers:
        return None
    return Others(
        keys={
            issuer: tools.shared(
                ("IssuerSource", issuer, client, None, None),
                partial(IssuerSource, issuer, client, clock),
            )
            for issuer in config.claims_providers
        },
        origins=config.claims_origins,
        client_id=config.client_id,
        leeway=config.leeway,
        http_client=client,
        clock=clock,
    )
