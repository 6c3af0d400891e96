"""
The listener for operators: health, metrics, revocations, sessions, and refusals.

It is reachable from this machine only, and a browser on this machine must not be made
to read it for a web page elsewhere: only loopback names are accepted in ``Host`` (a
name that was rebound to 127.0.0.1 is another one), nothing is answered to requests that
a page of another origin sends, and no CORS field is ever sent.

What names users or changes anything is for fewer: no browser may ask it, and on a TCP
port, which every program on this machine reaches, a secret has to be known that is in a
file.  A unix socket has an owner and a mode instead, and over TLS, which other machines
may reach, nobody gets in without an operator's certificate.  The status page is for
browsers: `sso_proxy.endpoints.status_pages` says whose.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Any, Final, Protocol, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.endpoints.answer import (
    MOST_OCTETS,
    Answer,
    BoundedRequest,
    refusal,
    report,
)
from sso_proxy.endpoints.revocations import RevocationPages, Revoker
from sso_proxy.endpoints.sessions import answer_sessions
from sso_proxy.endpoints.status_pages import LINK, StatusPages
from sso_proxy.errors import SsoProxyError
from sso_proxy.interfaces import IClock
from sso_proxy.model import WARNING

_log = Logger()

Page: TypeAlias = Callable[[Request], Awaitable[Answer]]

_REVOCATIONS: Final = b"/revocations"
_SESSIONS: Final = b"/sessions"
_EXPLAIN: Final = b"/explain"
_LOG: Final = b"/log"
_CONFIGURATION: Final = b"/configuration"
_FOR_OPERATORS: Final = (_REVOCATIONS, _SESSIONS, _EXPLAIN, _CONFIGURATION, _LOG, LINK)
_BROWSERS: Final = b"/status/"
_METRICS = b"text/plain; version=0.0.4; charset=utf-8"


class Status(Protocol):
    """What can be asked of the running proxy."""

    async def faults(self) -> tuple[str, ...]:
        """Say what does not run or does not answer; empty if all is alive."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing to serve; empty if nothing is."""

    async def metrics(self) -> str:
        """Give the Prometheus text."""

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        """Say why a request was refused lately; None if nobody knows."""

    async def sessions(self, document: object) -> dict[str, Any]:
        """List or end sessions; returns a ``status`` and what came of it."""

    async def status(self) -> dict[str, Any]:
        """Give what the status page shows."""

    async def log_levels(self, document: object) -> dict[str, Any]:
        """Log as *document* says; returns a ``status`` and the levels."""

    def configuration(self) -> dict[str, Any]:
        """Give the configuration that is served, without secrets."""


def build_admin_site(  # noqa: PLR0913
    status: Status,
    revoker: Revoker,
    secret: str | None,
    reactor: Any,  # noqa: ANN401
    clock: IClock,
    *,
    near: bool = True,
) -> Site:
    """Make the site; `AdminResource` says of what."""
    return _AdminSite(
        AdminResource(status, revoker, secret, clock, near=near),
        requestFactory=BoundedRequest,
        parsePOSTFormSubmission=False,
        reactor=reactor,
    )


def is_local_host(host: str) -> bool:
    """Say whether the ``Host`` field *host* names this machine's loopback."""
    name = host
    if not name.endswith("]"):
        name, colon, port = host.rpartition(":")
        if not colon:
            name = host
        elif not (port.isascii() and port.isdigit()):
            return False
    if name.lower() == "localhost":
        return True
    try:
        if name.startswith("["):
            return ipaddress.IPv6Address(name[1:-1]).is_loopback
        return ipaddress.IPv4Address(name).is_loopback
    except ValueError:
        return False


def is_from_a_page(request: Request) -> bool:
    """Say whether a browser sent *request* for a page that is not ours."""
    site = request.getHeader("sec-fetch-site")
    return request.getHeader("origin") is not None or site not in {
        None,
        "none",
        "same-origin",
    }


