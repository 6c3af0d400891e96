"""What tokens and answers of a provider are compared with, by the options."""

import attrs

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.specs.jose.compact import MAC_ALGORITHMS
from sso_proxy.specs.jose.decrypt import DecryptionKeys, derive_decryption_keys
from sso_proxy.specs.jose.keys import KeySet, read_secret
from sso_proxy.specs.oidc.envelope import EnvelopeRules
from sso_proxy.specs.oidc.id_token import IdTokenRules
from sso_proxy.specs.oidc.metadata import ProviderEndpoints, choose_algorithms
from sso_proxy.specs.oidc.userinfo import UserInfoRules


@attrs.frozen(kw_only=True)
class Secrets:
    """
    What only the provider and we know, and what only we know.

    Attributes:
        mac_keys: Client secrets that ID tokens may be signed with.
        decryption: Keys that what comes may be encrypted to.
    """

    mac_keys: tuple[KeySet, ...] = attrs.field(default=(), repr=False)
    decryption: tuple[DecryptionKeys, ...] = attrs.field(default=(), repr=False)


def read_secrets(config: OidcConfig, ours: DecryptionKeys) -> Secrets:
    """
    Make keys of the client secrets, both of them while they are changed.

    Args:
        config: The options.
        ours: Private keys of ours.

    Raises:
        KeyRefusedError: A secret is too short for an algorithm that it is to be used
            with.
    """
    given = (config.client_secret, config.client_secret_next)
    secrets = [secret.reveal() for secret in given if secret is not None]
    macs = sorted(MAC_ALGORITHMS.intersection(config.id_token_algorithms))
    keys = [read_secret(secret, algorithms=macs) for secret in secrets if macs]
    derived = [derive_decryption_keys(secret) for secret in secrets]
    return Secrets(
        mac_keys=tuple(keys),
        decryption=(*((ours,) if ours.keys else ()), *derived),
    )


def id_token_rules(config: OidcConfig, endpoints: ProviderEndpoints) -> IdTokenRules:
    """Give what ID tokens are compared with."""
    algorithms = choose_algorithms(
        endpoints.id_token_algorithms, config.id_token_algorithms, fapi=config.fapi
    )
    return IdTokenRules(
        issuer=config.issuer,
        client_id=config.client_id,
        tenants=frozenset(config.tenants),
        audiences=frozenset(config.id_token_audiences),
        envelope=EnvelopeRules(
            algorithms=algorithms,
            encrypted=True if config.id_token_encrypted else None,
            allow_none=config.allow_alg_none,
            try_keys=config.try_keys,
        ),
        leeway=config.leeway,
        iat_slack=config.max_id_token_age,
        fapi=config.fapi,
    )


def userinfo_rules(config: OidcConfig, issuer: str) -> UserInfoRules:
    """
    Give what claims of the UserInfo endpoint are compared with.

    Args:
        config: The options.
        issuer: ``iss`` of the ID token: of several tenants, the one of this login.
    """
    pinned = config.userinfo_algorithms or config.id_token_algorithms
    algorithms = choose_algorithms((), pinned, fapi=config.fapi)
    return UserInfoRules(
        issuer=issuer,
        client_id=config.client_id,
        envelope=EnvelopeRules(algorithms=algorithms, try_keys=config.try_keys),
        signed=config.userinfo_signed,
        leeway=config.leeway,
    )


def response_rules(config: OidcConfig) -> EnvelopeRules:
    """Give how signed answers are signed; never with a secret."""
    pinned = set(config.response_algorithms or config.id_token_algorithms)
    algorithms = choose_algorithms((), pinned - MAC_ALGORITHMS, fapi=config.fapi)
    return EnvelopeRules(algorithms=algorithms, try_keys=config.try_keys)
