"""
Claims that others make about a user (OpenID Connect Core 5.6.2).

A provider sends them along in a JWT of their issuer (aggregated), or says where they
are (distributed).  Nothing of it is believed because the provider said so: tokens are
checked with the keys of issuers that the operator named, and endpoints are those that
the operator named, or the provider could send us anywhere in our network.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.http.media_type import read_media_type
from sso_proxy.specs.http.uri import read_origin
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.decrypt import DecryptionKeys
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url
from sso_proxy.specs.oidc.claims import COMPOSITE_CLAIMS, PROTOCOL_CLAIMS
from sso_proxy.specs.oidc.envelope import MAX_JWT, EnvelopeRules, open_jwt
from sso_proxy.specs.oidc.issuers import check_issuer
from sso_proxy.specs.oidc.optional import check_optional

MAX_SOURCES: Final = 10
"""Sources that one answer may have."""

MAX_NAMES: Final = 100
"""Claims that one answer may say to be elsewhere."""

_REASON: Final = "claims-source"
_JWT: Final = "application/jwt"
_CREDENTIAL = re.compile(r"[\x21-\x7e]{1,16384}")
_ENVELOPE: Final = EnvelopeRules()


@attrs.frozen(kw_only=True)
class Source:
    """
    One place where claims are; nothing of it is proven.

    Attributes:
        name: What the answer calls it.
        claims: The claims that it is for.
        jwt: They themselves (aggregated), or None.
        endpoint: Where they are (distributed), or None.
        access_token: For the endpoint, as a bearer token, or None.
    """

    name: str
    claims: frozenset[str]
    jwt: str | None = attrs.field(default=None, repr=False)
    endpoint: str | None = None
    access_token: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class SourceRules:
    """
    What claims of others are compared with.

    Attributes:
        issuer: Who has to have made them.
        client_id: Ours.
        subject: ``sub`` of the login.
        envelope: How they are signed and encrypted.
        leeway: Seconds that their clock may differ from ours.
    """

    issuer: str
    client_id: str
    subject: str
    envelope: EnvelopeRules = _ENVELOPE
    leeway: float = 10.0


def read_sources(claims: Mapping[str, Any]) -> tuple[Source, ...]:
    """
    Find where *claims*, of an ID token or a UserInfo answer, say that others are.

    Sources that no claim is from, and claims about the login itself, are left out.

    Raises:
        TokenError: It cannot be read, or there are too many (``claims-source``).
    """
    names, sources = (claims.get(name, {}) for name in sorted(COMPOSITE_CLAIMS))
    if not isinstance(names, Mapping) or not isinstance(sources, Mapping):
        raise TokenError("_claim_names or _claim_sources is no object", reason=_REASON)
    if len(names) > MAX_NAMES or len(sources) > MAX_SOURCES:
        raise TokenError("too many claims or sources", reason=_REASON)
    wanted: dict[str, set[str]] = {}
    for claim, source in names.items():
        if not isinstance(source, str) or source not in sources:
            raise TokenError(
                "a claim is from a source that is not there", reason=_REASON
            )
        if claim not in PROTOCOL_CLAIMS | COMPOSITE_CLAIMS:
            wanted.setdefault(source, set()).add(claim)
    return tuple(
        _read_source(name, frozenset(of_it), sources[name])
        for name, of_it in wanted.items()
    )


def issuer_of(text: str, allowed: Collection[str]) -> str:
    """
    Give who says that it signed *text*, to check it with that issuer's keys.

    Args:
        text: A signed token that nobody has checked.
        allowed: Issuers that the operator named.

    Raises:
        TokenError: It is malformed or encrypted, or the issuer is none of *allowed*.
    """
    issuer = read_json_object(split_compact(text, max_bytes=MAX_JWT).payload).get("iss")
    if not isinstance(issuer, str) or issuer not in allowed:
        raise TokenError("iss is none that is allowed", reason="token-issuer")
    return issuer


def check_endpoint(source: Source, origins: Collection[str]) -> str:
    """
    Give the URL of a distributed source, if we may go there.

    Args:
        source: It.
        origins: Those that the operator named, in their normal form (`read_origin`):
            ``https://claims.example``.

    Raises:
        TokenError: It is no https URL, or of none of *origins*.
    """
    try:
        url = read_url(source.endpoint or "")
    except UrlRefusedError as e:
        raise TokenError(f"endpoint: {e.detail}", reason=_REASON) from None
    if url.is_plain:
        raise TokenError("endpoint: must be https", reason=_REASON)
    if read_origin(url.origin) not in origins:
        raise TokenError("endpoint: its origin is not allowed", reason=_REASON)
    return f"{url.origin}{url.path}{url.query}"


def read_distributed(status: int, content_type: str | None, body: bytes) -> str:
    """
    Give the token that an endpoint answered; it is still to be opened.

    Raises:
        TokenError: It is no success, no ``application/jwt``, or too large.
    """
    if status != 200:
        raise TokenError(f"status {status}", reason=_REASON)
    if read_media_type(content_type) != _JWT:
        raise TokenError(f"no {_JWT}", reason=_REASON)
    if len(body) > MAX_JWT:
        raise TokenError(f"more than {MAX_JWT} octets", reason=_REASON)
    try:
        return body.strip(b" \t\r\n").decode("ascii")
    except UnicodeDecodeError:
        raise TokenError("no ASCII", reason=_REASON) from None


def open_source(  # noqa: PLR0913 - what it is compared with, and keys
    source: Source,
    text: str,
    keys: KeySet,
    rules: SourceRules,
    *,
    now: float,
    decryption_keys: Sequence[DecryptionKeys] = (),
) -> dict[str, Any]:
    """
    Check what others say about a user.

    Args:
        source: Where it is from.
        text: The token: ``source.jwt``, or what its endpoint answered.
        keys: The keys of the issuer in *rules*.
        rules: What it has to say.
        now: Seconds since the epoch.
        decryption_keys: Ours.

    Returns:
        Those of the claims of *source* that are there, and no others.

    Raises:
        UnknownKeyError: It is signed with a key that is not there.
        TokenError: It is not signed, or not by that issuer; or it is about somebody
            else, for somebody else, or not for now, as far as it says.
    """
    _, claims = open_jwt(text, keys, rules.envelope, decryption_keys=decryption_keys)
    check_issuer(claims, rules.issuer)
    if claims.get("sub", rules.subject) != rules.subject:
        raise TokenError("sub is another than the login's", reason="token-subject")
    check_optional(claims, client_id=rules.client_id, now=now, leeway=rules.leeway)
    return {name: claims[name] for name in source.claims if name in claims}


def _read_source(name: str, claims: frozenset[str], members: object) -> Source:
    """Read one member of ``_claim_sources``."""
    if not isinstance(members, Mapping):
        raise TokenError("a source is no object", reason=_REASON)
    jwt, endpoint = members.get("JWT"), members.get("endpoint")
    if isinstance(jwt, str) and endpoint is None:
        return Source(name=name, claims=claims, jwt=jwt)
    if not isinstance(endpoint, str) or jwt is not None:
        raise TokenError("a source has not one of JWT and endpoint", reason=_REASON)
    token = members.get("access_token")
    if token is not None and (
        not isinstance(token, str) or _CREDENTIAL.fullmatch(token) is None
    ):
        # Line feeds would be header fields of ours, when we send it.
        raise TokenError("an access token is no printable ASCII", reason=_REASON)
    return Source(name=name, claims=claims, endpoint=endpoint, access_token=token)
