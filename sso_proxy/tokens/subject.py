"""
What tokens are made from: what a caller presented, or what is known of the caller.

The options ``subject`` and ``actor`` name a place; see `read_subject_option`.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from ssl import DER_cert_to_PEM_cert
from typing import TYPE_CHECKING, Final, Literal, get_args

import attrs

from sso_proxy.config.names import FIELD_NAME, NEVER_MANAGED
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Caller, Headers, Identity
from sso_proxy.session import Session
from sso_proxy.specs.http.parameters import read_cookie, read_parameter
from sso_proxy.specs.jose.expiry import read_expiry
from sso_proxy.token import MISSING, Audience, NotIssued

if TYPE_CHECKING:
    from sso_proxy.interfaces import ITokenSource, ITools

Kind = Literal[
    "none",
    "access_token",
    "ticket",
    "session",
    "certificate",
    "cookie",
    "header",
    "query",
    "token",
]

LONGEST: Final = 16384
"""Characters of what a client presents, if nothing else is said."""

_URI: Final = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN: Final = _URI + "access_token"
_SAID: Final = (
    "'access_token', 'ticket', 'session:access_token', 'session:id_token',"
    " 'session:refresh_token', 'cookie:NAME', 'header:NAME', 'header:NAME SCHEME',"
    " 'query:NAME', 'certificate', 'certificate:pem', 'token:NAME' and 'none'"
)

_is_cookie = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_is_parameter = re.compile(r"[A-Za-z0-9._~-]+").fullmatch
_is_scheme = re.compile(r"[A-Za-z][A-Za-z0-9-]*").fullmatch
_is_plain = re.compile(r"[\x20-\x7e]+").fullmatch

_AMBIGUOUS: Final = NotIssued(
    reason="token-ambiguous", status=400, detail="it is presented more than once"
)
_MALFORMED: Final = NotIssued(
    reason="token-malformed", status=400, detail="it is no printable ASCII"
)
_LARGE: Final = NotIssued(reason="token-large", status=400, detail="it is too long")


@attrs.frozen(kw_only=True)
class Presented:
    """
    What a token is made from.

    Attributes:
        value: The credential; printable ASCII, and line feeds in PEM.  A secret.
        kind: What it is, as a token type of RFC 8693 section 3 or whatever its issuer
            says; empty if nobody says.
        expires: Seconds since the epoch when it ends, or None.
        key: A digest of *value*.
        claims: What it says, if that is verified; else empty.
        headers: Fields for the client's answer.
    """

    value: str = attrs.field(repr=False)
    kind: str = ""
    expires: float | None = None
    key: bytes = attrs.field(repr=False)
    claims: Mapping[str, object] = attrs.field(factory=dict, repr=False, eq=False)
    headers: Headers = attrs.field(default=(), repr=False, eq=False)


@attrs.frozen(kw_only=True)
class Subject:
    """
    Where something to make tokens from is.

    Attributes:
        kind: What sort of place.
        name: Of the token in the session, the cookie, field or parameter, or the other
            token source; ``pem`` for a certificate written like that.
        scheme: What stands before it in a header field; empty if it is all of it.
        longest: Characters that a client may present.
        source: Gives the other token.
        audience: Whom that is for.
        authenticator: Who has to have known the caller; empty for anybody.  A token of
            one provider must not be sent to another.
        issuer: Who has to have vouched for the caller; empty for anybody.
    """

    kind: Kind
    name: str = ""
    scheme: str = ""
    longest: int = LONGEST
    source: "ITokenSource | None" = None
    audience: Audience = attrs.field(factory=Audience)
    authenticator: str = ""
    issuer: str = ""

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name the place, in the words of `IAuthenticator.consumes`."""
        match self.kind:
            case "cookie":
                return (f"cookie:{self.name}",)
            case "header":
                return (self.name,)
            case "query":
                return (f"?{self.name}",)
            case "token" if self.source is not None:
                return tuple(self.source.consumes)
        return ()

    def bound(self, tools: "ITools", audience: str) -> "Subject":
        """
        Give this place, able to say what is there.

        Args:
            tools: Know other token sources.
            audience: Whom a token of another source is for; empty for whom that says.

        Raises:
            ConfigError: There is no such source.
            ValueError: It has no tokens for *audience*.
        """
        if self.kind != "token":
            return self
        source, wanted = tools.token(self.name), Audience(name=audience)
        source.check_audience(wanted)
        return attrs.evolve(self, source=source, audience=wanted)

    async def present(self, caller: Caller) -> Presented | NotIssued | None:
        """
        Give what is there; None if the place is ``none``.

        Raises:
            UnavailableError: It is another token, whose issuer cannot be reached.
        """
        match self.kind:
            case "none":
                return None
            case "access_token" | "ticket":
                return self._of_identity(caller.identity)
            case "session":
                return self._of_session(caller)
            case "certificate":
                return self._of_certificate(caller)
            case "token":
                return await self._of_other(caller)
            case _:
                return self._of_request(caller)

    def _of_identity(self, identity: Identity | None) -> Presented | NotIssued:
        """Give what was verified to find out who calls."""
        if not self._is_of(identity) or identity is None or not identity.token:
            return MISSING
        if identity.token_type != self.kind:
            return MISSING
        return _presented(
            identity.token,
            kind=ACCESS_TOKEN if self.kind == "access_token" else "",
            expires=identity.expires,
            claims=identity.claims,
        )

    def _of_session(self, caller: Caller) -> Presented | NotIssued:
        """Give a token that came with the login."""
        session = caller.request.session
        value = None if session is None else session.data.get(self.name)
        if session is None or not isinstance(value, str) or not value:
            return MISSING
        if not self._is_of(session.identity) or not _same(session, caller.identity):
            return MISSING
        expires, claims = None, {}
        if self.name == "access_token":
            said = session.data.get("access_expires")
            expires = said if isinstance(said, int | float) else None
        elif self.name == "id_token":
            identity = session.identity
            claims = dict(identity.sources.get("id_token", identity.claims))
            expires = read_expiry(value)
        kind = _URI + self.name
        return _presented(value, kind=kind, expires=expires, claims=claims)

    def _is_of(self, identity: Identity | None) -> bool:
        """Say whether those who have to have said who calls."""
        if identity is None:
            return not (self.authenticator or self.issuer)
        return identity.authenticator == (
            self.authenticator or identity.authenticator
        ) and identity.issuer == (self.issuer or identity.issuer)

    def _of_certificate(self, caller: Caller) -> Presented | NotIssued:
        """Give the client's certificate, if its chain was verified."""
        tls = caller.request.tls
        certificate = None if tls is None else tls.certificate
        if certificate is None:
            return MISSING
        if not certificate.verified:
            detail = "the client's certificate is not verified"
            return NotIssued(reason="token-unverified", status=401, detail=detail)
        der = certificate.der
        text = DER_cert_to_PEM_cert(der) if self.name == "pem" else b64encode(der)
        value = text if isinstance(text, str) else text.decode("ascii")
        return _presented(value, expires=certificate.not_after)

    async def _of_other(self, caller: Caller) -> Presented | NotIssued:
        """Give the token of another source."""
        assert self.source is not None, "it was not bound"  # noqa: S101
        token = await self.source.token_for(caller, self.audience)
        if isinstance(token, NotIssued):
            return token
        presented = _presented(token.value, kind=token.kind, expires=token.expires)
        return attrs.evolve(presented, headers=token.headers)

    def _of_request(self, caller: Caller) -> Presented | NotIssued:
        """Give what the client put into its request, which nobody has verified."""
        head = caller.request.head
        if self.kind == "header":
            values = head.values(self.name)
        elif self.kind == "cookie":
            fields = head.values("cookie")
            values = [v for field in fields for v in read_cookie(field, self.name)]
        else:
            try:
                values = read_parameter(head.query, self.name)
            except BadMessageError:
                return _AMBIGUOUS
        if len(values) > 1:
            return _AMBIGUOUS
        value = self._without_scheme(values[0]) if values else ""
        if not value:
            return MISSING
        if len(value) > self.longest:
            return _LARGE
        if not _is_plain(value):
            # Control characters are more fields, lines or elements to somebody.
            return _MALFORMED
        return _presented(value, expires=read_expiry(value))

    def _without_scheme(self, value: str) -> str:
        """Give what stands after the scheme, which is written in any case."""
        if not self.scheme:
            return value
        scheme, _, rest = value.partition(" ")
        return rest.strip(" ") if scheme.lower() == self.scheme.lower() else ""


