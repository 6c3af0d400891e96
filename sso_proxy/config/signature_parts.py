"""The table ``[route.signature]``: options, as in `sso_proxy.config.model`."""

from typing import Annotated, TypeAlias

import attrs

from sso_proxy.config.checks import between, non_empty
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.http.signature_keys import SignatureAlgorithm

IDENTITY = "identity"
"""Stands for every field that says who calls, or holds a token for the backend."""

CONTENT_DIGEST = "content-digest"

_FilePath: TypeAlias = Annotated[str, "file"]
"""The same as `sso_proxy.config.model.FilePath`; that module imports this one."""


@attrs.frozen(kw_only=True)
class SignatureConfig:
    """
    How requests to a route's backend are signed (RFC 9421).

    Attributes:
        key: File with the private key: PEM without a passphrase, or one JWK.  The
            public half is at ``/.sso/jwks``.
        secret: Instead of a key, what the backend knows, too; 32 octets or more.
        alg: ``rsa-pss-sha512``, ``ecdsa-p256-sha256``, ``ecdsa-p384-sha384``,
            ``ed25519``, ``hmac-sha256`` for a secret, or ``rsa-v1_5-sha256``; unset,
            what fits the key.
        keyid: What the backend calls the key; unset, its ``kid``, or else its
            thumbprint (RFC 7638).  A secret needs one.
        label: The signature's name in ``Signature`` and ``Signature-Input``.
        tag: What it says it is for; backends choose the signature by it.
        components: What is signed: ``@method``, ``@authority``, ``@path``, ``@query``,
            ``@target-uri``, ``@scheme``, ``@request-target``, names of header fields,
            and ``identity`` for every field that says who calls or holds a token for
            the backend.  Fields that a request does not have are left out.
        digest: Whether the body is signed, too, by a ``Content-Digest`` (RFC 9530) of
            what is forwarded, which replaces the client's.  Bodies are held in memory
            for that.
        body_bytes: With *digest*, octets of a body at most; more is 413.
        expires: Seconds that a signature holds.
        nonce: Whether each signature has a value of its own, by which the backend can
            refuse a request that it has seen before.
    """

    key: _FilePath | None = None
    secret: Secret | None = None
    alg: SignatureAlgorithm | None = None
    keyid: str | None = None
    label: str = "sso"
    tag: str = "sso-proxy"
    components: tuple[str, ...] = attrs.field(
        default=("@method", "@authority", "@path", "@query", IDENTITY),
        validator=non_empty,
    )
    digest: bool = False
    body_bytes: int = attrs.field(default=2**20, validator=between(1, 2**30))
    expires: int = attrs.field(default=60, validator=between(1, 86400))
    nonce: bool = True
