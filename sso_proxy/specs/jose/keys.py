"""Read keys to check tokens with: JWK, JWK Set (RFC 7517), PEM and shared secrets."""

import hmac
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.algorithms import (
    MACS,
    SignatureCheck,
    mac_checks,
    signature_checks,
)
from sso_proxy.specs.jose.pem import pem_blocks
from sso_proxy.specs.jose.secret import SecretEncoding, decode_secret
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
from sso_proxy.specs.jose.weak import rsa_weakness

MAX_KEYS: Final = 50
"""Keys in a set."""

MAX_JWKS: Final = 150_000
"""Octets of a set."""

_MEMBERS: Final[Mapping[object, tuple[str, ...]]] = {
    "RSA": ("n", "e"),
    "EC": ("crv", "x", "y"),
    "OKP": ("crv", "x"),
}
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
_PEM_KEYS: Final = (b"PUBLIC KEY", b"RSA PUBLIC KEY")
_PEM_CERTIFICATE: Final = b"CERTIFICATE"


@attrs.frozen
class KeyRefusedError(SsoProxyError):
    """
    A key, or a set of keys, must not be used.

    Attributes:
        detail: Why, for the log; never holds key material.
    """

    detail: str


class UnknownKeyError(TokenError):
    """A token names a key that is not there; it may have been published since."""


@attrs.frozen(kw_only=True, eq=False)
class VerificationKey:
    """
    A public key, or a shared secret, and what it may be used for.

    A key knows its algorithms: a public key has no way to check a MAC, and a secret
    none to check a signature, so that neither can be taken for the other.

    Attributes:
        kid: What tokens call it, or None.
        thumbprint: Tells keys apart: SHA-256 of a public key in base64url (RFC 7638);
            of a secret something else, that gives no more away than its tokens do.
        checks: How a signature is checked, by algorithm.  A key with an ``alg`` has
            this one alone (RFC 8725 section 3.1).
        issuer: Whose tokens it signs, if a set for many issuers says so; may be a
            template.
    """

    kid: str | None
    thumbprint: str
    checks: Mapping[str, SignatureCheck] = attrs.field(repr=False)
    issuer: str | None = None

    @property
    def algs(self) -> frozenset[str]:
        """Give the algorithms that the key may be used with."""
        return frozenset(self.checks)

    def verify(self, alg: str, signing_input: bytes, signature: bytes) -> None:
        """
        Check *signature* over *signing_input*.

        Raises:
            TokenError: It is not this key's, or *alg* is not for this key.
        """
        check = self.checks.get(alg)
        if check is None:
            raise TokenError("alg is not for this key", reason="token-alg")
        try:
            check(signing_input, signature)
        except InvalidSignature:
            raise TokenError("wrong signature", reason="token-signature") from None


@attrs.frozen(eq=False)
class KeySet:
    """
    The keys of one issuer.

    Attributes:
        keys: The keys that can be used.
        ignored: Why others cannot, a line each, for the log.
        document: The JWK Set that they were read from, where the issuer's keys for
            encryption are, too; empty if there was none.
    """

    keys: tuple[VerificationKey, ...]
    ignored: tuple[str, ...] = ()
    document: bytes = attrs.field(default=b"", repr=False)
    _by_kid: Mapping[str, VerificationKey] = attrs.field(init=False, repr=False)

    @_by_kid.default
    def _index(self) -> Mapping[str, VerificationKey]:
        """Index the keys by name."""
        return {key.kid: key for key in self.keys if key.kid is not None}

    @property
    def abilities(self) -> frozenset[tuple[str, str]]:
        """Give what can be verified: thumbprints of keys, each with an algorithm."""
        return frozenset((key.thumbprint, alg) for key in self.keys for alg in key.algs)

    def find(self, kid: str | None, alg: str) -> VerificationKey:
        """
        Give the one key that a token means.

        *kid* is looked up and nothing else.  Keys that have no name are meant by
        tokens that name none, and by those whose name no key has; a token that names
        none may mean any.  If more than one of them fits *alg*, none is tried.

        Raises:
            UnknownKeyError: There is no such key, or more than one.
        """
        key = None if kid is None else self._by_kid.get(kid)
        if key is not None:
            return key
        candidates = [
            key
            for key in self.keys
            if alg in key.checks and (kid is None or key.kid is None)
        ]
        if len(candidates) != 1:
            problem = "no key fits" if not candidates else "more than one key fits"
            raise UnknownKeyError(problem, reason="token-key-unknown")
        return candidates[0]


