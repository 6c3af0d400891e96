"""
The tokens of an AWS application load balancer (header field ``x-amzn-oidc-data``).

They look like JWS and are not quite: the parts are padded, and the signature is over
the padded text.  Who made them, for whom and until when is in the header.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import MAX_TOKEN, read_parameters
from sso_proxy.specs.jose.keys import VerificationKey
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object

ALGORITHM: Final = "ES256"
"""The one algorithm of load balancers."""

_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov):elasticloadbalancing:([a-z]{2}(?:-[a-z]+)+-[0-9]):"
    r"[0-9]{12}:loadbalancer/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}"
)
_KID = re.compile(r"[A-Za-z0-9-]{1,64}")
_KEYS: Final = "https://public-keys.auth.elb.{region}.amazonaws.com/"


@attrs.frozen(kw_only=True)
class AlbToken:
    """
    A load balancer's token taken apart.  Nothing in it is proven.

    Attributes:
        kid: Which key is meant; letters, digits and hyphens.
        signer: Which load balancer says that it signed.
        issuer: Whose user it is.
        client: As what the load balancer is known to the issuer.
        expires: Seconds since the epoch.
        payload: What is said about the user, in JSON.
        signing_input: What the signature is over.
        signature: The signature.
    """

    kid: str
    signer: str
    issuer: str
    client: str
    expires: float
    payload: bytes = attrs.field(repr=False)
    signing_input: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class AlbRules:
    """
    What the header of a token is compared with, octet by octet.

    Attributes:
        signer: The ARN of the one load balancer.
        issuer: The issuer, or None for whichever it says.
        client: The client, or None likewise.
        leeway: Seconds that the clock of the load balancer may differ from ours.
    """

    signer: str
    issuer: str | None = None
    client: str | None = None
    leeway: float = 0.0


def public_keys_url(arn: str) -> str | None:
    """
    Give where the keys of the load balancer *arn* are; None outside ``aws``.

    Raises:
        ValueError: *arn* is no application load balancer's.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        raise ValueError(
            "must be the ARN of an application load balancer: arn:aws:"
            "elasticloadbalancing:<region>:<account>:loadbalancer/app/<name>/<id>"
        )
    partition, region = match.groups()
    return _KEYS.format(region=region) if partition == "aws" else None


def read_alb_token(text: str, *, max_bytes: int = MAX_TOKEN) -> AlbToken:
    """
    Take *text* apart without believing any of it.

    Raises:
        TokenError: It is longer than *max_bytes*, can be written in another way, has
            another algorithm than `ALGORITHM`, extensions (``crit``), a ``kid`` that
            could be more than a name in a URL, or lacks what the header has to say.
    """
    if len(text) > max_bytes:
        raise TokenError(f"more than {max_bytes} octets", reason="token-too-long")
    parts = text.encode("ascii").split(b".") if text.isascii() else []
    if len(parts) != 3 or not all(parts):
        raise TokenError("not three parts", reason="token-malformed")
    header, payload, signature = (_without_padding(part) for part in parts)
    members = read_parameters(header)
    if members.get("alg") != ALGORITHM:
        raise TokenError("alg is not ES256", reason="token-alg")
    kid = _string(members, "kid")
    if _KID.fullmatch(kid) is None:
        raise TokenError("kid is no plain name", reason="token-header")
    return AlbToken(
        kid=kid,
        signer=_string(members, "signer"),
        issuer=_string(members, "iss"),
        client=_string(members, "client"),
        expires=read_expiry(members),
        payload=decode_base64url(payload),
        signing_input=b".".join(parts[:2]),
        signature=decode_base64url(signature),
    )


def check_alb_header(token: AlbToken, rules: AlbRules, now: float) -> None:
    """
    Check who *token* says that it is from, and until when.

    All load balancers of a region have their keys at one place: a right signature says
    that one of them signed, and only ``signer`` says which (ALBeast).

    Args:
        token: Its signature may be checked before or after this.
        rules: What to compare with.
        now: Seconds since the epoch.

    Raises:
        TokenError: It is from another load balancer, issuer or client, or expired.
    """
    if token.signer != rules.signer:
        raise TokenError("signer is another load balancer", reason="token-signer")
    if rules.issuer is not None and token.issuer != rules.issuer:
        raise TokenError("iss is another", reason="token-issuer")
    if rules.client is not None and token.client != rules.client:
        raise TokenError("client is another", reason="token-client")
    if now >= token.expires + rules.leeway:
        raise TokenError("exp is over", reason="token-expired")


def read_alb_claims(token: AlbToken, key: VerificationKey) -> dict[str, Any]:
    """
    Give what *token* says about the user, after checking its signature with *key*.

    Raises:
        TokenError: The signature is not this key's, or the payload is no JSON object.
    """
    key.verify(ALGORITHM, token.signing_input, token.signature)
    return read_json_object(token.payload)


def read_expiry(members: Mapping[str, Any]) -> float:
    """
    Give ``exp``, in seconds since the epoch.

    Raises:
        TokenError: It is missing, or no number of seconds.
    """
    value = members.get("exp")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenError("exp is no number", reason="token-date")
    if not 0 < value < 2**53:
        raise TokenError("exp is no date", reason="token-date")
    return float(value)


def _without_padding(part: bytes) -> bytes:
    """Take off the padding, which has to be there (RFC 4648 section 5)."""
    bare = part.rstrip(b"=")
    if part != bare + b"=" * (-len(bare) % 4):
        raise TokenError("the padding is wrong", reason="token-malformed")
    return bare


def _string(members: Mapping[str, Any], name: str) -> str:
    """Give the header parameter *name*, which has to be there."""
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise TokenError(f"{name} is missing or no string", reason="token-header")
    return value
