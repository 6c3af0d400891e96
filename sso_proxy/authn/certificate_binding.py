"""Binding to the client's certificate: the ``cnf`` member ``x5t#S256`` (RFC 8705)."""

import hmac
from typing import ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IBinding, ITools
from sso_proxy.model import Identity, Request, Unbound

MEMBER: Final = "x5t#S256"

_NOT_BOUND: Final = Unbound(reason="not-certificate-bound")
_NO_TLS: Final = Unbound(reason="certificate-binding-without-tls")
_NO_CERTIFICATE: Final = Unbound(reason="certificate-missing")
_MALFORMED: Final = Unbound(reason="certificate-confirmation-malformed")
_MISMATCH: Final = Unbound(reason="certificate-mismatch")


@attrs.frozen(kw_only=True)
class CertificateBindingConfig:
    """The ``certificate`` binding has no options."""


@implementer(IBinding)
class CertificateBinding:
    """
    Compares the thumbprint in the token with the certificate of this connection.

    The certificate need not be verified: that the client holds its key was proved in
    the handshake, and that it is the right one is what the token says (RFC 8705
    section 3).
    """

    config_class: ClassVar = CertificateBindingConfig
    kind = "certificate"
    members = frozenset({MEMBER})

    @classmethod
    def from_config(cls, _config: CertificateBindingConfig, _tools: ITools) -> Self:
        """Make the binding, which there is one kind of."""
        return cls()

    async def check(self, request: Request, identity: Identity) -> Unbound | None:
        """Say why *identity* may not be used over this connection, or None."""
        thumbprint = identity.confirmation.get(MEMBER)
        if thumbprint is None:
            # A null is a member that nobody can satisfy, and none at all.
            return _MALFORMED if MEMBER in identity.confirmation else _NOT_BOUND
        if not isinstance(thumbprint, str) or not thumbprint.isascii():
            return _MALFORMED
        if request.tls is None:
            return _NO_TLS
        if request.tls.certificate is None:
            return _NO_CERTIFICATE
        if not hmac.compare_digest(thumbprint, request.tls.certificate.thumbprint):
            return _MISMATCH
        return None
