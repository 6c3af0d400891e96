"""
Logins with a browser: from the request that needs one to the one that gets through.

Which protocol is spoken with whom is the authenticators' business (`ILogin`); what is
here holds for all of them.  A login begins where somebody looks at a page, or sends a
form, and has no session; it ends with a session and where it began.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.jwks import answer_jwks
from sso_proxy.endpoints.login_choice import (
    LONG,
    ChoiceError,
    choice_url,
    read_asked,
    write_choice,
)
from sso_proxy.endpoints.login_limits import (
    AddressLimit,
    count_try,
    forget_tries,
    is_going_round,
)
from sso_proxy.endpoints.openid_pages import (
    AWAY,
    ask_for,
    lead_away,
    show_identifier,
)
from sso_proxy.endpoints.password_form import show_form
from sso_proxy.endpoints.posted import give_posted, keep_posted
from sso_proxy.endpoints.silent_logins import judge_silent
from sso_proxy.errors import SessionTooLargeError
from sso_proxy.interfaces import IClock
from sso_proxy.login import (
    Finished,
    FormAway,
    InFragment,
    OpenIdShown,
    PasswordForm,
    Question,
    Wanted,
    Wishes,
)
from sso_proxy.model import Headers, Refusal, Request, RequestHead, Response
from sso_proxy.pages.kit import Pages
from sso_proxy.specs.http.accept import (
    is_form_submission,
    is_navigation,
)
from sso_proxy.specs.http.return_target import TargetError, read_target
from sso_proxy.specs.jose.public_jwk import PublicKey

_log = Logger()

NO_STORE: Final[Headers] = (("cache-control", "no-store"),)

RESTORE_FIELD: Final = "__sso_restore"
"""The field of the form that goes on with what was posted before the login."""
RESTORE_OCTETS: Final = len(RESTORE_FIELD) + 1 + 43
"""Octets of that form, always."""


class Logins:
    """
    The logins of the routes of one host that have their endpoints in one place.

    Args:
        endpoints: That place, such as ``/.sso/``.
        desks: The ways to log in there, by name.
        pages: Makes pages.
        limit: How many may begin.
        clock: The time.
        keys: Public keys of ours besides those that the logins have.
        wishes_at: Gives what the route of a host and a path asks of logins.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "login": ("GET", "HEAD", "POST"),
        "callback": ("GET", "HEAD", "POST"),
        "jwks": ("GET", "HEAD"),
        "request": ("GET", "HEAD", "POST"),
    }

    def __init__(  # noqa: PLR0913
        self,
        endpoints: str,
        desks: Mapping[str, Desk],
        *,
        pages: Pages,
        limit: AddressLimit,
        clock: IClock,
        keys: Sequence[PublicKey] = (),
        wishes_at: Callable[[str, str], Wishes | None] = lambda _host, _path: None,
    ) -> None:
        self._endpoints = endpoints
        self._desks = desks
        self._pages = pages
        self._limit = limit
        self._clock = clock
        self._keys = keys
        self._wishes_at = wishes_at

    async def start(
        self, request: Request, names: Sequence[str], refusal: Refusal | None = None
    ) -> Response | None:
        """Have somebody log in, if they look at what comes (`Starting.start`)."""
        head = request.head
        posted = is_form_submission(head)
        if not posted and not is_navigation(head):
            return None
        path = request.path_asked or head.path
        target = path if head.query is None else f"{path}?{head.query}"
        stopped = self._stop(request, target) or self._refuse(request, names)
        if stopped is not None:
            return stopped
        try:
            target = _read_target(target, head)
        except TargetError as e:
            return _unreadable(request, "login-target", e.detail)
        asked = refusal or Refusal(error="")
        wanted = Wanted(
            target=target,
            acr_values=asked.acr_values,
            max_age=asked.max_age,
            own=True,
            wishes=self._wishes_at(head.host, head.path),
        )
        marked: Headers = ()
        if posted or len(target) > LONG:
            desk = self._desks[names[0]]
            kept = await keep_posted(request, desk, target, again=refusal is not None)
            if isinstance(kept, Response):
                return kept
            short = target if len(target) <= LONG else "/"
            wanted = attrs.evolve(wanted, target=short, restore=kept.name)
            marked = kept.headers
        response = await self._begin(request, names, wanted)
        return attrs.evolve(response, headers=(*response.headers, *marked))

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for one of our endpoints; None if it is none of these.

        Raises:
            UnavailableError: It cannot be answered now.
            BadMessageError: It cannot be read.
        """
        match name:
            case "login" if not rest:
                return await self._answer_login(request)
            case "callback" if rest in self._desks:
                desk = self._desks[rest]
                refused = _refuse_without_key(request, desk)
                return refused or await self._answer_callback(request, desk)
            case "jwks" if not rest:
                return self._answer_jwks()
            case "request":
                by, _, reference = rest.partition("/")
                if reference and by in self._desks:
                    return await self._desks[by].login.request_object(reference)
            case _:
                pass
        return None

    async def _begin(
        self, request: Request, names: Sequence[str], wanted: Wanted
    ) -> Response:
        """Begin the only login that there is, or have people choose."""
        if len(names) > 1:
            choices = [
                (
                    self._desks[name].login.title,
                    choice_url(self._endpoints, name, wanted),
                )
                for name in names
            ]
            headers, body = self._pages.choose(choices, request.head, request.id)
            return Response(
                status=200, reason="login-choice", headers=headers, body=body
            )
        desk = self._desks[names[0]]
        if refused := _refuse_without_key(request, desk):
            return refused
        response = await desk.login.begin(
            attrs.evolve(request, sessions=desk.sessions),
            attrs.evolve(wanted, endpoints=self._endpoints, callback=desk.callback),
        )
        if isinstance(response, Question):
            return self._ask(request, desk.name, response, wanted)
        if isinstance(response, PasswordForm):
            return show_form(self._pages, response, request)
        if isinstance(response, FormAway):
            return lead_away(self._pages, response, request)
        return response

    def _ask(
        self, request: Request, name: str, question: Question, wanted: Wanted
    ) -> Response:
        """Have somebody say at which of the providers of one login it is to be."""
        return ask_for(
            self._pages,
            question,
            request,
            place=f"{self._endpoints}login",
            links=[
                choice_url(self._endpoints, name, wanted, issuer)
                for _, issuer in question.choices
            ],
            fields=write_choice(name, attrs.evolve(wanted, issuer="")),
        )

    def _stop(self, request: Request, again: str) -> Response | None:
        """Stop a browser that goes round and round, or an address that never stops."""
        if is_going_round(request, self._clock.time()):
            return Response(
                status=429,
                reason="login-loop",
                headers=(*NO_STORE, *forget_tries()),
                again=again,
            )
        if not self._limit.allows(request.client.address):
            later = ("retry-after", "10")
            return Response(
                status=429,
                reason="too-many-logins",
                headers=(*NO_STORE, later),
                again=again,
            )
        return None

    def _refuse(self, request: Request, names: Sequence[str]) -> Response | None:
        """Refuse who could have no session by any of these, and keep nothing of it."""
        refused = [_refuse_without_key(request, desk) for desk in self._of(names)]
        return refused[0] if all(refused) else None

    async def _answer_login(self, request: Request) -> Response:
        """Begin a login that somebody has chosen; what they chose is no secret."""
        head = request.head
        try:
            choice = await read_asked(request, self._desks, self._endpoints)
        except ChoiceError as e:
            return _unreadable(request, e.reason, e.detail)
        if choice is None:
            return Response(status=401, reason="no-navigation", headers=NO_STORE)
        stopped = self._stop(request, choice.wanted.target)
        if stopped is not None:
            return stopped
        path = choice.wanted.target.partition("?")[0]
        wishes = self._wishes_at(head.host, path)
        wanted = attrs.evolve(choice.wanted, wishes=wishes)
        response = await self._begin(request, choice.names, wanted)
        leaves = 300 <= response.status < 400 or response.reason == AWAY
        if not wanted.own or not leaves:
            return response
        ended: Headers = ()
        # Who logs in now must not go on as who was here before (C7); but no page of
        # others may log anybody out.
        for desk in self._of(choice.names):
            ended += await desk.sessions.end(request)
        return attrs.evolve(response, headers=(*response.headers, *ended))

    async def _answer_callback(self, request: Request, desk: Desk) -> Response:
        """Begin the session of somebody who has logged in, and send them on."""
        opened = await desk.sessions.load(request)
        request = attrs.evolve(request, session=opened.session, sessions=desk.sessions)
        finished = await desk.login.finish(request)
        if isinstance(finished, InFragment | PasswordForm | OpenIdShown):
            return self._show(request, finished, desk.name)
        present = opened.session
        if isinstance(finished, Finished) and finished.wanted.silent_for is not None:
            # Who has logged out while the provider was asked stays that.
            present = (await desk.sessions.load(request)).session
        silent = judge_silent(finished, present, self._endpoints)
        if silent is not None and not silent.begins:
            return silent.page((*finished.headers, *opened.headers))
        if isinstance(finished, Response):
            again = finished.again or "/"
            return attrs.evolve(
                finished, headers=(*finished.headers, *opened.headers), again=again
            )
        try:
            begun = await desk.sessions.start(request, finished.identity, finished.data)
        except SessionTooLargeError as e:
            _log.warn("Request {id}: {why}", id=request.id, why=str(e))
            return Response(
                status=500, reason="session-too-large", headers=finished.headers
            )
        headers = (*finished.headers, *begun.headers)
        session_id = begun.session.id if begun.session is not None else ""
        _log.info(
            "Request {id}: {subject!r} of {issuer} logged in by {name}: session"
            " {session}",
            id=request.id,
            subject=finished.identity.subject,
            issuer=finished.identity.issuer,
            name=desk.name,
            session=session_id,
        )
        if silent is not None:
            return silent.page(headers)
        headers += count_try(request, self._clock.time())
        return await self._send_on(request, desk, finished, session_id, headers)

    def _show(
        self,
        request: Request,
        what: InFragment | PasswordForm | OpenIdShown,
        name: str,
    ) -> Response:
        """Show a page by which the login goes on, or ends."""
        if isinstance(what, OpenIdShown):
            again = what.again
            if not what.known:
                again = choice_url(self._endpoints, name, Wanted(target=again))
            return show_identifier(self._pages, what, request, again)
        if isinstance(what, PasswordForm):
            return show_form(self._pages, what, request)
        place = request.path_asked or request.head.path
        page, body = self._pages.fragment(place, what.field, request.head, request.id)
        return Response(status=200, reason="login-fragment", headers=page, body=body)

    async def _send_on(
        self,
        request: Request,
        desk: Desk,
        finished: Finished,
        session_id: str,
        headers: Headers,
    ) -> Response:
        """Go on where the login began, with what was posted there."""
        wanted, target = finished.wanted, finished.wanted.target
        kept = await give_posted(request, desk, finished, session_id)
        if kept is not None:
            target = kept.target
        elif wanted.restore:
            # It took too long, or too many others did the same, or it is another's:
            # better than nothing.
            _log.warn("Request {id}: what was posted is gone.", id=request.id)
            return Response(
                status=410, reason="login-form-gone", headers=headers, again=target
            )
        if kept is not None and kept.content is not None:
            fields = [(RESTORE_FIELD, wanted.restore)]
            page, body = self._pages.restore(
                target, "post", fields, request.head, request.id
            )
            return Response(
                status=200, reason="login-done", headers=(*page, *headers), body=body
            )
        return Response(
            status=303,
            reason="login-done",
            headers=(("location", target), *headers),
        )

    def _answer_jwks(self) -> Response:
        """Publish the keys by which providers and backends know us."""
        desks = self._desks.values()
        ours = [key for desk in desks for key in desk.login.public_keys]
        return answer_jwks((*ours, *self._keys))

    def _of(self, names: Sequence[str]) -> list[Desk]:
        return [self._desks[name] for name in names]


def _read_target(text: str, head: RequestHead) -> str:
    """
    Give the path and query on the origin of *head* that *text* means.

    Raises:
        TargetError: It means something else.
    """
    return read_target(text, host=head.host, port=head.port, scheme=head.scheme)


def _refuse_without_key(request: Request, desk: Desk) -> Response | None:
    """Refuse who could not have a session, before anybody logs in for nothing."""
    kind = desk.sessions.lacks_key(request)
    if not kind:
        return None
    _log.info(
        "Request {id}: logins by {name} need a key: {kind}",
        id=request.id,
        name=desk.name,
        kind=kind,
    )
    return Response(status=403, reason="session-key-missing", headers=NO_STORE)


def _unreadable(request: Request, reason: str, detail: str) -> Response:
    _log.info("Request {id}: {why}", id=request.id, why=detail)
    return Response(status=400, reason=reason, headers=NO_STORE)
