"""
``/status`` of the operators' listener: the pages for a browser.

``POST /status/link`` is for programs that may do what operators may, and gives a link;
``GET /status/enter/LINK`` lets the browser that follows it in, once.  All else is below
``/status/PLACE/``, as `sso_proxy.endpoints.status_access` says, and what changes
anything is posted by our own pages, with a token that is in no other.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import parse_qsl

from twisted.web.server import Request

from sso_proxy.endpoints.answer import Answer, refusal, report
from sso_proxy.endpoints.status_access import LINK_LIFE, Pass, StatusAccess
from sso_proxy.endpoints.status_view import build_view
from sso_proxy.errors import SsoProxyError
from sso_proxy.interfaces import IClock
from sso_proxy.pages.status_page import SCRIPT, STYLE, render_status, status_file

COOKIE: Final = b"sso-proxy-status"
LINK: Final = b"/status/link"

_HTML: Final = b"text/html; charset=utf-8"
_ENTER: Final = b"/status/enter/"
_SAFE: Final = (
    (
        b"content-security-policy",
        b"; ".join(
            [
                b"default-src 'none'",
                b"style-src 'self'",
                b"script-src 'self'",
                b"connect-src 'self'",
                b"img-src data:",
                b"form-action 'self'",
                b"base-uri 'none'",
                b"frame-ancestors 'none'",
            ]
        ),
    ),
    # Not no-referrer: what is posted would come with "Origin: null", as from anywhere.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_MOST_FIELDS: Final = 8
_MOST_ROWS: Final = 200
"""Sessions of one user that are shown."""
_LOOKS: Final = {"hit": "ok", "miss": "failed", "may": "refused"}

Shown: TypeAlias = Callable[[Request, Pass], Awaitable[Answer]]


class Told(Protocol):
    """What the pages ask of the running proxy."""

    async def status(self) -> dict[str, Any]:
        """Give what the status page shows."""

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        """Say why a request was refused lately; None if nobody knows."""

    async def sessions(self, document: object) -> dict[str, Any]:
        """List or end sessions; returns a ``status`` and what came of it."""


class StatusPages:
    """
    Answers what is below ``/status``.

    Args:
        told: What can be asked.
        clock: The time.
    """

    def __init__(self, told: Told, clock: IClock) -> None:
        self._told = told
        self._clock = clock
        self._access = StatusAccess(clock)

    async def link(self, _: Request) -> Answer:
        """Give an operator's program a link."""
        path = (_ENTER + self._access.make_link().encode()).decode()
        return report(200, {"path": path, "seconds": LINK_LIFE})

    async def answer(self, request: Request) -> Answer:
        """Answer a browser; that it is on this machine was checked."""
        posted = request.method == b"POST"
        if request.method not in (b"GET", b"HEAD", b"POST"):
            return refusal(405, "not this method", (b"allow", b"GET, HEAD, POST"))
        if not (_is_posted_by_us(request) if posted else _is_asked_by_us(request)):
            return refusal(403, "not for web pages")
        if request.path.startswith(_ENTER):
            return self._enter(request)
        place, _, page = _text(request.path).removeprefix("/status/").partition("/")
        entered = self._access.find(place, _cookies(request))
        if entered is None:
            return refusal(401, "get a link by: sso-proxy status --config FILE")
        if posted:
            return await self._post(request, entered, page)
        return await self._get(request, entered, page)

    def _enter(self, request: Request) -> Answer:
        if request.method != b"GET":
            return refusal(405, "not this method", (b"allow", b"GET"))
        found = self._access.enter(_text(request.path.removeprefix(_ENTER)))
        if found is None:
            return refusal(403, "the link was used, or is old; get another one")
        entered, cookie = found
        place = b"/status/%b/" % entered.place.encode()
        set_cookie = b"%b=%b; Path=%b; HttpOnly; SameSite=Strict%b" % (
            COOKIE,
            cookie.encode(),
            place,
            b"; Secure" if request.isSecure() else b"",
        )
        return _see(place, (b"set-cookie", set_cookie))

    async def _get(self, request: Request, entered: Pass, page: str) -> Answer:
        match page:
            case "" | "live":
                wanted = [_argument(request, name) for name in (b"find", b"by")]
                told = await self._told.status()
                view = build_view(told, self._clock.time(), *wanted)
                said = ""
                if not page:  # what scripts fetch is not what is read
                    said, entered.said = entered.said, ""
                return _page("status", entered, view, said=said)
            case "status.css":
                return Answer(200, b"text/css; charset=utf-8", status_file(STYLE))
            case "status.js":
                kind = b"text/javascript; charset=utf-8"
                return Answer(200, kind, status_file(SCRIPT))
            case _ if page.startswith("explain/"):
                return await self._explain(entered, page.removeprefix("explain/"))
            case _:
                return refusal(404, "no such page")

    async def _explain(self, entered: Pass, id_: str) -> Answer:
        try:
            found = await self._told.refusal(id_)
        except SsoProxyError as e:
            return refusal(503, str(e))
        if found is None:
            why = "no request of this id was refused lately, or it is forgotten"
            return refusal(404, why)
        steps = [_step(step) for step in found["steps"]]
        view = {**found, "steps": steps, "name": "sso-proxy"}
        return _page("explain", entered, view)

    async def _post(self, request: Request, entered: Pass, page: str) -> Answer:
        fields = _fields(request)
        if fields is None:
            return refusal(400, "not a form of ours")
        given = fields.get("token", "").encode("utf-8", "surrogatepass")
        if not compare_digest(given, entered.token.encode()):
            return refusal(403, "not a form of ours")
        match page:
            case "leave":
                self._access.leave(entered)
                return refusal(200, "this browser may not look any more")
            case "sessions":
                return await self._sessions(entered, fields)
            case "revoke":
                return await self._revoke(entered, fields)
            case _:
                return refusal(404, "no such page")

    async def _sessions(self, entered: Pass, fields: dict[str, str]) -> Answer:
        user = {name: fields.get(name, "") for name in ("issuer", "subject")}
        told = await self._told.sessions({"do": "list", **user})
        if "problem" in told:
            return refusal(told["status"], told["problem"])
        rows = [
            {
                **each,
                "begun": _time(each["created"]),
                "used": "known to the browser alone"
                if each["used"] is None
                else _time(each["used"]),
            }
            for each in sorted(
                told["sessions"], key=lambda each: each["created"], reverse=True
            )[:_MOST_ROWS]
        ]
        found = {"count": len(told["sessions"]), "missing": told["missing"]}
        view = {**user, **found, "sessions": rows}
        return _page("sessions", entered, {**view, "name": "sso-proxy"})

    async def _revoke(self, entered: Pass, fields: dict[str, str]) -> Answer:
        names = ("id",) if "id" in fields else ("issuer", "subject")
        which: dict[str, str] = {n: fields[n] for n in names if n in fields}
        if not all(map(which.get, names)):
            return refusal(400, "say which session, or whose")
        if fields.get("sure") != "yes":
            return await self._ask_whether(entered, fields, which)
        told = await self._told.sessions({"do": "end", **which})
        what, missing = fields.get("what", "It"), told.get("missing", [])
        if "problem" in told:
            entered.look = "refused"
            entered.said = f"Nothing was revoked: {told['problem']}."
        elif missing:
            entered.look = "failed"
            entered.said = f"{what}: not revoked everywhere: {'; '.join(missing)}."
        else:
            entered.look = "ok"
            entered.said = f"{what}: revoked, and what was open for it is closed."
        return _see(b"/status/%b/" % entered.place.encode())

    async def _ask_whether(
        self, entered: Pass, fields: dict[str, str], which: dict[str, str]
    ) -> Answer:
        """Show what would be revoked, and ask whether it is to be."""
        rows = [("User", fields.get("subject", "")), ("Issuer", fields.get("issuer"))]
        what = f"All sessions of {fields.get('subject')}"
        if "id" in which:
            document = await self._told.status()
            logins = build_view(document, self._clock.time(), which["id"])["logins"]
            rows, what = _describe(logins, which["id"], rows)
        rows = [(label, text) for label, text in rows if text]
        view = {"rows": rows, "what": what, "which": which, "name": "sso-proxy"}
        return _page("revoke", entered, view)


