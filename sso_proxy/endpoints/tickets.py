"""
A login server of tickets: what browsers find there that have logged in.

Sites send their users here, with an argument that says where they wanted to go, and
perhaps why they are not let in; we give them a ticket as a cookie of the domain, and
send them back.  Nothing that was posted is ever posted again: a site that answers 307
has the browser send here what was meant for it.
"""

from collections.abc import Sequence
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.ticket_rounds import (
    count_round,
    forget_rounds,
    is_going_round,
)
from sso_proxy.interfaces import IClock, ITicketSource
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.pages.kit import Pages
from sso_proxy.specs.http.back_target import BackPattern, read_arguments, read_back
from sso_proxy.specs.http.domain_cookie import DomainCookie
from sso_proxy.specs.http.parameters import read_cookie
from sso_proxy.specs.http.return_target import TargetError
from sso_proxy.token import Token

_log = Logger()

State = Literal["here", "unauth", "address", "loop", "posted"]

_NOTHING: Final[Headers] = ()
_NO_STORE: Final = ("cache-control", "no-store")
_METHODS: Final = ("GET", "HEAD", "POST")
_STATUS: Final[dict[State, int]] = {
    "here": 200,
    "unauth": 403,
    "address": 403,
    "loop": 403,
    "posted": 200,
}


@attrs.frozen(kw_only=True)
class Asked:
    """
    What a site wants of us.

    Attributes:
        back: Where its user goes back to; empty: nowhere.
        state: What the page says that its user gets; None: they are sent back.
        spent: What takes away the cookie that said where to, if one did.
    """

    back: str
    state: State | None
    spent: Headers = ()


@attrs.frozen(kw_only=True)
class TicketDesk:
    """
    Gives tickets to who has logged in.

    Attributes:
        source: Makes them.
        cookie: Carries them.
        back: Sites that users may be sent back to.
        argument: The argument that says where.
        back_cookie: The cookie that says so without that argument, if there is one.
        path: Where this is.
        logout: Where people log out: a path, or empty.
        pages: Makes pages.
        clock: The time.
    """

    source: ITicketSource
    cookie: DomainCookie
    back: tuple[BackPattern, ...]
    argument: str
    back_cookie: DomainCookie | None = None
    path: str
    logout: str
    pages: Pages
    clock: IClock

    def read(self, request: Request) -> Asked | Response:
        """Find out what is wanted, or refuse it."""
        head = request.head
        if head.path.rstrip("/") != self.path.rstrip("/"):
            return Response(status=404, reason="no-endpoint")
        if head.method not in _METHODS:
            allow = ("allow", ", ".join(_METHODS))
            return Response(status=405, reason="method", headers=(allow,))
        said = read_arguments(head.query)
        wanted, spent = said.get(self.argument, []), _NOTHING
        if not wanted:
            wanted, spent = self._read_cookie(head)
        try:
            back = self._read_back(wanted)
        except TargetError as e:
            _log.info("Request {id}: no way back: {why}", id=request.id, why=e.detail)
            headers = (_NO_STORE, *spent)
            return Response(status=400, reason="ticket-back", headers=headers)
        return Asked(back=back, state=self._state(request, said, back), spent=spent)

    def _read_cookie(self, head: RequestHead) -> tuple[list[bytes], Headers]:
        """Give what a site has a cookie say, and what takes that away."""
        cookie = self.back_cookie
        if cookie is None:
            return [], _NOTHING
        fields = head.values("cookie")
        found = [each for field in fields for each in read_cookie(field, cookie.name)]
        spent: Headers = (("set-cookie", cookie.clear()),) if found else ()
        # The same is often there twice, of a host and of its domain.
        return [unquote_to_bytes(each) for each in dict.fromkeys(found)], spent

    def _read_back(self, wanted: Sequence[bytes]) -> str:
        """
        Give where somebody wants to go back to; empty: nowhere.

        Raises:
            TargetError: To several places, or to one that is not listed.
        """
        if len(wanted) > 1:
            raise TargetError("it is there twice")
        return read_back(wanted[0], self.back) if wanted and wanted[0] else ""

    def _state(
        self, request: Request, said: dict[str, list[bytes]], back: str
    ) -> State | None:
        """Give what the page says; None if there is nothing to say."""
        here = request.client.address.encode("ascii", "replace")
        if said.get("unauth", [b""])[0] not in (b"", b"0"):
            return "unauth"
        if said.get("ip", [here]) != [here]:
            # The site sees another address than we: another ticket is no better.
            return "address"
        if not back:
            return "here"
        if request.head.method == "POST" or "posttimeout" in said:
            return "posted"
        if is_going_round(request, back, self.clock.time()):
            return "loop"
        return None

    def refuse(
        self, request: Request, asked: Asked, user: str, headers: Headers
    ) -> Response:
        """Answer who gets no ticket: one would have the site send them here again."""
        fields = (*headers, *asked.spent)
        if asked.back:
            now = self.clock.time()
            fields += forget_rounds(request, asked.back, now)
        return self._page(request, asked, user, fields)

    def answer(
        self,
        request: Request,
        asked: Asked,
        token: Token,
        user: str,
        headers: Headers,
    ) -> Response:
        """Give a ticket, and send its user back or say that they are logged in."""
        ticket = ("set-cookie", self.cookie.set(token.value))
        fields = (*headers, ticket, *asked.spent)
        if asked.state is not None:
            return self._page(request, asked, user, fields)
        fields += count_round(request, asked.back, self.clock.time())
        return Response(
            # Never 307: nothing is posted again (RFC 9110 section 15.4.4).
            status=303 if request.minor else 302,
            reason="ticket",
            headers=(_NO_STORE, ("location", asked.back), *fields),
        )

    def _page(
        self, request: Request, asked: Asked, user: str, headers: Headers
    ) -> Response:
        """Say who is logged in, and why they are here."""
        state = asked.state or "here"
        onward = ""
        if asked.back and state == "posted":
            onward = asked.back
        elif asked.back:
            value = quote(asked.back, safe="")
            onward = f"{self.path}?{self.argument}={value}"
        page, body = self.pages.render(
            "ticket",
            head=request.head,
            request_id=request.id,
            state=state,
            user=user,
            onward=onward,
            action=self.logout,
        )
        return Response(
            status=_STATUS[state],
            reason=f"ticket-{state}",
            headers=(*page, *headers),
            body=body,
        )
