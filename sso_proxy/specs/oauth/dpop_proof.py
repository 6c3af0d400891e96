"""
DPoP proofs that we make: we hold the key that our tokens are bound to (RFC 9449).

`sso_proxy.specs.oauth.dpop` checks those of others.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

import attrs

from sso_proxy.specs.http.head import is_token
from sso_proxy.specs.http.uri import normal_uri
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.public_jwk import public_members, thumbprint
from sso_proxy.specs.jose.sign import SigningKey, read_signing_key, sign_compact
from sso_proxy.specs.oauth.dpop import MAX_JTI, token_hash

MAX_NONCE: Final = 1024
"""Characters of a nonce that a server asks for; proofs have to fit into its limits."""

_is_nonce = re.compile(rf"[\x21\x23-\x5b\x5d-\x7e]{{1,{MAX_NONCE}}}").fullmatch


@attrs.frozen(kw_only=True, eq=False)
class ProofKey:
    """
    A key of ours that tokens are bound to.

    Attributes:
        jwk: Its public half, as proofs show it.
        thumbprint: What ``cnf.jkt`` and ``dpop_jkt`` call it (sections 6.1 and 10).
    """

    jwk: Mapping[str, str]
    thumbprint: str
    _key: SigningKey = attrs.field(alias="key")

    @property
    def alg(self) -> str:
        """Give the algorithm that proofs are signed with."""
        return self._key.alg

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Sign *claims* as a proof (section 4.2)."""
        return sign_compact(
            claims, self._key, typ="dpop+jwt", header={"jwk": dict(self.jwk)}
        )


def read_proof_key(data: bytes, alg: str | None = None) -> ProofKey:
    """
    Read a private key: PEM without a passphrase, or one JWK.

    Args:
        data: The file's content.
        alg: What to sign with; None as for `read_signing_key`, but PS256 for an RSA
            key that does not say RS256 itself, which is not allowed everywhere.

    Raises:
        KeyRefusedError: It is no private key, a weak one, or not for *alg*.
    """
    key = read_signing_key(data, alg=alg)
    if alg is None and key.alg == "RS256":
        with suppress(KeyRefusedError):
            key = read_signing_key(data, alg="PS256")
    public = public_members(data)
    return ProofKey(
        jwk=MappingProxyType(public),
        thumbprint=thumbprint(public),
        # The key stands in every proof; a name for it would say nothing more.
        key=attrs.evolve(key, kid=None),
    )


def make_proof(  # noqa: PLR0913 - one keyword for each thing that a proof is for
    key: ProofKey,
    *,
    method: str,
    uri: str,
    now: float,
    jti: str,
    token: str | None = None,
    nonce: str | None = None,
) -> str:
    """
    Make the proof for one request (section 4.2); it is good for no other.

    Args:
        key: What the token is bound to, or will be.
        method: Of the request.
        uri: What is asked for; query and fragment are left out.
        now: Seconds since the epoch.
        jti: What nobody has said before and nobody can guess.
        token: The access token that is sent along, if there is one.
        nonce: What the server has asked for (sections 8 and 9).

    Raises:
        ValueError: *method*, *uri*, *jti* or *nonce* is none.
    """
    if not is_token(method):
        raise ValueError("no method")
    target = re.split("[?#]", uri, maxsplit=1)[0]
    normal_uri(target)
    if not 0 < len(jti) <= MAX_JTI:
        raise ValueError("jti is empty or too long")
    claims: dict[str, Any] = {"jti": jti, "htm": method, "htu": target, "iat": int(now)}
    if token is not None:
        claims["ath"] = token_hash(token)
    if nonce is not None:
        if _is_nonce(nonce) is None:
            raise ValueError("no nonce")
        claims["nonce"] = nonce
    return key.sign(claims)


def read_nonce(values: Sequence[str]) -> str | None:
    """
    Give the nonce that a server wants to see next (section 8.1).

    Args:
        values: The values of the answer's ``DPoP-Nonce`` fields.

    Returns:
        None if there is not exactly one, or it cannot stand in a proof.
    """
    if len(values) != 1 or _is_nonce(values[0]) is None:
        return None
    return values[0]