def _describe(
    logins: list[dict[str, Any]], id_: str, known: list[tuple[str, str | None]]
) -> tuple[list[tuple[str, str | None]], str]:
    """Say whose the session *id_* is, as far as is *known*, and name it."""
    login = next((each for each in logins if each["id"] == id_), None)
    rows: list[tuple[str, str | None]] = [*known, ("Session", id_)]
    if login is not None:
        rows = [
            ("User", login["subject"]),
            ("Issuer", login["issuer"]),
            ("Application", login["application"]),
            ("Address", login["address"]),
            ("Begun", f"{login['at']}, {login['ago']} ago"),
            ("Binding", login["binding"]),
            ("Kept in", f"session.{login['in']}"),
            ("Session", id_),
        ]
    user = dict(rows)["User"]
    at = f" at {login['application']}" if login is not None else ""
    return rows, f"The session of {user}{at}" if user else "The session"


def _is_asked_by_us(request: Request) -> bool:
    """Say whether no page of another origin has a browser send *request*."""
    site = request.getHeader("sec-fetch-site")
    return request.getHeader("origin") is None and site in {None, "none", "same-origin"}


def _is_posted_by_us(request: Request) -> bool:
    """Say whether a page of this origin has posted *request*."""
    host = request.getHeader("host")
    ours = (f"http://{host}", f"https://{host}")
    site = request.getHeader("sec-fetch-site")
    return request.getHeader("origin") in ours and site in {None, "same-origin"}


def _cookies(request: Request) -> list[str]:
    """Give all cookies of our name: others on this machine can set some, too."""
    fields = request.requestHeaders.getRawHeaders(b"cookie", [])
    pairs = [pair.strip() for field in fields for pair in field.split(b";")]
    ours = COOKIE + b"="
    return [_text(p.removeprefix(ours)) for p in pairs if p.startswith(ours)]


def _argument(request: Request, name: bytes) -> str:
    """Give a member of the query of *request*; empty if it is not there once."""
    values = (request.args or {}).get(name, [])
    return values[0].decode("utf-8", "replace") if len(values) == 1 else ""


def _fields(request: Request) -> dict[str, str] | None:
    kind = (request.getHeader(b"content-type") or b"").partition(b";")[0]
    if kind.strip().lower() != b"application/x-www-form-urlencoded":
        return None
    if request.content is None or getattr(request, "too_long", True):
        return None
    try:
        pairs = parse_qsl(
            request.content.read().decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            max_num_fields=_MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def _page(template: str, entered: Pass, view: dict[str, Any], said: str = "") -> Answer:
    root = f"/status/{entered.place}/"
    ours = {"root": root, "token": entered.token, "said": said, "look": entered.look}
    html = render_status(template, **{**view, **ours})
    return Answer(200, _HTML, html.encode(), _SAFE)


def _see(place: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    fields = ((b"location", place), *headers, *_SAFE)
    return Answer(303, b"text/plain; charset=utf-8", b"", fields)


def _step(step: dict[str, Any]) -> dict[str, Any]:
    return {
        **step,
        "look": _LOOKS.get(step["outcome"], ""),
        "parts": [_step(part) for part in step["parts"]],
    }


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _text(octets: bytes) -> str:
    return octets.decode("latin-1")
