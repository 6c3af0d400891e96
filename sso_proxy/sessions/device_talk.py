"""
What is said to browsers that bind sessions to their device (W3C DBSC).

They are offered to register a key, register it, and prove it again.  A wrong status
ends what a browser knows: 403 has it sign something new, 503 has it try again, all
others below 500 end it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs
from twisted.logger import Logger

from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IClock
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.sessions.bound_cookie import BoundCookie
from sso_proxy.sessions.challenges import Challenges, Use
from sso_proxy.sessions.device_keys import DeviceKey, DeviceKeys
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.device_pace import WITHIN, Pace
from sso_proxy.sessions.jar import NO_STORE
from sso_proxy.sessions.lifetime import SKEW, is_since
from sso_proxy.sessions.names import digest
from sso_proxy.specs.dbsc import fields
from sso_proxy.specs.dbsc.instructions import Rule, build_end, build_instructions
from sso_proxy.specs.dbsc.proof import (
    Proof,
    check_audience,
    verify_refresh,
    verify_registration,
)
from sso_proxy.specs.http.own_origin import own_origin

_log = Logger()

PROOF: Final = "device-proof"
"""Why a browser is told to give up: its proof is none, or another's."""
LATE: Final = "device-late"
"""Why a key cannot be registered any more."""

_REGISTERING: Final = 600.0
"""Seconds after a login in which a key can be registered, at least."""
_CHANGING: Final = 60.0
"""Seconds in which a browser may still use a key from before."""


@attrs.frozen(kw_only=True)
class DeviceScope:
    """
    What browsers are told of one host.

    Attributes:
        endpoints: Where ours are.
        rules: What needs a proof, and what does not.
    """

    endpoints: str = "/.sso/"
    rules: tuple[Rule, ...] = ()


ScopeOf = Callable[[RequestHead], DeviceScope]
"""Gives what browsers are told of the host of a request."""


NO_CLAIMS: Final[Mapping[str, Any]] = MappingProxyType({})
"""Nothing is known of who logged in."""

_LATER: Final = Response(
    status=503, reason="device-changing", headers=(("retry-after", "1"), NO_STORE)
)
_TOO_OFTEN: Final = Response(
    status=503, reason="device-pace", headers=(("retry-after", str(WITHIN)), NO_STORE)
)


