"""The parts of a ``bearer`` authenticator, made of its options."""

from typing import Any

from sso_proxy.authn.bearer_config import BearerConfig, read_keys
from sso_proxy.interfaces import ITools
from sso_proxy.net.jwks import FixedKeys, JwksSource
from sso_proxy.specs.oauth.claims import ClaimRules


def build_rules(config: BearerConfig) -> ClaimRules:
    """Give what claims have to say."""
    return ClaimRules(
        issuer=config.issuer,
        audiences=frozenset(config.audience),
        leeway=config.leeway,
        subject=config.subject,
        required=config.required_claims,
        clients=frozenset(config.clients),
        max_age=config.max_age,
    )


def build_source(config: BearerConfig, tools: ITools) -> Any:  # noqa: ANN401
    """
    Give what has the issuer's keys.

    Raises:
        ConfigError: A key cannot be used.
    """
    if config.jwks_uri is not None:
        url, client = config.jwks_uri, tools.http_client
        return tools.shared(
            ("jwks", url, client), lambda: JwksSource(url, client, tools.clock)
        )
    return FixedKeys(read_keys(config))
