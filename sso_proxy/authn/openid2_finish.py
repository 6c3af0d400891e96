"""Look at what a browser brings back from a provider, and say who it is."""

from typing import Final

import attrs

from sso_proxy.authn.oidc_lost import begin_again, explain_lost
from sso_proxy.authn.openid2_begun import LOGIN, Begun, return_to
from sso_proxy.authn.openid2_log import Code, code_of, note, why_of
from sso_proxy.authn.openid2_parts import Parts
from sso_proxy.errors import BadMessageError, SsoProxyError, UnavailableError
from sso_proxy.login import Finished, OpenIdShown
from sso_proxy.model import Headers, Identity, Request, Response
from sso_proxy.net.openid2_fetch import DiscoveryError
from sso_proxy.specs.http.own_origin import own_origin
from sso_proxy.specs.http.parameters import is_form
from sso_proxy.specs.openid2.assertion import (
    Assertion,
    AssertionRefused,
    needs_discovery,
    read_assertion,
)
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.specs.openid2.identifier import without_fragment
from sso_proxy.specs.openid2.message import (
    MAX_MESSAGE,
    Message,
    MessageError,
    read_message,
)

ISSUER: Final = "openid2"
"""The issuer of all identities: an identifier says itself who vouches for it."""
PROVIDER: Final = "op_endpoint"
"""The claim that has the provider."""
LOCAL_ID: Final = "op_local_id"
"""The claim that has what the provider calls somebody."""

_NO_STORE: Final = ("cache-control", "no-store")
_LATER: Final = ("retry-after", "10")
_LONGEST_TARGET: Final = 500


@attrs.frozen
class _RefusedError(SsoProxyError):
    """Nobody is logged in."""

    status: int
    reason: str
    detail: str
    code: Code = Code.NO_LOGIN


