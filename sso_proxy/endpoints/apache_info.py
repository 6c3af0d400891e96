"""
What pages know from mod_auth_openidc: ``?info=`` and ``?refresh=``.

The way of such a request, and who may send it, are those of `SessionInfo`; what differs
is how it asks, and how it is answered.
"""

import hmac
import json
from collections.abc import Collection
from html import escape
from typing import Any, Final
from urllib.parse import quote

from sso_proxy.config.route_parts import SessionInfoConfig
from sso_proxy.endpoints.session_info import (
    JSON_FIELDS,
    Asked,
    SessionInfo,
    read_asked,
)
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers, Request, Response
from sso_proxy.pages import Pages
from sso_proxy.session import Session
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.specs.http.parameters import read_parameter
from sso_proxy.specs.http.return_target import TargetError, read_target
from sso_proxy.specs.session_info import write_plain_json

_HTML: Final[Headers] = (
    ("content-type", "text/html; charset=utf-8"),
    *JSON_FIELDS[1:],
)
_NO_STORE: Final = ("cache-control", "no-store")
_LATER: Final = 500


def read_one(query: str | None, name: str) -> str:
    """
    Give the value of a parameter; empty if there is none.

    Raises:
        BadMessageError: There are two: some read the first, some the last.
    """
    values = read_parameter(query, name)
    if len(values) > 1:
        raise BadMessageError(400, "parameter-ambiguous")
    return values[0] if values else ""


class ApacheInfo(SessionInfo):
    """
    ``?info=json`` and ``?info=html``.

    Args:
        request: The request.
        members: What is told.
        cors: Which pages of other origins may ask.
        pages: Says what is wrong.
    """

    def __init__(
        self,
        request: Request,
        members: Collection[str],
        cors: CorsRules | None,
        pages: Pages,
    ) -> None:
        super().__init__(SessionInfoConfig(), cors, pages)
        self._request = request
        self._members = members

    def read_query(self, query: str | None) -> Asked:
        """
        Read what is asked.

        Raises:
            ValueError: It makes no sense.
        """
        age = "access_token_refresh_interval"
        return read_asked(query, age, "extend_session", extend=True)

    def answer(
        self, session: Session, user: str, inactive_at: float, fields: Headers
    ) -> Response:
        """Say what may be said, as JSON or as a page."""
        form = read_one(self._request.head.query, "info")
        if not self._members:
            return self.refuse(self._request, 404, "no-endpoint", fields)
        if form not in {"json", "html"}:
            return self.refuse(self._request, 415, "session-info-format", fields)
        told = _tell(session, user, inactive_at, self._request.time or 0.0)
        told = {name: told[name] for name in told if name in self._shown}
        headers, body = JSON_FIELDS, write_plain_json(told)
        if form == "html":
            text = json.dumps(told, indent=2, allow_nan=False)
            headers, body = _HTML, f"<pre>{escape(text)}</pre>\n".encode("ascii")
        return Response(
            status=200, reason="session-info", headers=(*headers, *fields), body=body
        )

    @property
    def _shown(self) -> Collection[str]:
        """What is told; with an access token, what it is."""
        with_type = {"access_token_type"} if "access_token" in self._members else set()
        return {*self._members, *with_type}


class ApacheRefresh(SessionInfo):
    """
    ``?refresh=<where to go on>&access_token=<the present one>``.

    Whoever knows the access token is the page's own script, and no page of others.

    Args:
        cors: Which pages of other origins may ask.
        pages: Says what is wrong.
        target: Where to go on.
    """

    def __init__(self, cors: CorsRules | None, pages: Pages, target: str) -> None:
        super().__init__(SessionInfoConfig(), cors, pages)
        self._target = target

    def read_query(self, query: str | None) -> Asked:  # noqa: ARG002
        """Want new tokens, however old those are."""
        return Asked(refresh=0, extend=True)

    def check(self, request: Request, session: Session) -> Response | None:
        """Refuse who does not know the access token, or has nothing to refresh with."""
        given = read_one(request.head.query, "access_token")
        known = session.data.get("access_token")
        if not given:
            return self._go_on((), "no_access_token")
        if known is None:
            return self._go_on((), "no_access_token_exists")
        if not hmac.compare_digest(given.encode(), str(known).encode()):
            return self._go_on((), "no_access_token_match")
        if session.data.get("refresh_token") is None:
            return self._go_on((), "refresh_failed")
        return None

    def answer(
        self,
        session: Session,  # noqa: ARG002
        user: str,  # noqa: ARG002
        inactive_at: float,  # noqa: ARG002
        fields: Headers,
    ) -> Response:
        """Go on."""
        return self._go_on(fields)

    def refuse(
        self, request: Request, status: int, reason: str, fields: Headers = ()
    ) -> Response:
        """Go on, and say that there is none; who must not ask is told so."""
        if reason in {"session-info-origin", "method", "no-endpoint"}:
            return super().refuse(request, status, reason, fields)
        late = status > _LATER
        return self._go_on(fields, "refresh_failed" if late else _NOTHING)

    def _go_on(self, fields: Headers, error: str = "") -> Response:
        target = self._target
        if error:
            joint = "&" if "?" in target else "?"
            target = f"{target}{joint}error_code={quote(error)}"
        headers = (_NO_STORE, ("location", target), *fields)
        return Response(status=302, reason="refreshed", headers=headers)


_NOTHING: Final = "no_access_token_exists"


def read_return(request: Request) -> str:
    """
    Give the path and query on this site to go on at after ``?refresh=``.

    Raises:
        BadMessageError: There is none, or nobody must be sent there.
    """
    head = request.head
    try:
        return read_target(
            read_one(head.query, "refresh"),
            host=head.host,
            port=head.port,
            scheme=head.scheme,
        )
    except TargetError:
        raise BadMessageError(400, "login-target") from None


def _tell(
    session: Session, user: str, inactive_at: float, now: float
) -> dict[str, Any]:
    """Give everything that may be told; times are whole seconds since the epoch."""
    identity, data = session.identity, session.data
    expires = data.get("access_expires")
    every: dict[str, Any] = {
        "iat": int(now),
        "access_token": data.get("access_token"),
        "access_token_type": data.get("token_type", "Bearer"),
        "access_token_expires": None if expires is None else int(expires),
        "id_token_hint": data.get("id_token"),
        "id_token": identity.sources.get("id_token"),
        "userinfo": identity.sources.get("userinfo"),
        "exp": int(session.expires),
        "timeout": int(inactive_at),
        "remote_user": user,
        "session": {"uuid": session.id},
    }
    if every["access_token"] is None:
        del every["access_token_type"]
    return {
        name: dict(value) if name in {"id_token", "userinfo"} else value
        for name, value in every.items()
        if value is not None
    }
