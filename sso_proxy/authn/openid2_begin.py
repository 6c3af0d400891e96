"""Find out at which provider somebody logs in, and send their browser there."""

from typing import Final

import attrs

from sso_proxy.authn.openid2_begun import Begun, return_to
from sso_proxy.authn.openid2_log import Code, code_of, note, why_of
from sso_proxy.authn.openid2_parts import Parts
from sso_proxy.errors import UnavailableError
from sso_proxy.login import FormAway, Question, Wanted
from sso_proxy.model import Headers, Request, Response
from sso_proxy.net.openid2_fetch import DiscoveryError
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.openid2.discovery import Endpoint
from sso_proxy.specs.openid2.identifier import IdentifierError, read_identifier
from sso_proxy.specs.openid2.realm import read_realm
from sso_proxy.specs.openid2.request import MAX_URL, build_request, request_url

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)
_LATER: Final = ("retry-after", "10")
_TOLD: Final = frozenset(
    {"openid-xri", "openid-plain", "openid-provider", "openid-unreachable"}
)
"""Reasons for which people are told something of their own."""
_COOKIES: Final = {
    "foreign": (Code.NOT_OPENED, "a session cookie is not sealed by us"),
    "damaged": (Code.INVALID, "a session cookie is damaged"),
    "over": (Code.OVER, "a session is over"),
}
_WHY: Final = {
    "none": "there is no session cookie",
    **dict.fromkeys(_COOKIES, "the session cookie is no good"),
}


class Beginner:
    """
    Begins logins.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config
        self._choices = tuple(parts.config.choices.items())

    async def begin(
        self, request: Request, wanted: Wanted, *, tells: bool = False
    ) -> Response | Question | FormAway:
        """
        Send the browser away, or ask who it is that logs in.

        Args:
            request: The browser's request.
            wanted: What for.
            tells: Whether somebody only wants to see which identifier is theirs.

        Raises:
            UnavailableError: The provider of all is down, or the cache.
        """
        if wanted.anywhere:
            wanted = attrs.evolve(wanted, target=self._config.start_page)
        self._explain(request, wanted)
        identifier, typed = self._whose(wanted)
        if not identifier:
            return self._ask(request, wanted)
        if typed and not self._parts.may_ask(request, typed=True):
            self._note(request, "too many identifiers were looked up")
            headers = (*_NO_STORE, _LATER)
            return Response(status=429, reason="too-many-logins", headers=headers)
        try:
            scheme = "https" if self._config.https_only else "http"
            url = read_identifier(identifier, scheme=scheme)
            found = (await self._parts.discovery.discover(url)).best
            assert found is not None  # noqa: S101 - says `discover`
        except (IdentifierError, DiscoveryError) as e:
            self._note(request, why_of(e))
            if typed:
                return self._ask(request, wanted, e.reason)
            return _refuse(502, "provider-error", wanted)
        except UnavailableError as e:
            note(request, self._parts.name, code_of(e), why_of(e))
            if typed:
                return self._ask(request, wanted, "openid-unreachable")
            raise
        return await self._send(request, wanted, found, tells=tells)

    def _explain(self, request: Request, wanted: Wanted) -> None:
        """Write down why somebody has to log in who wanted a page."""
        if request.head.path.startswith(wanted.endpoints):
            return
        cookies = "" if request.session else request.sessions.explain(request)
        if cookies in _COOKIES:
            code, why = _COOKIES[cookies]
            note(request, self._parts.name, code, why)
        why = _WHY.get(cookies, "the session is not enough")
        self._note(request, f"sent to log in: {why}")

    def _whose(self, wanted: Wanted) -> tuple[str, bool]:
        """
        Give the identifier to look up, if that is known.

        Returns:
            It, and whether somebody typed it, who can be asked once more.
        """
        config = self._config
        if config.provider is not None:
            return config.provider, False
        if wanted.issuer:  # one of the choices, or it had not got here
            return wanted.issuer, False
        typed = wanted.account.strip()
        if typed and (config.typed or typed in config.choices.values()):
            return typed, True
        return "", False

    def _ask(self, request: Request, wanted: Wanted, problem: str = "") -> Question:
        """Ask for an identifier."""
        ours = request.head.path.startswith(wanted.endpoints)
        here = self._config.in_answer and request.session is None and not ours
        if problem and problem not in _TOLD:
            problem = "openid-unknown"
        return Question(
            choices=self._choices,
            typed=self._config.typed,
            problem=problem,
            openid=True,
            status=401 if here else 200,
        )

    async def _send(
        self, request: Request, wanted: Wanted, endpoint: Endpoint, *, tells: bool
    ) -> Response | FormAway:
        """Send the browser to a provider, and have it keep what has to be known."""
        origin, name = own_origin(request.head), self._parts.name
        place = origin + (wanted.callback or f"{wanted.endpoints}callback/{name}")
        realm = self._config.realm_at(origin)
        if not read_realm(realm).covers(place):
            why = f"the realm {realm} does not cover {place}"
            note(request, name, Code.MISCONFIGURED, why)
            return _refuse(500, "openid-realm", wanted)
        association = await self._parts.providers.associate(endpoint.op_endpoint)
        begun = Begun(
            by=name, place=place, endpoint=endpoint, tells=tells, wanted=wanted
        )
        try:
            # A provider may have a long answer posted, and other cookies stay away.
            login, headers = request.sessions.logins.begin(
                request, begun.as_json(), cross_site=True
            )
        except ValueError as e:
            note(request, name, Code.NOT_SEALED, str(e))
            return _refuse(400, "login-request", wanted)
        fields = build_request(
            endpoint,
            return_to=return_to(place, login),
            realm=realm,
            handle="" if association is None else association.handle,
            immediate=self._is_immediate(wanted),
        )
        location = request_url(endpoint.op_endpoint, fields)
        if len(location) > MAX_URL:
            action = endpoint.op_endpoint
            return FormAway(action=action, fields=tuple(fields), headers=headers)
        return Response(
            status=303, reason="login", headers=(("location", location), *headers)
        )

    def _is_immediate(self, wanted: Wanted) -> bool:
        """Say whether the provider must not show anything."""
        asked = wanted.wishes.prompt if wanted.wishes is not None else None
        silent = wanted.silent_for is not None or asked == ("none",)
        return silent or self._config.immediate

    def _note(self, request: Request, why: str) -> None:
        note(request, self._parts.name, Code.NO_LOGIN, why)


def _refuse(status: int, reason: str, wanted: Wanted) -> Response:
    return Response(
        status=status, reason=reason, headers=_NO_STORE, again=wanted.target
    )
