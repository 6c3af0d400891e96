"""Read what a UserInfo endpoint answers (OpenID Connect Core 5.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.http.media_type import read_media_type
from sso_proxy.specs.jose.decrypt import DecryptionKeys
from sso_proxy.specs.jose.encrypted import is_encrypted
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oidc.envelope import EnvelopeRules, decrypt, open_jwt
from sso_proxy.specs.oidc.issuers import check_issuer
from sso_proxy.specs.oidc.optional import check_optional

MAX_USERINFO: Final = 262144
"""Octets of an answer."""

_JSON: Final = "application/json"
_JWT: Final = "application/jwt"
_ENVELOPE: Final = EnvelopeRules()
_NO_KEYS: Final = KeySet(())


class UserInfoError(TokenError):
    """What a UserInfo endpoint answered is not about the user who logs in."""


@attrs.frozen(kw_only=True)
class UserInfoRules:
    """
    How a provider has to answer.

    Attributes:
        issuer: The issuer of the ID token, or a template, if answers have ``tid``
            (`sso_proxy.specs.oidc.issuers`).
        client_id: Ours.
        tenants: Those that are allowed, if *issuer* is a template.
        envelope: How answers are signed and encrypted, if they are.
        signed: An answer that is not signed is refused.
        leeway: Seconds that the provider's clock may differ from ours.
    """

    issuer: str
    client_id: str
    tenants: frozenset[str] = frozenset()
    envelope: EnvelopeRules = _ENVELOPE
    signed: bool = False
    leeway: float = 10.0


def read_userinfo(  # noqa: PLR0913 - an answer, what it is compared with, and our keys
    status: int,
    content_type: str | None,
    body: bytes,
    rules: UserInfoRules,
    *,
    subject: str,
    now: float,
    keys: KeySet = _NO_KEYS,
    decryption_keys: Sequence[DecryptionKeys] = (),
    mac_keys: Sequence[KeySet] = (),
) -> Mapping[str, Any]:
    """
    Read the claims about a user.

    A redirect is never followed, and counts as no answer.

    Args:
        status: Of the answer.
        content_type: Its field ``Content-Type``, or None.
        body: All of it.
        rules: How it has to be.
        subject: ``sub`` of the ID token.  Another user's answer would come if somebody
            put another access token into the login (section 5.3.2).
        now: Seconds since the epoch.
        keys: The provider's.
        decryption_keys: Ours.
        mac_keys: Client secrets.

    Returns:
        All members of the answer.

    Raises:
        UserInfoError: It is no success, neither JSON nor a JWT, too large, not signed
            or encrypted though it has to be, no object, or about somebody else.
        UnknownKeyError: It is signed with a key that is not there; it may have been
            published since.
        TokenError: As for `open_jwt`; or ``iss``, ``aud``, ``exp`` or ``nbf`` are
            there, and wrong.
    """
    if status != 200:
        raise UserInfoError(f"status {status}", reason="userinfo-status")
    if len(body) > MAX_USERINFO:
        raise UserInfoError(f"more than {MAX_USERINFO} octets", reason="userinfo-large")
    media_type = read_media_type(content_type)
    if media_type == _JSON:
        claims = _read_plain(body, rules, encrypted=False)
    elif media_type == _JWT:
        claims = _read_jwt(_text(body), rules, keys, decryption_keys, mac_keys)
        _check_jwt(claims, rules, now)
    else:
        raise UserInfoError(f"neither {_JSON} nor {_JWT}", reason="userinfo-type")
    if "sub" not in claims:
        raise UserInfoError("sub is missing", reason="userinfo-subject")
    if claims["sub"] != subject:
        raise UserInfoError(
            "sub is another than the login's", reason="userinfo-subject"
        )
    return claims


def _read_plain(
    body: bytes, rules: UserInfoRules, *, encrypted: bool
) -> Mapping[str, Any]:
    """Read an answer in JSON, that may have been encrypted."""
    if rules.signed:
        raise UserInfoError("it must be signed", reason="userinfo-unsigned")
    if rules.envelope.encrypted and not encrypted:
        raise UserInfoError("it must be encrypted", reason="userinfo-unencrypted")
    try:
        return read_json_object(body)
    except TokenError as e:
        raise UserInfoError(e.detail, reason="userinfo-malformed") from None


def _read_jwt(
    text: str,
    rules: UserInfoRules,
    keys: KeySet,
    decryption_keys: Sequence[DecryptionKeys],
    mac_keys: Sequence[KeySet],
) -> Mapping[str, Any]:
    """Read an answer that is signed, encrypted, or both (section 5.3.2)."""
    if is_encrypted(text):
        _, content = decrypt(text, rules.envelope, decryption_keys)
        if content.lstrip(b" \t\r\n").startswith(b"{"):
            return _read_plain(content, rules, encrypted=True)
        text = _text(content)
    elif rules.envelope.encrypted:
        raise UserInfoError("it must be encrypted", reason="userinfo-unencrypted")
    inside = attrs.evolve(rules.envelope, encrypted=False)
    return open_jwt(text, keys, inside, mac_keys=mac_keys)[1]


def _check_jwt(claims: Mapping[str, Any], rules: UserInfoRules, now: float) -> None:
    """Check what a signed answer should say of itself, and need not (5.3.2)."""
    if "iss" in claims:
        check_issuer(claims, rules.issuer, rules.tenants)
    check_optional(claims, client_id=rules.client_id, now=now, leeway=rules.leeway)


def _text(body: bytes) -> str:
    """Give what has to be a token."""
    try:
        return body.strip(b" \t\r\n").decode("ascii")
    except UnicodeDecodeError:
        raise UserInfoError("no ASCII", reason="userinfo-malformed") from None
