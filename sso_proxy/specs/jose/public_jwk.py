"""The public half of a key of ours, as others are told it (RFC 7517)."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.strict import read_json_object

PublicKey: TypeAlias = Mapping[str, Any]
"""A JWK with ``kid`` and ``use``, and ``alg`` where there is one only."""

_MEMBERS: Final[Mapping[object, tuple[str, ...]]] = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}


def public_members(data: bytes) -> dict[str, str]:
    """
    Give the members of the JWK that a private key's public half is.

    Only those that the key consists of: no ``kid``, no ``alg``, no ``use``.

    Args:
        data: A private key: PEM without a passphrase, or one JWK.

    Raises:
        KeyRefusedError: It is none; the text holds nothing of it.
    """
    try:
        if data.lstrip().startswith(b"{"):
            jwk = JWK(**read_json_object(data.strip()))
            data = jwk.export_to_pem(private_key=True, password=None)
        # Read by cryptography in any case: it checks that the halves belong together.
        key: Any = load_pem_private_key(data, password=None)
        public = JWK.from_pyca(key.public_key()).export_public(as_dict=True)
        return {name: str(public[name]) for name in _MEMBERS[public["kty"]]}
    except TokenError as e:
        raise KeyRefusedError(f"the JWK is {e.detail}") from None
    except (JWException, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as e:
        # Not chained: the exceptions may hold what is private.
        problem = f"no private key in PEM or JWK: {type(e).__name__}"
        raise KeyRefusedError(problem) from None


def thumbprint(public: Mapping[str, str]) -> str:
    """Give what names a key by what it is: SHA-256 in base64url (RFC 7638)."""
    name: str = JWK(**public).thumbprint()
    return name


def jwks_document(keys: Iterable[PublicKey]) -> bytes:
    """
    Write the JWK Set with *keys*, each once (RFC 7517 section 5).

    Raises:
        ValueError: Two keys have the same name.
    """
    kept: list[PublicKey] = []
    for key in keys:
        if key not in kept:
            kept.append(key)
    check_names(kept)
    return json.dumps({"keys": kept}, separators=(",", ":")).encode("ascii")


def check_names(keys: Iterable[PublicKey]) -> None:
    """
    Check that each of *keys* has a name of its own.

    Raises:
        ValueError: A name means several keys, or one key for two purposes, and nobody
            could tell which is meant.
    """
    seen = set()
    for key in keys:
        if key["kid"] in seen:
            raise ValueError(f"several keys of ours have the name (kid) {key['kid']!r}")
        seen.add(key["kid"])