@attrs.define(kw_only=True, eq=False)
class DeviceTalk:
    """
    Offers browsers to register keys, and answers them.

    Attributes:
        config: Options.
        name: Names the kind of holders.
        clock: The time.
        cookie: The bound cookie.
        keys: The keys that were registered.
        challenges: What browsers have to sign.
        pace: How often they may.
        scope_of: What browsers are told of a host.
    """

    config: DeviceConfig
    name: str
    clock: IClock
    cookie: BoundCookie
    keys: DeviceKeys
    challenges: Challenges
    pace: Pace
    scope_of: ScopeOf = lambda _: DeviceScope()

    @property
    def tag(self) -> str:
        """Give what stands behind the endpoints in URLs: eight hexadecimal digits."""
        return tag_of(self.name)

    def may_offer(self, request: Request, began: float) -> bool:
        """
        Say whether a browser that sent *request* may register a key for what *began*.

        It registers on behalf of what the request is for: if that is a page of another
        site, such as a provider's, our cookies do not come along.
        """
        head = request.head
        elsewhere = head.values("sec-fetch-site") == ["cross-site"]
        secure = own_origin(head).startswith("https://")
        return secure and not elsewhere and self._may_register(began)

    def offer(
        self,
        request: Request,
        holder: str,
        began: float,
        claims: Mapping[str, Any] = NO_CLAIMS,
    ) -> Headers:
        """
        Offer to register a key, in the answer to *request*; nothing if it is too late.

        Whoever has a copy of the cookie could register a key of theirs later, and have
        the session for themselves.

        Args:
            request: Whom it is offered to.
            holder: For what.
            began: Seconds since the epoch when that began.
            claims: What is known of who logged in.  They name the key where that of a
                provider has to be taken; nothing is offered there if they do not.
        """
        head, federation = request.head, self.config.federation
        if not self.may_offer(request, began):
            return ()
        provider = None if federation is None else federation.provider_of(claims)
        if provider is None and self._shares_keys:
            return ()
        named = holder if provider is None else _with_key(holder, provider.key)
        return (
            (
                fields.REGISTRATION.lower(),
                fields.build_registration(
                    f"{self.scope_of(head).endpoints}dbsc/register/{self.tag}",
                    self.challenges.make("register", holder, head.host),
                    authorization=self.challenges.make("authorize", named, head.host),
                    algorithms=self.config.algorithms,
                    provider=provider,
                ),
            ),
            NO_STORE,  # it is for one browser
        )

    async def register(
        self, request: Request, holder: str | None, began: float, expires: float
    ) -> Response:
        """
        Answer a browser that registers a key.

        Args:
            request: What it has sent.
            holder: For which holder, as its other cookies say; None if for none.
            began: Seconds since the epoch when that began.
            expires: Seconds since the epoch when it is over.

        Raises:
            UnavailableError: It cannot be done now.
        """
        head, now = request.head, self.clock.time()
        if holder is None or now >= expires or not self._may_register(began):
            return _give_up(request, LATE, "there is nothing to be bound (any more)")
        try:
            proof = verify_registration(_proof_of(head), self.config.algorithms)
            check_audience(proof, _url_of(head))
        except TokenError as e:
            return _give_up(request, PROOF, e.detail)
        if not self._was_offered(proof, holder, head.host):
            return self._ask_again(request, "register", holder)
        if refused := await self._spend(request, proof, "register", holder):
            return refused
        key = DeviceKey(
            jwk=proof.jwk,
            thumbprint=proof.thumbprint,
            algorithm=proof.algorithm,
            since=now,
        )
        # The clock of another machine may be behind, and let the holder live longer.
        if not await self.keys.register(holder, key, expires - now + SKEW):
            known = await self.keys.find(holder)
            if known is None or known.thumbprint != key.thumbprint:
                detail = f"{holder} is bound to another key already"
                return _give_up(request, PROOF, detail)
        _log.info(
            "Request {id}: a key of a device ({algorithm}) is registered for {holder}",
            id=request.id,
            algorithm=key.algorithm,
            holder=holder,
        )
        return self._instruct(request, holder, key, expires)

    async def refresh(  # noqa: PLR0911 - one for each answer
        self, request: Request, holder: str | None, began: float, expires: float
    ) -> Response:
        """
        Answer a browser that proves its key, or asks what to prove.

        Who logs in anew proves the key from before for a moment.  To be told to give it
        up would end the new one, too, which browsers call the same: so they try again.

        Args:
            request: What it has sent.
            holder: The holder that its other cookies name; None if that is over.
            began: Seconds since the epoch when it began.
            expires: Seconds since the epoch when it is over.

        Raises:
            UnavailableError: It cannot be done now.
        """
        head = request.head
        named = fields.read_session_id(_only(head, fields.SESSION_ID))
        if named is None:
            return _give_up(request, PROOF, "it does not say for which session")
        if not self.names(named, head):
            return _over(named)
        lives = holder is not None and self.clock.time() < expires
        key = await self.keys.find(holder) if holder and lives else None
        if holder is None or key is None:
            waits = lives and is_since(began, _CHANGING, self.clock.time())
            return _LATER if waits else _over(named, self.cookie.clear(request))
        try:
            proof = _read_refresh(head, key)
        except TokenError as e:
            if is_since(key.since, _CHANGING, self.clock.time()):
                return _LATER
            return _give_up(request, PROOF, e.detail)
        if proof is None or not self.challenges.check(
            proof.challenge, "refresh", holder, head.host
        ):
            return self._ask_again(request, "refresh", holder)
        if refused := await self._spend(request, proof, "refresh", holder):
            return refused
        return self._instruct(request, holder, key, expires)

    def names(self, session_id: str, head: RequestHead) -> bool:
        """Say whether that is what browsers call what is bound here, on this host."""
        return session_id == self.session_id(head)

    def session_id(self, head: RequestHead) -> str:
        """
        Give what browsers call what is bound here.

        It is always the same: what a later login registers takes the place of what is
        there.  Browsers have one list for all hosts of a site.
        """
        return digest("device-session", self.name, own_origin(head)).hex()[:16]

    def _may_register(self, began: float) -> bool:
        return is_since(began, max(_REGISTERING, self.config.grace), self.clock.time())

    @property
    def _shares_keys(self) -> bool:
        """Whether no keys are taken but those that a provider's sessions have."""
        federation = self.config.federation
        return federation is not None and bool(federation.provider)

    def _was_offered(self, proof: Proof, holder: str, host: str) -> bool:
        """Say whether *proof* answers a fresh offer for *holder*, made for its key."""
        check, named = self.challenges.check, holder
        if self._shares_keys:
            named = _with_key(holder, proof.thumbprint)
        return check(proof.challenge, "register", holder, host) and check(
            proof.authorization, "authorize", named, host
        )

    async def _spend(
        self, request: Request, proof: Proof, use: Use, holder: str
    ) -> Response | None:
        """
        Use up the challenge of *proof*, which is good; say what is in the way of that.

        Raises:
            UnavailableError: The cache cannot answer, or has no room.
        """
        # Counted before the cache is asked: others may come while it answers.
        if not self.pace.take(holder):
            return _TOO_OFTEN
        spent = False
        try:
            spent = await self.challenges.spend(proof.challenge)
        finally:
            if not spent:  # what is repeated takes no room, and may be a thief's
                self.pace.give_back(holder)
        return None if spent else self._ask_again(request, use, holder)

    def _challenge(self, request: Request, use: Use, holder: str) -> tuple[str, str]:
        """Give the field with what the next proof is to be about."""
        head = request.head
        text = self.challenges.make(use, holder, head.host)
        field = fields.build_challenge(text, self.session_id(head))
        return fields.CHALLENGE.lower(), field

    def _ask_again(self, request: Request, use: Use, holder: str) -> Response:
        """
        Have a browser sign something new: what it signed is old, used, or not ours.

        It repeats what it has, so that this is nothing to be blamed for.
        """
        field = self._challenge(request, use, holder)
        return Response(
            status=403, reason="device-challenge", headers=(field, NO_STORE)
        )

    def _instruct(
        self, request: Request, holder: str, key: DeviceKey, expires: float
    ) -> Response:
        """Give a browser what it has proved itself worth, and say what to do then."""
        head = request.head
        scope = self.scope_of(head)
        body = build_instructions(
            session_id=self.session_id(head),
            refresh_url=f"{scope.endpoints}dbsc/refresh/{self.tag}",
            origin=own_origin(head),
            rules=self._rules(scope, head.host),
            cookies=((self.cookie.name, self.cookie.attributes),),
        )
        return Response(
            status=200,
            reason="device-proved",
            headers=(
                ("content-type", "application/json"),
                self._challenge(request, "refresh", holder),
                *self.cookie.write(holder, key.thumbprint, expires),
            ),
            body=body,
        )

    def _rules(self, scope: DeviceScope, host: str) -> list[Rule]:
        """Give the rules of a host, with what is excluded besides."""
        excluded = self.config.exclude
        rules = [rule for rule in scope.rules if rule.path not in excluded]
        return rules + [Rule("exclude", host, path) for path in excluded]


