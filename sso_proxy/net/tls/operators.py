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


class OperatorsSite(TLSMemoryBIOFactory):
    """
    Serves a factory of ``twisted.web`` over TLS.

    Args:
        tls: For this alone.
        site: The factory.
        reactor: Measures time.
    """

    def __init__(self, tls: ListenerTls, site: Any, reactor: Any) -> None:  # noqa: ANN401
        self._tls = tls
        self._accepting = _Accepting(_context_of(tls))
        super().__init__(self._accepting, False, site, clock=reactor)

    def reload(self, tls: ListenerTls) -> None:
        """
        Use *tls* from the next connection on.

        Those that are open end, unless what is asked of operators is the same.
        """
        old, self._tls = self._tls, tls
        self._accepting.context = _context_of(tls)
        if old.client_rules != tls.client_rules:
            for connection in list(self.protocols):
                connection.abortConnection()

    def health(self, now: float) -> tuple[str, ...]:
        """Say what has ended, or, as a warning, is about to."""
        return self._tls.health(now)


@implementer(IOpenSSLServerConnectionCreator)
class _Accepting:
    """
    Accepts connections as a context says.

    Attributes:
        context: What the next one begins with.
    """

    def __init__(self, context: SSL.Context) -> None:
        self.context = context

    def serverConnectionForTLS(  # noqa: N802 - Twisted's
        self, _protocol: object
    ) -> SSL.Connection:
        """Begin a handshake that a client without a good certificate does not end."""
        return SSL.Connection(self.context, None)


def _context_of(tls: ListenerTls) -> SSL.Context:
    context = tls.context
    # twisted.web keeps its own things where our callbacks have theirs.  There is one
    # name here, and OpenSSL's opinion of a certificate is the last word.
    context.set_tlsext_servername_callback(_ignore)
    mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    context.set_verify(mode, _as_openssl_says)
    return context


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
