"""Routes whose backend is being worked on: what callers are told meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClosable, ITools
from sso_proxy.model import Headers, Request, Response
from sso_proxy.specs.http.accept import prefers_html
from sso_proxy.specs.http.forwarded import trusted_ranges

_log = Logger()

PERIOD: Final = 0.5
"""Seconds between two looks whether the file is there."""

_MOST: Final = 262144
_SAFE: Final[Headers] = (
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
)
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HTML: Final[Headers] = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", _POLICY),
    *_SAFE,
)
_JSON: Final[Headers] = (("content-type", "application/json"), *_SAFE)


@implementer(IClosable)
class FileWatch:
    """
    Knows whether a file is there.

    Attributes:
        there: It is.

    Args:
        path: Its name.
        reactor: Calls to look, or None: then nobody looks again.
        changed: Called when it has come or gone.
    """

    def __init__(self, path: str, reactor: Any, changed: Callable[[], None]) -> None:  # noqa: ANN401
        self._path = Path(path)
        self._changed = changed
        self.there = self._path.exists()
        self._loop = LoopingCall(self._look)
        if reactor is not None:
            self._loop.clock = reactor
            self._loop.start(PERIOD, now=False)

    def close(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()

    def _look(self) -> None:
        there = self._path.exists()
        if there == self.there:
            return
        self.there = there
        state = "begins" if there else "ends"
        _log.info("Maintenance {state}: {path}", state=state, path=str(self._path))
        self._changed()


@attrs.frozen(kw_only=True)
class Maintenance:
    """
    Answers for a backend, if it is being worked on.

    Attributes:
        on: It is, until the next reload.
        file: It is while this is there; None: there is no such file.
        lets_through: Says of an address that it gets to the backend all the same.
        retry_after: Seconds.
        html: The page for people, or empty for the usual one.
        json: The document for programs, or empty for the usual one.
    """

    on: bool
    file: FileWatch | None
    lets_through: Callable[[str], bool]
    retry_after: int
    html: bytes = attrs.field(repr=False)
    json: bytes = attrs.field(repr=False)

    def answer(self, request: Request) -> Response | None:
        """Answer *request*; None if it may pass."""
        if not (self.on or (self.file is not None and self.file.there)):
            return None
        if self.lets_through(request.client.address):
            return None
        later = ("retry-after", str(self.retry_after))
        body, fields = self.json, _JSON
        if prefers_html(request.head):
            body, fields = self.html, _HTML
        return Response(
            status=503,
            reason="maintenance",
            headers=(later, *fields) if body else (later,),
            body=body,
        )


def build_maintenance(
    path: str, route: RouteConfig, tools: ITools
) -> Maintenance | None:
    """
    Make what answers for the backend of *route*, if anything may.

    What was decided before is decided anew whenever the file comes or goes.

    Raises:
        ConfigError: A page of its own cannot be read.
    """
    options = route.maintenance
    if options is None:
        return None
    path = join(path, "maintenance")
    watch = None
    if (name := options.file) is not None:
        watch = tools.shared(
            ("maintenance", name),
            lambda: FileWatch(name, tools.reactor, tools.decide_anew),
        )
    return Maintenance(
        on=options.on,
        file=watch,
        lets_through=trusted_ranges(options.allow),
        retry_after=options.retry_after,
        html=_read(join(path, "html"), options.html),
        json=_read(join(path, "json"), options.json),
    )


def _read(path: str, name: str | None) -> bytes:
    if name is None:
        return b""
    try:
        with Path(name).open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError as e:
        raise ConfigError(Mistake(path, f"cannot be read: {e.strerror}")) from e
    if not data or len(data) > _MOST:
        raise ConfigError(Mistake(path, f"must have 1 to {_MOST} octets"))
    return data
