"""
What happens while a client's handshake runs: OpenSSL calls, and we note and decide.

The callbacks are plain functions; all they know of a connection is in the
`ConnectionState` that is its application data.  Whatever goes wrong in one ends the
handshake.
"""

import attrs
from OpenSSL import SSL, crypto
from twisted.logger import Logger

from sso_proxy.net.tls.certificates import CertificateCache
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.names import NameTable, read_server_name
from sso_proxy.net.tls.probe import error_words
from sso_proxy.net.tls.rules import ClientRules
from sso_proxy.net.tls.token_binding import Negotiation

_log = Logger()

_HTTP = b"http/1.1"


@attrs.frozen(kw_only=True)
class Entry:
    """
    What a listener uses for one name.

    Attributes:
        context: With the name's certificate and its clients' CAs.
        rules: What is asked of clients.
    """

    context: SSL.Context
    rules: ClientRules


@attrs.define(kw_only=True, eq=False)
class ConnectionState:
    """
    Our own record of one connection's handshake.

    It keeps the contexts alive, whose callbacks OpenSSL holds bare pointers to.

    Attributes:
        table: The listener's names.
        certificates: What was read from clients' certificates before.
        rules: The rules that this connection is accepted under.
        server_name: What the client asked for, lower-case, or None.
        alpn: The protocol agreed on, or None.
        leaf_accepted: OpenSSL came down to the client's own certificate and found
            that it is signed by what is above it.
        errors: Depth and number of each thing that OpenSSL objected to.
        token_binding: What comes of Token Binding; None where the listener has none.
    """

    table: NameTable[Entry] = attrs.field(repr=False)
    rules: ClientRules
    certificates: CertificateCache = attrs.field(repr=False)
    server_name: str | None = None
    alpn: str | None = None
    leaf_accepted: bool = False
    errors: tuple[tuple[int, int], ...] = ()
    token_binding: Negotiation | None = None

    @property
    def verified(self) -> bool:
        """Whether the whole chain was found good, by this record alone."""
        return self.leaf_accepted and not self.errors

    @property
    def problem(self) -> str:
        """Why the certificate is not verified; empty if it is, or if there is none."""
        return "; ".join(
            f"{error_words(code)} (depth {depth})" for depth, code in self.errors
        )

    def note(self, *, depth: int, code: int, ok: bool) -> bool:
        """Note what OpenSSL says of the certificate at *depth*; tell it to go on."""
        if not ok:
            self.errors = (*self.errors, (depth, code))
            return self.rules.tolerant
        if depth == 0:
            self.leaf_accepted = True
        return True


def on_server_name(connection: SSL.Connection) -> None:
    """
    Choose by the name in the ClientHello, which may be absent.

    OpenSSL calls it when the whole message was read, however it was cut into
    records.  Raising ends the handshake.
    """
    state: ConnectionState = connection.get_app_data()
    name = read_server_name(connection.get_servername())
    entry = state.table.fallback if name is None else state.table.find(name)
    state.server_name, state.rules = name, entry.rules
    if connection.get_context() is not entry.context:
        connection.set_context(entry.context)
        # The context does not bring its mode along: without this, a client without a
        # certificate gets in.  The callback stays the one that it began with.
        connection.set_verify(entry.rules.verify_mode)


def on_certificate(
    connection: SSL.Connection,
    _certificate: crypto.X509,
    code: int,
    depth: int,
    ok: int,
) -> bool:
    """
    Note OpenSSL's opinion of one certificate of the client's chain.

    Must not raise: pyOpenSSL would keep the exception, and raise it in another
    connection of the same context.
    """
    try:
        state: ConnectionState = connection.get_app_data()
        return state.note(depth=depth, code=code, ok=bool(ok))
    except Exception:  # noqa: BLE001 - whatever it is, the certificate is refused
        _log.failure("a client certificate could not be judged and is refused")
        return False


def on_protocols(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """
    Agree on HTTP/1.1.

    Raises:
        PeerError: The client speaks only other protocols; it is sent
            ``no_application_protocol`` (RFC 7301 section 3.2).
    """
    if _HTTP not in offered:
        raise PeerError("the client offers no protocol that is spoken here")
    state: ConnectionState = connection.get_app_data()
    state.alpn = "http/1.1"
    return _HTTP
