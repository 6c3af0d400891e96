"""Take somebody back from a provider: who it is, and whether they began here."""

from hashlib import sha256
from typing import Any, Final, Self

import attrs
from twisted.logger import Logger

from sso_proxy.authn.oidc_begun import Begun
from sso_proxy.authn.oidc_bound import provided_hash
from sso_proxy.authn.oidc_callback import (
    FRAGMENT_FIELD,
    lacks_answer,
    read_callback,
)
from sso_proxy.authn.oidc_identity import Identifier, Known
from sso_proxy.authn.oidc_lost import begin_again, explain_lost
from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.authn.oidc_rules import response_rules
from sso_proxy.authn.oidc_wishes import KEPT
from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.login import Finished, InFragment
from sso_proxy.model import Headers, Request, Response
from sso_proxy.net.provider import ProviderError
from sso_proxy.specs.jose.strict import encode_base64url
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oidc.envelope import open_jwt
from sso_proxy.specs.oidc.jarm import OverError, read_jarm_claims
from sso_proxy.specs.oidc.response import (
    AnswerError,
    Arrived,
    AuthorizationAnswer,
    Fields,
    check_answer,
    check_members,
    check_mode,
    read_answer,
    read_refusal,
)

_log = Logger()

PURPOSE: Final = "oidc-finished"
"""Of logins that are finished, in the cache."""

_NO_STORE: Final = ("cache-control", "no-store")
_FINISHED_FOR: Final = 3700.0
"""Seconds that a finished login is known: longer than one may take."""
_LONGEST_TARGET: Final = 500


