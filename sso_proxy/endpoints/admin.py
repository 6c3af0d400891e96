"""
The listener for operators: ``/health/live``, ``/health/ready`` and ``/metrics``.

It is reachable from this machine only, and a browser on this machine must not be made
to read it for a web page elsewhere: only loopback names are accepted in ``Host`` (a
name that was rebound to 127.0.0.1 is another one), nothing is answered to requests that
a page of another origin sends, and no CORS field is ever sent.
"""

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.model import WARNING

_log = Logger()

_REASONS = {421: b"Misdirected Request"}
"""What Twisted does not know."""
_METRICS = b"text/plain; version=0.0.4; charset=utf-8"


class Status(Protocol):
    """What can be asked of the running proxy."""

    async def faults(self) -> tuple[str, ...]:
        """Say what does not run or does not answer; empty if all is alive."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing to serve; empty if nothing is."""

    async def metrics(self) -> str:
        """Give the Prometheus text."""


def build_admin_site(status: Status, reactor: Any) -> Site:  # noqa: ANN401
    """Make the site that tells *status*."""
    return _AdminSite(AdminResource(status), reactor=reactor)


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


@attrs.frozen
class _Answer:
    status: int
    content_type: bytes
    body: bytes


class AdminResource(Resource):
    """All paths; nothing but the exact ones is there."""

    isLeaf = True

    def __init__(self, status: Status) -> None:
        super().__init__()
        self._status = status
        self._pages: dict[bytes, Callable[[], Awaitable[_Answer]]] = {
            b"/health/live": self._live,
            b"/health/ready": self._ready,
            b"/metrics": self._metrics,
        }

    def render(self, request: Request) -> int:
        """Answer GET and, without the content, HEAD."""
        page = self._pages.get(request.path)
        if request.method not in {b"GET", b"HEAD"}:
            request.setHeader(b"allow", b"GET, HEAD")
            _send(request, _refusal(405, "only GET and HEAD"))
        elif not is_local_host(request.getHeader("host") or ""):
            _send(request, _refusal(421, "name this machine as localhost"))
        elif is_from_a_page(request):
            _send(request, _refusal(403, "not for web pages"))
        elif page is None:
            _send(request, _refusal(404, "no such page"))
        else:
            answering = Deferred.fromCoroutine(self._answer(request, page))
            request.notifyFinish().addErrback(lambda _: answering.cancel())
        return NOT_DONE_YET

    async def _answer(
        self, request: Request, page: Callable[[], Awaitable[_Answer]]
    ) -> None:
        try:
            answer = await page()
        except CancelledError:  # the client has gone
            return
        except Exception:  # noqa: BLE001
            _log.failure("cannot answer {path}", path=request.path.decode("latin-1"))
            answer = _refusal(503, "see the log")
        _send(request, answer)

    async def _live(self) -> _Answer:
        return _report("alive", "dead", await self._status.faults())

    async def _ready(self) -> _Answer:
        return _report("ready", "not ready", await self._status.probe())

    async def _metrics(self) -> _Answer:
        return _Answer(200, _METRICS, (await self._status.metrics()).encode())


def _send(request: Request, answer: _Answer) -> None:
    request.setResponseCode(answer.status, _REASONS.get(answer.status))
    request.setHeader(b"cache-control", b"no-store")
    request.setHeader(b"x-content-type-options", b"nosniff")
    request.setHeader(b"content-type", answer.content_type)
    request.setHeader(b"content-length", str(len(answer.body)).encode())
    request.write(answer.body)
    request.finish()


def _refusal(status: int, why: str) -> _Answer:
    return _Answer(status, b"text/plain; charset=utf-8", f"{why}\n".encode())


def _report(good: str, bad: str, missing: tuple[str, ...]) -> _Answer:
    warnings = [line for line in missing if line.startswith(WARNING)]
    wrong = [line for line in missing if not line.startswith(WARNING)]
    report = {
        "status": bad if wrong else good,
        "missing": wrong,
        "warnings": [line.removeprefix(WARNING) for line in warnings],
    }
    body = json.dumps(report).encode() + b"\n"
    return _Answer(503 if wrong else 200, b"application/json", body)


class _AdminSite(Site):
    noisy = False

    def log(self, request: HTTPRequest) -> None:
        """Log nothing: health checks come every few seconds."""