def read_jwk(members: Mapping[str, Any]) -> VerificationKey:
    """
    Read a public key (RFC 7517 section 4).

    ``x5c``, ``x5u`` and ``x5t`` are not looked at.

    Raises:
        KeyRefusedError: It is private, symmetric, weak or malformed, is not for
            signatures, or its ``alg`` is none that this key is fit for.
    """
    kty = members.get("kty")
    names = _MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise KeyRefusedError("kty is none of RSA, EC and OKP")
    if any(name in members for name in _PRIVATE):
        raise KeyRefusedError("private: whoever can read it can sign")
    _check_use(members)
    kid, issuer = members.get("kid"), members.get("issuer")
    if not isinstance(kid, str | None) or not isinstance(issuer, str | None):
        raise KeyRefusedError("kid or issuer is no string")
    public = {name: members.get(name) for name in names}
    _check_encoding(public)
    try:
        jwk = JWK(kty=kty, **public)
        key = jwk.get_op_key("verify")
    except (JWException, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise KeyRefusedError(f"malformed: {type(e).__name__}") from e
    usable = _from_public_key(key, kid, members.get("alg"))
    return attrs.evolve(usable, issuer=issuer)


def read_jwks(document: bytes, *, remote: bool = True) -> KeySet:
    """
    Read a JWK Set (RFC 7517 section 5).

    Args:
        document: JSON.
        remote: Somebody else's, where keys that cannot be used are nothing unusual
            and are left out; otherwise one of them refuses the set.

    Raises:
        KeyRefusedError: It is no set, has more than `MAX_JWKS` octets or `MAX_KEYS`
            keys, a member twice, or, unless *remote*, a key that cannot be used.
    """
    if len(document) > MAX_JWKS:
        raise KeyRefusedError(f"the set has more than {MAX_JWKS} octets")
    try:
        items = read_json_object(document).get("keys")
    except TokenError as e:
        raise KeyRefusedError(f"the set is {e.detail}") from None
    if not isinstance(items, list):
        raise KeyRefusedError("the set has no list of keys")
    if len(items) > MAX_KEYS:
        raise KeyRefusedError(f"the set has more than {MAX_KEYS} keys")
    keys, ignored = [], []
    for number, item in enumerate(items):
        try:
            keys.append(_read_item(item))
        except KeyRefusedError as e:
            ignored.append(f"key {number}: {e.detail}")
    keys = _without_shared_names(keys, ignored)
    if ignored and not remote:
        raise KeyRefusedError("; ".join(ignored))
    return KeySet(tuple(keys), tuple(ignored), document)


def read_pem(data: bytes, *, kid: str | None = None) -> KeySet:
    """
    Read PEM: public keys, or the keys of certificates; RSA, EC or Ed25519, Ed448.

    A certificate is a container here; its validity is not looked at.

    Args:
        data: One block or more, and text around them.
        kid: What tokens call the key, if there is only one.

    Raises:
        KeyRefusedError: There is none, a private one, a broken one, one that cannot
            be used, or several for one *kid*.
    """
    try:
        blocks = pem_blocks(data)
    except ValueError as e:
        raise KeyRefusedError(str(e)) from None
    if kid is not None and len(blocks) > 1:
        raise KeyRefusedError("several keys cannot have one kid")
    return KeySet(tuple(_read_pem_block(label, block, kid) for label, block in blocks))


def read_secret(
    text: str,
    encoding: SecretEncoding = "plain",
    *,
    algorithms: Collection[str] = (),
    kid: str | None = None,
) -> KeySet:
    """
    Read a secret that the operator and the issuer share, to check MACs with.

    Args:
        text: The secret.
        encoding: How it is written.
        algorithms: The MACs to check, each of which the secret has to be long enough
            for (RFC 7518 section 3.2); none given: those that it is long enough for.
        kid: What tokens call it, or None.

    Raises:
        KeyRefusedError: It is not written like this, or shorter than a hash.
    """
    try:
        secret = decode_secret(text, encoding)
    except ValueError as e:
        raise KeyRefusedError(str(e)) from None
    checks = mac_checks(secret)
    for alg in algorithms or ("HS256",):
        if alg not in MACS:
            raise KeyRefusedError(f"a secret is not for {alg}")
        if alg not in checks:
            raise KeyRefusedError(
                f"{len(secret)} octets are too short for {alg}, which needs"
                f" {int(alg[2:]) // 8} at least"
            )
    if algorithms:
        checks = {alg: checks[alg] for alg in algorithms}
    name = hmac.digest(secret, b"thumbprint", "sha256")
    key = VerificationKey(
        kid=kid,
        thumbprint=urlsafe_b64encode(name).rstrip(b"=").decode(),
        checks=checks,
    )
    return KeySet((key,))


def _read_item(item: object) -> VerificationKey:
    """Read one element of a set."""
    if not isinstance(item, dict):
        raise KeyRefusedError("no object")
    return read_jwk(item)


def _read_pem_block(label: bytes, block: bytes, kid: str | None) -> VerificationKey:
    """Read one PEM block."""
    if b"PRIVATE" in label:
        raise KeyRefusedError("private: whoever can read it can sign")
    try:
        if label in _PEM_KEYS:
            key: object = load_pem_public_key(block)
        elif label == _PEM_CERTIFICATE:
            key = load_pem_x509_certificate(block).public_key()
        else:
            raise KeyRefusedError("PEM with neither PUBLIC KEY nor CERTIFICATE")
    except (ValueError, UnsupportedAlgorithm) as e:
        raise KeyRefusedError(f"malformed PEM: {type(e).__name__}") from e
    return _from_public_key(key, kid, None)


def _check_use(members: Mapping[str, Any]) -> None:
    """Refuse keys that are not for checking signatures (RFC 7517 4.2, 4.3)."""
    if members.get("use", "sig") != "sig":
        raise KeyRefusedError("use is not sig")
    operations = members.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise KeyRefusedError("key_ops has no verify")


def _check_encoding(public: Mapping[str, Any]) -> None:
    """Refuse numbers that are no canonical base64url."""
    for name, value in public.items():
        if not isinstance(value, str) or not value.isascii():
            raise KeyRefusedError(f"{name} is missing or no string")
        if name == "crv":
            continue
        try:
            decode_base64url(value.encode("ascii"))
        except TokenError:
            raise KeyRefusedError(f"{name} is no canonical base64url") from None


def _from_public_key(key: object, kid: str | None, alg: object) -> VerificationKey:
    """Decide what *key*, that may be named *kid* and be bound to *alg*, is for."""
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        weakness = rsa_weakness(numbers.n, numbers.e)
        if weakness is not None:
            raise KeyRefusedError(weakness)
    elif not isinstance(
        key, EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey
    ):
        raise KeyRefusedError("no key for signatures that are supported here")
    checks = signature_checks(key)
    if alg is not None:
        checks = {name: check for name, check in checks.items() if name == alg}
    if not checks:
        raise KeyRefusedError("no supported algorithm fits the key and its alg")
    thumbprint = JWK.from_pyca(key).thumbprint()
    return VerificationKey(kid=kid, thumbprint=thumbprint, checks=checks)


def _without_shared_names(
    keys: Iterable[VerificationKey], ignored: list[str]
) -> list[VerificationKey]:
    """Leave out keys with the same name: a token must never choose among keys."""
    keys = list(keys)
    names = Counter(key.kid for key in keys if key.kid is not None)
    shared = {name for name, count in names.items() if count > 1}
    ignored.extend("several keys have the same kid" for _ in shared)
    return [key for key in keys if key.kid not in shared]
