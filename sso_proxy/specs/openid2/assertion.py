"""
Positive assertions: a provider says whose browser this is (sections 10 and 11).

What is checked, and by whom, all of which has to hold:

* a: the answer is to us: `read_assertion`;
* b: the provider is the one that the identifier names: `check_discovered`;
* c: it is new: `read_assertion` looks at the time of its nonce, and whoever calls it
  keeps `Assertion.mark` for as long as `Assertion.keep_for` says;
* d: all that is relied upon is signed: `read_assertion`;
* e: the signature is right: `check_signature`, or the provider says so:
  `build_check` and `read_check`;
* f: the secret is one that this provider shares with us: `check_signature`.
"""

import hmac
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.openid2.association import (
    Association,
    read_base64,
    read_handle,
    sign,
)
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.specs.openid2.identifier import (
    IdentifierError,
    normal_url,
    without_fragment,
)
from sso_proxy.specs.openid2.message import (
    FormFields,
    Message,
    MessageError,
    build_fields,
    read_key_values,
    read_message,
)
from sso_proxy.specs.openid2.names import NS

WINDOW: Final = 300.0
"""Seconds that a provider's clock may differ from ours, and an answer be on its way."""

_LONGEST: Final = 2048
_MOST_SIGNED: Final = 100
_REQUIRED: Final = (
    "op_endpoint",
    "return_to",
    "response_nonce",
    "assoc_handle",
    "claimed_id",
    "identity",
)
"""What has to be signed (section 10.1); we want to know who it is, so all of it."""
_nonce = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)[!-~]*+"
).fullmatch
_LONGEST_NONCE: Final = 255
_fragment = re.compile(
    r"#(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})++"
).fullmatch


@attrs.frozen
class AssertionRefused(SsoProxyError):  # noqa: N818 - an outcome, as in the log
    """
    An answer must not be believed.

    Attributes:
        reason: A short code: ``openid-return-to``, ``openid-nonce``, ``openid-replay``,
            ``openid-unsigned``, ``openid-signature``, ``openid-discovery``,
            ``openid-assertion``.
        detail: Why, for the log; holds nothing of the answer.
    """

    reason: str
    detail: str


@attrs.frozen(kw_only=True)
class Assertion:
    """
    What a provider says.

    Attributes:
        op_endpoint: Who says so, which is the provider's claim until (b) to (f) hold.
        claimed_id: Who it is, with its fragment, if any: that belongs to the name.
        identity: What the provider calls them.
        nonce: Makes this answer one of its kind.
        at: Seconds since the epoch when it was given.
        handle: Of the association that it is signed with.
        invalidate_handle: Of one that the provider does not know any more; or empty.
        signed: The names of all that is signed, in the order in which it is.
        message: All of it.
    """

    op_endpoint: str
    claimed_id: str
    identity: str
    nonce: str
    at: float
    handle: str
    invalidate_handle: str
    signed: tuple[str, ...]
    message: Message = attrs.field(repr=False)

    @property
    def mark(self) -> bytes:
        """Give what tells this answer from all others of all providers."""
        return sha256(f"{self.op_endpoint}\0{self.nonce}".encode()).digest()

    def keep_for(self, now: float, window: float = WINDOW) -> float:
        """Give the seconds after which time alone refuses it."""
        return max(1.0, self.at + window - now + 1.0)

    def extension(self, namespace: str) -> dict[str, str]:
        """
        Give the fields of an extension, as far as they are signed (section 12).

        Raises:
            AssertionRefused: Two extensions say that they are this one.
        """
        try:
            alias = self.message.alias_of(namespace)
        except MessageError as e:
            raise AssertionRefused("openid-assertion", e.detail) from None
        if alias is None or f"ns.{alias}" not in self.signed:
            return {}
        prefix = f"{alias}."
        return {
            name.removeprefix(prefix): self.message.fields[name]
            for name in self.signed
            if name.startswith(prefix)
        }


