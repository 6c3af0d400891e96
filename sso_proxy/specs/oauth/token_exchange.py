"""
One token for another (RFC 8693).

What is built here is a form without what proves who the client is
(`sso_proxy.specs.oauth.client_auth`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import ANY, Target, check_resource
from sso_proxy.specs.oidc.token_response import (
    TokenResponseError,
    read_credential,
    read_lifetime,
    read_scope,
    read_success,
)

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
"""Section 2.1."""

_URI: Final = "urn:ietf:params:oauth:token-type:"
_NAMES: Final = (
    *("access_token", "refresh_token", "id_token"),
    *("saml1", "saml2", "jwt"),
)
TOKEN_TYPES: Final[Mapping[str, str]] = {name: _URI + name for name in _NAMES}
"""Identifiers of token types, by what is special in them (section 3)."""

DELIVERABLE: Final = frozenset(TOKEN_TYPES.values()) - {_URI + "refresh_token"}
"""What a backend may be given if nobody said what was wanted."""

FIELDS: Final = frozenset(
    {
        *("grant_type", "resource", "audience", "scope", "requested_token_type"),
        *("subject_token", "subject_token_type", "actor_token", "actor_token_type"),
    }
)
"""Fields of the request (section 2.1)."""

_HOW: Final[Mapping[str, str]] = {"bearer": "Bearer", "n_a": "N_A", "dpop": "DPoP"}
_MOST_ACTORS: Final = 8
_NOT_WHO: Final = frozenset({"exp", "nbf", "iat", "aud", "jti"})


@attrs.frozen(kw_only=True)
class Exchange:
    """
    What is asked for.

    Attributes:
        subject: The token of the one on whose behalf another is wanted.
        subject_type: What it is: a URI.
        actor: The token of who acts for them; empty if nobody does.
        actor_type: What that is; given if and only if *actor* is.
        requested: What is wanted; empty leaves it to the server.
        target: Whom it is for.
    """

    subject: str = attrs.field(repr=False)
    subject_type: str
    actor: str = attrs.field(default="", repr=False)
    actor_type: str = ""
    requested: str = ""
    target: Target = ANY


@attrs.frozen(kw_only=True)
class Exchanged:
    """
    What was issued.

    Attributes:
        token: The token, of whatever type; printable ASCII without blanks.
        issued: What it is: a URI.
        token_type: How it is used: ``Bearer``, ``DPoP``, or ``N_A`` for what is no
            access token.
        expires_in: Seconds that it is good for, or None.
        scope: What it is good for; None: what was asked for.
    """

    token: str = attrs.field(repr=False)
    issued: str
    token_type: str
    expires_in: int | None = None
    scope: str | None = None


def read_token_type(text: str) -> str:
    """
    Give the identifier that the configuration means: a URI, or the end of one of ours.

    Raises:
        ValueError: It is neither.
    """
    if text in TOKEN_TYPES:
        return TOKEN_TYPES[text]
    try:
        check_resource(text)
    except ValueError:
        names = ", ".join(map(repr, TOKEN_TYPES))
        raise ValueError(f"{text!r} is neither a URI nor one of {names}") from None
    return text


def build_exchange(exchange: Exchange) -> FormFields:
    """Build the form (section 2.1)."""
    target = exchange.target
    fields = [
        ("grant_type", GRANT),
        ("subject_token", exchange.subject),
        ("subject_token_type", exchange.subject_type),
    ]
    if exchange.actor:
        fields.append(("actor_token", exchange.actor))
        fields.append(("actor_token_type", exchange.actor_type))
    if exchange.requested:
        fields.append(("requested_token_type", exchange.requested))
    if target.scope:
        fields.append(("scope", " ".join(target.scope)))
    fields += [("resource", each) for each in target.resource]
    fields += [("audience", each) for each in target.audience]
    return tuple(fields)


def read_exchanged(status: int, content_type: str | None, body: bytes) -> Exchanged:
    """
    Read the answer (section 2.2).

    A refresh token in it is not even looked at: what is kept here ends with the token.

    Raises:
        TokenResponseError: The server refuses; or it is no answer of this kind:
            ``issued_token_type`` and ``token_type`` are required.
    """
    members = read_success(status, content_type, body)
    how = members.get("token_type")
    canonical = _HOW.get(how.lower()) if isinstance(how, str) else None
    if canonical is None:
        raise TokenResponseError("", "token_type is neither Bearer nor N_A nor DPoP")
    return Exchanged(
        token=read_credential(members, "access_token", required=True),
        issued=read_credential(members, "issued_token_type", required=True),
        token_type=canonical,
        expires_in=read_lifetime(members),
        scope=read_scope(members),
    )


def issued_problem(
    exchanged: Exchanged, *, requested: str, accepted: frozenset[str]
) -> str | None:
    """
    Say why what was issued is not what was wanted, None if it is.

    Args:
        exchanged: What was issued.
        requested: What was wanted; empty if that was left to the server.
        accepted: What is taken besides.
    """
    fit = frozenset({requested}) if requested else DELIVERABLE
    if exchanged.issued not in fit | accepted:
        return f"a token of another type was issued: {exchanged.issued[:100]}"
    if exchanged.token_type == "DPoP":  # noqa: S105
        return "the token is bound to our key, and no backend could use it"
    if exchanged.token_type == "N_A" and exchanged.issued == _URI + "access_token":  # noqa: S105
        return "an access token was issued that is none (N_A)"
    return None


def missing_scopes(exchanged: Exchanged, wanted: Sequence[str]) -> tuple[str, ...]:
    """Give the scopes of *wanted* that were not granted (RFC 6749 section 3.3)."""
    if exchanged.scope is None:
        return ()
    granted = frozenset(exchanged.scope.split())
    return tuple(scope for scope in wanted if scope not in granted)


def actor_problem(
    subject: Mapping[str, Any], actor: Mapping[str, Any] | None
) -> str | None:
    """
    Say why an actor may not act for a subject, None if nothing speaks against it.

    Only the outermost claims count; earlier actors, nested in ``act``, are for
    information (section 4.1).  ``may_act`` names the one who may act (section 4.4).

    Args:
        subject: The verified claims of the subject token.
        actor: What the actor's token says, or None if nobody can read it.
    """
    chain, depth = subject.get("act"), 0
    while chain is not None:
        if not isinstance(chain, Mapping) or depth >= _MOST_ACTORS:
            return "act is no chain of actors"
        chain, depth = chain.get("act"), depth + 1
    named = subject.get("may_act")
    if named is None:
        return None
    who = {} if not isinstance(named, Mapping) else dict(named)
    who = {name: value for name, value in who.items() if name not in _NOT_WHO}
    if not who:
        return "may_act names nobody"
    if actor is None:
        return "may_act names who may act, and the actor's token cannot be read"
    for name, value in who.items():
        if actor.get(name) != value:
            return f"may_act names somebody else: {name[:40]} differs"
    return None
