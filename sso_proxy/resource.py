"""
The proxy as a resource, for sites of twisted.web's own.

Requests take the same way as those of a listener: the head that twisted.web has read is
serialised and read again by our strict reader, decided on by the same pipeline, and
recorded.  It is as fast as twisted.web is.
"""

import math
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from sso_proxy.admission import Connection, Trail, Verdict
from sso_proxy.edge.answers import (
    failure_fields,
    own_answer,
    with_timing,
)
from sso_proxy.edge.exchange import Exchange
from sso_proxy.edge.site import Site
from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead, Response, TlsFacts
from sso_proxy.net.coroutine import Waiting, run
from sso_proxy.net.stream import Stream
from sso_proxy.net.tls.certificates import read_certificate
from sso_proxy.outgoing import build_outgoing
from sso_proxy.session import Session
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.request import read_request
from sso_proxy.upstream import Reply

_log = Logger()

_PIECE = 65536

_FRAMING = frozenset(
    {b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"}
)
"""Fields of twisted.web's connection.  Nothing is tunnelled through a resource."""


class ProxyResource(Resource):
    """
    Passes every request at or below it through the proxy.

    Routes see the whole path, wherever the resource is mounted.  A client certificate
    is a fact that tokens can be bound to, and no identity: whether twisted.web's
    context has verified it is not known here.
    """

    isLeaf = True

    def __init__(self, site: Site) -> None:
        """
        Serve by the rules of *site*.

        Args:
            site: A listener's, as in ``gateway.listeners[0].site``; a reload of the
                gateway counts here, too.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._site = site

    def render(self, request: Request) -> int:
        """Decide on *request*, and answer it now or later."""
        _Passage(self._site, request).start()
        return NOT_DONE_YET


class _Client:
    """What an exchange's record asks of its connection."""

    def __init__(self, site: Site, facts: Connection) -> None:
        self.site = site
        self.facts = facts


class _Content:
    """The content of a request, which twisted.web has; implements `Body`."""

    __slots__ = ("_file", "content")

    def __init__(self, file: Any) -> None:  # noqa: ANN401
        self._file = file
        self.content: bytes | None = None

    async def read(self, limit: int) -> bytes:
        """Give it, and leave it to be read again."""
        if self.content is None:
            content: bytes = self._file.read(limit + 1)
            self._file.seek(0)
            if len(content) > limit:
                raise BadMessageError(413, "body-too-large")
            self.content = content
        return self.content


class _Passage(Exchange):
    """
    One request on its way from a site of twisted.web and back.

    To the listener's site it is a connection (`sso_proxy.edge.site.Swept`): it has to
    end in time, and with its session.
    """

    __slots__ = ("_content", "_full", "_incoming", "_request", "_waiting", "deadline")

    def __init__(self, site: Site, request: Request) -> None:
        client: Any = _Client(site, connection_facts(request, site))
        super().__init__(client, request.method.decode("latin-1"), "")
        self.minor = 0 if request.clientproto == b"HTTP/1.0" else 1
        self.trail = Trail()
        self._request = request
        self._content: Any = request.content
        self._incoming: Incoming | None = None
        self._waiting: Waiting[Verdict] | None = None
        self._full = False
        self.deadline = math.inf  # twisted.web's own holds

    # Deciding

    def start(self) -> None:
        """Have the request decided on."""
        self._request.notifyFinish().addErrback(self._gone)
        site, facts = self.connection.site, self.connection.facts
        site.connections.add(self)
        rules = site.rules
        try:
            self._incoming = read_request(
                request_head(self._request),
                scheme=facts.scheme,
                port=facts.port,
                limits=rules.head_limits,
                managed=rules.managed,
            )
        except BadMessageError as e:
            self.fail(e.status, e.reason)
            return
        self.trace = self._incoming.trace
        trail = self.trail or Trail()
        trail.steps = [] if rules.timing is not None else None
        if self._incoming.framing.length != 0:
            trail.body = _Content(self._content)
        self._waiting = run(
            rules.pipeline.decide(self._incoming, facts, trail),
            self._decided,
            self._undecided,
        )

    def _undecided(self, failure: Failure) -> None:
        _log.failure("A decision broke; denied.", failure=failure)
        self.fail(503, "failed")

    def _decided(self, verdict: Verdict) -> None:
        self._waiting = None
        incoming, trail = self._incoming, self.trail
        if incoming is None or self.over:
            return
        if trail is not None and trail.request is not None:
            self.id = trail.request.id
            self.path = trail.request.head.path
            told = self.connection.site.rules.timing
            if told is not None and trail.steps is not None:
                self.tell_timing(told, trail.request, trail.steps)
        if isinstance(verdict, Response):
            self._answer(verdict, incoming.head)
            return
        try:
            lines = self.trace_lines(incoming.trace, verdict.route)
            outgoing = build_outgoing(verdict, incoming.framing, self.id, lines)
        except BadMessageError as e:
            self.fail(e.status, e.reason)
            return
        self.admission = verdict
        if verdict.body is not None:  # it goes with the head
            self._content, self.received = None, len(verdict.body)
        route = verdict.route
        upstream = route.own if verdict.own else route.upstream
        sink = upstream.forward(self, outgoing)
        if not self.over:
            self.sink = sink
            self.sendable()

    def sendable(self) -> None:
        """Send more of the request's content, as far as the backend takes it."""
        sink = self.sink
        while sink is not None and self._content is not None and not sink.full:
            data = self._content.read(_PIECE)
            if data:
                self.received += len(data)
                sink.write(data)
            else:
                self._content = None
                sink.end()

    # The answer

    @property
    def full(self) -> bool:
        """Whether the client is slow."""
        return self._full

    def whole(self, reply: Reply, body: bytes) -> None:
        """Relay an answer that came in one piece."""
        self.begin(reply, body)
        self.finish()

    def begin(self, reply: Reply, body: bytes) -> None:
        """Relay an answer's head and the first of its body."""
        self.status = self.upstream_status = reply.answer.status
        self._relaying = True
        block, ours = self.head_of(reply)
        self._send_head(block + ours)
        self._request.setHeader(b"x-request-id", self.id.encode("ascii"))
        self._request.registerProducer(self, True)
        self.relay(body)

    def relay(self, body: bytes) -> None:
        """Relay more of the body."""
        self.sent += len(body)
        self._request.write(body)

    def finish(self) -> None:
        """End the answer."""
        if not self.over:
            self._record()
            self._request.unregisterProducer()
            self._request.finish()

    def fail(self, status: int, reason: str) -> None:
        """Answer ourselves."""
        head = self._incoming.head if self._incoming is not None else None
        headers = failure_fields(status, self.admission, head)
        self._answer(Response(status=status, reason=reason, headers=headers), head)

    def cut(self, reason: str) -> None:
        """Break off: a truncated answer must not look complete."""
        self.reason = reason
        self._record()
        transport: Any = self._request.transport
        transport.abortConnection()

    def switch(self, reply: Reply, stream: Stream, first: bytes) -> None:  # noqa: ARG002
        """Refuse: no request from here asks for it."""
        stream.abort()
        self.fail(502, "backend-switched-unasked")

    def _answer(self, response: Response, head: RequestHead | None) -> None:
        if self.over:
            return
        site = self.connection.site
        self.id = self.id or site.rules.new_id()
        self.status, self.reason = response.status, response.reason
        if self.steps is not None:
            response = with_timing(response, self.timing())
        data, self.sent = own_answer(
            response, site=site, request_id=self.id, head=head, persistence=b""
        )
        fields, _, body = data.partition(b"\r\n\r\n")
        self._send_head(fields)
        self._request.write(body)
        self._record()
        self._request.finish()

    def _send_head(self, block: bytes) -> None:
        """Give twisted.web what we have serialised."""
        request = self._request
        start, *lines = block.rstrip(b"\r\n").split(b"\r\n")
        _, status, phrase = start.split(b" ", 2)
        request.setResponseCode(int(status), phrase)
        request.responseHeaders.removeHeader(b"server")
        request.responseHeaders.removeHeader(b"date")
        request.defaultContentType = None
        for line in lines:
            name, _, value = line.partition(b": ")
            request.responseHeaders.addRawHeader(name, value)

    # The client

    def pauseProducing(self) -> None:
        """Hear that the client is slow."""
        self._full = True

    def resumeProducing(self) -> None:
        """Hear that the client takes more."""
        self._full = False
        if self.sink is not None:
            self.sink.resume()

    def stopProducing(self) -> None:
        """Do nothing: that the client is gone is heard otherwise."""

    def _gone(self, _reason: Failure) -> None:
        if self.over:
            return
        self._drop()
        self.reason = "client-gone"
        self._record()

    def _drop(self) -> None:
        """Stop what is done for the request."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self.sink is not None:
            self.sink.abandon()
            self.sink = None

    def _record(self) -> None:
        if not self.over:
            self.over = True
            self.connection.site.connections.discard(self)
            self.connection.site.rules.record(self)

    # What the listener's site has done

    def check_progress(self, now: float) -> None:
        """End what has taken longer than its route lets it."""
        if self.is_overdue(now):
            self._end(504, "request-timeout")

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        """Stop what goes on for sessions that have *ended*."""
        if self.admission is not None and self.admission.is_for(ended):
            self._end(403, "session-ended")

    def abort(self) -> None:
        """Break off."""
        self._drop()
        self.cut("shutdown")

    def timed_out(self) -> None:
        """Do nothing: there is no deadline."""

    def drain(self) -> None:
        """Do nothing: the connection is twisted.web's."""

    def close_if_idle(self) -> None:
        """Do nothing: something is under way."""

    def _end(self, status: int, reason: str) -> None:
        """Answer *status* instead of the backend, or cut its answer off."""
        self._drop()
        if self.relaying:
            self.cut(reason)
        else:
            self.fail(status, reason)


def connection_facts(request: Request, site: Site) -> Connection:
    """Say what holds for the connection that *request* came on."""
    transport: Any = request.transport
    tls = None
    if ISSLTransport.providedBy(transport):
        tls = _tls_facts(transport)
    peer = getattr(request.getClientAddress(), "host", "unix")
    return Connection(
        listener=site.name,
        scheme="http" if tls is None else "https",
        port=80 if tls is None else 443,
        listener_port=getattr(request.getHost(), "port", 0),
        peer=peer,
        trusted=False,
        tls=tls,
    )


def _tls_facts(transport: Any) -> TlsFacts:  # noqa: ANN401
    connection = transport.getHandle()
    certificate = transport.getPeerCertificate()
    version = connection.get_protocol_version_name()
    return TlsFacts(
        version=version,
        cipher=connection.get_cipher_name() or "",
        server_name=(connection.get_servername() or b"").decode("latin-1") or None,
        certificate=None
        if certificate is None
        else read_certificate(_der(certificate), (), verified=False, problem=""),
        # Whether RFC 7627 was agreed on is not known of a connection of others.
        extended_master_secret=version == "TLSv1.3",
        exporter=connection.export_keying_material,
    )


def _der(certificate: Any) -> bytes:  # noqa: ANN401
    der: bytes = certificate.to_cryptography().public_bytes(Encoding.DER)
    return der


def request_head(request: Request) -> bytes:
    """Serialise the head that twisted.web has read, with the length of its content."""
    content: Any = request.content
    length = content.seek(0, 2)
    content.seek(0)
    lines = [b"%b %b %b" % (request.method, request.uri, request.clientproto)]
    for name, values in request.requestHeaders.getAllRawHeaders():
        if name.lower() not in _FRAMING:
            lines += [b"%b: %b" % (name, value) for value in values]
    if length:
        lines.append(b"Content-Length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"