@attrs.frozen(kw_only=True)
class Checked:
    """
    What a provider says about its own answer (section 11.4.2.2).

    Attributes:
        is_valid: Whether it is its own, and was asked about for the first time.
        invalidate_handle: Of an association that it does not know any more; or empty.
    """

    is_valid: bool
    invalidate_handle: str = ""


def read_assertion(
    message: Message, *, return_to: str, here: str, now: float, window: float = WINDOW
) -> Assertion:
    """
    Read a positive assertion, and check (a), (d), and the time of (c).

    Args:
        message: It; its mode is ``id_res``.
        return_to: Where it was to go, exactly as the provider was told.
        here: Origin and path at which it arrived.
        now: Seconds since the epoch.
        window: Seconds that its time may be off, both ways.

    Raises:
        AssertionRefused: It is not to us, says too little, or is too old or too young.
    """
    if message.mode != "id_res":
        raise _refused("no positive assertion")
    _check_return_to(message, return_to, here)
    signed = _read_signed(message)
    nonce, at = _read_nonce(message, now, window)
    claimed_id = _required(message, "claimed_id")
    try:
        normal = normal_url(claimed_id)
    except IdentifierError as e:
        raise _refused(f"claimed_id: {e.detail}") from None
    rest = claimed_id.removeprefix(normal)
    if not claimed_id.startswith(normal) or (rest and not _fragment(rest)):
        raise _refused("claimed_id is not in its normal form")
    return Assertion(
        op_endpoint=_required(message, "op_endpoint"),
        claimed_id=claimed_id,
        identity=_required(message, "identity"),
        nonce=nonce,
        at=at,
        handle=_read_handle(message, "assoc_handle"),
        invalidate_handle=_read_handle(message, "invalidate_handle", optional=True),
        signed=signed,
        message=message,
    )


def needs_discovery(assertion: Assertion, endpoint: Endpoint) -> bool:
    """
    Say whether the identifier has to be discovered now (section 11.2).

    It has, if nobody was named when the login began, or somebody else: or any provider
    could speak for anybody.

    Args:
        assertion: The answer.
        endpoint: What was discovered when the login began.
    """
    return (
        endpoint.select or without_fragment(assertion.claimed_id) != endpoint.claimed_id
    )


def check_discovered(assertion: Assertion, found: Endpoint | Discovered) -> None:
    """
    Check (b): the identifier itself names this provider, and this name there.

    Args:
        assertion: The answer.
        found: What was discovered about its identifier, and about no other.

    Raises:
        AssertionRefused: It does not.
    """
    endpoints = found.vouching if isinstance(found, Discovered) else (found,)
    claimed_id = without_fragment(assertion.claimed_id)
    for endpoint in endpoints:
        if endpoint.select or endpoint.claimed_id != claimed_id:
            continue
        if endpoint.op_endpoint != assertion.op_endpoint:
            continue
        if assertion.identity == endpoint.identity:
            return
        if not endpoint.local_id and assertion.identity == assertion.claimed_id:
            return  # with its fragment
    detail = "the identifier does not name this provider, or not by this name there"
    raise AssertionRefused("openid-discovery", detail)


def check_signature(assertion: Assertion, association: Association, now: float) -> None:
    """
    Check (e) and (f), with a secret that a provider shares with us.

    Raises:
        AssertionRefused: The secret is another provider's, another than the answer
            says, or over; or the signature is wrong.
    """
    if association.op_endpoint != assertion.op_endpoint:
        raise _unsigned("the association is another provider's")
    if association.handle != assertion.handle or now >= association.expires:
        raise _unsigned("the association is another, or over")
    fields = assertion.message.fields
    try:
        given = read_base64(fields.get("sig", ""))
        right = sign(association, [(name, fields[name]) for name in assertion.signed])
    except ValueError as e:
        raise _unsigned(f"sig: {e}") from None
    except MessageError as e:
        raise _unsigned(e.detail) from None
    if not hmac.compare_digest(given, right):
        raise _unsigned("the signature is wrong")


