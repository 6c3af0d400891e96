"""
Who calls, which keys they hold, and what the backend calls them.

Phases 4 to 6 of a request's way (`sso_proxy.pipeline`).
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final, NamedTuple, assert_never

import attrs

from sso_proxy.body import Body
from sso_proxy.equipment import Equipment
from sso_proxy.interfaces import IAuthenticator, IBinding
from sso_proxy.mappers.chain import ask_in_turn
from sso_proxy.model import (
    ANONYMOUS,
    DECLINED,
    PERMIT,
    REFUSED,
    Authenticated,
    Caller,
    Decision,
    Effect,
    Identity,
    NotPresented,
    Rejected,
    Request,
    Response,
    Unbound,
    UserName,
    with_login,
)
from sso_proxy.outgoing import build_fields
from sso_proxy.refusals import NO_STORE, invite, refuse_device, reject
from sso_proxy.routing import Route
from sso_proxy.session import DEVICE_MISSING, Opened, Session
from sso_proxy.sessions.keys import keys_proved, proved_kinds
from sso_proxy.specs.user_name import is_safe_user_name


@attrs.frozen
class Proof:
    """
    What the caller proved to hold.

    Attributes:
        kinds: Kinds of keys.
        once: The proof is good for this request only.
        answer: Field lines for the answer, serialised.
    """

    kinds: tuple[str, ...] = ()
    once: bool = False
    answer: bytes = b""


NO_PROOF: Final = Proof()


class Found(NamedTuple):
    """
    Who calls.

    Attributes:
        authenticator: Who knows.
        outcome: What it says.
        request: The request, with the session that somebody was asked about.
    """

    authenticator: IAuthenticator
    outcome: Authenticated
    request: Request


async def authenticate(
    route: Route, request: Request, body: Body | None
) -> Found | Response:
    """
    Ask the route's authenticators; the first that has an opinion decides.

    Args:
        route: The route.
        request: The request.
        body: Reads its body, if there is one and it has to wait for a login.
    """
    rejected: Rejected | None = None
    kind: type | None = None
    opened: Opened | None = None
    for authenticator in route.authenticators:
        if rejected is not None and type(authenticator) is not kind:
            continue  # nobody with a bad token becomes somebody by other means
        if opened is None and getattr(authenticator, "reads_session", False):
            opened = await open_session(route, request)
            request = with_session(route, request, opened.session)
        outcome = await authenticator.authenticate(request)
        match outcome:
            case Authenticated():
                if outcome.session is not None:
                    request = attrs.evolve(request, session=outcome.session)
                return Found(authenticator, _during(opened, outcome), request)
            case NotPresented():
                continue
            case Rejected():
                rejected, kind = rejected or outcome, type(authenticator)
                if outcome.final:
                    return reject(outcome, request, route)
            case _:
                assert_never(outcome)
    if rejected is not None:
        return reject(rejected, request, route)
    return await _invite(opened, request, route, body)


async def open_session(route: Route, request: Request) -> Opened:
    """Give the session that a request comes with, if its route has any."""
    if route.sessions is None:
        return Opened(None)
    return await route.sessions.load(request)


def with_session(route: Route, request: Request, session: Session | None) -> Request:
    """Give *request* with what its authenticators may know of sessions."""
    keys = () if session is None else keys_proved(request, session)
    return with_login(request, session, route.sessions, route.refresh_failed, keys)


async def _invite(
    opened: Opened | None, request: Request, route: Route, body: Body | None
) -> Response:
    """Tell a caller whom nobody knows how to get in, or why they are not known."""
    if opened is not None and opened.refused == DEVICE_MISSING:
        return await refuse_device(opened, request, route, body)
    return _because(opened, await invite(request, route, body))


def _because(opened: Opened | None, response: Response) -> Response:
    """Tell the audit record that there was a session, and it was not used."""
    refused = "" if opened is None else opened.refused
    if not refused or response.status not in {200, 302, 303, 401, 403}:
        return response  # another reason is the more important one
    return attrs.evolve(response, reason=refused)


def _during(opened: Opened | None, outcome: Authenticated) -> Authenticated:
    """Let what was found out hold no longer than the session does."""
    if opened is None and not outcome.headers:
        return outcome
    until, headers = outcome.until, outcome.headers
    if opened is not None:
        headers = (*opened.headers, *headers)
        if opened.until is not None:
            until = opened.until if until is None else min(until, opened.until)
    if any(name == "set-cookie" for name, _ in headers):
        until = 0.0  # a repetition must not bring back what is over by then
    if until == outcome.until and headers == outcome.headers:
        return outcome
    return attrs.evolve(outcome, until=until, headers=headers)


def authorise(route: Route, request: Request, identity: Identity) -> Decision | None:
    """Give the condition that keeps *identity* from *request*, or None if none does."""
    decision = route.requirements.check(identity, request)
    if decision.effect is not Effect.PERMIT or decision.obligations:
        return decision
    return _check_login(route, request, identity) if route.login_checks else None


def _check_login(route: Route, request: Request, identity: Identity) -> Decision | None:
    """Ask for another login if that of the session is too little for *route*."""
    session, check = request.session, route.login_checks.get(identity.authenticator)
    if check is None or session is None:
        return None
    if session.identity.authenticator != identity.authenticator:
        return None
    refusal = check(session)
    if refusal is None:
        return None
    return Decision(
        effect=Effect.STEP_UP,
        reasons=("login-lacks",),
        acr_values=refusal.acr_values,
        max_age=refusal.max_age,
    )


def still_permits(route: Route, request: Request, identity: Identity) -> bool:
    """Say whether a request like one that was permitted is, with nothing to be done."""
    if authorise(route, request, identity) is not None:
        return False
    if route.policies is None:
        return True
    decision = route.policies.check(identity, request)
    return decision.effect is Effect.PERMIT and not decision.obligations


def ask_at_once(route: Route, request: Request, identity: Identity) -> Decision | None:
    """Give what the route's policies say, or None if that may take its time."""
    policies = route.policies
    if policies is None:
        return PERMIT
    return None if policies.waits else policies.check(identity, request)


