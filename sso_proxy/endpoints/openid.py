"""
What people with an OpenID find besides a login, and what their providers look up.

``openid/NAME`` tells somebody which identifier is theirs, for whoever registers users.
``openid`` says where answers may go (OpenID Authentication 2.0 section 13), and so does
the place of all endpoints, which can be the realm.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from urllib.parse import quote

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.login_choice import ChoiceError, read_asked
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.openid_pages import ask_for, lead_away
from sso_proxy.interfaces import IOpenIdLogin
from sso_proxy.login import FormAway, Question
from sso_proxy.model import Headers, Request, Response
from sso_proxy.pages.kit import Pages
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.openid2.names import XRDS
from sso_proxy.specs.openid2.realm import build_return_to_document

_log = Logger()

_NO_STORE: Final = ("cache-control", "no-store")
_DOCUMENT: Final[Headers] = (
    ("content-type", XRDS),
    ("x-content-type-options", "nosniff"),
)


class OpenIds:
    """
    What there is for the logins of one host that have their endpoints in one place.

    Args:
        endpoints: That place, such as ``/.sso/``.
        desks: The ways to log in there, by name.
        pages: Makes pages.
        limit: How many logins may begin.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "": ("GET", "HEAD"),
        "openid": ("GET", "HEAD", "POST"),
    }

    def __init__(
        self,
        endpoints: str,
        desks: Mapping[str, Desk],
        *,
        pages: Pages,
        limit: AddressLimit,
    ) -> None:
        self._endpoints = endpoints
        self._desks = desks
        self._pages = pages
        self._limit = limit

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:
        """
        Answer a request for one of our endpoints; None if it is none of these.

        Raises:
            UnavailableError: It cannot be answered now.
            BadMessageError: It cannot be read.
        """
        if not rest:
            return self._document(request)
        desk = self._desks.get(rest)
        if not name or desk is None or not IOpenIdLogin.providedBy(desk.login):
            return None
        return await self._tell(request, desk)

    def _document(self, request: Request) -> Response | None:
        """Say where answers may go."""
        origin = own_origin(request.head)
        places = [
            origin + desk.callback
            if desk.callback
            else desk.login.return_to(origin, self._endpoints)
            for desk in self._desks.values()
            if IOpenIdLogin.providedBy(desk.login)
        ]
        if not places:
            return None
        body = build_return_to_document(*places)
        return Response(
            status=200, reason="openid-return-to", headers=_DOCUMENT, body=body
        )

    async def _tell(self, request: Request, desk: Desk) -> Response | None:
        """Have somebody prove which identifier is theirs."""
        try:
            choice = await read_asked(request, self._desks, self._endpoints)
        except ChoiceError as e:
            _log.info("Request {id}: {why}", id=request.id, why=e.detail)
            return Response(status=400, reason=e.reason, headers=(_NO_STORE,))
        if choice is None:
            return Response(status=401, reason="no-navigation", headers=(_NO_STORE,))
        if not self._limit.allows(request.client.address):
            fields = (_NO_STORE, ("retry-after", "10"))
            return Response(status=429, reason="too-many-logins", headers=fields)
        wanted = attrs.evolve(
            choice.wanted,
            endpoints=self._endpoints,
            callback=desk.callback,
            anywhere=False,
        )
        login: Any = desk.login
        begun: Response | Question | FormAway | None = await login.tell(
            attrs.evolve(request, sessions=desk.sessions), wanted
        )
        if isinstance(begun, FormAway):
            return lead_away(self._pages, begun, request)
        if not isinstance(begun, Question):
            return begun
        place = f"{self._endpoints}openid/{desk.name}"
        return ask_for(
            self._pages,
            begun,
            request,
            place=place,
            links=[self._link(place, issuer) for _, issuer in begun.choices],
            fields=(),
        )

    def _link(self, place: str, issuer: str) -> str:
        return f"{place}?iss={quote(issuer, safe='')}"