def build_check(assertion: Assertion) -> FormFields:
    """Give the fields that ask the provider about its answer (section 11.4.2.1)."""
    fields = assertion.message.fields
    rest = [each for each in fields.items() if each[0] not in {"ns", "mode"}]
    return build_fields([("mode", "check_authentication"), *rest])


def read_check(status: int, body: bytes) -> Checked:
    """
    Read what the provider answers (section 11.4.2.2).

    Raises:
        AssertionRefused: It is no such answer.
    """
    try:
        fields = read_key_values(body)
    except MessageError as e:
        raise _unsigned(f"status {status}: {e.detail}") from None
    if status != 200 or fields.get("ns") != NS or "is_valid" not in fields:
        raise _unsigned(f"status {status}: the provider says nothing about it")
    dropped = fields.get("invalidate_handle", "")
    try:
        dropped = read_handle(dropped) if dropped else ""
    except ValueError:
        dropped = ""
    return Checked(is_valid=fields["is_valid"] == "true", invalidate_handle=dropped)


def _check_return_to(message: Message, return_to: str, here: str) -> None:
    """
    Check (a) (section 11.1).

    What the provider was told comes back as it was; and this is where it leads, with
    its query and nothing else: or an answer to others could be brought to us.
    """
    if message.get("return_to") != return_to:
        raise _not_here("openid.return_to is not what the provider was told")
    place, _, query = return_to.partition("?")
    if place != here:
        raise _not_here("openid.return_to is not where the answer arrived")
    try:
        told = read_message(f"{query}&openid.ns={NS}" if query else f"openid.ns={NS}")
    except MessageError as e:
        raise _not_here(f"openid.return_to: {e.detail}") from None
    if sorted(told.others) != sorted(message.others):
        raise _not_here("the query is not that of openid.return_to")


def _read_signed(message: Message) -> tuple[str, ...]:
    """Check (d): the names of what is signed; each once, and there."""
    names = tuple((message.get("signed") or "").split(","))
    if len(names) > _MOST_SIGNED or len(set(names)) != len(names):
        raise AssertionRefused("openid-unsigned", "signed has a name twice")
    if not message.names.issuperset(names):
        raise AssertionRefused("openid-unsigned", "signed names what is not there")
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        detail = f"not signed: {', '.join(missing)}"
        raise AssertionRefused("openid-unsigned", detail)
    if "sig" not in message.names:
        raise AssertionRefused("openid-unsigned", "there is no signature")
    return names


def _read_nonce(message: Message, now: float, window: float) -> tuple[str, float]:
    """Check the form of the nonce and its time (sections 10.1 and 11.3)."""
    nonce = message.get("response_nonce") or ""
    match = _nonce(nonce) if len(nonce) <= _LONGEST_NONCE else None
    if match is None:
        raise AssertionRefused("openid-nonce", "response_nonce is none")
    try:
        at = datetime.strptime(match[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AssertionRefused("openid-nonce", "response_nonce has no time") from None
    if abs(at.timestamp() - now) > window:
        off = at.timestamp() - now
        detail = f"response_nonce is {off:+.0f} s from now: {window:.0f} are allowed"
        raise AssertionRefused("openid-nonce", detail)
    return nonce, at.timestamp()


def _read_handle(message: Message, name: str, *, optional: bool = False) -> str:
    text = message.get(name)
    if text is None and optional:
        return ""
    try:
        return read_handle(text or "")
    except ValueError:
        raise _refused(f"{name} is none") from None


def _required(message: Message, name: str) -> str:
    text = message.get(name) or ""
    if not 0 < len(text) <= _LONGEST or not text.isascii():
        raise _refused(f"{name} is none")
    return text


def _refused(detail: str) -> AssertionRefused:
    return AssertionRefused("openid-assertion", detail)


def _not_here(detail: str) -> AssertionRefused:
    return AssertionRefused("openid-return-to", detail)


def _unsigned(detail: str) -> AssertionRefused:
    return AssertionRefused("openid-signature", detail)
