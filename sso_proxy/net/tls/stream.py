"""
TLS streams: OpenSSL reads and writes the socket's descriptor itself.

No memory BIO and no copy between buffers; measured, this takes half the time of
Twisted's TLS transport.
"""

import contextlib
import socket
from collections.abc import Callable
from typing import TypeAlias

from OpenSSL import SSL
from twisted.logger import Logger

from sso_proxy.model import TlsFacts
from sso_proxy.net.dispatch import READ, WRITE, Watcher
from sso_proxy.net.stream import SocketStream, StreamHandler
from sso_proxy.net.tls.client import check_peer, is_address
from sso_proxy.net.tls.context import ListenerTls
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.facts import read_facts
from sso_proxy.net.tls.records import RECORD, read_record, write_records

ClientContext: TypeAlias = SSL.Context
"""What `client_stream` needs, for those who may not know OpenSSL."""

_log = Logger()

_AT_ONCE = 4
"""Records that are read at once, so that others get their turn."""

_SLICE = 131072


class TlsStream(SocketStream):
    """
    A stream over TLS, client or server.

    Its handler hears nothing until the handshake is done and *on_handshake* was
    called with the connection; if that raises, or the handshake fails, all that the
    handler hears is ``connection_lost``.
    """

    __slots__ = ("_connection", "_end", "_on_handshake")

    def __init__(
        self,
        nest: Watcher,
        sock: socket.socket,
        handler: StreamHandler,
        *,
        connection: SSL.Connection,
        on_handshake: Callable[[SSL.Connection], None],
    ) -> None:
        self._connection = connection
        self._on_handshake: Callable[[SSL.Connection], None] | None = on_handshake
        super().__init__(nest, sock, handler)
        self._greeting = True
        self._end: Exception | None = None

    def shake_hands(self) -> None:
        """Go on with the handshake as far as the peer lets us."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._want(READ)
            return
        except SSL.WantWriteError:
            self._want(WRITE)
            return
        except (SSL.Error, OSError) as e:
            self._lose(_describe(e))
            return
        except Exception:  # noqa: BLE001 - whatever a callback of ours raised
            _log.failure("A handshake failed in a way that is ours; it is refused.")
            self._lose("failed")
            return
        done, self._on_handshake = self._on_handshake, None
        self._greeting = False
        wanted = READ if self._reading else 0
        self._want(wanted | WRITE if self._waiting else wanted)
        if done is not None:
            try:
                done(self._connection)
            except PeerError as e:
                self._lose(str(e))
                return
            except Exception:  # noqa: BLE001
                _log.failure("What follows a handshake failed; it is refused.")
                self._lose("failed")
                return
        # The first request may have come with the end of the handshake, and what
        # OpenSSL has read wakes no epoll.
        if self._fd != -1 and self._reading and self._connection.pending():
            self._read()

    def _greet(self) -> None:
        self.shake_hands()

    def _lose(self, reason: str) -> None:
        # Whoever waits for the handshake has this stream: without this, what is left of
        # those that fail stays until cycles are sought, and OpenSSL's part is large.
        self._on_handshake = None
        super()._lose(reason)

    def refuse(self, reason: str) -> None:
        """Be lost at once: the peer is not who we want to talk to."""
        self._lose(reason)

    def pause(self) -> None:
        """Stop reading; a handshake goes on, and what follows it waits."""
        if not self._greeting:
            super().pause()
        else:
            self._reading = False

    def resume(self) -> None:
        """Read on."""
        if not self._greeting:
            super().resume()
        elif not self._closing:
            self._reading = True

    def take_in(self) -> bool:
        """Take in one record, for `deliver`."""
        if not self._reading or self._greeting or self._failed:
            return False
        try:
            self._early = read_record(self._connection)
        except SSL.WantReadError:
            return False
        except (SSL.Error, OSError) as e:
            # Its traceback has this stream: the two would stay until cycles are sought.
            self._end = e.with_traceback(None)
        return True

    def deliver(self) -> None:
        """Tell the handler what was taken in."""
        if self._end is not None:
            end, self._end = self._end, None
            self._stop(end)
            return
        data, self._early = self._early, b""
        if not self._closing:
            self.handler.data_received(data)
        if len(data) == RECORD:  # a full one is seldom alone
            self._read()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            if self._fd == -1 or not self._reading:
                return
            try:
                data = read_record(self._connection)
            except SSL.WantReadError:
                return
            except (SSL.Error, OSError) as e:
                self._stop(e)
                return
            self.handler.data_received(data)
            if len(data) < RECORD:  # nothing of a record is left
                return

    def _stop(self, error: Exception) -> None:
        """React to the end of what can be read."""
        if isinstance(error, SSL.ZeroReturnError):
            self._eof()
        else:
            self._lose(_describe(error))

    def _send(self, data: bytes | memoryview) -> int:
        sent = 0
        try:
            while sent < len(data):
                # A write returns after each record; so a part is as good as all.
                part = data if not sent else memoryview(data)[sent : sent + _SLICE]
                sent += write_records(self._connection, part)
        except (SSL.WantWriteError, SSL.WantReadError):
            return sent
        except (SSL.Error, OSError) as e:
            self._fail(_describe(e))
        return sent

    def _say_end(self) -> None:
        # The peer may be gone or may not have finished the handshake: no matter,
        # the socket is closed next.
        with contextlib.suppress(SSL.Error, OSError):
            self._connection.shutdown()


def server_stream(
    nest: Watcher,
    sock: socket.socket,
    handler: StreamHandler,
    tls: ListenerTls,
    on_facts: Callable[[TlsFacts], None],
) -> TlsStream:
    """Accept TLS on *sock*; *on_facts* hears what the handshake proved."""
    connection = SSL.Connection(tls.context, sock)
    state = tls.new_state()
    connection.set_app_data(state)
    connection.set_accept_state()

    def shaken(done: SSL.Connection) -> None:
        on_facts(read_facts(done, state))

    return TlsStream(nest, sock, handler, connection=connection, on_handshake=shaken)


def client_stream(  # noqa: PLR0913
    nest: Watcher,
    sock: socket.socket,
    handler: StreamHandler,
    *,
    context: SSL.Context,
    server_name: str,
    on_ready: Callable[[], None],
) -> TlsStream:
    """
    Begin TLS to a server on the connected *sock*.

    *on_ready* is called once the handshake is done and the certificate is for
    *server_name* (RFC 9525); otherwise the handler hears ``connection_lost``.
    """
    connection = SSL.Connection(context, sock)
    connection.set_connect_state()
    if not is_address(server_name):
        connection.set_tlsext_host_name(server_name.encode("ascii"))

    def shaken(done: SSL.Connection) -> None:
        try:
            check_peer(done, server_name)
        except PeerError as e:
            stream.refuse(str(e))
        else:
            on_ready()

    stream = TlsStream(nest, sock, handler, connection=connection, on_handshake=shaken)
    return stream


def _describe(error: Exception) -> str:
    """Put OpenSSL's error stack into one short line."""
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1])
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
        return "; ".join(str(entry[-1]) for entry in error.args[0]) or "tls error"
    return str(error) or type(error).__name__
