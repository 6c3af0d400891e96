"""The options of ``type = "jwt"``."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs

from sso_proxy.config.checks import Attribute, between, host_pattern, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.specs.claims import ClaimPath, read_claim_path

NEVER_TAKEN: Final = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti", "cnf", "act"})
"""Claims that say something about the caller's token; they are wrong about ours."""

OURS: Final = NEVER_TAKEN | {
    "sub",
    "idp",
    "client_id",
    "scope",
    "auth_time",
    "acr",
    "amr",
}
"""Claims that we set ourselves."""

ACCESS_TOKEN: Final = frozenset({"at+jwt", "application/at+jwt"})
"""The ``typ`` of access tokens (RFC 9068 section 2.1)."""


def _chosen(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse claims that a token cannot have."""
    for text in value:
        path = read_claim_path(text)
        if len(path) > 1:
            raise ValueError(
                f"{text!r} needs a name in the token: put it in claim_names"
            )
        _check_pair(path, path[0])


def _named(_instance: object, _attribute: Attribute, value: Mapping[str, str]) -> None:
    """Refuse claims that a token cannot have, and names that are taken."""
    for text, name in value.items():
        _check_pair(read_claim_path(text), name)
    names = [*value.values()]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"several claims would be called {name!r}")


def _check_pair(path: ClaimPath, name: str) -> None:
    if path[0] in NEVER_TAKEN:
        raise ValueError(f"{path[0]!r} is about the caller's token, not about ours")
    if name in OURS:
        raise ValueError(
            f"{name!r} is a claim that we set ourselves; choose another name"
        )
    if not name or not name.isprintable():
        raise ValueError(f"{name!r} is no name of a claim")


@attrs.frozen(kw_only=True)
class JwtTokenConfig:
    """
    The ``jwt`` token's part of the configuration file.

    Attributes:
        issuer: Who we are to backends: the ``iss`` of tokens, best the URL of this
            proxy.
        audience: The ``aud`` where the route names none.
        keys: Files with private keys, each PEM or a JWK: the first signs; the public
            halves of all are published.  To change the key, add the new one at the
            end, put it first when all backends have fetched it, and remove the old one
            when its tokens are over.  A key is called what its JWK says, or else its
            thumbprint.
        alg: What to sign with; unset, what each JWK says, or else RS256 for RSA and the
            only one there is for other keys.
        kid: What the key is called; only for a single key.
        subject: The ``sub``: ``user`` is the name that the backend knows the caller by
            (``map_user``), ``subject`` the identity's subject, as *subject_issuer*
            gave it, ``qualified`` the identity's issuer and subject with a ``|``
            between them, for routes whose callers are of several issuers.
        subject_issuer: With ``subject = "subject"``: whose subjects these are.
            Callers of other issuers get no token: two issuers may call two people the
            same.
        claims: Claims of the caller that the token has, too.
        claim_names: Further claims of the caller, by path, and what each is called in
            the token.
        scope: Which of the caller's scopes the token has, if the caller has them;
            ``*`` is all of them.  Without any, it has no ``scope``.
        act: Who acts for the subject (RFC 8693 section 4.1): ``none`` says nothing of
            it, ``keep`` what the caller's token says, ``add`` that it is us, before
            whoever the caller's token says.
        lifetime: Seconds that a token is good for; less where the identity or its
            session ends before.
        typ: The ``typ`` of tokens.  Backends of one issuer should insist on it, if
            the issuer signs anything else.  ``at+jwt`` has what RFC 9068 demands of
            access tokens, ``client_id`` above all.
        idp: Whether the token has ``idp``: the issuer that vouches for the caller.
        jti: Whether each token has a name of its own.
        cnf: Whether a token is bound to the certificate that we show its backend, if we
            do (RFC 8705 section 3.1): the backend may have it used by nobody else.
        max_bytes: Longest token, in characters; a header section with a longer one is
            more than most servers take.
        publish_at: Hosts at whose ``/.sso/jwks`` the public keys are, besides those of
            the routes with such tokens.
    """

    issuer: str = attrs.field(validator=non_empty)
    audience: str = ""
    keys: tuple[FilePath, ...] = attrs.field(validator=non_empty)
    alg: str | None = None
    kid: str | None = None
    subject: Literal["user", "subject", "qualified"] = "user"
    subject_issuer: str | None = None
    claims: tuple[str, ...] = attrs.field(default=(), validator=_chosen)
    claim_names: Mapping[str, str] = attrs.field(factory=dict, validator=_named)
    scope: tuple[str, ...] = ()
    act: Literal["none", "keep", "add"] = "none"
    lifetime: int = attrs.field(default=60, validator=between(10, 3600))
    typ: str = attrs.field(default="JWT", validator=non_empty)
    idp: bool = False
    jti: bool = True
    cnf: bool = True
    max_bytes: int = attrs.field(default=6144, validator=between(512, 65536))
    publish_at: tuple[str, ...] = attrs.field(default=(), validator=host_pattern)

    def chosen(self) -> Iterator[tuple[str, ClaimPath]]:
        """Give the caller's claims that the token has: their names there, and paths."""
        for text in dict.fromkeys((*self.claims, *self.claim_names)):
            path = read_claim_path(text)
            yield self.claim_names.get(text, path[0]), path

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give each option that does not go with others, and why."""
        if self.kid is not None and len(self.keys) > 1:
            yield "kid", "would go from one key to another; put it into each key's JWK"
        if self.subject == "subject" and not self.subject_issuer:
            problem = "is missing; name the issuer whose subjects `sub` is to have"
            yield "subject_issuer", problem
        if self.subject != "subject" and self.subject_issuer is not None:
            yield "subject_issuer", f"has no effect with subject = {self.subject!r}"
        if self.typ in ACCESS_TOKEN and not self.jti:
            yield "jti", "must stay on with this typ (RFC 9068 section 2.2)"
        names = [name for name, _ in self.chosen()]
        for name in {name for name in names if names.count(name) > 1}:
            yield "claim_names", f"several claims would be called {name!r}"
