"""The parts of a ``bearer`` authenticator, made of its options."""

from collections.abc import Callable
from typing import Any, Final

import attrs

from sso_proxy.authn.bearer_config import (
    KEYS,
    BearerConfig,
    read_decryption,
    read_keys,
)
from sso_proxy.authn.introspection_parts import build_introspector
from sso_proxy.authn.verifiers import Verifier
from sso_proxy.authn.verifiers.introspection import (
    IntrospectionVerifier,
    SignedAndActive,
)
from sso_proxy.authn.verifiers.jwt import JwtVerifier
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools
from sso_proxy.net.introspection import Introspector
from sso_proxy.net.jwks import EcKeySource, FixedKeys, JwksSource
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.specs.jose.decrypt import DecryptionKeys, decrypt_compact
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.claims import ClaimRules
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer

_KEEP_TOLD: Final = 60.0


@attrs.frozen(kw_only=True)
class Parts:
    """
    What an authenticator is made of.

    Attributes:
        rules: What claims have to say.
        source: Has the issuer's keys: a `JwksSource`, or what gives the same.
        decryption: Keys of ours that tokens may be encrypted for, or None.
        opaque: Finds out about tokens without a signature, or None.
        healthy: Parts whose state matters.
    """

    rules: ClaimRules
    source: Any
    decryption: DecryptionKeys | None
    opaque: Verifier | None
    healthy: tuple[Any, ...]


def build_parts(config: BearerConfig, tools: ITools) -> Parts:
    """
    Build what *config* describes.

    Raises:
        ConfigError: A key, or what the issuer is asked with, cannot be used.
    """
    rules = build_rules(config)
    source = build_source(config, tools)
    decryption = read_decryption(config)
    introspector = _introspector(config, tools, source, decryption)
    opaque = None
    if introspector is not None:
        keep = config.cache_seconds
        opaque = IntrospectionVerifier(
            rules=rules,
            max_bytes=config.max_token_bytes,
            keep=_KEEP_TOLD if keep is None else keep,
            introspector=introspector,
            clock=tools.clock,
        )
    return Parts(
        rules=rules,
        source=source,
        decryption=decryption,
        opaque=opaque,
        healthy=(source,) if introspector is None else (source, introspector),
    )


def build_jwt_verifier(
    config: BearerConfig, tools: ITools, parts: Parts, adopt: Callable[[KeySet], None]
) -> Verifier | None:
    """
    Build what finds out about signed tokens, or None if they are none of its matter.

    Args:
        config: The options.
        tools: What may be used of the proxy.
        parts: The other parts.
        adopt: Is told which keys are about to be used.
    """
    if config.asks_only:
        return None
    keep = config.cache_seconds
    signed = JwtVerifier(
        rules=parts.rules,
        types=config.types,
        algorithms=config.accepted,
        max_bytes=config.max_token_bytes,
        keep=float("inf") if keep is None else keep,
        source=parts.source,
        unnamed=config.eckey_uri is not None,
        decryption=parts.decryption,
        clock=tools.clock,
        adopt=adopt,
    )
    if parts.opaque is not None and config.introspect == "all":
        return SignedAndActive(signed=signed, active=parts.opaque)
    return signed


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
        audience_optional=config.audience_optional,
    )


def build_source(config: BearerConfig, tools: ITools) -> Any:  # noqa: ANN401
    """
    Give what has the issuer's keys.

    Raises:
        ConfigError: A key cannot be used, or the issuer has no metadata to look for.
    """
    if config.asks_only:
        return FixedKeys(KeySet(()))
    if config.jwks_uri is not None:
        return _shared(JwksSource, config.jwks_uri, tools)
    if config.eckey_uri is not None:
        return _shared(EcKeySource, config.eckey_uri, tools)
    if any(getattr(config, option) is not None for option in KEYS):
        return FixedKeys(read_keys(config))
    return _issuer(config, tools)


def _issuer(config: BearerConfig, tools: ITools) -> Any:  # noqa: ANN401
    """Give what has the issuer's metadata."""
    try:
        read_issuer(config.issuer)
    except UrlRefusedError as e:
        problem = f"{e.detail}; or say where its keys are: {', '.join(KEYS)}"
        raise ConfigError(Mistake("issuer", problem)) from None
    return _shared(IssuerSource, config.issuer, tools)


def _shared(kind: type[Any], url: str, tools: ITools) -> Any:  # noqa: ANN401
    client, clock, changed = tools.http_client, tools.clock, tools.decide_anew
    return tools.shared(
        (f"bearer {kind.__name__}", url, client),
        lambda: kind(url, client, clock, changed=changed),
    )


def _introspector(
    config: BearerConfig,
    tools: ITools,
    source: Any,  # noqa: ANN401
    decryption: DecryptionKeys | None,
) -> Introspector | None:
    """Build what asks the issuer."""
    options = config.introspection
    if options is None:
        return None
    metadata = None
    if options.endpoint is None:
        found = isinstance(source, IssuerSource)
        metadata = source if found else _issuer(config, tools)

    def decrypt(answer: str) -> bytes:
        assert decryption is not None  # noqa: S101
        return decrypt_compact(answer, decryption)

    return build_introspector(
        options,
        issuer=config.issuer,
        http_client=tools.http_client,
        clock=tools.clock,
        keys=None if config.asks_only else source,
        metadata=metadata,
        decrypt=None if decryption is None else decrypt,
        leeway=config.leeway,
    )
