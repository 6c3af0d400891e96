"""The options of the ``bearer`` authenticator."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import attrs
from attrs.validators import optional

from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.config.checks import Attribute, between, non_empty, positive
from sso_proxy.config.model import FilePath
from sso_proxy.config.protocol_checks import one_of, secure_url
from sso_proxy.config.secrets import UNSHOWN, Secret
from sso_proxy.errors import ConfigError, Mistake, TokenError
from sso_proxy.specs.jose.compact import ALGORITHMS, MAC_ALGORITHMS
from sso_proxy.specs.jose.decrypt import DecryptionKeys, read_decryption_keys
from sso_proxy.specs.jose.keys import (
    KeyRefusedError,
    KeySet,
    read_jwks,
    read_pem,
    read_secret,
)
from sso_proxy.specs.jose.secret import SecretEncoding
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.presentation import read_place

KEYS: Final = ("jwks_uri", "eckey_uri", "jwk", "jwk_file", "pem", "secret")
"""Options that say where the issuer's keys are."""

_DEFAULT_ALGORITHMS: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
_FIXED: Final = ("jwk", "jwk_file", "pem", "secret")


def _typ(_instance: object, _attribute: Attribute, value: str | Sequence[str]) -> None:
    """Refuse types that no token can have, and single ones that may be a slip."""
    if isinstance(value, str) and value not in ("at+jwt", "any"):
        raise ValueError(f"must be 'at+jwt', 'any' or a list, not {value!r}")
    if not value or not all(value):
        raise ValueError("must not be empty")


