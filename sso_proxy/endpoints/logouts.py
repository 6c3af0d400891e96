"""
Logouts: the session here first, then what providers have to do with it.

Only who is at this site logs out: no image, frame or form of another site may do that
to somebody.  What a request means is told by what browsers say of where it comes from;
who cannot be told apart gets a page with a button.

A logout never fails for what a provider does, or does not do: people are told then what
nobody knows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.login_limits import forget_tries
from sso_proxy.endpoints.logout_report import Report
from sso_proxy.errors import BadMessageError, UnavailableError
from sso_proxy.interfaces import ILogout, ISessionStore
from sso_proxy.login import Ended
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.pages.kit import Pages
from sso_proxy.session import Session
from sso_proxy.specs.http.accept import (
    comes_from_own_page,
    is_navigation,
    prefers_html,
)
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.http.parameters import is_form, read_parameter
from sso_proxy.specs.http.return_target import TargetError, read_target

_log = Logger()

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)
_JSON: Final[Headers] = (
    *_NO_STORE,
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
)
_MOST: Final = 4096
"""Octets of a form that logs out."""
_LONG: Final = 1500
"""Octets of a target that fits into a cookie, with all the rest."""


class Logouts:
    """
    The logouts of the routes of one host that have their endpoints in one place.

    Args:
        endpoints: That place, such as ``/.sso/``.
        desks: The ways to log in there, by name.
        pages: Makes pages.
        clear: Gives what takes away cookies for sites beside us.
        stores: Gives what keeps sessions, on whichever host they began.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "logout": ("GET", "HEAD", "POST"),
        "logout/done": ("GET", "HEAD"),
    }

    def __init__(
        self,
        endpoints: str,
        desks: Mapping[str, Desk],
        pages: Pages,
        clear: Callable[[RequestHead], Headers] = lambda _: (),
        stores: Callable[[], Sequence[ISessionStore]] = tuple,
    ) -> None:
        self._endpoints = endpoints
        self._desks = desks
        self._pages = pages
        self._clear = clear
        self._stores = stores

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for one of our endpoints; None if it is none of these.

        Raises:
            BadMessageError: It cannot be read.
            UnavailableError: Nobody knows who has come back.
        """
        if rest:
            return None
        if name == "logout/done":
            return await self._answer_done(request)
        target = await self._read_target(request)
        if not _is_own(request.head):
            return self._ask(request, target)
        return await self.log_out(request, target)

    async def log_out(
        self, request: Request, target: str = "", *, everywhere: bool = False
    ) -> Response:
        """
        End what there is here, then tell the providers.

        Args:
            request: Whose sessions; it has to be known that they want that.
            target: Where they go on, on this host; empty: to a page that says what is
                known.
            everywhere: Whether all of the user's other sessions end, too.
        """
        try:
            sessions, headers = await self._end_here(request, everywhere=everywhere)
        except UnavailableError as e:
            _log.warn("Request {id}: no logout: {what}", id=request.id, what=e.what)
            again = f"{self._endpoints}logout"
            return Response(
                status=503, reason="logout-failed", headers=_NO_STORE, again=again
            )
        report, away, by, kept = Report(ended=bool(sessions), target=target), "", "", {}
        for session, store in sessions:
            name = session.identity.authenticator
            ended = await self._end_there(request, session, store)
            if ended.revoked is not None:
                report = report.tell(name, "tokens", done=ended.revoked)
            if ended.url and not away:
                away, by, kept = ended.url, name, dict(ended.kept)
            elif name in self._desks:
                report = report.admit(name, "provider")
        if not away:
            return self._tell(request, report, headers + _farewell(sessions))
        headers += self._keep(report, by, kept)
        return _send(request.head, report, away, headers)

    async def _end_here(
        self, request: Request, *, everywhere: bool
    ) -> tuple[list[tuple[Session, ISessionStore]], Headers]:
        """
        End the sessions of *request*, and take its cookies away.

        Raises:
            UnavailableError: One could not be ended: whoever has a copy of its cookie
                could go on.
        """
        stores = {id(desk.sessions): desk.sessions for desk in self._desks.values()}
        ended: list[tuple[Session, ISessionStore]] = []
        headers: Headers = self._clear(request.head)
        for store in stores.values():
            session = (await store.load(request)).session
            if session is not None and everywhere:
                await self._end_others(session, store)
            headers += await store.end(request)
            if session is not None:
                ended.append((session, store))
                _log.info(
                    "Request {id}: {subject!r} of {issuer} logged out: session"
                    " {session}",
                    id=request.id,
                    subject=session.identity.subject,
                    issuer=session.identity.issuer,
                    session=session.id,
                )
        if ended:
            # Who logs out and in again has a browser that keeps what it is given.
            headers += forget_tries()
        return ended, headers

    async def _end_others(self, session: Session, store: ISessionStore) -> None:
        """
        End all sessions of a user, wherever they began.

        Raises:
            UnavailableError: They cannot be ended now.
        """
        known = session.identity
        stores = (store, *self._stores())
        for each in {id(each): each for each in stores}.values():
            if each.revocable:
                await each.revoke_user(known.issuer, known.subject)

    async def _end_there(
        self, request: Request, session: Session, store: ISessionStore
    ) -> Ended:
        """Have the provider of *session* do what it can."""
        desk = self._desks.get(session.identity.authenticator)
        if desk is None or not ILogout.providedBy(desk.login):
            return Ended()
        login: Any = desk.login
        asked = attrs.evolve(request, session=session, sessions=store)
        back = f"{own_origin(request.head)}{self._endpoints}logout/done"
        try:
            ended: Ended = await login.end(asked, session, back)
        except CancelledError:
            raise
        except Exception:  # noqa: BLE001 - nobody stays logged in for that
            _log.failure("Request {id}: {name} failed", id=request.id, name=desk.name)
            return Ended(revoked=False)
        if ended.detail:
            _log.warn(
                "Request {id}: not all is known of the logout at {name}: {detail}",
                id=request.id,
                name=desk.name,
                detail=ended.detail,
            )
        return ended

    def _keep(self, report: Report, by: str, kept: Mapping[str, Any]) -> Headers:
        """Have the browser keep what is known until it comes back."""
        state = {"by": by, "kept": dict(kept), "report": report.as_json()}
        try:
            fields: Headers = self._states.begin(state)
        except ValueError:  # a target that takes more room than it has characters
            state["report"] = attrs.evolve(report, target="").as_json()
            fields = self._states.begin(state)
        return fields

    async def _answer_done(self, request: Request) -> Response:
        """Say what is known to who comes back from a provider."""
        state, headers = self._states.take(request)
        if state is None:
            return await self._answer_stranger(request, headers)
        report, by = Report.from_json(state["report"]), state["by"]
        desk = self._desks.get(by)
        login: Any = None if desk is None else desk.login
        done = ILogout.providedBy(login) and login.confirm(request, state["kept"])
        if not done:
            _log.info("Request {id}: nobody began this logout", id=request.id)
        return self._tell(request, report.tell(by, "provider", done=done), headers)

    async def _answer_stranger(self, request: Request, headers: Headers) -> Response:
        """Answer who has begun no logout here, or too long ago."""
        stores = {id(desk.sessions): desk.sessions for desk in self._desks.values()}
        for store in stores.values():
            opened = await store.load(request)
            if opened.session is not None:
                answer = self._ask(request, "")
                fields = (*answer.headers, *opened.headers, *headers)
                return attrs.evolve(answer, headers=fields)
        report = Report(ended=False).tell("", "answer", done=False)
        return self._tell(request, report, headers)

    def _tell(self, request: Request, report: Report, headers: Headers) -> Response:
        """Say what is known, or go on if all went well and that is wanted."""
        head = request.head
        if (report.target and not report.failed) or not prefers_html(head):
            return _send(head, report, report.target, headers)
        page, body = self._pages.logged_out(
            head,
            request.id,
            here=report.ended,
            confirmed=[(w, self._title(name)) for w, name in report.confirmed],
            unknown=[(w, self._title(name)) for w, name in report.unknown],
            again=report.target,
        )
        return Response(
            status=200, reason="logged-out", headers=(*page, *headers), body=body
        )

    def _ask(self, request: Request, target: str) -> Response:
        """Ask somebody whether they want to log out; nothing has happened."""
        if not prefers_html(request.head):
            return Response(status=403, reason="logout-foreign", headers=_NO_STORE)
        action = f"{self._endpoints}logout"
        page, body = self._pages.logout(action, target, request.head, request.id)
        return Response(status=200, reason="logout-ask", headers=page, body=body)

    async def _read_target(self, request: Request) -> str:
        """
        Give where somebody wants to be afterwards; empty if nobody must be sent there.

        That they want to log out counts in any case.
        """
        head = request.head
        try:
            values = read_parameter(head.query, "to")
            if not values and head.method == "POST" and is_form(head) and request.body:
                content = await request.body.read(_MOST)
                values = read_parameter(content.decode("latin-1"), "to")
            target = values[0] if len(values) == 1 else ""
            if target:
                target = read_target(
                    target, host=head.host, port=head.port, scheme=head.scheme
                )
        except (BadMessageError, TargetError) as e:
            _log.info("Request {id}: no target: {why}", id=request.id, why=str(e))
            return ""
        if len(target) > _LONG or target.startswith(self._endpoints):
            return ""
        return target

    def _title(self, name: str) -> str:
        """Give what people know a provider by."""
        desk = self._desks.get(name)
        return name if desk is None else desk.login.title

    @property
    def _states(self) -> Any:  # noqa: ANN401
        """What keeps logouts in browsers: that of the first desk is as good as any."""
        return next(iter(self._desks.values())).sessions.logouts


def _farewell(sessions: Sequence[tuple[Session, ISessionStore]]) -> Headers:
    """Have a browser forget that *sessions*, which have ended, were bound to it."""
    bound = [store for session, store in sessions if session.device]
    return tuple(
        field
        for store in bound
        if store.devices is not None
        for field in store.devices.farewell()
    )


def _is_own(head: RequestHead) -> bool:
    """
    Say whether somebody at this site, or at the address bar, asks to log out (C40).

    A browser says of each request where it comes from, and no page can change that.
    """
    if head.method == "POST":
        return comes_from_own_page(head, own_origin(head))
    sites = head.values("sec-fetch-site")
    return (
        head.method == "GET"
        and is_navigation(head)
        and sites in (["same-origin"], ["none"])
    )


def _send(
    head: RequestHead, report: Report, location: str, headers: Headers
) -> Response:
    """Send a browser on, or tell a script, which cannot follow to another site."""
    if prefers_html(head):
        fields = (*_NO_STORE, ("location", location), *headers)
        return Response(status=303, reason="logout", headers=_once(fields))
    told = {
        "ended": report.ended,
        "confirmed": [*map(list, report.confirmed)],
        "unknown": [*map(list, report.unknown)],
        "location": location or None,
    }
    body = json.dumps(told).encode() + b"\n"
    fields = (*_JSON, *headers)
    return Response(status=200, reason="logout", headers=_once(fields), body=body)


def _once(headers: Headers) -> Headers:
    """Say only once that nobody may keep the answer."""
    return tuple(dict.fromkeys(headers))