def _with_key(holder: str, thumbprint: str) -> str:
    """
    Give what authorizes one key alone for *holder*.

    So nothing has to be kept of the offer, and what it was made for is no other's.
    """
    return f"{holder}\n{thumbprint}"


def tag_of(name: str) -> str:
    """Give what stands behind the endpoints of the kind of holders called *name*."""
    return digest("device-tag", name).hex()[:8]


def _proof_of(head: RequestHead) -> str:
    """
    Give the proof that a browser has sent.

    Raises:
        TokenError: There is none, or several.
    """
    compact = fields.read_response(_only(head, fields.RESPONSE))
    if compact is None:
        raise TokenError("there is no proof", reason=PROOF)
    return compact


def _read_refresh(head: RequestHead, key: DeviceKey) -> Proof | None:
    """
    Give the proof that a browser has sent for *key*; None if it asks what to prove.

    Raises:
        TokenError: It is by another key, or none at all.
    """
    if not head.values(fields.RESPONSE.lower()):
        return None
    proof = verify_refresh(_proof_of(head), key.jwk, (key.algorithm,))
    check_audience(proof, _url_of(head))
    return proof


def _only(head: RequestHead, name: str) -> str:
    """Give the value of a field; empty unless it is there once."""
    values = head.values(name.lower())
    return values[0] if len(values) == 1 else ""


def _url_of(head: RequestHead) -> str:
    return own_origin(head) + head.path


def _give_up(request: Request, reason: str, detail: str) -> Response:
    """Have a browser give its key up."""
    _log.warn(
        "Request {id}: {reason}: {detail}", id=request.id, reason=reason, detail=detail
    )
    return Response(status=400, reason=reason, headers=(NO_STORE,))


def _over(named: str, headers: Headers = ()) -> Response:
    """Tell a browser that a session is over."""
    return Response(
        status=200,
        reason="device-over",
        headers=(("content-type", "application/json"), NO_STORE, *headers),
        body=build_end(named),
    )
