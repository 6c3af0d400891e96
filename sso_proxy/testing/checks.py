"""
Contract checks for the authors of plugins.

Each takes a component, made with whatever doubles it needs to answer at once, asks it
about ordinary and hostile callers, and raises `ContractError` with the first thing
that is not as `sso_proxy.interfaces` says.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote

import attrs

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import (
    IAuthenticator,
    IBinding,
    IPolicy,
    ITakesTokens,
    IUserMapper,
)
from sso_proxy.model import (
    Authenticated,
    Decision,
    Effect,
    HeaderChallenge,
    Identity,
    LoginRedirect,
    MapperVerdict,
    NotPresented,
    Refusal,
    Rejected,
    Request,
    Unbound,
)
from sso_proxy.specs.user_name import is_safe_user_name
from sso_proxy.testing.contract import (
    HOSTILE_VALUES,
    ContractError,
    called,
    check_code,
    check_config_class,
    check_shape,
    hostile_identities,
    made,
    outcome_of,
    require,
)
from sso_proxy.testing.fakes import make_certificate, make_identity, make_request

__all__ = [
    "ContractError",
    "check_authenticator",
    "check_binding",
    "check_config_class",
    "check_policy",
    "check_user_mapper",
    "outcome_of",
]

CANARY: Final = "c4n4ry-53cr3t"
"""Stands in every credential that the checks present, and must not come out."""

_PLACE = re.compile(
    r"[a-z0-9!#$%&'*+.^_`|~-]+|(?:cookie:|form:|\?)[A-Za-z0-9!#$%&'*+.^_`|~-]+"
)
_REFUSALS: Final = (
    Refusal(error="invalid_token"),
    Refusal(error="insufficient_scope", scope=("a", "b")),
    Refusal(
        error="insufficient_user_authentication", acr_values=("gold",), max_age=300
    ),
)
_KINDS: Final = ("certificate", "dpop", "token_binding", "device")


def check_user_mapper(
    mapper: IUserMapper | Callable[[], IUserMapper],
    identities: Iterable[Identity] = (),
) -> None:
    """
    Check that *mapper* keeps the contract of `IUserMapper`.

    Args:
        mapper: A mapper, or what makes one without arguments.
        identities: Further identities to ask about: some that it maps.

    Raises:
        ContractError: It does not: it raises, answers something else than a safe name
            or a verdict, or not the same twice.
    """
    checked: IUserMapper = made(mapper, IUserMapper)
    check_shape(checked, IUserMapper)
    for identity in (make_identity(), *identities, *hostile_identities()):
        first, second = (
            called(f"map_user({identity!r:.200})", checked.map_user, same)
            for same in (identity, attrs.evolve(identity))
        )
        if not isinstance(first, MapperVerdict):
            require(
                isinstance(first, str) and is_safe_user_name(first),
                f"map_user answers {first!r:.200}: no safe name, DECLINED or REFUSED",
            )
        require(first == second, "map_user answers otherwise for the same identity")


def check_authenticator(
    authenticator: IAuthenticator | Callable[[], IAuthenticator],
    requests: Iterable[Request] = (),
) -> None:
    """
    Check that *authenticator* keeps the contract of `IAuthenticator`.

    Args:
        authenticator: An authenticator, or what makes one without arguments.
        requests: Further requests to ask about: some that it accepts.

    Raises:
        ContractError: It does not: it raises for a bad credential, answers something
            else than an outcome, or lets a credential out.
    """
    checked: IAuthenticator = made(authenticator, IAuthenticator)
    check_shape(checked, IAuthenticator)
    consumes = checked.consumes
    require(
        isinstance(consumes, tuple) and all(map(_PLACE.fullmatch, consumes)),
        "consumes is no tuple of lower-case header names, 'cookie:name', '?name'"
        f" and 'form:name': {consumes!r}",
    )
    if ITakesTokens.providedBy(checked):
        _check_tokens(checked)
    for request in (*requests, *_requests(consumes)):
        _check_outcome(_authenticated(checked, request))
        _check_challenge(checked.challenge(request))
    for why in _REFUSALS:
        refusal = checked.refusal(make_request(), why)
        require(not isinstance(refusal, LoginRedirect), "refusal answers a redirect")
        _check_challenge(refusal)


def _check_tokens(checked: Any) -> None:  # noqa: ANN401
    check_shape(checked, ITakesTokens)
    for name in ("issuers", "bearer_methods"):
        told = getattr(checked, name)
        require(
            isinstance(told, tuple) and all(isinstance(item, str) for item in told),
            f"{name} is no tuple of strings: {told!r}",
        )


def _authenticated(authenticator: IAuthenticator, request: Request) -> object:
    try:
        return outcome_of(authenticator.authenticate(request))
    except UnavailableError:
        return NotPresented()  # the one technical failure that doubles may cause
    except ContractError:
        raise
    except Exception as e:
        raise ContractError(f"authenticate raises {e!r:.200}") from e


def _requests(places: Iterable[str]) -> Iterable[Request]:
    """Make requests with and without TLS, certificates and hostile credentials."""
    yield make_request()
    yield make_request(tls=False)
    unverified = make_certificate(verified=False, problem="self-signed certificate")
    yield make_request(certificate=unverified)
    yield make_request(certificate=make_certificate("", names=[("dns", "")]))
    credentials = ("Bearer", "Basic", "DPoP", "Negotiate", "")
    texts = ("", " ", "Bearer", "Bearer a.b.c", "\xff" * 50, "A" * 8000)
    shown = (*(f"{scheme} {CANARY}" for scheme in credentials), *texts)
    for place in {"authorization", "cookie", *places}:
        for text in shown:
            yield _request_with(place, text)


def _request_with(place: str, text: str) -> Request:
    kind, _, name = place.partition(":")
    if place.startswith("?"):
        return make_request(query=f"{place[1:]}={quote(text)}")
    if name:  # a form is not read here
        return make_request(headers={"cookie": f"{name}={text}"})
    return make_request(headers={kind: text})


def _check_outcome(outcome: object) -> None:
    match outcome:
        case NotPresented():
            return
        case Authenticated(identity):
            require(isinstance(identity, Identity), "Authenticated has no Identity")
            require(identity.issuer and identity.subject, "the identity is nobody")
            require(identity.authenticator, "the identity has no authenticator's name")
        case Rejected():
            require(outcome.status in {400, 401, 403}, f"status {outcome.status}")
            check_code(outcome.reason)
            _check_challenge(outcome.challenge)
            require(CANARY not in repr(outcome), "the credential is in the outcome")
        case _:
            raise ContractError(f"authenticate answers {outcome!r:.200}")


def _check_text(text: str) -> None:
    require(text.isascii() and text.isprintable(), "a challenge is not ASCII")
    require(CANARY not in text, "the credential is in the challenge")


def _check_challenge(challenge: object) -> None:
    match challenge:
        case None:
            return
        case HeaderChallenge(values, headers):
            for text in (*values, *(value for _, value in headers)):
                _check_text(text)
        case LoginRedirect(text):
            _check_text(text)
        case _:
            raise ContractError(f"challenge answers {challenge!r:.200}")


def check_policy(
    policy: IPolicy | Callable[[], IPolicy],
    cases: Iterable[tuple[Identity, Request]] = (),
) -> None:
    """
    Check that *policy* keeps the contract of `IPolicy`.

    Args:
        policy: A policy, or what makes one without arguments.
        cases: Further identities and requests: some that it permits.

    Raises:
        ContractError: It does not: it raises, answers something else than a
            decision, or lets header fields decide without saying ``reads_headers``.
    """
    checked: IPolicy = made(policy, IPolicy)
    check_shape(checked, IPolicy)
    plain = make_request()
    hostile = ((identity, plain) for identity in hostile_identities())
    for identity, request in ((make_identity(), plain), *cases, *hostile):
        decision = called("decide", checked.decide, identity, request)
        _check_decision(decision)
        if not getattr(checked, "reads_headers", False):
            head = attrs.evolve(request.head, headers=(("x-other", "value"),))
            other = attrs.evolve(request, head=head)
            require(
                called("decide", checked.decide, identity, other) == decision,
                "decide depends on header fields, and reads_headers is not true",
            )


def _check_decision(decision: object) -> None:
    if not isinstance(decision, Decision):
        raise ContractError(f"decide answers {decision!r:.200}")
    require(isinstance(decision.effect, Effect), "the effect is no Effect")
    for reason in decision.reasons:
        check_code(reason)
    require(
        decision.effect is Effect.PERMIT or decision.reasons,
        "a denial has no reason",
    )


def check_binding(
    binding: IBinding | Callable[[], IBinding],
    cases: Iterable[tuple[Request, Identity]] = (),
) -> None:
    """
    Check that *binding* keeps the contract of `IBinding`.

    Args:
        binding: A binding, or what makes one without arguments.
        cases: Requests and identities that it must be satisfied with.

    Raises:
        ContractError: It does not: it raises, or is satisfied with an identity that
            has no confirmation of its kind, or a hostile one.
    """
    checked: IBinding = made(binding, IBinding)
    check_shape(checked, IBinding)
    require(checked.kind in _KINDS, f"kind is {checked.kind!r}, none of {_KINDS}")
    members = checked.members
    named = members or checked.kind == "device"  # of which no token says anything
    require(isinstance(members, frozenset) and named, "members is no frozenset")
    requests = (
        make_request(),
        make_request(tls=False),
        make_request(certificate=make_certificate()),
    )
    confirmations: list[dict[str, Any]] = [{}, {"other": "x"}]
    confirmations += [dict.fromkeys(members, value) for value in HOSTILE_VALUES]
    for confirmation in confirmations:
        identity = make_identity(confirmation=confirmation)
        for request in requests:
            answer = called("check", checked.check, request, identity)
            if not isinstance(answer, Unbound):
                raise ContractError(
                    f"check answers {answer!r} to {confirmation!r:.200}"
                )
            check_code(answer.reason)
    for request, identity in cases:
        answer = called("check", checked.check, request, identity)
        require(not isinstance(answer, Unbound), f"check answers {answer!r}")
