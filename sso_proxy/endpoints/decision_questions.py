"""What AuthZEN asks, as rules understand it: somebody, and a request of theirs."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Client, Decision, Effect, Identity, Request, RequestHead
from sso_proxy.specs.authzen.meaning import SESSION_TERMINATION
from sso_proxy.specs.authzen.values import AuthzenError, Entity, Evaluated, Evaluation
from sso_proxy.specs.http.target import canonical_path

AUTHENTICATOR: Final = "authzen"
"""Who found the identity: whoever asks."""

_ROUTE: Final = "route"
_NOWHERE: Final = "::"
"""The address of whom nobody knows one: it is in no network but that of all."""
_END_SESSION: Final = "end-session"
_NOTIFICATION: Final = "notification"
_TYPES: Final[Mapping[str, str]] = {
    _END_SESSION: SESSION_TERMINATION,
    "log": _NOTIFICATION,
}
_UNKNOWN: Final = "custom"
_BRACES: Final = str.maketrans({"{": "%7B", "}": "%7D"})
_DOTS: Final = frozenset({".", ".."})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def read_identity(asked: Evaluation) -> Identity:
    """
    Give whom a question is about.

    The subject's properties are its claims.  Rules find what is known of action,
    resource and circumstances there, too: ``claims.action``, ``claims.resource``,
    ``claims.context``; no property of a subject stands in their place.
    """
    subject = asked.subject
    issuer, scope = subject.properties.get("iss"), subject.properties.get("scope")
    return Identity(
        issuer=issuer if isinstance(issuer, str) else AUTHENTICATOR,
        subject=subject.id,
        authenticator=AUTHENTICATOR,
        claims={
            **subject.properties,
            "sub": subject.id,
            "subject_type": subject.type,
            "action": {**asked.action.properties, "name": asked.action.name},
            "resource": {
                **asked.resource.properties,
                "type": asked.resource.type,
                "id": asked.resource.id,
            },
            "context": asked.context,
        },
        scopes=frozenset(scope.split() if isinstance(scope, str) else ()),
    )


def read_request(asked: Evaluation, request_id: str, now: float) -> Request:
    """
    Give the request that a question is about.

    Its method is the action.  A resource of type ``route`` has a path: its property
    ``path``, or its id, of which ``{name}`` may be a segment.  Anything else has the
    path ``/type/id``.

    Args:
        asked: The question.
        request_id: The id of the request in which it came.
        now: Seconds since the epoch.

    Raises:
        AuthzenError: No request has such a path.
    """
    known = asked.resource.properties
    address = _address(known, asked.context)
    scheme = "http" if known.get("schema") == "http" else "https"
    host = known.get("hostname")
    return Request(
        id=request_id,
        head=RequestHead(
            method=asked.action.name,
            scheme=scheme,
            host=host.lower() if isinstance(host, str) else "",
            port=_DEFAULT_PORTS[scheme],
            path=_path(asked.resource),
        ),
        tls=None,
        client=Client(address=address, peer=address),
        time=now,
    )


def build_evaluated(decision: Decision, asked: Evaluation) -> Evaluated:
    """
    Say a decision in the words of AuthZEN.

    A "yes" under a condition is a "no" for who does not say that they understand it.

    Args:
        decision: What the rules say.
        asked: The question.
    """
    obligations = [_obligation(name, given) for name, given in decision.obligations]
    context: dict[str, Any] = {}
    if obligations:
        context["obligations"] = obligations
    match decision.effect:
        case Effect.PERMIT:
            unknown = _not_understood(obligations, asked)
            if not unknown:
                return Evaluated(decision=True, context=context)
            why = tuple(f"obligation/{name}" for name in unknown)
            return Evaluated(decision=False, context=_because("403", why))
        case Effect.STEP_UP:
            if decision.acr_values:
                context["acr_values"] = list(decision.acr_values)
            if decision.max_age is not None:
                context["max_age"] = decision.max_age
            context |= _because("401", decision.reasons)
        case _:
            context |= _because("403", decision.reasons)
    return Evaluated(decision=False, context=context)


def _because(status: str, reasons: tuple[str, ...]) -> dict[str, Any]:
    """Say why, to who administers what asks."""
    return {"reason_admin": {status: " ".join(reasons)}} if reasons else {}


def _obligation(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Say an obligation of ours in the words of the profile for them."""
    found: dict[str, Any] = {"id": name, "type": _TYPES.get(name, _UNKNOWN)}
    if given:
        found["properties"] = dict(given)
    return found


def _not_understood(
    obligations: list[dict[str, Any]], asked: Evaluation
) -> tuple[str, ...]:
    """Give the names of obligations that who asks does not say to understand."""
    said = asked.context.get("supported_obligations")
    known = said if isinstance(said, list) else []
    return tuple(
        each["id"]
        for each in obligations
        if each["id"] not in known
        and (each["type"] == _UNKNOWN or each["type"] not in known)
    )


def _path(resource: Entity) -> str:
    """Give the canonical path of a resource."""
    if resource.type != _ROUTE:
        parts = resource.type, resource.id
        if _DOTS & {*parts}:
            raise AuthzenError("resource.id is no part of a path")
        return "/" + "/".join(quote(part, safe="") for part in parts)
    given = resource.properties.get("path")
    text = given if isinstance(given, str) else resource.id.translate(_BRACES)
    if not text.startswith("/"):
        raise AuthzenError("resource.id is no path")
    try:
        return canonical_path(text)
    except BadMessageError:
        raise AuthzenError("resource.id is no path that could be asked for") from None


def _address(known: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    """Give the client's address, if there is one that is one."""
    given = known.get("ip", context.get("ip"))
    try:
        return str(ipaddress.ip_address(given)) if isinstance(given, str) else _NOWHERE
    except ValueError:
        return _NOWHERE
