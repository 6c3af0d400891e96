"""An OpenID 2.0 provider on a loopback port, built on PyPI's python3-openid."""

import contextlib
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from html import escape
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from sso_proxy.testing.pki import Issued, Pki

with warnings.catch_warnings():
    # it takes the older one of two names of a parser, which warns
    warnings.simplefilter("ignore")
    from openid.association import SessionNegotiator
    from openid.message import OPENID_NS
    from openid.server.server import (
        CheckIDRequest,
        Encoder,
        EncodingError,
        ProtocolError,
        Server,
    )
    from openid.store.memstore import MemoryStore

# it warns of this each time, and uses it itself
CheckIDRequest.namespace = property(lambda asked: asked.message.getOpenIDNamespace())

HOST: Final = "127.0.0.1"
KINDS: Final = (
    "HMAC-SHA1/DH-SHA1",
    "HMAC-SHA256/DH-SHA256",
    "HMAC-SHA1/no-encryption",
    "HMAC-SHA256/no-encryption",
)
PATIENCE: Final = 20.0
_SERVER: Final = "http://specs.openid.net/auth/2.0/server"
_SIGNON: Final = "http://specs.openid.net/auth/2.0/signon"
_XRDS: Final = "application/xrds+xml"
_MODES: Final = frozenset({"checkid_setup", "checkid_immediate"})

Found = Literal["header", "meta", "html", "itself", "nothing"]
Fields = dict[str, str]


@attrs.define(kw_only=True)
class Switches:
    """
    What the provider does; may be changed while it runs.

    Attributes:
        found: How the pages of identifiers say who vouches for them: by a field, by
            the head of a page that names a document, by links there, or by being the
            document.
        names: The endpoint that those pages name, instead of its own.
        user: Who is logged in there, and agrees to everything; empty: people are asked
            by a page.
        kinds: The associations that it makes, as in `KINDS`; empty: none.
        refuses: Whether it says to that only that it does not want to.
        local_ids: Whether identifiers are called something else there.
        fragment: Behind the identifiers that it chooses itself: ``#2``.
        claims: The identifier that it claims to have logged in, whatever it was asked.
        verifies: Whether it looks up where answers may go (section 9.2.1), and sends
            none elsewhere.
        before_signing: Changes an answer's fields.
        after_signing: The same, when nobody can any more.
    """

    found: Found = "header"
    names: str = ""
    user: str = "alice"
    kinds: tuple[str, ...] = KINDS
    refuses: bool = False
    local_ids: bool = False
    fragment: str = ""
    claims: str = ""
    verifies: bool = False
    before_signing: Callable[[Any], None] | None = None
    after_signing: Callable[[Any], None] | None = None


