"""
Sessions that end because their provider says so, itself or by a frame in a browser.

What is not the provider's ends nothing that it does not name: anybody can send a
browser, or a message, here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk
from sso_proxy.interfaces import ILogout, ISessionStore
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.session import Session

_log = Logger()

_NO_STORE: Final = ("cache-control", "no-store")
_JSON: Final[Headers] = (
    _NO_STORE,
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
)
_PAGE: Final = b"<!DOCTYPE html>\n<title>Logged out</title>\n"

StoresOf = Callable[[str], Sequence[ISessionStore]]
"""Gives all sessions that an authenticator's logins begin, on whichever host."""


class ProviderLogouts:
    """
    The logouts by providers of the logins of one host.

    Args:
        desks: The ways to log in there, by name.
        stores_of: Gives the sessions of a way to log in.
        clear: Gives what takes away cookies for sites beside us, from a frame.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "logout/backchannel": ("POST",),
        "logout/frontchannel": ("GET",),
    }

    def __init__(
        self,
        desks: Mapping[str, Desk],
        stores_of: StoresOf,
        clear: Callable[[RequestHead], Headers] = lambda _: (),
    ) -> None:
        self._desks = desks
        self._stores_of = stores_of
        self._clear = clear

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for one of our endpoints; None if it is none of these.

        Raises:
            UnavailableError: Sessions cannot be ended now, or nobody knows whose.
        """
        desk = self._desks.get(rest)
        if desk is None or not ILogout.providedBy(desk.login):
            return None
        if name == "logout/backchannel":
            return await self._answer_provider(request, desk, desk.login)
        return await self._answer_browser(request, desk, desk.login)

    async def _answer_provider(
        self, request: Request, desk: Desk, login: ILogout
    ) -> Response:
        """Do as the provider says (Back-Channel Logout sections 2.7 and 2.8)."""
        notice = await login.back_channel(request)
        if isinstance(notice, Response):
            return notice
        stores = self._stores_of(desk.name)
        for store in stores:
            if store.revocable:
                await _end(store, notice)
        if not all(store.revocable for store in stores):
            # The provider must not believe that they have ended.
            _log.error(
                "Request {id}: the provider of {name} ends sessions that only browsers"
                " can end: see cache and listed in [session]",
                id=request.id,
                name=desk.name,
            )
            return _refuse(
                "logout_failed", "sessions are kept where nobody can end them"
            )
        if not await login.settled(notice):
            return _refuse("invalid_request", "the logout token came before")
        self._tell(request, desk, notice)
        return Response(
            status=200, reason="logged-out-by-provider", headers=_JSON, body=b"{}"
        )

    async def _answer_browser(
        self, request: Request, desk: Desk, login: ILogout
    ) -> Response:
        """Do as a frame of the provider's says (Front-Channel Logout section 3)."""
        opened = await desk.sessions.load(request)
        request = attrs.evolve(request, session=opened.session, sessions=desk.sessions)
        notice = await login.front_channel(request)
        if isinstance(notice, Response):
            return notice
        cookies, own, named = opened.headers, False, False
        if opened.session is not None and _is_meant(opened.session, desk, notice):
            cookies, own = await desk.sessions.end(request), True
            self._tell(request, desk, notice)
        if notice.sid is not None:
            # Nothing is written for a name that nobody has: anybody can make them up.
            for store in self._stores_of(desk.name):
                if await store.find_sid(notice.issuer, notice.sid):
                    await store.revoke_sid(notice.issuer, notice.sid)
                    self._tell(request, desk, notice)
                    named = True
        # Without its cookie, which seldom comes with a frame, the browser's session is
        # taken for the one that has ended: it costs a session to be wrong about that.
        if own or (named and opened.session is None):
            cookies += self._clear(request.head)
        return Response(
            status=200,
            reason="logged-out-by-provider",
            headers=(*_page_headers(notice), *cookies),
            body=_PAGE,
        )

    def _tell(self, request: Request, desk: Desk, notice: LogoutNotice) -> None:
        _log.info(
            "Request {id}: the provider of {name} has ended sessions of {subject!r},"
            " {sid!r} of {issuer}",
            id=request.id,
            name=desk.name,
            subject=notice.subject,
            sid=notice.sid,
            issuer=notice.issuer,
        )


async def _end(store: ISessionStore, notice: LogoutNotice) -> None:
    """End what *notice* names: one session at the provider, or all of a user."""
    if notice.sid is not None:
        await store.revoke_sid(notice.issuer, notice.sid)
    elif notice.subject is not None:
        await store.revoke_user(notice.issuer, notice.subject)


def _is_meant(session: Session, desk: Desk, notice: LogoutNotice) -> bool:
    """
    Say whether the browser's own session is the one that *notice* is about.

    A provider that names its sessions does so here, too: else any page could log
    somebody out by a frame.
    """
    identity = session.identity
    return (
        identity.authenticator == desk.name
        and session.data.get("sid") == notice.sid
        and (notice.sid is None or identity.issuer == notice.issuer)
    )


def _page_headers(notice: LogoutNotice) -> Headers:
    """Give the fields of a page that does nothing, and that the provider may frame."""
    frames = " ".join(notice.frames) or "'none'"
    return (
        _NO_STORE,
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", f"default-src 'none'; frame-ancestors {frames}"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    )


def _refuse(error: str, description: str) -> Response:
    body = {"error": error, "error_description": description}
    return Response(
        status=400,
        reason="logout-notice",
        headers=_JSON,
        body=json.dumps(body).encode(),
    )