class Finisher:
    """
    Finishes logins.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def finish(self, request: Request) -> Finished | Response | OpenIdShown:
        """
        Say who has come back, or refuse them.

        Raises:
            UnavailableError: The provider is down, or the cache, or a mapper.
        """
        headers: Headers = ()
        try:
            message = await _read(request)
        except MessageError as e:
            # Nobody knows which login that is, and it stays as it is.
            return self._refuse(
                request, _RefusedError(400, "login-refused", why_of(e)), "", ()
            )
        login = _login_of(message)
        kept, headers = request.sessions.logins.take(request, login)
        begun = None if kept is None else Begun.from_json(kept)
        if begun is None or begun.by != self._parts.name:
            return self._lost(request, login)
        again = begun.wanted.target
        try:
            assertion = await self._check(request, message, begun, login)
        except _RefusedError as e:
            return self._refuse(request, e, again, headers)
        except (AssertionRefused, DiscoveryError) as e:
            refused = _RefusedError(403, "login-refused", why_of(e))
            return self._refuse(request, refused, again, headers)
        except UnavailableError as e:
            note(request, self._parts.name, code_of(e), why_of(e))
            raise
        return await self._admit(request, assertion, begun, login, headers)

    async def _check(
        self, request: Request, message: Message, begun: Begun, login: str
    ) -> Assertion:
        """
        Give what the provider says, which is proved then (section 11).

        Raises:
            _RefusedError: It says that it says nothing.
            AssertionRefused: It cannot be believed.
            DiscoveryError: The identifier names no provider.
            UnavailableError: Nobody can tell now.
        """
        _check_mode(message)
        if not self._parts.may_ask(request):
            # Each may be a page to fetch, and a question to a provider.
            raise _RefusedError(429, "too-many-logins", "too many answers")
        here = own_origin(request.head) + (request.path_asked or request.head.path)
        assertion = read_assertion(
            message,
            return_to=return_to(begun.place, login),
            here=here,
            now=self._parts.clock.time(),
        )
        if assertion.op_endpoint != begun.endpoint.op_endpoint:
            # One at which nobody began could be any of the Internet.
            detail = "it is not the provider at which the login began"
            raise AssertionRefused("openid-provider", detail)
        found: Endpoint | Discovered = begun.endpoint
        if needs_discovery(assertion, begun.endpoint):
            claimed_id = without_fragment(assertion.claimed_id)
            found = await self._parts.discovery.discover(claimed_id)
        await self._parts.providers.verify(assertion, found)
        return assertion

    async def _admit(
        self,
        request: Request,
        assertion: Assertion,
        begun: Begun,
        login: str,
        headers: Headers,
    ) -> Finished | OpenIdShown:
        """Let somebody in who is known here, or tell them who they are."""
        identifier, wanted = assertion.claimed_id, begun.wanted
        name = self._parts.name
        if begun.tells:
            note(request, name, Code.SHOWN, f"{identifier!r} is shown to its owner")
            return OpenIdShown(
                identifier=identifier, known=True, again=wanted.target, headers=headers
            )
        identity = Identity(
            issuer=ISSUER,
            subject=identifier,
            authenticator=name,
            claims={
                PROVIDER: assertion.op_endpoint,
                LOCAL_ID: assertion.identity,
            },
        )
        if await self._parts.user_of(identity) is None:
            note(request, name, Code.NO_LOGIN, f"no user name for {identifier!r}")
            return OpenIdShown(
                identifier=identifier, known=False, again=wanted.target, headers=headers
            )
        if len(wanted.target) <= _LONGEST_TARGET:
            headers = request.sessions.logins.finish(
                request, login, wanted.target, cross_site=True
            )
        return Finished(identity=identity, wanted=wanted, headers=headers)

    def _lost(self, request: Request, login: str) -> Response:
        """Answer who comes with a login that is over, or was never begun here."""
        session, name = request.session, self._parts.name
        if session is not None and session.identity.authenticator == name:
            target, _ = request.sessions.logins.finished(request, login)
            headers: Headers = (_NO_STORE, ("location", target or "/"))
            return Response(status=303, reason="login-done-before", headers=headers)
        again = begin_again(request, login)
        if again is not None:
            return again
        lost = explain_lost(request, login)
        code = Code.NOT_OPENED if lost.reason == "login-expired" else Code.NO_LOGIN
        note(request, name, code, lost.detail)
        return Response(status=400, reason=lost.reason, headers=(_NO_STORE,))

    def _refuse(
        self, request: Request, refused: _RefusedError, again: str, headers: Headers
    ) -> Response:
        note(request, self._parts.name, refused.code, refused.detail)
        fields = headers if _NO_STORE in headers else (_NO_STORE, *headers)
        if refused.status == 429:
            fields += (_LATER,)
        return Response(
            status=refused.status, reason=refused.reason, headers=fields, again=again
        )


def _check_mode(message: Message) -> None:
    """
    Check that an answer says somebody has logged in (section 10.2).

    Raises:
        _RefusedError: It does not.
    """
    match message.mode:
        case "id_res":
            return
        case "cancel":
            raise _RefusedError(403, "login-denied", "cancelled at the provider")
        case "setup_needed":
            detail = "nobody is logged in at the provider, and it must not ask"
            raise _RefusedError(403, "login-denied", detail)
        case "error":
            said = (message.get("error") or "")[:200]
            detail = f"the provider reports an error: {said!r}"
            raise _RefusedError(502, "provider-error", detail)
        case _:
            raise _RefusedError(400, "login-refused", "the answer has no mode")


async def _read(request: Request) -> Message:
    """
    Read what the browser brings, in the URL or by a form.

    Raises:
        MessageError: It cannot be read in exactly one way.
    """
    head = request.head
    if head.method == "GET":
        return read_message(head.query)
    if head.method != "POST" or not is_form(head) or request.body is None:
        raise MessageError("openid-message", "neither a query nor a form")
    try:
        content = await request.body.read(MAX_MESSAGE)
    except BadMessageError as e:
        raise MessageError("openid-message", f"the form: {e.reason}") from None
    return read_message(head.query, content.decode("latin-1"))


def _login_of(message: Message) -> str:
    """Give the login that an answer names; empty if it names none, or two."""
    named = [value for name, value in message.others if name == LOGIN]
    return named[0] if len(named) == 1 else ""