def _token_in(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse places that are none, or named twice."""
    places = [read_place(text) for text in value]
    if len({*places}) != len(places):
        raise ValueError("names a place twice")


@attrs.frozen(kw_only=True)
class BearerConfig:
    """
    The ``bearer`` authenticator's part of the configuration file.

    The keys of the issuer are where its metadata says (RFC 8414, OpenID Connect
    Discovery), unless one of ``jwks_uri``, ``eckey_uri``, ``jwk``, ``jwk_file``,
    ``pem`` and ``secret`` says where they are.

    Attributes:
        issuer: The ``iss`` that tokens must have, octet by octet; where keys come from
            its metadata, its URL.
        audience: Names of this API; ``aud`` must have one of them.
        jwks_uri: Where the issuer publishes its keys; https, or http to a loopback
            address.
        eckey_uri: Where one EC key is published, in PEM.
        jwk: A public key (JWK), or a set of them, as JSON.
        jwk_file: A file with that.
        pem: A PEM file with public keys or certificates; certificates are taken for
            their keys, whether they have expired or not.
        secret: A secret shared with the issuer, which signs with HS256, HS384 or
            HS512: whoever has it can make tokens, this proxy included.
        secret_encoding: How the secret is written.
        decryption_keys: Private keys (JWK, JWK Set or PEM) that the issuer encrypts
            tokens for; what is inside has to be signed all the same.
        algorithms: Signature algorithms that the issuer may use; none: RS256, PS256,
            ES256, ES384 and EdDSA, or those that ``secret`` is long enough for.
        typ: ``at+jwt`` wants access tokens that say that they are (RFC 9068); a list
            names other types; ``any`` is for issuers that do not say it, and takes
            their ID tokens, too, if the audience fits.
        clients: Clients (``client_id`` or ``azp``) whose tokens are taken; none: all.
        subject: Claims that name the caller; the first that the token has counts.
        required_claims: Further claims that tokens must have.
        max_age: Seconds that may have passed since a token was issued (``iat``, which
            it must have then); unset, any number until it expires.
        leeway: Seconds that the issuer's clock may differ from ours.
        token_in: Where tokens are looked for: ``header`` (``Authorization``),
            ``header:NAME`` (a field with the token alone), ``header:NAME SCHEME``,
            ``query`` or ``query:NAME``, ``form`` or ``form:NAME`` (in the body of a
            POST), ``cookie`` or ``cookie:NAME``, ``basic`` (the password).  URLs get
            into logs, histories and ``Referer``, and browsers send cookies, forms and
            Basic whoever asks: allow these for clients only that can do nothing else.
        forward_token: Whether the backend gets the token, too.
        max_token_bytes: Octets of a token.
        introspection: How the issuer is asked about opaque tokens (RFC 7662).  With
            an ``endpoint`` and no place for keys, it is asked about all tokens.
        introspect: ``all`` has it asked about signed tokens, too, once their signature
            is found good: what it withdraws is then noticed after ``cache_seconds``.
        audience_optional: Whether what the issuer says, when asked, need not name an
            audience.  It then has to know which tokens are for us and call all others
            inactive; most do not.
        cache_entries: Verified tokens that are remembered, in each worker.
        cache_seconds: Seconds that they are remembered at most.  Unset, signed ones
            until they expire or their key is withdrawn, and others for 60: that spares
            the issuer nearly all questions of a busy client, and is about as long as
            people wait for a withdrawal to be felt.
        realm: What the challenge calls what is protected.
    """

    issuer: str = attrs.field(validator=non_empty)
    audience: tuple[str, ...] = attrs.field(validator=non_empty)
    jwks_uri: str | None = attrs.field(default=None, validator=secure_url)
    eckey_uri: str | None = attrs.field(default=None, validator=secure_url)
    jwk: str | None = attrs.field(default=None, metadata=UNSHOWN)
    jwk_file: FilePath | None = None
    pem: FilePath | None = None
    secret: Secret | None = None
    secret_encoding: SecretEncoding = "plain"  # noqa: S105
    decryption_keys: Secret | None = None
    algorithms: tuple[str, ...] = attrs.field(
        default=(), validator=one_of(ALGORITHMS | MAC_ALGORITHMS)
    )
    typ: str | tuple[str, ...] = attrs.field(default="at+jwt", validator=_typ)
    clients: tuple[str, ...] = ()
    subject: tuple[str, ...] = attrs.field(default=("sub",), validator=non_empty)
    required_claims: tuple[str, ...] = ()
    max_age: float | None = attrs.field(default=None, validator=optional(positive))
    leeway: float = attrs.field(default=10.0, validator=between(0, 300))
    token_in: tuple[str, ...] = attrs.field(
        default=("header",), validator=[non_empty, _token_in]
    )
    forward_token: bool = False
    max_token_bytes: int = attrs.field(default=16384, validator=between(256, 65536))
    introspection: IntrospectionConfig | None = None
    introspect: Literal["opaque", "all"] = "opaque"
    audience_optional: bool = False
    cache_entries: int = attrs.field(default=16384, validator=between(0, 1048576))
    cache_seconds: float | None = attrs.field(
        default=None, validator=optional(between(0, 86400))
    )
    realm: str = "sso-proxy"

    def __attrs_post_init__(self) -> None:
        """Refuse options that contradict each other."""
        sources = [name for name in KEYS if getattr(self, name) is not None]
        if len(sources) > 1:
            raise ValueError(f"takes keys from one place, not {' and '.join(sources)}")
        if not all(self.audience):
            raise ValueError("audience must not have an empty name")
        macs = MAC_ALGORITHMS.intersection(self.algorithms)
        if macs if self.secret is None else {*self.algorithms} - macs:
            raise ValueError("algorithms HS256, HS384 and HS512 belong to a secret")

        about_asking = self.introspect != "opaque" or self.audience_optional
        if about_asking and self.introspection is None:
            raise ValueError("introspect and audience_optional need introspection")

    @property
    def asks_only(self) -> bool:
        """Say whether the issuer is asked about everything, and no keys are used."""
        return (
            self.introspection is not None
            and self.introspection.endpoint is not None
            and all(getattr(self, name) is None for name in KEYS)
        )

    @property
    def accepted(self) -> frozenset[str]:
        """Give the signature algorithms that *algorithms* means."""
        if self.algorithms:
            return frozenset(self.algorithms)
        return MAC_ALGORITHMS if self.secret else frozenset(_DEFAULT_ALGORITHMS)

    @property
    def types(self) -> frozenset[str]:
        """Give the types that *typ* means, as `check_type` compares them."""
        names = (self.typ,) if isinstance(self.typ, str) else self.typ
        return frozenset(n.lower().removeprefix("application/") for n in names)


def read_keys(config: BearerConfig) -> KeySet:
    """
    Read the keys that *config* has, or names a file of.

    Raises:
        ConfigError: They cannot be read or used.
    """
    option = next(o for o in _FIXED if getattr(config, o) is not None)
    try:
        keys = _read_option(config, option)
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
    except KeyRefusedError as e:
        problem = f"cannot be used: {e.detail}"
    else:
        if any(key.algs & config.accepted for key in keys.keys):
            return keys
        problem = "has no key for any of the algorithms"
    raise ConfigError(Mistake(option, problem))


def read_decryption(config: BearerConfig) -> DecryptionKeys | None:
    """
    Read the keys that *config* has for encrypted tokens, if any.

    Raises:
        ConfigError: They cannot be used.
    """
    if config.decryption_keys is None:
        return None
    try:
        return read_decryption_keys(config.decryption_keys.reveal().encode())
    except KeyRefusedError as e:
        problem = f"cannot be used: {e.detail}"
        raise ConfigError(Mistake("decryption_keys", problem)) from None


def _read_option(config: BearerConfig, option: str) -> KeySet:
    """Read the keys that *option* has, or names a file of."""
    if option == "secret" and config.secret is not None:
        return read_secret(
            config.secret.reveal(), config.secret_encoding, algorithms=config.algorithms
        )
    value: str = getattr(config, option)
    data = value.encode() if option == "jwk" else Path(value).read_bytes()
    return read_pem(data) if option == "pem" else _read_json(data)


def _read_json(data: bytes) -> KeySet:
    """Read a JWK or a JWK Set that the operator wrote."""
    try:
        single = "keys" not in read_json_object(data)
    except TokenError as e:
        raise KeyRefusedError(e.detail) from None
    return read_jwks(b'{"keys":[%b]}' % data if single else data, remote=False)