def read_subject_option(text: str) -> Subject:
    """
    Read what the configuration calls a place.

    ``access_token``, the one by which the caller was known; ``ticket``, the same for
    tickets; ``session:access_token``, ``session:id_token`` and
    ``session:refresh_token``, from the login; ``cookie:NAME``, ``header:NAME``,
    ``header:NAME SCHEME`` and ``query:NAME``, from the request; ``certificate``, the
    client's, DER in base64, or ``certificate:pem``; ``token:NAME``, what another source
    gives; ``none``.

    Raises:
        ValueError: It is none of these.
    """
    word, colon, name = text.partition(":")
    kind = next((each for each in get_args(Kind) if each == word), None)
    if colon and not name:
        kind = None
    name, blank, scheme = name.partition(" ") if kind == "header" else (name, "", "")
    is_good = _GOOD_NAMES.get(word, _is_nothing)
    if kind is None or not is_good(name) or (blank and not _is_scheme(scheme)):
        raise ValueError(f"{text!r} is none of {_SAID}")
    if kind == "header":
        name = name.lower()
    return Subject(kind=kind, name=name, scheme=scheme)


def _is_nothing(name: str) -> bool:
    return not name


def _is_field(name: str) -> bool:
    fields = NEVER_MANAGED | {"cookie"}
    return bool(FIELD_NAME.fullmatch(name)) and name.lower() not in fields


def _is_foreign_cookie(name: str) -> bool:
    return bool(_is_cookie(name)) and "-sso" not in name


_GOOD_NAMES: Final[Mapping[str, Callable[[str], object]]] = {
    "session": ("access_token", "id_token", "refresh_token").__contains__,
    "certificate": ("", "pem").__contains__,
    "header": _is_field,
    "cookie": _is_foreign_cookie,
    "query": _is_parameter,
    "token": bool,
}
"""What may stand after the colon."""


def _same(session: Session, identity: Identity | None) -> bool:
    """Say whether the caller is known by the session, and not besides it."""
    of = session.identity
    return identity is not None and (of.authenticator, of.issuer, of.subject) == (
        identity.authenticator,
        identity.issuer,
        identity.subject,
    )


def _presented(
    value: str,
    *,
    kind: str = "",
    expires: float | None = None,
    claims: Mapping[str, object] | None = None,
) -> Presented:
    key = sha256(value.encode()).digest()
    return Presented(
        value=value, kind=kind, expires=expires, key=key, claims=claims or {}
    )
