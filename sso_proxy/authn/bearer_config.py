"""The options of the ``bearer`` authenticator."""

from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs

from sso_proxy.config.checks import Attribute, between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.errors import ConfigError, Mistake, TokenError
from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.specs.jose.keys import KeyRefusedError, KeySet, read_jwks, read_pem
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.claims import TypeRule

_FILES: Final = ("jwk", "jwk_file", "pem")


def _algorithms(
    _instance: object, _attribute: Attribute, value: tuple[str, ...]
) -> None:
    """Refuse algorithms that are not known."""
    for alg in value:
        if alg not in ALGORITHMS:
            raise ValueError(f"{alg!r} is none of {', '.join(sorted(ALGORITHMS))}")


def _safe_url(_instance: object, _attribute: Attribute, value: str | None) -> None:
    """Refuse URLs whose answer anybody on the way could write."""
    if value is None:
        return
    parts = urlsplit(value)
    host = parts.hostname or ""
    if not value.isascii() or not value.isprintable() or not host or "@" in value:
        raise ValueError("must be an https URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("must be https; http only for loopback addresses")


def _is_loopback(host: str) -> bool:
    """Say whether *host* is an address of this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # localhost, too: a name is what a resolver says it is


@attrs.frozen(kw_only=True)
class BearerConfig:
    """
    The ``bearer`` authenticator's part of the configuration file.

    Exactly one of ``jwks_uri``, ``jwk``, ``jwk_file`` and ``pem`` says where the
    issuer's public keys are.

    Attributes:
        issuer: The ``iss`` that tokens must have, octet by octet.
        audience: Names of this API; ``aud`` must have one of them.
        jwks_uri: Where the issuer publishes its keys; https, or http to a loopback
            address.
        jwk: A public key (JWK), or a set of them, as JSON.
        jwk_file: A file with that.
        pem: A PEM file with public keys or certificates; certificates are taken for
            their keys, whether they have expired or not.
        algorithms: Signature algorithms that the issuer may use.
        typ: ``at+jwt`` wants access tokens that say that they are (RFC 9068); ``any``
            is for issuers that do not say it, and takes their ID tokens, too, if
            the audience fits.
        leeway: Seconds that the issuer's clock may differ from ours.
        required_claims: Further claims that tokens must have.
        max_token_bytes: Octets of a token.
        cache_entries: Verified tokens that are remembered, in each worker, at most
            until they expire.
        realm: What the challenge calls what is protected.
    """

    issuer: str = attrs.field(validator=non_empty)
    audience: tuple[str, ...] = attrs.field(validator=non_empty)
    jwks_uri: str | None = attrs.field(default=None, validator=_safe_url)
    jwk: str | None = None
    jwk_file: FilePath | None = None
    pem: FilePath | None = None
    algorithms: tuple[str, ...] = attrs.field(
        default=("RS256", "PS256", "ES256", "ES384", "EdDSA"),
        validator=[non_empty, _algorithms],
    )
    typ: TypeRule = "at+jwt"
    leeway: float = attrs.field(default=10.0, validator=between(0, 300))
    required_claims: tuple[str, ...] = ()
    max_token_bytes: int = attrs.field(default=16384, validator=between(256, 65536))
    cache_entries: int = attrs.field(default=16384, validator=between(0, 1048576))
    realm: str = "sso-proxy"

    def __attrs_post_init__(self) -> None:
        """Refuse none and several sources of keys, and an audience without a name."""
        sources = (self.jwks_uri, self.jwk, self.jwk_file, self.pem)
        if sum(source is not None for source in sources) != 1:
            raise ValueError("needs exactly one of jwks_uri, jwk, jwk_file and pem")
        if not all(self.audience):
            raise ValueError("audience must not have an empty name")


def read_keys(config: BearerConfig) -> KeySet:
    """
    Read the keys that *config* has, or names a file of.

    Raises:
        ConfigError: They cannot be read or used.
    """
    option = next(o for o in _FILES if getattr(config, o) is not None)
    value: str = getattr(config, option)
    try:
        data = value.encode() if option == "jwk" else Path(value).read_bytes()
        keys = read_pem(data) if option == "pem" else _read_json(data)
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
    except KeyRefusedError as e:
        problem = f"cannot be used: {e.detail}"
    else:
        if any(key.algs.intersection(config.algorithms) for key in keys.keys):
            return keys
        problem = "has no key for any of the algorithms"
    raise ConfigError(Mistake(option, problem))


def _read_json(data: bytes) -> KeySet:
    """Read a JWK or a JWK Set that the operator wrote."""
    try:
        single = "keys" not in read_json_object(data)
    except TokenError as e:
        raise KeyRefusedError(e.detail) from None
    return read_jwks(b'{"keys":[%b]}' % data if single else data, remote=False)
