"""What a listener asks of clients' certificates."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from sso_proxy.config.model import ClientCertificate

_STRICTNESS: Final[Mapping[ClientCertificate, int]] = {
    "none": 0,
    "optional_no_ca": 1,
    "optional": 2,
    "required": 3,
}

_VERIFY_MODE: Final[Mapping[ClientCertificate, int]] = {
    "none": SSL.VERIFY_NONE,
    "optional_no_ca": SSL.VERIFY_PEER,
    "optional": SSL.VERIFY_PEER,
    "required": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
}


@attrs.frozen(kw_only=True)
class ClientRules:
    """
    The rules under which a client's certificate is accepted.

    Attributes:
        mode: As in the configuration.
        authorities: The CAs that clients' certificates may come from.
        lists: Their revocation lists; empty, revocation is not checked.
        policy: Names these rules: equal for equal rules, and different for all
            others.  Made from mode, authorities and lists.
        verify_mode: The same mode in OpenSSL's numbers.
        tolerant: A certificate that is not good is a fact, and not the end.
    """

    mode: ClientCertificate
    authorities: tuple[x509.Certificate, ...] = attrs.field(default=(), repr=False)
    lists: tuple[x509.CertificateRevocationList, ...] = attrs.field(
        default=(), repr=False
    )
    policy: str = attrs.field(init=False)
    verify_mode: int = attrs.field(init=False, repr=False)
    tolerant: bool = attrs.field(init=False, repr=False)

    @policy.default
    def _name(self) -> str:
        if self.mode == "none":
            return "none"
        authorities = {c.public_bytes(Encoding.DER) for c in self.authorities}
        lists = {c.public_bytes(Encoding.DER) for c in self.lists}
        parts = [*sorted(authorities), b"", *sorted(lists)]
        return f"{self.mode}:{digest(parts)}"

    @verify_mode.default
    def _in_numbers(self) -> int:
        return _VERIFY_MODE[self.mode]

    @tolerant.default
    def _is_tolerant(self) -> bool:
        return self.mode == "optional_no_ca"


def strictest(own: ClientRules, others: Sequence[ClientRules]) -> ClientRules:
    """
    Give the rules for clients that name no host, or one that is not configured.

    They are the listener's own if no name's are stricter, else the strictest name's.
    If several names are equally strict with different CAs, then nobody's certificate
    is good for all of them: no CA is accepted.
    """
    top = max(_STRICTNESS[rules.mode] for rules in (own, *others))
    if _STRICTNESS[own.mode] == top:
        return own
    found = {r.policy: r for r in others if _STRICTNESS[r.mode] == top}
    first, *rest = found.values()
    return ClientRules(mode=first.mode) if rest else first


def digest(parts: Sequence[bytes]) -> str:
    """Hash *parts* so that no two different sequences are alike."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()[:32]
