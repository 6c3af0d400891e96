"""
What mod_auth_openidc does at its redirect URI, by what the query says.

The first that fits of what it knows is meant.  Each is one of our own endpoints with
other words, and is asked there: nothing that is refused there gets through here.
"""

from typing import Final
from urllib.parse import quote

import attrs

from sso_proxy.endpoints.apache_info import read_one
from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.specs.http.parameters import read_parameter
from sso_proxy.specs.http.return_target import TargetError, read_target

_METHODS: Final = ("GET", "HEAD", "POST")
_ANSWERS: Final = ("code", "id_token", "response")
_HOOKS: Final = (
    "jwks",
    "session",
    "refresh",
    "request_uri",
    "remove_at_cache",
    "revoke_session",
    "dpop",
    "info",
)
_FRAMES: Final = ("get", "img")
_PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944"
    "415478da6360600000000300012b094d840000000049454e44ae426082"
)
"""A PNG file of one transparent pixel."""


def choose_hook(head: RequestHead) -> str:
    """
    Say what a request means; empty for nothing that there is.

    An error is an answer even with ``iss`` (RFC 9207), which begins a login otherwise:
    a provider that says no would be asked again.

    Raises:
        BadMessageError: 400: it can be read in two ways.
    """
    query = head.query

    def has(name: str) -> bool:
        return bool(read_parameter(query, name))

    if head.method == "GET" and any(map(has, _ANSWERS)):
        return "answer"
    if has("logout"):
        return "logout"
    if head.method == "POST" or (has("error") and has("state")):
        return "answer"
    if has("iss") or has("disc_user"):
        return "login"
    for hook in _HOOKS:
        if has(hook):
            return hook
    return "answer" if not query or has("error") else ""


class ApacheHooks:
    """
    The hooks at one redirect path that our own endpoints answer.

    Args:
        path: The path.
        endpoints: Where our endpoints are, such as ``/.sso/``.
        name: The way to log in.
        logins: Answers at our endpoints.
        logged_out: Where people are who have logged out and said nothing else; or
            empty.
    """

    def __init__(
        self,
        path: str,
        endpoints: str,
        name: str,
        logins: BrowserEndpoints,
        logged_out: str = "",
    ) -> None:
        self._path = path
        self._endpoints = endpoints
        self._name = name
        self._logins = logins
        self._logged_out = logged_out

    async def answer(self, request: Request, hook: str) -> Response:
        """
        Do what *hook* means.

        Raises:
            UnavailableError: It cannot be done now.
            BadMessageError: It cannot be read.
        """
        head = request.head
        if head.method not in _METHODS:
            allow = ("allow", ", ".join(_METHODS))
            return Response(status=405, reason="method", headers=(allow,))
        if not hook:
            return Response(status=400, reason="login-state", again="/")
        found = await self._do(request, hook)
        if found is None:
            return Response(status=404, reason="no-endpoint")
        if found.status == 303 and head.method == "GET":
            return attrs.evolve(found, status=302)
        return found

    async def _do(self, request: Request, hook: str) -> Response | None:
        """Do what *hook* means; None for what is not done here."""
        head, found = request.head, None
        match hook:
            case "answer":
                found = await self._ask(request, f"callback/{self._name}", head.query)
            case "logout":
                found = await self._log_out(request)
            case "login":
                found = await self._ask(request, "login", _login_query(head.query))
            case "jwks":
                found = _as_json(await self._ask(request, "jwks", None))
            case "session":
                found = await self._watch(request, read_one(head.query, "session"))
            case "request_uri":
                found = await self._give_request(request)
            case _:  # what anybody could ask for, without any login
                pass
        return found

    async def _watch(self, request: Request, what: str) -> Response | None:
        """Do what has to do with the session at the provider."""
        if what == "logout":
            return await self._ask(request, "logout", self._target(""))
        if what == "iframe_op":
            return await self._ask(request, f"iframe/op/{self._name}", None)
        if what != "iframe_rp":
            return None
        place = f"iframe/rp/{self._name}"
        found = await self._ask(request, place, None)
        if found is None or found.status != 200:
            return found
        # The page's script talks to where the page is from.
        fields = (("location", self._endpoints + place), ("cache-control", "no-store"))
        return Response(status=302, reason="session-frame", headers=fields)

    async def _log_out(self, request: Request) -> Response | None:
        """Log somebody out, for themselves or for the provider."""
        head = request.head
        value = read_one(head.query, "logout")
        if value == "backchannel":
            if head.method != "POST":
                raise BadMessageError(400, "logout-notice")
            return await self._ask(request, f"logout/backchannel/{self._name}", None)
        if value in _FRAMES:
            place = f"logout/frontchannel/{self._name}"
            found = await self._ask(request, place, head.query)
            if found is not None and found.status == 200 and value == "img":
                return _as_image(found)
            return found
        if value:
            try:
                where = {"host": head.host, "scheme": head.scheme}
                value = read_target(value, port=head.port, **where)
            except TargetError:
                raise BadMessageError(400, "login-target") from None
        return await self._ask(request, "logout", self._target(value))

    def _target(self, value: str) -> str | None:
        """Give the query that says where somebody wants to be afterwards."""
        target = value or self._logged_out
        return f"to={quote(target, safe='')}" if target else None

    async def _give_request(self, request: Request) -> Response | None:
        """Give a signed request that the provider fetches."""
        name = read_one(request.head.query, "request_uri")
        if not name:
            raise BadMessageError(400, "parameter-ambiguous")
        if "/" in name:
            return None
        return await self._ask(request, f"request/{self._name}/{name}", None)

    async def _ask(
        self, request: Request, place: str, query: str | None
    ) -> Response | None:
        """Ask what answers at *place* below our endpoints."""
        path = self._endpoints + place
        head = attrs.evolve(request.head, path=path, query=query)
        asked = attrs.evolve(request, head=head, path_asked=self._path)
        return await self._logins.answer(asked)


def _login_query(query: str | None) -> str:
    """Give what ``login`` reads; what is typed has another name there."""
    names = {
        "iss": "iss",
        "target_link_uri": "target_link_uri",
        "login_hint": "login_hint",
        "disc_user": "who",
    }
    found = {ours: read_one(query, name) for name, ours in names.items()}
    return "&".join(f"{n}={quote(v, safe='')}" for n, v in found.items() if v)


def _as_json(response: Response | None) -> Response | None:
    """Give keys under the type that clients of mod_auth_openidc know."""
    if response is None:
        return None
    return _typed(response, "application/json")


def _as_image(response: Response) -> Response:
    """Give an image for who has put one into a page."""
    return attrs.evolve(_typed(response, "image/png"), body=_PIXEL)


def _typed(response: Response, type_: str) -> Response:
    kept: Headers = tuple(f for f in response.headers if f[0] != "content-type")
    return attrs.evolve(response, headers=(("content-type", type_), *kept))
