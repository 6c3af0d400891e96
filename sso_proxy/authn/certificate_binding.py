"""Binding to the client's certificate: the ``cnf`` member ``x5t#S256`` (RFC 8705)."""

from typing import ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IBinding, ITools
from sso_proxy.model import Identity, Request, Unbound
from sso_proxy.specs.oauth.confirmation import (
    CERTIFICATE_MEMBER,
    check_thumbprint_binding,
)

_NO_TLS: Final = Unbound(reason="certificate-binding-without-tls")


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
    once = False
    members = frozenset({CERTIFICATE_MEMBER})

    @classmethod
    def from_config(cls, _config: CertificateBindingConfig, _tools: ITools) -> Self:
        """Make the binding, which there is one kind of."""
        return cls()

    async def check(self, request: Request, identity: Identity) -> Unbound | None:
        """Say why *identity* may not be used over this connection, or None."""
        if request.tls is None:
            return _NO_TLS
        certificate = request.tls.certificate
        thumbprint = certificate.thumbprint if certificate is not None else None
        try:
            check_thumbprint_binding(identity.confirmation, thumbprint, required=True)
        except TokenError as e:
            return Unbound(reason=e.reason, detail=e.detail)
        return None