class AdminResource(Resource):
    """
    All paths; nothing but the exact ones is there.

    Args:
        status: What can be asked.
        revoker: Who keeps the list of revocations.
        secret: What whoever reads or changes that list has to know; None where the
            way here, a unix socket, is for operators alone.
        clock: The time.
        near: Only this machine is to get here: others' names in ``Host`` are refused.
    """

    isLeaf = True

    def __init__(
        self,
        status: Status,
        revoker: Revoker,
        secret: str | None,
        clock: IClock,
        *,
        near: bool = True,
    ) -> None:
        super().__init__()
        self._near = near
        self._status = status
        self._secret = secret
        self._revocations = RevocationPages(revoker)
        self._status_pages = StatusPages(status, clock)
        self._pages: dict[bytes, dict[bytes, Page]] = {
            b"/health/live": {b"GET": self._live},
            b"/health/ready": {b"GET": self._ready},
            b"/metrics": {b"GET": self._metrics},
            _REVOCATIONS: {
                b"GET": self._revocations.show,
                b"POST": self._revocations.add,
            },
            _SESSIONS: {b"POST": self._sessions},
            LINK: {b"POST": self._status_pages.link},
            _LOG: {b"POST": self._log_levels},
            _CONFIGURATION: {b"GET": self._configuration},
        }

    def render(self, request: Request) -> int:
        """Answer; HEAD like GET, without the content."""
        method = b"GET" if request.method == b"HEAD" else request.method
        if request.path.startswith(_BROWSERS) and request.path != LINK:
            page: Page = self._status_pages.answer
            refused = self._refuse_elsewhere(request)
        else:
            pages = self._find(request.path)
            refused = self._refuse(request, method, pages)
            page = pages.get(method, _nowhere)
        if refused is not None:
            refused.send(request)
            return NOT_DONE_YET
        answering = Deferred.fromCoroutine(self._answer(request, page))
        # What changes anything is finished, whether somebody waits for it or not.
        leave = answering.cancel if method == b"GET" else _nothing
        request.notifyFinish().addErrback(lambda _: leave())
        return NOT_DONE_YET

    def _find(self, path: bytes) -> dict[bytes, Page]:
        """Give what is at *path*, by methods."""
        parent, _, name = path.rpartition(b"/")
        if parent == _REVOCATIONS and name:
            return {b"DELETE": self._revocations.removing(name.decode("latin-1"))}
        if parent == _EXPLAIN and name:
            return {b"GET": self._explaining(name.decode("latin-1"))}
        return self._pages.get(path, {})

    def _refuse(
        self, request: Request, method: bytes, pages: dict[bytes, Page]
    ) -> Answer | None:
        """Say why *request* is not even looked into, or None."""
        if elsewhere := self._refuse_elsewhere(request):
            return elsewhere
        if is_from_a_page(request):
            return refusal(403, "not for web pages")
        if not pages:
            return refusal(404, "no such page")
        if method not in pages:
            allow = b", ".join([*pages, *([b"HEAD"] if b"GET" in pages else [])])
            return refusal(405, "not this method", (b"allow", allow))
        if request.path.startswith(_FOR_OPERATORS):
            return self._refuse_operator(request)
        return None

    def _refuse_operator(self, request: Request) -> Answer | None:
        """Say why *request* is not an operator's, or None."""
        if request.getHeader("sec-fetch-site") is not None:
            return refusal(403, "not for browsers")
        if self._secret is not None:
            given = request.getHeader(b"authorization") or b""
            if not compare_digest(given, b"Bearer " + self._secret.encode()):
                why = "say Authorization: Bearer and what is in the file admin.secret"
                return refusal(401, why, (b"www-authenticate", b"Bearer"))
        if isinstance(request, BoundedRequest) and request.too_long:
            return refusal(413, f"at most {MOST_OCTETS} octets")
        return None

    def _refuse_elsewhere(self, request: Request) -> Answer | None:
        """Say why *request* is not for this machine, or None."""
        if self._near and not is_local_host(request.getHeader("host") or ""):
            return refusal(421, "name this machine as localhost")
        return None

    async def _answer(self, request: Request, page: Page) -> None:
        try:
            answer = await page(request)
        except CancelledError:  # the client has gone
            return
        except Exception:  # noqa: BLE001
            _log.failure("cannot answer {path}", path=request.path.decode("latin-1"))
            answer = refusal(503, "see the log")
        if request.channel is not None:  # the client is still there
            answer.send(request)

    async def _live(self, _: Request) -> Answer:
        return _health("alive", "dead", await self._status.faults())

    async def _ready(self, _: Request) -> Answer:
        return _health("ready", "not ready", await self._status.probe())

    async def _sessions(self, request: Request) -> Answer:
        return await answer_sessions(self._status.sessions, request)

    async def _log_levels(self, request: Request) -> Answer:
        return await answer_sessions(self._status.log_levels, request)

    async def _configuration(self, _: Request) -> Answer:
        return report(200, self._status.configuration())

    def _explaining(self, id_: str) -> Page:
        """Give what says why the request *id_* was refused."""

        async def explain(_: Request) -> Answer:
            try:
                found = await self._status.refusal(id_)
            except SsoProxyError as e:
                return refusal(503, str(e))
            if found is None:
                why = "no request of this id was refused lately, or it is forgotten"
                return refusal(404, why)
            return report(200, found)

        return explain

    async def _metrics(self, _: Request) -> Answer:
        return Answer(200, _METRICS, (await self._status.metrics()).encode())


async def _nowhere(_: Request) -> Answer:
    return refusal(404, "no such page")


def _health(good: str, bad: str, missing: tuple[str, ...]) -> Answer:
    warnings = [line for line in missing if line.startswith(WARNING)]
    wrong = [line for line in missing if not line.startswith(WARNING)]
    document = {
        "status": bad if wrong else good,
        "missing": wrong,
        "warnings": [line.removeprefix(WARNING) for line in warnings],
    }
    return report(503 if wrong else 200, document)


class _AdminSite(Site):
    noisy = False

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802 - Twisted's
        """Speak HTTP/1.1 alone, whatever is installed."""
        return [b"http/1.1"]

    def log(self, request: HTTPRequest) -> None:
        """Log nothing: health checks come every few seconds."""


def _nothing() -> None:
    pass
