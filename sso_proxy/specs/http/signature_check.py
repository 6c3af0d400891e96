"""Check signatures of requests, as their recipient (RFC 9421 section 3.2)."""

from collections.abc import Collection, Mapping
from typing import Any

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.http.signature import (
    DERIVED,
    SignedRequest,
    component_value,
    is_binary,
    signature_base,
)
from sso_proxy.specs.http.signature_keys import RequestCheckKey
from sso_proxy.specs.http.structured import InnerList, Item, Member, read_dictionary


@attrs.frozen
class SignatureError(SsoProxyError):
    """
    A request is not signed as its recipient demands.

    Attributes:
        detail: Why, for the log.
    """

    detail: str


@attrs.frozen(kw_only=True)
class SignatureRules:
    """
    What a recipient demands (section 3.2.1).

    Attributes:
        tag: What the signature has to be for; empty if it says nothing.  It chooses
            the signature; labels are covered by none and choose nothing.
        components: What it has to cover.
        fields: Fields that it has to cover if the request has them: those that the
            recipient believes.
        max_age: Seconds that it may be old.
        skew: Seconds that its clock may differ from ours.
        nonce: It has to have one.
    """

    tag: str = "sso-proxy"
    components: Collection[str] = ("@method", "@authority", "@path", "@query")
    fields: Collection[str] = ()
    max_age: float = 60.0
    skew: float = 5.0
    nonce: bool = False


@attrs.frozen(kw_only=True)
class Verified:
    """
    A signature that holds.

    Attributes:
        label: What it is called in this request.
        keyid: The key that made it.
        created: Seconds since the epoch.
        nonce: Its nonce, or None; that it is new is for the recipient to find out.
        values: What it covers, by name; nothing else of the request may be believed.
    """

    label: str
    keyid: str
    created: int
    nonce: str | None
    values: Mapping[str, str] = attrs.field(repr=False)


def check_signature(
    request: SignedRequest,
    keys: Mapping[str, RequestCheckKey],
    rules: SignatureRules,
    *,
    now: float,
) -> Verified:
    """
    Check that *request* is signed as *rules* demand.

    The content is not looked at: `sso_proxy.specs.http.digest.check_content_digest` is
    for that.

    Args:
        request: As it was received.
        keys: Those that are trusted, by ``keyid``.
        rules: What is demanded.
        now: Seconds since the epoch.

    Raises:
        SignatureError: There is no such signature or more than one, it does not hold,
            or it does not cover what it has to.
    """
    try:
        label, covered, signature = _find(request, rules.tag)
        told = dict(covered.parameters)
        created = _check_times(told, rules, now)
        keyid, key = _find_key(told, keys)
        _check_coverage(covered, request, rules)
        values = _values(covered, request)
        base = signature_base(covered, request)
        nonce = _text(told, "nonce")
    except ValueError as e:
        raise SignatureError(str(e)) from None
    if rules.nonce and not nonce:
        raise SignatureError("the signature has no nonce")
    try:
        key.check(base, signature)
    except TokenError as e:
        raise SignatureError(e.detail) from None
    return Verified(
        label=label, keyid=keyid, created=created, nonce=nonce, values=values
    )


def _find(request: SignedRequest, tag: str) -> tuple[str, InnerList, bytes]:
    """Choose the signature by its tag; there has to be exactly one."""
    inputs = _dictionary(request, "signature-input")
    signatures = _dictionary(request, "signature")
    found = [
        (label, member)
        for label, member in inputs.items()
        if isinstance(member, InnerList)
        and dict(member.parameters).get("tag", "") == tag
    ]
    if len(found) != 1:
        raise ValueError("there is not exactly one signature with the tag")
    label, covered = found[0]
    made = signatures.get(label)
    octets = made.value if isinstance(made, Item) else None
    if not isinstance(octets, bytes):
        raise ValueError("the signature is missing")  # noqa: TRY004
    return label, covered, octets


def _dictionary(request: SignedRequest, name: str) -> dict[str, Member]:
    return read_dictionary(", ".join(request.fields.get(name, ())))


def _check_times(told: Mapping[str, Any], rules: SignatureRules, now: float) -> int:
    """Check when the signature was made and until when it holds."""
    created, expires = told.get("created"), told.get("expires", 0)
    if type(created) is not int or type(expires) is not int:
        raise ValueError("created is missing, or a time is no integer")
    if created > now + rules.skew:
        raise ValueError("the signature is of the future")
    if created < now - rules.max_age - rules.skew:
        raise ValueError("the signature is too old")
    if "expires" in told and expires < now - rules.skew:
        raise ValueError("the signature has expired")
    return created


def _find_key(
    told: Mapping[str, Any], keys: Mapping[str, RequestCheckKey]
) -> tuple[str, RequestCheckKey]:
    """Give the key that the signature means; the key says which algorithm it is for."""
    keyid, alg = _text(told, "keyid"), _text(told, "alg")
    key = keys.get(keyid) if keyid is not None else None
    if keyid is None or key is None:
        raise ValueError("the signature's key is not known")
    if alg is not None and alg != key.alg:
        raise ValueError("the signature's algorithm is not its key's")
    return keyid, key


def _check_coverage(
    covered: InnerList, request: SignedRequest, rules: SignatureRules
) -> None:
    """Check that all is covered that the recipient goes by."""
    names = {item.value for item in covered.items if _is_whole(item)}
    demanded = {
        *rules.components,
        *(name for name in rules.fields if name in request.fields),
    }
    missing = sorted(demanded - names)
    if missing:
        raise ValueError(f"the signature does not cover {', '.join(missing)}")


def _is_whole(item: Item) -> bool:
    """Say whether a component is all of what its name says."""
    return not item.parameters or (is_binary(item) and item.value not in DERIVED)


def _values(covered: InnerList, request: SignedRequest) -> dict[str, str]:
    """Give what is covered as a whole, by name."""
    return {
        str(item.value): component_value(Item(item.value), request)
        for item in covered.items
        if _is_whole(item)
    }


def _text(told: Mapping[str, Any], name: str) -> str | None:
    """Give a parameter that has to be a string if it is there."""
    value = told.get(name)
    if not isinstance(value, str | None):
        raise ValueError(f"{name} is no string")  # noqa: TRY004
    return value
