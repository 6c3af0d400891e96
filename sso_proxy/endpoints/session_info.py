"""
``session``: a page asks about its user's session (`SessionInfoConfig`).

It answers programs, in JSON, and sends nobody anywhere.  Who may ask is decided before
anybody looks who it is: pages of the same origin, and those of origins that the route's
CORS rules let in with credentials.  `sso_proxy.telling` is the way of such a request.
"""

from typing import Final

import attrs

from sso_proxy.config.route_parts import SessionInfoConfig
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.pages import Pages
from sso_proxy.session import Session
from sso_proxy.specs.http.cors import (
    CorsRules,
    allowed_origin,
    build_preflight_fields,
    is_preflight,
)
from sso_proxy.specs.http.parameters import read_parameter
from sso_proxy.specs.http.uri import build_origin
from sso_proxy.specs.session_info import build_session_info, write_plain_json

PATH: Final = "session"
"""Where it is below ``endpoints``."""

_METHODS: Final = "GET, HEAD"
_ALWAYS: Final[Headers] = (
    ("cache-control", "no-store"),
    ("vary", "Cookie, Origin"),
    ("cross-origin-resource-policy", "same-origin"),
)
JSON_FIELDS: Final[Headers] = (
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    *_ALWAYS,
)


@attrs.frozen
class Asked:
    """
    What a page wants to know.

    Attributes:
        refresh: New tokens first, if the access token is older than so many seconds;
            None: not for its sake.
        extend: Whether this is a use of the session.
    """

    refresh: int | None
    extend: bool


class SessionInfo:
    """
    What pages learn, on the routes that say so alike.

    Args:
        config: What.
        cors: Which pages of other origins may ask.
        pages: Says what is wrong.
    """

    def __init__(
        self, config: SessionInfoConfig, cors: CorsRules | None, pages: Pages
    ) -> None:
        self._config = config
        self._pages = pages
        self._cors: CorsRules | None = None
        if cors is not None and cors.credentials:
            self._cors = attrs.evolve(cors, methods=_METHODS)

    def read(self, request: Request) -> Asked | Response:
        """
        Read what is asked, and refuse who must not ask.

        Raises:
            BadMessageError: The query can be read in two ways.
        """
        head = request.head
        if not self._may_ask(head):
            return self.refuse(request, 403, "session-info-origin")
        if self._cors is not None and is_preflight(head):
            fields = (*_ALWAYS, *build_preflight_fields(self._cors))
            return Response(status=204, reason="preflight", headers=fields)
        if head.method not in {"GET", "HEAD"}:
            return self.refuse(request, 405, "method", (("allow", _METHODS),))
        try:
            return self.read_query(head.query)
        except ValueError:
            return self.refuse(request, 400, "session-info-query")

    def read_query(self, query: str | None) -> Asked:
        """
        Read what is asked.

        Raises:
            ValueError: It makes no sense.
        """
        return read_asked(query, "refresh", "extend", extend=self._config.extend)

    def check(self, request: Request, session: Session) -> Response | None:  # noqa: ARG002
        """Refuse to get new tokens for *session*, which is good; None to go on."""
        return None

    def answer(
        self, session: Session, user: str, inactive_at: float, fields: Headers
    ) -> Response:
        """
        Say what may be said.

        Args:
            session: The session.
            user: What the backend calls its user.
            inactive_at: When it is over without more use.
            fields: Fields for the answer: cookies.

        Raises:
            ValueError: A claim holds what JSON cannot say.
        """
        told = build_session_info(
            session,
            user,
            show=self._config.show,
            claims=self._config.claims,
            inactive_at=inactive_at,
        )
        return Response(
            status=200,
            reason="session-info",
            headers=(*JSON_FIELDS, *fields),
            body=write_plain_json(told),
        )

    def refuse(
        self, request: Request, status: int, reason: str, fields: Headers = ()
    ) -> Response:
        """Say to a program what is wrong, whoever asked (RFC 9457)."""
        said, body = self._pages.error(reason, status, None, request.id)
        taken = {name for name, _ in said}
        always = tuple(field for field in _ALWAYS if field[0] not in taken)
        return Response(
            status=status, reason=reason, headers=(*said, *always, *fields), body=body
        )

    def _may_ask(self, head: RequestHead) -> bool:
        """
        Say whether a page of ours asks, or one that is listed, or no page at all.

        ``SameSite`` keeps nothing from pages of the same site; and what another site's
        page makes a browser fetch must neither refresh tokens nor keep a session going.
        """
        origins, sites = head.values("origin"), head.values("sec-fetch-site")
        if origins and origins != [build_origin(head.scheme, head.host, head.port)]:
            return self._cors is not None and bool(allowed_origin(self._cors, head))
        return not sites or sites in (["same-origin"], ["none"])


def read_asked(query: str | None, age: str, use: str, *, extend: bool) -> Asked:
    """
    Read what is asked.

    Args:
        query: The query.
        age: What the parameter is called that has the age of the access token.
        use: What the one is called that says whether this is a use of the session.
        extend: What holds if nothing is said about that.

    Raises:
        ValueError: It makes no sense.
    """
    ages = read_parameter(query, age)
    if len(ages) > 1 or any(
        not (age.isascii() and age.isdigit() and len(age) < 10) for age in ages
    ):
        raise ValueError("the age is no number of seconds")
    words = read_parameter(query, use)
    if len(words) > 1 or any(word not in {"true", "false"} for word in words):
        raise ValueError("it is neither true nor false")
    return Asked(
        refresh=int(ages[0]) if ages else None,
        extend=words[0] == "true" if words else extend,
    )
