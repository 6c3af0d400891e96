"""Open what a provider has signed, encrypted, or both (OpenID Connect Core 16.14)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import (
    ALGORITHMS,
    MAC_ALGORITHMS,
    CompactJws,
    JoseHeader,
    read_parameters,
    read_type,
    split_compact,
)
from sso_proxy.specs.jose.decrypt import DecryptionKeys, decrypt_content_of
from sso_proxy.specs.jose.encrypted import (
    ENCRYPTIONS,
    KEY_ALGORITHMS,
    is_encrypted,
)
from sso_proxy.specs.jose.keys import KeySet, UnknownKeyError, VerificationKey
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.specs.oidc.issuers import ANY_TENANT, check_issuer

MAX_JWT: Final = 65536
"""Octets of an ID token or a signed answer; groups of users make them long."""

NONE: Final = "none"
"""The algorithm of tokens that are not signed at all (RFC 7518 section 3.6)."""


@attrs.frozen(kw_only=True)
class EnvelopeRules:
    """
    How a provider has to sign and encrypt.

    Attributes:
        algorithms: Signatures and MACs that it may use.  ``HS256`` and the like only
            count if the operator lists them: what could be read with a public key
            must not be signed with it.
        key_algorithms: Ways for a content encryption key that it may use.
        encryptions: Content encryptions that it may use.
        encrypted: True: it must encrypt; False: it must not; None: it may, if there
            are keys of ours.
        allow_none: Take a token that nobody signed, where the caller allows it, too.
        try_keys: A token that names no key is checked with every key that fits its
            algorithm, and not only if there is just one.
    """

    algorithms: frozenset[str] = ALGORITHMS
    key_algorithms: frozenset[str] = KEY_ALGORITHMS
    encryptions: frozenset[str] = frozenset(ENCRYPTIONS)
    encrypted: bool | None = None
    allow_none: bool = False
    try_keys: bool = False


_RULES: Final = EnvelopeRules()


def open_jwt(  # noqa: PLR0913 - one keyword for each kind of key
    text: str,
    keys: KeySet,
    rules: EnvelopeRules = _RULES,
    *,
    decryption_keys: Sequence[DecryptionKeys] = (),
    mac_keys: Sequence[KeySet] = (),
    unsigned: bool = False,
    typ: str | None = None,
) -> tuple[JoseHeader, dict[str, Any]]:
    """
    Decrypt *text* if it is encrypted, check its signature, and give its claims.

    Nothing that the token brings along is a key: ``jwk``, ``jku``, ``x5c`` and ``x5u``
    are not looked at.

    Args:
        text: In compact serialization.
        keys: The provider's.
        rules: What is allowed.
        decryption_keys: Ours, tried one after the other: those of a file, and those of
            a client secret, of which there may be two while it is changed.
        mac_keys: Client secrets, tried one after the other.
        unsigned: There may be no signature, as nobody but the provider can have
            written *text*.  Counts only if *rules* allow it, too.
        typ: What it may say that it is, such as ``logout+jwt``.

    Returns:
        The header, whose ``alg`` may be ``none`` where that is allowed, and the claims.

    Raises:
        UnknownKeyError: The key that the token means is not among *keys*; it may have
            been published since.  If tokens name no key, a wrong signature may mean
            the same (``token-signature``).
        TokenError: It is malformed, longer than `MAX_JWT`, encrypted or signed in
            another way than *rules* say, or not by the provider, or with a key that is
            for another of its issuers; or it says that it is something else than *typ*
            (``logout+jwt``, ``at+jwt`` and so on; RFC 8725 3.11).
    """
    text = _decrypt(text, rules, decryption_keys)
    key = None
    if unsigned and rules.allow_none and text.endswith("."):
        header, payload = _split_unsigned(text)
    else:
        jws = split_compact(text, max_bytes=MAX_JWT)
        key = _check_signature(jws, keys, rules, mac_keys)
        header, payload = jws.header, jws.payload
    said = header.typ or ""
    if said.endswith("+jwt") and said != typ:
        raise TokenError("typ says that it is something else", reason="token-type")
    claims = read_json_object(payload)
    if key is not None and key.issuer is not None and "iss" in claims:
        # A provider has keys for one tenant among those for all (Storm-0558: a key for
        # private accounts signed tokens of companies).
        check_issuer(claims, key.issuer, (ANY_TENANT,))
    return header, claims


def decrypt(
    text: str, rules: EnvelopeRules, decryption_keys: Sequence[DecryptionKeys]
) -> tuple[str | None, bytes]:
    """
    Give ``cty`` of an encrypted token, and what is inside.

    Raises:
        TokenError: It is not encrypted as *rules* say, or to none of the keys.
    """
    failure = TokenError("there are no keys to decrypt with", reason="token-encrypted")
    if rules.encrypted is False:
        raise TokenError("it must not be encrypted", reason="token-encrypted")
    for keys in decryption_keys:
        try:
            header, content = decrypt_content_of(
                text,
                keys,
                algorithms=rules.key_algorithms,
                encryptions=rules.encryptions,
                max_bytes=MAX_JWT,
            )
        except TokenError as e:
            if e.reason != "token-decryption":
                raise
            failure = e
        else:
            return header.cty, content
    raise failure


def _decrypt(
    text: str, rules: EnvelopeRules, decryption_keys: Sequence[DecryptionKeys]
) -> str:
    """Give the signed token, that may be inside an encrypted one."""
    if not is_encrypted(text):
        if rules.encrypted:
            raise TokenError("it must be encrypted", reason="token-not-encrypted")
        return text
    content_type, content = decrypt(text, rules, decryption_keys)
    # Providers leave cty out, though RFC 7519 section 5.2 wants it; what is inside has
    # to be signed in any case.
    if content_type not in (None, "jwt"):
        raise TokenError("cty is not JWT", reason="token-header")
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise TokenError("no ASCII", reason="token-malformed") from None


def _check_signature(
    jws: CompactJws, keys: KeySet, rules: EnvelopeRules, mac_keys: Sequence[KeySet]
) -> VerificationKey:
    """Check that the provider signed *jws*, and give the key."""
    alg = jws.header.alg
    if alg not in rules.algorithms:
        raise TokenError("alg is not allowed", reason="token-alg")
    if alg in MAC_ALGORITHMS:
        return _check_any(jws, [key for secret in mac_keys for key in secret.keys])
    if rules.try_keys and jws.header.kid is None:
        return _check_any(jws, keys.keys)
    return check_signature(jws, keys, algorithms=rules.algorithms)


def _check_any(jws: CompactJws, keys: Iterable[VerificationKey]) -> VerificationKey:
    """Check that one of *keys*, of which there are few, signed *jws*; give that one."""
    alg = jws.header.alg
    fitting = [key for key in keys if alg in key.checks]
    if not fitting:
        raise UnknownKeyError("no key fits", reason="token-key-unknown")
    for key in fitting:
        try:
            key.verify(alg, jws.signing_input, jws.signature)
        except TokenError:
            continue
        return key
    raise TokenError("wrong signature", reason="token-signature")


def _split_unsigned(text: str) -> tuple[JoseHeader, bytes]:
    """Take an unsigned token apart (RFC 7519 section 6)."""
    if len(text) > MAX_JWT:
        raise TokenError(f"more than {MAX_JWT} octets", reason="token-too-long")
    parts = text.encode("utf-8").split(b".")
    if len(parts) != 3 or not parts[0] or parts[2]:
        raise TokenError("no JWS in compact serialization", reason="token-malformed")
    members = read_parameters(parts[0])
    if members.get("alg") != NONE:  # and not "None", which some have let through
        raise TokenError("no signature, and alg is not none", reason="token-alg")
    header = JoseHeader(alg=NONE, kid=None, typ=read_type(members))
    return header, decode_base64url(parts[1])
