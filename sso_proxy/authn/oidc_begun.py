"""What has to be known of a login when the browser comes back from the provider."""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from sso_proxy.login import Wanted
from sso_proxy.specs.oidc.response_type import CODE, ResponseType


@attrs.frozen(kw_only=True)
class Begun:
    """
    A login that somebody has begun, as their browser keeps it for us, sealed.

    Attributes:
        by: The configured name of the authenticator: an answer to another's request is
            none to ours, whatever it says (RFC 9207 section 1, mix-up).
        issuer: Whom the browser was sent to.
        redirect_uri: Where it was to come back.
        response_type: What the answer was to consist of.
        response_mode: How the provider was to answer; empty if it was not told.
        nonce: What the ID token has to say.
        verifier: What the code is only good together with (RFC 7636); empty if none
            was asked for.
        acr_values: The authentication contexts that were asked for.
        max_age: The seconds that were asked for, or None.
        prompt: What the provider was told to show.
        claims: The single claims that were asked for, if they are not those of the
            authenticator's table; else None.
        resource: What access tokens were asked for for, likewise.
        at: Seconds since the epoch when it began.
        wanted: What for.
        provided: The hash of the Token Binding ID of who has come back; empty without
            one.  Not kept.
    """

    by: str
    issuer: str
    redirect_uri: str
    response_type: ResponseType = CODE
    response_mode: str = ""
    nonce: str = attrs.field(repr=False)
    verifier: str = attrs.field(default="", repr=False)
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    prompt: str = ""
    claims: Mapping[str, Any] | None = None
    resource: tuple[str, ...] | None = None
    at: float
    wanted: Wanted
    provided: str = attrs.field(default="", eq=False)

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads, as short as it can be said."""
        every: dict[str, Any] = {
            "by": self.by,
            "iss": self.issuer,
            "uri": self.redirect_uri,
            "type": "" if self.response_type == CODE else self.response_type.text,
            "mode": self.response_mode,
            "nonce": self.nonce,
            "pkce": self.verifier,
            "acr": list(self.acr_values) or None,
            "age": self.max_age,
            "prompt": self.prompt,
            "claims": self.claims,
            "res": None if self.resource is None else list(self.resource),
            "at": self.at,
            "for": self.wanted.as_json(),
        }
        return {n: value for n, value in every.items() if value not in ("", None)}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave; nobody but us can have written it."""
        return cls(
            by=members["by"],
            issuer=members["iss"],
            redirect_uri=members["uri"],
            response_type=ResponseType(members.get("type", CODE.text)),
            response_mode=members.get("mode", ""),
            nonce=members["nonce"],
            verifier=members.get("pkce", ""),
            acr_values=tuple(members.get("acr", ())),
            max_age=members.get("age"),
            prompt=members.get("prompt", ""),
            claims=members.get("claims"),
            resource=tuple(members["res"]) if "res" in members else None,
            at=members["at"],
            wanted=Wanted.from_json(members["for"]),
        )