class OpenIdProvider(ThreadingHTTPServer):
    """
    A provider; anybody with any name is its user.

    Attributes:
        url: Its origin.
        switches: What it does.
        asked: Forms that came to it directly, and requests that browsers brought, the
            oldest first, each with ``openid.mode``.
        fetched: Paths of the pages that were looked at.
        verified: What looking up where answers may go has given, each time.
        ca: The CA of its certificate; None if it has none.
        certificate: That.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, switches: Switches, pki: Pki | None, directory: Path) -> None:
        super().__init__((HOST, 0), _Asked)
        scheme = "http" if pki is None else "https"
        self.url = f"{scheme}://{HOST}:{self.server_port}"
        self.switches = switches
        self.asked: list[Fields] = []
        self.fetched: list[str] = []
        self.verified: list[bool | str] = []
        self.lock = threading.Lock()
        self.ca: Path | None = None
        self.certificate: Issued | None = None
        self.store = MemoryStore()
        self.openid = Server(self.store, op_endpoint=self.op_endpoint)
        if pki is not None:
            self.ca = pki.write(directory, "openid-ca")
            issued = pki.issue("localhost", dns=["localhost"], ips=[HOST], server=True)
            self.certificate = issued
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*issued.write(directory, "openid-op"))
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    @property
    def op_endpoint(self) -> str:
        """Where it logs people in, and is asked."""
        return f"{self.url}/login"

    @property
    def op_identifier(self) -> str:
        """What people type who want to choose there."""
        return f"{self.url}/"

    def identity(self, user: str) -> str:
        """Give what a user types."""
        return f"{self.url}/id/{user}"

    def local_id(self, user: str) -> str:
        """Give what the provider calls a user."""
        return f"{self.url}/local/{user}" if self.switches.local_ids else ""

    def names_of(self, user: str) -> set[str]:
        """Give what a user may be called in a request."""
        return {self.identity(user), self.local_id(user) or self.identity(user)}

    def visit(self, url: str) -> str:
        """Do what a browser does that was sent to *url*; give where it is sent on."""
        place, page = self.look(url)
        assert place, page
        return place

    def look(self, url: str) -> tuple[str, str]:
        """Do the same; give where it is sent on, or what it sees."""
        parts = urlsplit(url)
        return self._send("GET", f"{parts.path}?{parts.query}")

    def take(self, action: str, fields: Mapping[str, str]) -> tuple[str, str]:
        """Take a form from a browser; give where it is sent on, or what it sees."""
        return self._send("POST", urlsplit(action).path, urlencode(fields))

    def _send(self, method: str, path: str, form: str | None = None) -> tuple[str, str]:
        connection = HTTPConnection(HOST, self.server_port, timeout=PATIENCE)
        if self.ca is not None:
            context = ssl.create_default_context(cafile=str(self.ca))
            connection = HTTPSConnection(
                HOST, self.server_port, timeout=PATIENCE, context=context
            )
        with contextlib.closing(connection):
            connection.request(method, path, form)
            reply = connection.getresponse()
            return reply.getheader("Location") or "", reply.read().decode()

    def modes(self) -> list[str]:
        """Give the modes of all that it was asked."""
        return [each.get("openid.mode", "") for each in self.asked]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away is what some tests are about."""

    def forget(self) -> None:
        """Lose all associations, as when it was started anew."""
        with self.lock:
            self.store.server_assocs.clear()


@contextlib.contextmanager
def openid2_op(
    directory: Path,
    pki: Pki | None = None,
    **switches: Any,  # noqa: ANN401 - those of `Switches`
) -> Iterator[OpenIdProvider]:
    """
    Run a provider until the end of the block.

    Args:
        directory: Where files may be written.
        pki: Whose certificate it has; None: it has none, and speaks plain http.
        switches: What it does.
    """
    server = OpenIdProvider(Switches(**switches), pki, directory)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


def signed_on(op_endpoint: str, local_id: str = "", kind: str = _SIGNON) -> str:
    """Give the document of an identifier."""
    local = f"<LocalID>{escape(local_id)}</LocalID>" if local_id else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<xrds:XRDS xmlns:xrds="xri://$xrds" xmlns="xri://$xrd*($v*2.0)"><XRD>'
        f'<Service priority="0"><Type>{kind}</Type>'
        f"<URI>{escape(op_endpoint)}</URI>{local}</Service></XRD></xrds:XRDS>"
    )


