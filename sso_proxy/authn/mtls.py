"""The ``mtls`` authenticator: the client is who its certificate says."""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final, Literal, Self

import attrs
from cryptography import x509
from cryptography.x509.oid import NameOID
from zope.interface import implementer

from sso_proxy.config.checks import Attribute
from sso_proxy.interfaces import IAuthenticator, ITools
from sso_proxy.model import (
    Authenticated,
    CertificateFacts,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)

_ATTRIBUTES: Final = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "UID": NameOID.USER_ID,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "serialNumber": NameOID.SERIAL_NUMBER,
}
_SAN_TYPES: Final = ("dns", "email", "uri", "ip", "upn")
_CHOICES: Final = (
    "subject",
    *(f"subject:{name}" for name in _ATTRIBUTES),
    *(f"san:{kind}" for kind in _SAN_TYPES),
)
# 43 characters are 258 bits; the last two have to be zero (RFC 4648 section 3.5).
_THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")

_NOT_PRESENTED: Final = NotPresented()


def _user(_instance: object, _attribute: Attribute, value: str) -> None:
    if value not in _CHOICES:
        raise ValueError(f"must be one of {', '.join(_CHOICES)}, not {value!r}")


def _thumbprints(
    _instance: object, _attribute: Attribute, value: tuple[str, ...]
) -> None:
    for pin in value:
        if not _THUMBPRINT.fullmatch(pin):
            raise ValueError(
                f"{pin!r} is no thumbprint: SHA-256 of the certificate in DER, in"
                " base64url without padding, 43 characters"
            )


@attrs.frozen(kw_only=True)
class MtlsConfig:
    """
    The ``mtls`` authenticator's part of the configuration file.

    Attributes:
        user: What in the certificate is the identity's subject: ``subject`` (the
            whole distinguished name as RFC 4514 writes it), one attribute of it
            (``subject:CN``, ``O``, ``OU``, ``UID``, ``emailAddress`` or
            ``serialNumber``) or the alternative name of one type (``san:dns``,
            ``san:email``, ``san:uri``, ``san:ip``, ``san:upn``).
        pick: ``only`` refuses a certificate with several names of that kind;
            ``first`` takes the first in the certificate.
        pins: Thumbprints (``x5t#S256``) of certificates that are accepted whoever
            issued them.  They still may not have expired.
        issuer: The identity's issuer; unset, ``mtls:`` and the distinguished name of
            the certificate's issuer.
    """

    user: str = attrs.field(default="subject", validator=_user)
    pick: Literal["only", "first"] = "only"
    pins: tuple[str, ...] = attrs.field(default=(), validator=_thumbprints)
    issuer: str | None = None


def subject_attributes(subject: str, name: str) -> list[str]:
    """
    Give the values of one attribute, in the certificate's order.

    Args:
        subject: A distinguished name as RFC 4514 writes it: the last first.
        name: One of the attributes that `MtlsConfig` names.

    Raises:
        ValueError: *subject* is no distinguished name.
    """
    parsed = x509.Name.from_rfc4514_string(subject)
    found = parsed.get_attributes_for_oid(_ATTRIBUTES[name])
    return [
        value.decode("latin-1") if isinstance(value, bytes) else value
        for value in (attribute.value for attribute in found)
    ]


def _names_of(user: str) -> Callable[[CertificateFacts], list[str]]:
    """Make the function that gives the names that the option *user* means."""
    kind, _, name = user.partition(":")
    if kind == "san":
        return lambda facts: [value for found, value in facts.names if found == name]
    if name:
        return lambda facts: subject_attributes(facts.subject, name)
    return lambda facts: [facts.subject]


def certificate_claims(facts: CertificateFacts) -> dict[str, Any]:
    """Give what a certificate says as claims: strings, and lists of them by type."""
    alternatives: dict[str, list[str]] = {}
    for kind, value in facts.names:
        alternatives.setdefault(kind, []).append(value)
    return {
        "subject_dn": facts.subject,
        "issuer_dn": facts.issuer,
        "serial": facts.serial,
        "x5t#S256": facts.thumbprint,
        "san": alternatives,
    }


@implementer(IAuthenticator)
class MtlsAuthenticator:
    """
    Takes the identity from the certificate of the client's connection.

    Who has no certificate presented nothing.  Who has one that is neither verified
    nor pinned is refused, and nobody else is asked: a certificate that cannot be
    checked is a bad credential, not a missing one.
    """

    config_class: ClassVar = MtlsConfig
    consumes: tuple[str, ...] = ()

    def __init__(self, config: MtlsConfig, tools: ITools) -> None:
        self._name = tools.name
        self._clock = tools.clock
        self._pins = frozenset(config.pins)
        self._issuer = config.issuer
        self._first = config.pick == "first"
        self._names = _names_of(config.user)

    @classmethod
    def from_config(cls, config: MtlsConfig, tools: ITools) -> Self:
        """Make the authenticator that *config* describes."""
        return cls(config, tools)

    async def authenticate(self, request: Request) -> Outcome:
        """Name the holder of the client's certificate."""
        facts = request.tls.certificate if request.tls is not None else None
        if facts is None:
            return _NOT_PRESENTED
        if not facts.verified and facts.thumbprint not in self._pins:
            return Rejected(reason="certificate-unverified", detail=facts.problem)
        # The handshake looked at a verified one, but that may have been days ago.
        if facts.not_after <= self._clock.time():
            return Rejected(reason="certificate-expired")
        try:
            names = self._names(facts)
        except ValueError:
            return Rejected(reason="certificate-name-unreadable")
        return self._identify(facts, names)

    def _identify(self, facts: CertificateFacts, names: list[str]) -> Outcome:
        if not names:
            return Rejected(reason="certificate-name-missing")
        if len(names) > 1 and not self._first:
            return Rejected(reason="certificate-name-ambiguous")
        subject = names[0]
        # A NUL or a line feed in a name is there to mean two things.
        if not subject or not subject.isprintable():
            return Rejected(reason="certificate-name-unsafe")
        return Authenticated(
            Identity(
                issuer=self._issuer or f"mtls:{facts.issuer}",
                subject=subject,
                authenticator=self._name,
                claims=certificate_claims(facts),
                # Bound to the key that this connection proved.
                confirmation={"x5t#S256": facts.thumbprint},
                expires=facts.not_after,
            )
        )

    def challenge(self, request: Request) -> None:
        """Ask for nothing: HTTP has no challenge for certificates."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing more than the status does."""
