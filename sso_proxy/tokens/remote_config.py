"""The options of token sources that ask a server."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import ClassVar, Final, Literal

import attrs

from sso_proxy.config.checks import Attribute, between
from sso_proxy.config.protocol_checks import secure_url
from sso_proxy.net.client_config import ClientOptions
from sso_proxy.net.server_options import ServerOptions
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS
from sso_proxy.specs.oauth.grants import Target, check_resource
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer
from sso_proxy.token import Audience
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.subject import LONGEST, read_subject_option

_KNOWN_BY: Final = frozenset({"access_token", "ticket", "session"})
"""Places where tokens are that callers are known by."""
_OURS: Final = CLIENT_FIELDS | {"grant_type", "scope", "resource", "audience"}


def _subject(_instance: object, _attribute: Attribute, value: str) -> None:
    read_subject_option(value)


@attrs.frozen(kw_only=True)
class RemoteConfig(ServerOptions):
    """
    What a token is made from, and how the server is reached that makes it.

    Attributes:
        endpoint: Where tokens are asked for; https, or http to a loopback address.
        subject: What a token is made from: ``access_token``, the one by which the
            caller was known, or ``ticket``; ``session:access_token``,
            ``session:id_token``, ``session:refresh_token``, from the login;
            ``cookie:NAME``, ``header:NAME``, ``header:NAME SCHEME``, ``query:NAME``,
            from the request, verified by nobody but the server, and never sent on;
            ``certificate``, the client's, DER in base64, or ``certificate:pem``;
            ``token:NAME``, what another source gives; ``none``.
        subject_audience: Whom the token of ``token:NAME`` is for; unset, whom its own
            options say.
        actor: Who acts for the subject: a place likewise, or ``none``.
        actor_audience: As ``subject_audience``.
        authenticator: Whose ``access_token``, ``ticket`` and ``session:`` tokens are
            used; unset, those of all authenticators of the route.  Name it where
            several providers log people in: one's tokens are not for another's server.
        subject_issuer: Whose they have to be: the ``iss`` that the caller is known by;
            unset, anybody's.  For an authenticator that knows many providers.
        max_length: Characters that a client may present.
        keep: How tokens are kept.
    """

    endpoint: str | None = attrs.field(default=None, validator=secure_url)
    subject: str = attrs.field(default="access_token", validator=_subject)
    subject_audience: str = ""
    actor: str = attrs.field(default="none", validator=_subject)
    actor_audience: str = ""
    authenticator: str = ""
    subject_issuer: str = ""
    max_length: int = attrs.field(default=LONGEST, validator=between(16, 65536))
    keep: KeepRules = attrs.field(factory=KeepRules)

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect, all of it at once."""
        problems = [*self.problems()]
        if problems:
            raise ValueError("; ".join(problems))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together; for classes with more, too."""
        yield from self.server_problems(self.endpoint)
        for option in ("subject", "actor"):
            place = read_subject_option(getattr(self, option))
            if place.kind != "token" and getattr(self, f"{option}_audience"):
                yield f"{option}_audience has no effect without {option} = 'token:NAME'"
        kinds = {read_subject_option(each).kind for each in (self.subject, self.actor)}
        for option in ("authenticator", "subject_issuer"):
            if getattr(self, option) and not kinds & _KNOWN_BY:
                yield f"{option} has no effect on {self.subject!r}"

    def digest(self) -> bytes:
        """Give a digest of all options but secrets: others make other tokens."""
        return sha256(repr(self).encode()).digest()


@attrs.frozen(kw_only=True)
class GrantConfig(RemoteConfig, ClientOptions):
    """
    How an OAuth token endpoint is asked for tokens.

    Attributes:
        endpoint: The token endpoint; https, or http to a loopback address.  Unset,
            what the issuer's metadata says.
        issuer: The authorization server: where its metadata is, and the ``aud`` of what
            proves who we are.
        audience: Whom tokens are for if the route does not say, by the names that the
            server knows (RFC 8693).
        resource: The same as URIs (RFC 8707).
        audience_as: What the route's ``audience`` is sent as.  It is sent alone,
            instead of the table's ``audience`` and ``resource``.
        scope: Scopes to ask for; none: the server decides.
        params: Further fields of the request.
    """

    ours: ClassVar[frozenset[str]] = _OURS
    """Fields of the request that are not for operators to set."""

    issuer: str | None = None
    audience: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    audience_as: Literal["audience", "resource"] = "audience"
    scope: tuple[str, ...] = ()
    params: Mapping[str, str] = attrs.field(factory=dict)

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        yield from self.client_problems()
        if self.dpop == "required":
            yield "dpop = 'required' asks for tokens that no backend can use"
        if self.endpoint is None and self.issuer is None:
            yield "endpoint is missing; or issuer, whose metadata says where it is"
        if self.issuer is not None:
            try:
                read_issuer(self.issuer)
            except UrlRefusedError as e:
                yield f"issuer {e.detail}"
        for resource in self.resource:
            try:
                check_resource(resource)
            except ValueError as e:
                yield f"resource: {e}"
        for name in sorted(self.ours & set(self.params)):
            yield f"params must not set {name}"

    def target(self, audience: Audience) -> Target:
        """Say whom a token for *audience* is for."""
        named, scope = audience.name, self.scope
        if not named:
            return Target(scope=scope, resource=self.resource, audience=self.audience)
        if self.audience_as == "resource":
            return Target(scope=scope, resource=(named,))
        return Target(scope=scope, audience=(named,))