class _Asked(BaseHTTPRequestHandler):
    """Answers one request after the other."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server: OpenIdProvider

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/login":
            self._answer(dict(parse_qsl(parts.query, keep_blank_values=True)))
        else:
            self.server.fetched.append(parts.path)
            self._show(parts.path)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        text = self.rfile.read(length).decode()
        fields = dict(parse_qsl(text, keep_blank_values=True))
        user, choice = fields.pop("user", ""), fields.pop("choice", "")
        self._answer(fields, user, choice)

    def _show(self, path: str) -> None:
        """Show a page, or a document."""
        server, switches = self.server, self.server.switches
        _, kind, user = (*path.split("/"), "", "")[:3]
        local, endpoint = server.local_id(user), switches.names or server.op_endpoint
        document = signed_on(endpoint, local)
        if path in {"/", "/xrds"}:
            document = signed_on(endpoint, kind=_SERVER)
            if path == "/":
                self._send(200, document, {"Content-Type": _XRDS})
                return
        elif kind not in {"id", "xrds"} or not user:
            self._send(404, "")
            return
        if kind == "xrds" or switches.found == "itself":
            self._send(200, document, {"Content-Type": f"{_XRDS}; charset=UTF-8"})
            return
        place = f"{server.url}/xrds/{user}"
        head = {
            "meta": f'<meta http-equiv="X-XRDS-Location" content="{place}">',
            "html": f'<link rel="openid2.provider" href="{endpoint}">'
            + (f'<link rel="openid2.local_id" href="{local}">' if local else ""),
        }.get(switches.found, "")
        field = {"X-XRDS-Location": place} if switches.found == "header" else {}
        page = f"<!DOCTYPE html><html><head><title>{escape(user)}</title>{head}</head>"
        self._send(200, page, {"Content-Type": "text/html; charset=UTF-8", **field})

    def _answer(self, fields: Fields, user: str = "", choice: str = "") -> None:
        """Answer at the endpoint, to us and to browsers."""
        server, switches = self.server, self.server.switches
        if not choice:
            server.asked.append(dict(fields))
        try:
            request = server.openid.decodeRequest(fields)
        except ProtocolError as e:
            self._send_openid(e)
            return
        if request is None:
            self._send(200, "This is an OpenID provider.")
            return
        if request.mode in _MODES:
            self._log_in(request, fields, user or switches.user, choice)
            return
        if request.mode == "associate" and switches.refuses:
            self._send(400, "mode:error\nerror:no associations here\n")
            return
        allowed = [tuple(kind.split("/")) for kind in switches.kinds]
        with server.lock:
            server.openid.negotiator = SessionNegotiator(allowed)
            answer = server.openid.handleRequest(request)
        self._send_openid(answer)

    def _log_in(self, request: Any, fields: Fields, user: str, choice: str) -> None:  # noqa: ANN401
        """Say who it is, ask who it is, or say that nobody is there."""
        server, switches = self.server, self.server.switches
        if not request.trustRootValid():
            self._send(400, "return_to is outside of the realm")
            return
        if switches.verifies and not self._verify(request):
            self._send(400, "the realm does not say that answers may go there")
            return
        if choice == "no" or (not user and request.immediate):
            self._send_openid(request.answer(False))
            return
        if not user:
            self._ask(request, fields)
            return
        identity = server.identity(user)
        if request.idSelect():
            local = server.local_id(user) or identity
            response = request.answer(True, identity=local, claimed_id=identity)
        elif switches.claims or request.identity in server.names_of(user):
            response = request.answer(True)
        else:
            self._send_openid(request.answer(False))
            return
        self._send_openid(response)

    def _verify(self, request: Any) -> bool:  # noqa: ANN401
        """Look up whether answers may go where the request says."""
        try:
            self.server.verified.append(request.returnToVerified())
        except Exception as e:  # noqa: BLE001 - whatever its fetchers raise
            self.server.verified.append(f"{type(e).__name__}: {e}")
        return self.server.verified[-1] is True

    def _ask(self, request: Any, fields: Fields) -> None:  # noqa: ANN401
        """Ask who it is."""
        hidden = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in fields.items()
        )
        page = (
            "<!DOCTYPE html><title>Provider</title><h1>Log in at the provider</h1>"
            f"<p>{escape(request.trust_root)} asks who you are.</p>"
            f'<form method="post" action="/login">{hidden}'
            '<label>Name <input name="user" id="user"></label>'
            '<button name="choice" value="yes" id="yes">Log in</button>'
            '<button name="choice" value="no" id="no">Cancel</button></form>'
        )
        self._send(200, page, {"Content-Type": "text/html; charset=UTF-8"})

    def _send_openid(self, response: Any) -> None:  # noqa: ANN401
        """Sign and send an answer."""
        server, switches = self.server, self.server.switches
        signs = not isinstance(response, Exception) and response.needsSigning()
        if signs:
            claimed = switches.claims or response.fields.getArg(OPENID_NS, "claimed_id")
            for name in ("claimed_id", "identity") if switches.claims else ():
                response.fields.setArg(OPENID_NS, name, claimed)
            if switches.fragment:
                claimed += switches.fragment
                response.fields.setArg(OPENID_NS, "claimed_id", claimed)
            if switches.before_signing is not None:
                switches.before_signing(response.fields)
            with server.lock:
                response = server.openid.signatory.sign(response)
            if switches.after_signing is not None:
                switches.after_signing(response.fields)
        try:
            web = Encoder().encode(response)
        except EncodingError as e:
            self._send(400, e.response.encodeToKVForm())
            return
        page = (
            {"Content-Type": "text/html"} if web.body.lstrip().startswith("<") else {}
        )
        self._send(web.code, web.body, {**page, **web.headers})

    def _send(
        self, status: int, text: str, headers: Mapping[str, str] | None = None
    ) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/plain", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
