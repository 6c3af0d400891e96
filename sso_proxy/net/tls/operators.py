"""TLS for the operators' listener, which twisted.web serves."""

from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from sso_proxy.config.model import ListenerConfig
from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.net.tls.context import ListenerTls, build_listener_tls


def build_operators_tls(config: AdminConfig, *, now: float) -> ListenerTls | None:
    """
    Build what lets only clients in whose certificate is an operator's.

    Args:
        config: The listener; without a certificate there is no TLS.
        now: Seconds since the epoch.

    Raises:
        ConfigError: With all that is wrong.
    """
    if config.certificate is None:
        return None
    listener = ListenerConfig(
        address=config.address,
        port=config.port,
        certificate=config.certificate,
        key=config.key,
        client_certificate="required",
        client_ca=config.client_ca,
        client_crl=config.client_crl,
    )
    return build_listener_tls(listener, now=now, path="server.admin")


def serve_over(tls: ListenerTls, site: Any, reactor: Any) -> Any:  # noqa: ANN401
    """Give what serves *site*, a factory, over *tls*, which is for this alone."""
    context = tls.context
    # twisted.web keeps its own things where our callbacks have theirs.  There is one
    # name here, and OpenSSL's opinion of a certificate is the last word.
    context.set_tlsext_servername_callback(_ignore)
    mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, _as_openssl_says)
    return TLSMemoryBIOFactory(_Accepting(context), False, site, clock=reactor)


@implementer(IOpenSSLServerConnectionCreator)
class _Accepting:
    """Accepts connections as a context says."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(  # noqa: N802 - Twisted's
        self, _protocol: object
    ) -> SSL.Connection:
        """Begin a handshake that a client without a good certificate does not end."""
        return SSL.Connection(self._context, None)


def _ignore(_connection: SSL.Connection) -> None:
    """Stay with the one certificate, whatever name is asked for."""


def _as_openssl_says(
    _connection: SSL.Connection,
    _certificate: crypto.X509,
    _code: int,
    _depth: int,
    ok: int,
) -> bool:
    return bool(ok)
