"""
What logins are asked for: by the authenticator's table, and by routes instead of it.

Routes of one host share sessions, whichever of them a login began at.  So each asks
whether the session's login was asked for what it would have asked for itself, and was
good enough for that; if not, another login is, for both at once.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, Self

import attrs

from sso_proxy.authn.oidc_checks import check_essential
from sso_proxy.errors import TokenError
from sso_proxy.login import Wishes
from sso_proxy.model import Refusal
from sso_proxy.session import Session
from sso_proxy.specs.oauth.pkce import challenge_of
from sso_proxy.specs.oidc.request import AuthorizationRequest

KEPT: Final = "asked"
"""The member of a session's data that says what its login was asked for."""

MOST: Final = 1000
"""Octets of single claims that a route asks for: browsers keep them for a while."""

_LACKING: Final = "insufficient_user_authentication"


class Defaults(Protocol):
    """What is asked for where nothing else is said: the options of the table."""

    @property
    def acr_values(self) -> tuple[str, ...]:
        """Authentication contexts."""

    @property
    def max_age(self) -> int | None:
        """Seconds since the user authenticated."""

    @property
    def prompt(self) -> tuple[str, ...]:
        """What the provider shows."""

    @property
    def login_hint(self) -> str:
        """Who logs in."""

    @property
    def ui_locales(self) -> tuple[str, ...]:
        """Languages."""

    @property
    def claims(self) -> Mapping[str, Any]:
        """Single claims."""

    @property
    def resource(self) -> tuple[str, ...]:
        """What access tokens are for."""


@attrs.frozen(kw_only=True)
class Asked:
    """What one login is asked for; the options of the table say what each means."""

    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    prompt: tuple[str, ...] = ()
    login_hint: str = attrs.field(default="", repr=False)
    ui_locales: tuple[str, ...] = ()
    claims: Mapping[str, Any] = attrs.field(factory=dict)
    resource: tuple[str, ...] = ()

    @classmethod
    def by(cls, defaults: Defaults, wishes: Wishes | None = None) -> Self:
        """Give what a route asks for: what it says itself, else what the table does."""
        names = [field.name for field in attrs.fields(cls)]
        every = {name: getattr(defaults, name) for name in names}
        said = {name: getattr(wishes, name, None) for name in names}
        return cls(**every | {n: v for n, v in said.items() if v is not None})

    def beside(self, session: Session, defaults: Self) -> Self:
        """
        Add what the login of *session* was asked for, so that its routes have it again.

        Else two routes would take turns in sending people to log in.  If that is too
        much, they have to.
        """
        before: Mapping[str, Any] = session.data.get(KEPT, {})
        known = before.get("claims", defaults.claims)
        claims = {
            place: {**known.get(place, {}), **names}
            for place, names in {**known, **self.claims}.items()
        }
        resource = (*self.resource, *before.get("resource", defaults.resource))
        if len(_text(claims)) > MOST:
            claims = dict(self.claims)
        return attrs.evolve(
            self, claims=claims, resource=tuple(dict.fromkeys(resource))
        )


def lacks(session: Session, asked: Asked, defaults: Asked, leeway: float) -> bool:
    """
    Say whether the login of *session* is less than *asked*.

    How long ago it was is not, as long as the session lasts: conditions on ``auth_age``
    are for that.

    Args:
        session: The session.
        asked: What its route asks for.
        defaults: What a login was asked for of which nothing else is known.
        leeway: Seconds that the provider's clock may differ from ours.
    """
    before: Mapping[str, Any] = session.data.get(KEPT, {})
    claims = session.identity.claims
    if asked.acr_values and claims.get("acr") not in asked.acr_values:
        return True
    if asked.max_age is not None and not _is_fresh(session, asked.max_age, leeway):
        return True
    if not set(asked.resource) <= set(before.get("resource", defaults.resource)):
        return True
    known = set(_names(before.get("claims", defaults.claims)))
    if not known.issuperset(_names(asked.claims)):
        return True
    try:
        check_essential(asked.claims, session.identity.sources)
    except TokenError:
        return True
    return False


def refusal_of(asked: Asked) -> Refusal:
    """Say which other login would be enough (RFC 9470)."""
    return Refusal(error=_LACKING, acr_values=asked.acr_values, max_age=asked.max_age)


def check_wishes(wishes: Wishes) -> None:
    """
    Check what a route asks for.

    Raises:
        ValueError: No provider can be asked that.
    """
    asked = Asked.by(Asked(), wishes)
    others = sorted(asked.claims.keys() - {"id_token", "userinfo"})
    if others:
        raise ValueError(f"claims: {others[0]} is neither id_token nor userinfo")
    AuthorizationRequest(
        client_id="c",
        redirect_uri="https://localhost/",
        state="s",
        nonce="n",
        code_challenge=challenge_of("v" * 43),
        acr_values=asked.acr_values,
        max_age=asked.max_age,
        prompt=asked.prompt,
        login_hint=asked.login_hint,
        ui_locales=asked.ui_locales,
        claims=asked.claims or None,
        resource=asked.resource,
    )
    if len(_text(asked.claims)) > MOST:
        raise ValueError(f"claims: it has more than {MOST} characters")


def _is_fresh(session: Session, max_age: int, leeway: float) -> bool:
    """Say whether the user had proved who they are when *session* began."""
    wanted = session.data.get(KEPT, {}).get("max_age")
    if wanted is not None and wanted <= max_age:
        return True  # that has been enforced
    since = session.identity.claims.get("auth_time")
    if isinstance(since, bool) or not isinstance(since, int | float):
        return False
    return since + max_age + leeway >= session.created


def _names(claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for place, names in claims.items():
        for name in names:
            yield place, name


def _text(claims: Mapping[str, Any]) -> str:
    return json.dumps(claims, separators=(",", ":"))
