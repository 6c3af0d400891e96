"""
Frames by which a page learns that its user has logged out at the provider.

OpenID Connect Session Management 1.0: a frame of the provider's says whether its
session is still the same, and a frame of ours asks it.  If it is not, a login in a
frame that nobody sees shows whether the same user is still logged in there; if not, the
session here ends, by the rules of `sso_proxy.endpoints.provider_logouts`: the one that
is named, and no other.
"""

import json
from collections.abc import Mapping
from typing import ClassVar, Final

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.silent_logins import TARGET, SilentLogin
from sso_proxy.interfaces import IWatched
from sso_proxy.login import Wanted, Watch
from sso_proxy.model import Headers, Request, Response
from sso_proxy.pages.frames import make_frame
from sso_proxy.session import Opened, Session
from sso_proxy.specs.http.accept import comes_from_own_page
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.http.parameters import is_form, read_parameter

_log = Logger()

_NO_STORE: Final = ("cache-control", "no-store")
_JSON: Final[Headers] = (
    _NO_STORE,
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
)
_TYPE: Final = "sso-proxy-session"
_MOST: Final = 8192
"""Octets of the form that ends a session: two names of at most 1,024 characters."""


class SessionFrames:
    """
    The frames for the logins of one host that have their endpoints in one place.

    Args:
        endpoints: That place, such as ``/.sso/``.
        desks: The ways to log in there, by name.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "iframe/op": ("GET", "HEAD"),
        "iframe/rp": ("GET", "HEAD", "POST"),
        "iframe/again": ("GET",),
    }

    def __init__(self, endpoints: str, desks: Mapping[str, Desk]) -> None:
        self._endpoints = endpoints
        self._desks = desks

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for one of our endpoints; None if it is none of these.

        Raises:
            UnavailableError: It cannot be answered now.
            BadMessageError: It cannot be read.
        """
        desk = self._desks.get(rest)
        if desk is None or not IWatched.providedBy(desk.login):
            return None
        # A page that is left open is no use of the session.
        request = attrs.evolve(request, passive=True)
        opened = await desk.sessions.load(request)
        session = opened.session
        if session is not None and session.identity.authenticator != desk.name:
            session = None
        if name == "iframe/op":
            return await self._answer_op(desk.login, session)
        if name == "iframe/again":
            return await self._log_in(request, desk, session)
        if request.head.method == "POST":
            return await self._end(request, desk, session)
        return await self._answer_rp(desk.name, desk.login, opened, session)

    async def _answer_op(
        self, login: IWatched, session: Session | None
    ) -> Response | None:
        """Lead to the provider's frame."""
        watch = await login.watch(session)
        if watch is None:
            return None
        fields = (("location", watch.url), _NO_STORE)
        return Response(status=302, reason="session-frame", headers=fields)

    async def _answer_rp(
        self, name: str, login: IWatched, opened: Opened, session: Session | None
    ) -> Response | None:
        """Give the page that asks the provider's frame."""
        told = {"type": _TYPE, "authenticator": name}
        if session is None:
            ended = {**told, "status": "ended", "state": ""}
            fields, body = make_frame("told.js", ended, title="Session")
        else:
            watch = await login.watch(session)
            if watch is None or not watch.state:
                return None
            fields, body = self._watching(name, watch)
        return Response(
            status=200,
            reason="session-frame",
            headers=(*fields, *opened.headers),
            body=body,
        )

    def _watching(self, name: str, watch: Watch) -> tuple[Headers, bytes]:
        data = {
            "authenticator": name,
            "provider": watch.origin,
            "client": watch.client_id,
            "state": watch.state,
            "interval": str(watch.interval),
            "again": f"{self._endpoints}iframe/again/{name}",
        }
        return make_frame(
            "watch.js", data, title="Session", inner=watch.url, frames=watch.frames
        )

    async def _log_in(
        self, request: Request, desk: Desk, session: Session | None
    ) -> Response:
        """Begin a login in which nobody is asked anything."""
        if request.head.values("sec-fetch-site") not in ([], ["same-origin"]):
            return _refuse()
        if session is None:
            return SilentLogin(status="gone").page()
        identity = session.identity
        wanted = Wanted(
            target=f"{self._endpoints}{TARGET}{desk.name}",
            endpoints=self._endpoints,
            callback=desk.callback,
            issuer=session.data.get("provider", ""),
            own=True,
            silent_for=(identity.issuer, identity.subject),
        )
        asked = attrs.evolve(request, session=session, sessions=desk.sessions)
        begun = await desk.login.begin(asked, wanted)
        if isinstance(begun, Response) and 300 <= begun.status < 400:
            return begun
        return SilentLogin(status="unknown").page()

    async def _end(
        self, request: Request, desk: Desk, session: Session | None
    ) -> Response:
        """End the session that a page of ours has watched."""
        head = request.head
        if not comes_from_own_page(head, own_origin(head)):
            return _refuse()
        states: list[str] = []
        if request.body is not None and is_form(head):
            form = (await request.body.read(_MOST)).decode("latin-1")
            states = read_parameter(form, "state")
        fields: Headers = ()
        watched = session is not None and session.data.get("session_state") in states
        if session is not None and watched:
            fields = await desk.sessions.end(request)
            _log.info(
                "Request {id}: {subject!r} of {issuer} is not logged in there any more:"
                " session {session} has ended",
                id=request.id,
                subject=session.identity.subject,
                issuer=session.identity.issuer,
                session=session.id,
            )
        told = {"ended": watched, "another": session is not None and not watched}
        return Response(
            status=200,
            reason="logged-out-by-provider" if watched else "session-frame",
            headers=(*_JSON, *fields),
            body=json.dumps(told).encode(),
        )


def _refuse() -> Response:
    return Response(status=403, reason="logout-foreign", headers=(_NO_STORE,))