class Finisher:
    """
    Finishes logins.

    Args:
        parts: The parts of the authenticator.
        identifier: Makes identities of tokens.
    """

    def __init__(self, parts: Parts, identifier: Identifier) -> None:
        self._parts = parts
        self._config = parts.config
        self._identifier = identifier

    async def finish(self, request: Request) -> Finished | Response | InFragment:
        """
        Say who has come back, or refuse them.

        Raises:
            UnavailableError: The provider is down.
        """
        if self._config.mode.startswith("fragment") and lacks_answer(request):
            return InFragment(field=FRAGMENT_FIELD)
        try:
            came = await self._read(request)
        except AnswerError as e:
            # Of what is over, nothing logs anybody in; mostly it is the Back button.
            state = e.state if isinstance(e, OverError) else None
            # Only to where that login led: of one that waits, the next answer would be
            # over as well, and the browser sent round.
            back = None if state is None else self._back(request, state, (), None)
            return back or _refuse(request, _RefusedError.of(e))
        if came is None:
            return self._lost(request, None, ())
        state = came.answer.state
        kept, headers = request.sessions.logins.take(request, state or "")
        if kept is None or state is None:
            return self._lost(request, state, headers)
        if not kept.keys() >= {"by", "iss", "uri", "nonce", "at", "for"}:
            detail = "the login was begun by an authenticator of another type"
            return _refuse(request, _RefusedError(400, "login-state", detail), headers)
        begun = attrs.evolve(Begun.from_json(kept), provided=provided_hash(request))
        return await self._go_on(request, begun, came, headers)

    async def opens(self, response: str) -> bool:
        """
        Say whether *response* is a signed answer of the provider to us, or was once.

        Raises:
            UnavailableError: The provider's keys cannot be had.
        """
        try:
            await self._open(response)
        except OverError:
            return True
        except AnswerError:
            return False
        return True

    async def _go_on(
        self, request: Request, begun: Begun, came: "_Came", headers: Headers
    ) -> Finished | Response:
        """Finish what this browser has begun."""
        again, state = begun.wanted.target, came.answer.state or ""
        try:
            await self._check(begun, came)
            if not await self._is_first(state):
                if self._is_logged_in(request):
                    return _send_on(again, headers)
                detail = "the login is finished already"
                return _refuse(
                    request, _RefusedError(400, "login-state", detail), headers, again
                )
            identity, data = await self._identify(begun, came.answer)
        except AnswerError as e:
            return _refuse(request, _RefusedError.of(e), headers, again)
        except _RefusedError as e:
            return _refuse(request, e, headers, again)
        known: dict[str, Any] = {**data, **_asked(begun), "login": _digest(state)}
        if came.answer.session_state:
            known["session_state"] = came.answer.session_state
        if len(again) <= _LONGEST_TARGET and begun.wanted.silent_for is None:
            known["target"] = again
            cross_site = begun.response_mode.startswith("form_post")
            headers = request.sessions.logins.finish(
                request, state, again, cross_site=cross_site
            )
        return Finished(
            identity=identity, data=known, wanted=begun.wanted, headers=headers
        )

    async def _read(self, request: Request) -> "_Came | None":
        """
        Read an answer, and take it out of what it is signed in.

        None for our page without anything behind its ``#``: somebody came to it again.

        Raises:
            OverError: It was good once; a login that is finished may begin again.
            AnswerError: There is none, or it is not the provider's.
            UnavailableError: The provider's keys cannot be had.
        """
        arrived, fields = await read_callback(request)
        if arrived == "fragment" and not fields:
            return None
        outer = read_answer(fields)
        text = outer.response
        answer = outer if text is None else await self._open(text)
        return _Came(arrived, outer, answer)

    async def _open(self, response: str) -> AuthorizationAnswer:
        """
        Take a signed answer apart (JARM).

        Raises:
            OverError: It is over, and nothing else is wrong.
            AnswerError: It is not the provider's, or not for us.
            UnavailableError: The provider's keys cannot be had.
        """
        endpoints = await self._parts.provider.endpoints()
        rules, secrets = response_rules(self._config), self._parts.secrets
        try:
            _, claims = await self._identifier.with_keys(
                endpoints,
                lambda keys: open_jwt(
                    response,
                    keys,
                    rules,
                    decryption_keys=secrets.decryption,
                ),
            )
        except TokenError as e:
            raise AnswerError(f"the signed answer: {e.detail}") from e
        fields: Fields = read_jarm_claims(
            claims,
            issuer=self._config.issuer,
            client_id=self._config.client_id,
            now=self._parts.clock.time(),
        )
        return read_answer(fields)

    async def _check(self, begun: Begun, came: "_Came") -> None:
        """
        Check that what came is an answer to what was begun, and that it is good news.

        Raises:
            AnswerError: It is not.
            _RefusedError: The provider logs nobody in.
            UnavailableError: Nobody knows what the provider's answers look like.
        """
        if begun.by != self._parts.name or begun.issuer != self._config.issuer:
            # The other's answer would be redeemed with this one's secrets (D18).
            detail = "the login was begun with another provider"
            raise AnswerError(detail, reason="login-state")
        check_mode(
            came.outer,
            asked=begun.response_mode,
            arrived=came.arrived,
            response_type=begun.response_type,
        )
        answer, endpoints = came.answer, await self._parts.provider.endpoints()
        check_answer(answer, issuer=begun.issuer, iss_required=endpoints.iss_required)
        refusal = read_refusal(answer)
        if refusal is not None:
            detail = f"{refusal.error} {answer.error_description}".strip()
            raise _RefusedError(refusal.status, refusal.reason, detail)
        check_members(answer, begun.response_type)

    async def _identify(self, begun: Begun, answer: AuthorizationAnswer) -> Known:
        """
        Say who it is, by the tokens that came, or by those that a code is good for.

        Raises:
            _RefusedError: They are not good, or there are none.
            UnavailableError: The provider is down.
        """
        try:
            # Before the code is used: it could be somebody else's (Core 3.3.2.10).
            front = await self._identifier.of_browser(answer, begun)
            if answer.code is None:
                return await self._identifier.of_answer(answer, begun, front)
            fields: FormFields = (
                ("code", answer.code),
                ("redirect_uri", begun.redirect_uri),
            )
            if begun.verifier:
                fields += (("code_verifier", begun.verifier),)
            tokens = await self._parts.provider.redeem(fields)
            return await self._identifier.of_login(tokens, begun, answer, front)
        except ProviderError as e:
            detail = f"{e.error} {e.description}".strip()
            # What the provider refuses is the code, and the browser brought that.
            status = 403 if e.error else 502
            raise _RefusedError(status, "login-refused", detail) from e
        except TokenError as e:
            detail = f"{e.reason}: {e.detail}"
            raise _RefusedError(403, "login-refused", detail) from e

    async def _is_first(self, state: str) -> bool:
        """
        Say whether a login is finished for the first time, and note that it is.

        A provider that sees a code twice may revoke what it gave for it (RFC 6749
        section 4.1.2), and who brings one twice need not be who began.  Without a cache
        the provider decides alone.
        """
        if self._parts.cache is None:
            return True
        key = _digest(state).encode()
        return await self._parts.cache.compare_and_set(
            PURPOSE, key, None, b"1", _FINISHED_FOR
        )

    def _is_logged_in(self, request: Request) -> bool:
        session = request.session
        return (
            session is not None and session.identity.authenticator == self._parts.name
        )

    def _lost(self, request: Request, state: str | None, headers: Headers) -> Response:
        """Answer an answer to nothing that this browser has begun."""
        back = self._back(request, state, headers, "/")
        if back is not None:
            return back
        lost = explain_lost(request, state)
        return _refuse(request, _RefusedError(400, lost.reason, lost.detail), headers)

    def _back(
        self, request: Request, state: str | None, headers: Headers, other: str | None
    ) -> Response | None:
        """
        Send somebody on who comes back to the answer of a login that is finished.

        Args:
            request: Whose browser.
            state: The answer's.
            headers: For that browser.
            other: Where who has a session goes if nobody knows where the login led;
                None for nowhere.

        Returns:
            None if it is not this browser that has finished it.
        """
        session = request.session
        if session is not None and self._is_logged_in(request):
            # The Back button, mostly; an old address says nothing about who this is.
            target, _ = request.sessions.logins.finished(request, state or "")
            if state is not None and session.data.get("login") == _digest(state):
                target = session.data.get("target")
            to = target or other
            return None if to is None else _send_on(to, headers)
        return begin_again(request, state)


