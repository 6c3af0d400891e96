"""
The page at the root of our endpoints: who somebody is here, and their sessions.

It shows nobody but who has logged in, and nothing but what is theirs.  A session is
what its store says it is: whoever has a copy of its cookie, and not the key that it is
bound to, has none.  What ends sessions is a form of this page and no other site's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk, Part, Starting
from sso_proxy.endpoints.logouts import Logouts
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, ISessionStore
from sso_proxy.model import Headers, Identity, Request, RequestHead, Response
from sso_proxy.pages.kit import Pages
from sso_proxy.session import DEVICE_MISSING, Session, SessionEntry
from sso_proxy.specs.http.accept import (
    comes_from_own_page,
    is_form_submission,
    is_navigation,
)
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.http.parameters import is_form, read_parameter

_log = Logger()

NamesOf = Callable[[str, str, Identity], Awaitable[tuple[str, ...] | None]]
"""Gives what applications call somebody (`sso_proxy.account_names.AccountNames`)."""

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)
# Whoever has opened this page from another origin gets no hold on its window.
_ALONE: Final[Headers] = (
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
_MOST: Final = 4096
"""Octets of a form of this page."""
_CALLED: Final = ("name", "preferred_username", "email")
"""Claims that say what somebody is called, the best first."""
_LONGEST: Final = 200
"""Characters of what somebody is called."""
_MOST_LINES: Final = 100
"""Sessions that the page lists; who has more, has them by a program."""
_OUTCOMES: Final = ("ended", "gone")
"""What the page says of a session that was to be ended."""
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0
_DAY: Final = 86400.0


@attrs.frozen
class Moment:
    """
    A time, as people think of it.

    Attributes:
        iso: The time, in UTC (RFC 3339).
        unit: How far it is away: ``now``, or what *count* counts: ``minutes``,
            ``hours`` or ``days``.
        count: How many of these.
    """

    iso: str
    unit: str
    count: int


@attrs.frozen(kw_only=True)
class Line:
    """
    A session of a list.

    Attributes:
        id: Its `Session.id`.
        this: Whether it is the one that the page is asked for with.
        created: When the login was.
        used: When it was last used, or None if that is not known.
        bound: Whether it is bound to a key; None if sessions here never are.
    """

    id: str
    this: bool
    created: Moment
    used: Moment | None
    bound: bool | None


@attrs.frozen(kw_only=True)
class Account:
    """
    What the page tells of a session, and of its user.

    Attributes:
        person: What they are called by who has vouched for them; may be empty.
        names: What applications call them; None if nobody knows at present.
        provider: What people know the login by.
        created: When it was.
        expires: When the session ends in any case.
        idle: When it ends if nobody uses it any more.
        bound: Kinds of keys that it is bound to.
        sessions: Those that the user has, this one first; None if there is no list.
        more: How many there are besides.
    """

    person: str
    names: tuple[str, ...] | None
    provider: str
    created: Moment
    expires: Moment
    idle: Moment
    bound: tuple[str, ...]
    sessions: tuple[Line, ...] | None
    more: int = 0


@attrs.frozen
class _Own:
    """
    A session of the browser that asks.

    Attributes:
        session: The session.
        desk: The login that began it.
    """

    session: Session
    desk: Desk


@attrs.frozen
class _Found:
    """
    What a browser came with.

    Attributes:
        own: Its sessions.
        headers: Fields for the answer.
        refused: Why one is not used although its cookie came; else empty.
    """

    own: tuple[_Own, ...]
    headers: Headers
    refused: str


class Accounts:
    """
    The page for the routes of one host that have their endpoints in one place.

    Args:
        endpoints: That place, such as ``/.sso/``.
        desks: The ways to log in there, by name.
        pages: Makes pages.
        clock: The time.
        logins: Begins logins there.
        logouts: Ends them.
        names: Gives what applications call people.
        stores: Gives what keeps sessions, on whichever host they began.
        ask_again: Has a browser come again that could prove no device, as it follows a
            link of another site; None if that is no use.
        document: Answers programs that ask for the same path; None: nothing does.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {"": ("GET", "HEAD", "POST")}

    def __init__(  # noqa: PLR0913
        self,
        endpoints: str,
        desks: Mapping[str, Desk],
        *,
        pages: Pages,
        clock: IClock,
        logins: Starting,
        logouts: Logouts,
        names: NamesOf,
        stores: Callable[[], Sequence[ISessionStore]] = tuple,
        ask_again: Callable[[Request], Response | None] = lambda _: None,
        document: Part | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._desks = desks
        self._pages = pages
        self._clock = clock
        self._logins = logins
        self._logouts = logouts
        self._names = names
        self._stores = stores
        self._ask_again = ask_again
        self._document = document

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for the page, or for what it does.

        Raises:
            BadMessageError: It cannot be read.
            UnavailableError: Nobody knows whose session this is.
        """
        if rest:
            return None
        head = request.head
        if head.method == "POST":
            return await self._act(request)
        # Some programs ask for HTML by name, and no program says that it navigates.
        if self._document and head.values("sec-fetch-mode") != ["navigate"]:
            response = await self._document.answer(request, name, rest)
            if response is not None:
                return response
        if not is_navigation(head):
            return Response(status=401, reason="no-navigation", headers=_NO_STORE)
        found = await self._find(request)
        if found.own:
            return await self._show(request, found)
        response = await self._invite(request, found)
        return attrs.evolve(response, headers=(*response.headers, *found.headers))

    async def _find(self, request: Request) -> _Found:
        """
        Find the sessions of a browser that logins of this host have begun.

        Raises:
            UnavailableError: A store cannot say.
        """
        stores = {id(desk.sessions): desk.sessions for desk in self._desks.values()}
        own: list[_Own] = []
        headers: Headers = ()
        refused = ""
        for store in stores.values():
            opened = await store.load(request)
            headers += opened.headers
            refused = refused or opened.refused
            session = opened.session
            if session is None:
                continue
            desk = self._desks.get(session.identity.authenticator)
            if desk is not None and desk.sessions is store:
                own.append(_Own(session, desk))
        return _Found(tuple(own), headers, refused)

    async def _invite(self, request: Request, found: _Found) -> Response:
        """Have somebody log in, or say why their session is not used."""
        if found.refused:
            again = None
            if found.refused == DEVICE_MISSING:
                again = self._ask_again(request)
            return again or Response(
                status=403,
                reason=found.refused,
                headers=_NO_STORE,
                again=f"{self._endpoints}login?to={self._endpoints}",
            )
        asked = attrs.evolve(request, head=attrs.evolve(request.head, query=None))
        begun = await self._logins.start(asked, tuple(self._desks))
        return begun or Response(status=401, reason="no-session", headers=_NO_STORE)

    async def _act(self, request: Request) -> Response:
        """Do what a form of the page says."""
        head = request.head
        own = comes_from_own_page(head, own_origin(head))
        if not own or not is_form_submission(head):
            return Response(status=403, reason="logout-foreign", headers=_NO_STORE)
        do, session_id = await _read_form(request)
        found = await self._find(request)
        if not found.own:  # who looks at the page hears why
            return self._send("", found.headers)
        if do == "everywhere" and self._reaches(found):
            return await self._logouts.log_out(request, everywhere=True)
        if do == "end":
            return await self._end_one(request, found, session_id)
        return Response(status=400, reason="account-form", headers=found.headers)

    async def _end_one(
        self, request: Request, found: _Found, session_id: str
    ) -> Response:
        """
        End one of somebody's sessions, if it is.

        Raises:
            UnavailableError: It cannot be ended now.
        """
        for own in found.own:
            if own.session.id == session_id:
                return await self._logouts.log_out(request)
            if await self._end(request, own, session_id):
                return self._send("ended", found.headers)
        return self._send("gone", found.headers)

    async def _end(self, request: Request, own: _Own, session_id: str) -> bool:
        """
        End a session of the user of *own*; False if that user has no such session.

        Ids are no secrets: somebody else's must end nothing.

        Raises:
            UnavailableError: It cannot be ended now.
        """
        known = own.session.identity
        listed = await own.desk.sessions.sessions_of(known.issuer, known.subject)
        if session_id not in {entry.id for entry in listed}:
            return False
        if not await own.desk.sessions.revoke(session_id):
            return False
        _log.info(
            "Request {id}: {subject!r} of {issuer} ended a session of theirs:"
            " session {session}",
            id=request.id,
            subject=known.subject,
            issuer=known.issuer,
            session=session_id,
        )
        return True

    def _send(self, outcome: str, headers: Headers) -> Response:
        """Have a browser look at the page, so that a reload does nothing again."""
        place = f"{self._endpoints}?{outcome}" if outcome else self._endpoints
        fields = (("location", place), *_NO_STORE, *headers)
        return Response(status=303, reason="account-done", headers=fields)

    async def _show(self, request: Request, found: _Found) -> Response:
        """Make the page."""
        head, now = request.head, self._clock.time()
        headers, body = self._pages.render(
            "account",
            head=head,
            request_id=request.id,
            accounts=tuple([await self._tell(head, own, now) for own in found.own]),
            action=self._endpoints,
            logout=f"{self._endpoints}logout",
            everywhere=self._reaches(found),
            but=not all(store.revocable for store in self._stores()),
            outcome=_outcome_of(head),
        )
        fields = (*headers, *_ALONE, *found.headers)
        return Response(status=200, reason="account", headers=fields, body=body)

    def _reaches(self, found: _Found) -> bool:
        """Say whether sessions elsewhere than in this browser can be ended."""
        return any(own.desk.sessions.revocable for own in found.own)

    async def _tell(self, head: RequestHead, own: _Own, now: float) -> Account:
        """Say what there is to say of a session."""
        session, store = own.session, own.desk.sessions
        known = session.identity
        listed: Sequence[SessionEntry] = ()
        try:
            listed = await store.sessions_of(known.issuer, known.subject)
            lines = _lines(listed, session, now, binds=bool(store.binds))
        except UnavailableError:
            lines = None
        expires = session.expires
        return Account(
            person=_person_of(known),
            names=await self._names(head.host, self._endpoints, known),
            provider=own.desk.login.title,
            created=moment(session.created, now),
            expires=moment(expires, now),
            idle=moment(min(store.inactive_at(session), expires), now),
            bound=(*session.keys, *(("device",) if session.device else ())),
            sessions=lines,
            more=max(len(listed) - _MOST_LINES, 0),
        )


def moment(at: float, now: float) -> Moment:
    """Say how far away a time is, in seconds since the epoch as *now* is."""
    iso = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    away = abs(at - now)
    if away < _MINUTE / 2:
        return Moment(iso, "now", 0)
    for unit, seconds, most in (
        ("minutes", _MINUTE, 2 * _HOUR),
        ("hours", _HOUR, 2 * _DAY),
    ):
        if away < most:
            return Moment(iso, unit, round(away / seconds))
    return Moment(iso, "days", round(away / _DAY))


def _lines(
    listed: Sequence[SessionEntry], session: Session, now: float, *, binds: bool
) -> tuple[Line, ...]:
    """Give a list for people: this session first, then those used last."""

    def rank(entry: SessionEntry) -> tuple[bool, float]:
        last = entry.created if entry.used is None else entry.used
        return (entry.id == session.id, last)

    lines = []
    for entry in sorted(listed, key=rank, reverse=True)[:_MOST_LINES]:
        used = None if entry.used is None else moment(entry.used, now)
        lines.append(
            Line(
                id=entry.id,
                this=entry.id == session.id,
                created=moment(entry.created, now),
                used=used,
                bound=bool(entry.keys or entry.device) if binds else None,
            )
        )
    return tuple(lines)


def _person_of(identity: Identity) -> str:
    """Give what people recognise themselves by, where a subject may be a number."""
    for claim in _CALLED:
        value = identity.claims.get(claim)
        if isinstance(value, str) and value.strip():
            return value.strip()[:_LONGEST]
    return ""


def _outcome_of(head: RequestHead) -> str:
    """Give what has just been done; other sites' links cannot say so."""
    if head.query in _OUTCOMES and head.values("sec-fetch-site") == ["same-origin"]:
        return head.query
    return ""


async def _read_form(request: Request) -> tuple[str, str]:
    """
    Give what a form of the page says to do, and with which session.

    Raises:
        BadMessageError: It is too long, or can be read in two ways.
    """
    if request.body is None or not is_form(request.head):
        return "", ""
    text = (await request.body.read(_MOST)).decode("latin-1")
    done, ids = read_parameter(text, "do"), read_parameter(text, "session")
    if len(done) != 1 or len(ids) > 1:
        return "", ""
    return done[0], ids[0] if ids else ""