def is_known_to_permit(route: Route, caller: Caller, method: str, path: str) -> bool:
    """
    Say whether what permitted a caller's request permits this one like it.

    Args:
        route: The route of both.
        caller: Who was permitted what.
        method: What differs.
        path: What differs, too.
    """
    identity, policies = caller.identity, route.policies
    if identity is None or policies is None or route.requirements.depends_on_request:
        return False
    host = caller.request.head.host
    return policies.is_known_to_permit(identity, method, host, path)


async def judge(
    route: Route,
    request: Request,
    identity: Identity,
    equipment: Equipment,
    said: Decision | None = None,
) -> Decision | None:
    """
    Ask the route's policies, and do what they oblige us to.

    Args:
        route: The route.
        request: The request, with the kinds of keys that were proved.
        identity: Who calls.
        equipment: Takes what the backend is to get by that.
        said: What they said already (`ask_at_once`), or None.

    Returns:
        The decision that keeps *identity* from *request*, or None if it may.

    Raises:
        UnavailableError: A policy cannot say now.
    """
    if route.policies is None:
        return None
    decision = said or await route.policies.decide(identity, request)
    if decision.obligations:
        equipment.obliged = True
        undone = await route.obligations.fulfil(decision, request, equipment)
        if undone is not None and decision.effect is Effect.PERMIT:
            return Decision(effect=Effect.DENY, reasons=(f"obligation/{undone}",))
    return None if decision.effect is Effect.PERMIT else decision


def session_ended(request: Request) -> Decision | None:
    """Refuse *request* if its session has ended while it was decided on."""
    session = request.session
    if session is None or not request.sessions.is_over(session):
        return None
    return Decision(effect=Effect.REVOKED, reasons=("session-ended",))


def wanted_bindings(
    route: Route, identity: Identity, proved: Collection[str] = ()
) -> dict[str, IBinding] | Unbound:
    """
    Give, by their kinds, the bindings that have to be checked.

    Args:
        route: The route.
        identity: Who calls.
        proved: Kinds of keys that they have proved already, as what they go by is
            bound to them.
    """
    wanted = {b.kind: b for b in route.demanded if b.kind not in proved}
    for member in identity.confirmation:
        binding = route.bindings.get(member)
        if binding is None:
            # An unknown confirmation is one that we cannot check (RFC 7800, D6).
            return Unbound(reason="unknown-confirmation", detail=member)
        wanted[binding.kind] = binding
    return wanted


async def bind(route: Route, request: Request, identity: Identity) -> Proof | Unbound:
    """Check every key that the identity is bound to or the route demands."""
    session = request.session
    proved = () if session is None else proved_kinds(request, identity)
    wanted = wanted_bindings(route, identity, proved)
    if isinstance(wanted, Unbound):
        return wanted
    if not wanted:
        return Proof(proved) if proved else NO_PROOF
    if not proved and len(wanted) == 1:
        ((kind, only),) = wanted.items()
        found = await only.check(request, identity)
        if isinstance(found, Unbound):
            return found
        if found is None:
            return _proof_of(kind, only.once)
        kinds = (kind,) if found.proved else ()
        return Proof(kinds, only.once, build_fields(found.headers))
    return await _bind_all(wanted, proved, request, identity)


@lru_cache(maxsize=64)  # there are as many as there are bindings
def _proof_of(kind: str, once: bool) -> Proof:  # noqa: FBT001 - quicker by position
    """Give what who satisfies one binding has proved."""
    return Proof((kind,), once)


async def _bind_all(
    wanted: Mapping[str, IBinding],
    before: tuple[str, ...],
    request: Request,
    identity: Identity,
) -> Proof | Unbound:
    """
    Check several bindings.

    Args:
        wanted: The bindings, by kind.
        before: Kinds of keys that were proved before.
        request: The request.
        identity: Who calls.
    """
    proved, answer = {*before}, b""
    # A proof that is good once must not be used up by a request refused for another.
    in_order = sorted(wanted.values(), key=lambda binding: binding.once)
    for binding in in_order:
        found = await binding.check(request, identity)
        if isinstance(found, Unbound):
            return found
        if found is not None:
            answer += build_fields(found.headers)
        if found is None or found.proved:
            proved.add(binding.kind)
    kinds = dict.fromkeys((*before, *wanted))
    kept = tuple(kind for kind in kinds if kind in proved)
    return Proof(kept, in_order[-1].once, answer)


async def name_user(route: Route, identity: Identity) -> UserName | Response:
    """Find the name that the backend knows the caller by."""
    if not route.mappers:
        # Nobody in particular must not look like a user called "anonymous".
        if identity.issuer == ANONYMOUS:
            return UserName("")
        return _named(identity.subject)
    user = await ask_in_turn(route.mappers, identity)
    if user is REFUSED:
        return Response(status=403, reason="user-refused", headers=(NO_STORE,))
    if user is DECLINED:
        return Response(status=403, reason="user-unmapped", headers=(NO_STORE,))
    return _named(str(user))


def _named(user: str) -> UserName | Response:
    """Refuse a name that a backend might read otherwise, whoever gave it."""
    if not is_safe_user_name(user):
        return Response(status=403, reason="user-unsafe", headers=(NO_STORE,))
    return UserName(user)