@attrs.frozen
class _Came:
    """
    What a browser brought.

    Attributes:
        arrived: How.
        outer: The answer as it came.
        answer: What was in it, if it was signed; else the same.
    """

    arrived: Arrived
    outer: AuthorizationAnswer
    answer: AuthorizationAnswer


@attrs.frozen
class _RefusedError(SsoProxyError):
    """
    Nobody is logged in.

    Attributes:
        status: What the browser is told.
        reason: The code for its page, the log and the audit record.
        detail: For the log.
    """

    status: int
    reason: str
    detail: str

    @classmethod
    def of(cls, error: AnswerError) -> Self:
        """Give what a bad answer comes to."""
        return cls(400, error.reason, error.detail)


def _send_on(target: str, headers: Headers) -> Response:
    """Send somebody on who is logged in."""
    fields = _final((("location", target), *headers))
    return Response(status=303, reason="login-done-before", headers=fields)


def _refuse(
    request: Request, refused: _RefusedError, headers: Headers = (), again: str = ""
) -> Response:
    _log.info(
        "Request {id}: {reason}: {detail}",
        id=request.id,
        reason=refused.reason,
        detail=refused.detail,
    )
    return Response(
        status=refused.status,
        reason=refused.reason,
        headers=_final(headers),
        again=again,
    )


def _final(headers: Headers) -> Headers:
    """Add that nobody may keep the answer, if that is not said yet."""
    return headers if _NO_STORE in headers else (_NO_STORE, *headers)


def _asked(begun: Begun) -> dict[str, Any]:
    """Give what a session keeps of what its login was asked for."""
    every = {
        "max_age": begun.max_age,
        "claims": begun.claims,
        "resource": None if begun.resource is None else list(begun.resource),
    }
    said = {name: value for name, value in every.items() if value is not None}
    return {KEPT: said} if said else {}


def _digest(state: str) -> str:
    """Name a login without giving its state away."""
    return encode_base64url(sha256(state.encode()).digest()[:16])
