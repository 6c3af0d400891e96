"""
TLS streams: OpenSSL reads and writes the socket's descriptor itself.

No memory BIO and no copy between buffers; measured, this takes half the time of
Twisted's TLS transport.
"""

import contextlib
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

from OpenSSL import SSL
from twisted.logger import Logger

from sso_proxy.model import TlsFacts
from sso_proxy.net.dispatch import READ, WRITE, Watcher
from sso_proxy.net.stream import SocketStream, StreamHandler
from sso_proxy.net.tls.client import check_peer, is_address
from sso_proxy.net.tls.context import ListenerTls
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.facts import read_facts
from sso_proxy.net.tls.records import (
    RECORD,
    go_on_shaking_hands,
    read_record,
    write_records,
)

ClientContext: TypeAlias = SSL.Context
"""What `client_stream` needs, for those who may not know OpenSSL."""

_log = Logger()

_AT_ONCE = 4
"""Records that are read at once, so that others get their turn."""

_SLICE = 131072

_CORK: Final[int] = getattr(socket, "TCP_CORK", 0)
_TLS_1_3: Final = SSL.TLS1_3_VERSION


class TlsStream(SocketStream):
    """
    A stream over TLS, client or server.

    Its handler hears nothing until the handshake is done and *on_handshake* was
    called with the connection; if that raises, or the handshake fails, all that the
    handler hears is ``connection_lost``.
    """

    __slots__ = (
        "_answered",
        "_connection",
        "_end",
        "_gathering",
        "_leaving",
        "_may_gather",
        "_on_handshake",
    )

    def __init__(  # noqa: PLR0913
        self,
        nest: Watcher,
        sock: socket.socket,
        handler: StreamHandler,
        *,
        connection: SSL.Connection,
        on_handshake: Callable[[SSL.Connection], None],
        gathers: bool = False,
    ) -> None:
        self._connection = connection
        self._on_handshake: Callable[[SSL.Connection], None] | None = on_handshake
        super().__init__(nest, sock, handler)
        self._greeting = True
        self._end: Exception | None = None
        self._may_gather = gathers and _CORK != 0
        self._answered = self._gathering = self._leaving = False

    def shake_hands(self) -> None:
        """Go on with the handshake as far as the peer lets us."""
        try:
            ready = self._go_on()
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
        if not ready:
            self._want(READ)
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

    def _go_on(self) -> bool:
        """
        Take the handshake a step further, and say whether it is done.

        What a server says last in TLS 1.3 are tickets, for which nobody waits: they go
        with the answer.
        """
        if self._answered:
            self._gather()
        self._answered = True
        done = False
        try:
            done = go_on_shaking_hands(self._connection)
        finally:
            if self._gathering and not (
                done and self._connection.get_protocol_version() == _TLS_1_3
            ):
                self._let_go()
        return done

    def _gather(self) -> None:
        """
        Let the system put into one packet what is sent from here on.

        It waits a fifth of a second for `_let_go`, not longer.
        """
        if self._may_gather and not self._gathering:
            try:
                self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
            except OSError:  # it is a unix socket
                self._may_gather = False
            else:
                self._gathering = True

    def _let_go(self) -> None:
        self._gathering = False
        with contextlib.suppress(OSError):  # it is gone: the next call learns why
            self._sock.setsockopt(socket.IPPROTO_TCP, _CORK, 0)

    def close(self) -> None:
        """Close once everything written has been sent."""
        if self._deferred:
            self._gather()  # with our goodbye
            self._leaving = True
        super().close()

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
        finally:
            if self._gathering and not self._leaving:
                self._let_go()
        return sent

    def _say_end(self) -> None:
        # The peer may be gone or may not have finished the handshake: no matter,
        # the socket is closed next.
        with contextlib.suppress(SSL.Error, OSError):
            self._connection.shutdown()
        if self._gathering and not self._half_closed:
            # Not left to what closes the socket: with something unread, that is a
            # reset, which takes what waits here.
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)


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

    return TlsStream(
        nest,
        sock,
        handler,
        connection=connection,
        on_handshake=shaken,
        gathers=True,
    )


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
