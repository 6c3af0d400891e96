"""The options of asking an issuer about tokens."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import between, non_empty, positive
from sso_proxy.config.model import FilePath
from sso_proxy.config.protocol_checks import one_of, secure_url
from sso_proxy.config.secrets import Secret
from sso_proxy.net.client_auth_options import (
    ASSERTIONS,
    auth_problems,
    certificate_problems,
    needed_options,
)
from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS, AuthMethod
from sso_proxy.specs.oauth.introspection import build_fields

_NEEDED: Final = needed_options("assertion_key")
_IN_FORM: Final = ("client_secret_post", *ASSERTIONS)
_PURPOSES: Final[Mapping[str, tuple[AuthMethod, ...]]] = {
    "client_secret": tuple(m for m, n in _NEEDED.items() if "client_secret" in n),
    "bearer_token": ("bearer",),
    "assertion_key": ("private_key_jwt",),
    "assertion_kid": ("private_key_jwt",),
    "assertion_alg": ("private_key_jwt",),
    "assertion_audience": ASSERTIONS,
}
"""The values of ``auth`` under which an option has an effect."""


@attrs.frozen(kw_only=True)
class IntrospectionConfig:
    """
    How the issuer is asked about tokens (RFC 7662).

    Attributes:
        endpoint: Where; https, or http to a loopback address.  Unset, what the
            issuer's metadata says.
        client_id: Our name at the issuer.
        auth: How we prove it: ``client_secret_basic``, ``client_secret_post``,
            ``client_secret_jwt``, ``private_key_jwt``, ``tls_client_auth``,
            ``self_signed_tls_client_auth``, by the names of the standards; ``basic``
            for servers that want name and secret in ``Authorization`` as they are;
            ``bearer`` for a token of ours; ``none`` proves nothing.
        client_secret: The client secret; 32 octets or more for ``client_secret_jwt``.
        bearer_token: Our token, for ``bearer``.
        assertion_key: File with the private key for ``private_key_jwt``: PEM, or a
            JWK.
        assertion_kid: What the issuer calls that key; unset, what the JWK says.
        assertion_alg: What to sign with; unset, what the JWK says, or else RS256 for
            RSA and the only one there is for other keys.
        assertion_audience: The ``aud`` of what we sign; unset, the issuer.  Older
            servers want the endpoint's URL.
        assertion_typ: The ``typ`` of what we sign; ``JWT`` for servers that insist on
            it.
        certificate: PEM file: our client certificate and its chain; it may be shown
            with any ``auth``.
        key: PEM file: its private key.
        ca: PEM file: CAs to trust for this endpoint, instead of the system's and
            those of ``server.outbound``.
        method: ``POST``, or ``GET`` for servers that take nothing else: tokens then
            get into the logs of everything on the way.
        token_param: The name of the field with the token.
        token_type_hint: What we say that the token is; empty says nothing.
        params: Further fields of the question.
        answer: ``json``; or ``jwt``: the answer must be signed by the issuer for
            ``answer_audience`` (RFC 9701), and anything else is no answer.
        answer_audience: What the issuer calls us in signed answers; unset, our
            ``client_id``.
        answer_algorithms: Signature algorithms of signed answers.
        timeout: Seconds for an answer; unset, that of ``server.outbound``.
        at_once: Different tokens that each worker asks about at the same time; more
            are 503.
    """

    endpoint: str | None = attrs.field(default=None, validator=secure_url)
    client_id: str = ""
    auth: AuthMethod = "client_secret_basic"
    client_secret: Secret | None = None
    bearer_token: Secret | None = None
    assertion_key: FilePath | None = None
    assertion_kid: str | None = None
    assertion_alg: str | None = None
    assertion_audience: str | None = None
    assertion_typ: str = attrs.field(
        default="client-authentication+jwt", validator=non_empty
    )
    certificate: FilePath | None = None
    key: FilePath | None = None
    ca: FilePath | None = None
    method: Literal["POST", "GET"] = "POST"
    token_param: str = attrs.field(default="token", validator=non_empty)
    token_type_hint: str = "access_token"  # noqa: S105
    params: Mapping[str, str] = attrs.field(factory=dict)
    answer: Literal["json", "jwt"] = "json"
    answer_audience: str | None = None
    answer_algorithms: tuple[str, ...] = attrs.field(
        default=("RS256", "PS256", "ES256", "ES384", "EdDSA"),
        validator=[non_empty, one_of(ALGORITHMS)],
    )
    timeout: float | None = attrs.field(default=None, validator=optional(positive))
    at_once: int = attrs.field(default=256, validator=between(1, 65536))

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing, has no effect or would tell secrets."""
        problems = [
            *self._about_auth(),
            *self._about_tls(),
            *self._about_the_question(),
            *self._about_the_answer(),
        ]
        if problems:
            raise ValueError("; ".join(problems))

    def _about_auth(self) -> Iterator[str]:
        yield from auth_problems(self, _NEEDED, _PURPOSES)
        if self.auth == "basic" and ":" in self.client_id:
            yield "client_id must have no colon with auth = 'basic'"

    def _about_tls(self) -> Iterator[str]:
        yield from certificate_problems(self.certificate, self.key)
        plain = (self.endpoint or "").startswith("http:")
        if plain and (self.certificate or self.ca):
            yield "certificate and ca have no effect at an http endpoint"

    def _about_the_question(self) -> Iterator[str]:
        if self.token_param in CLIENT_FIELDS | {"token_type_hint"}:
            yield f"token_param = {self.token_param!r} has another meaning"
        if self.method == "GET" and self.auth in _IN_FORM:
            yield f"auth = {self.auth!r} would put a secret into URLs; use POST"
        try:
            build_fields("", token_param=self.token_param, params=self.params)
        except ValueError as e:
            yield f"params: {e}"

    def _about_the_answer(self) -> Iterator[str]:
        if self.answer == "json":
            if self.answer_audience is not None:
                yield "answer_audience has no effect without answer = 'jwt'"
        elif not self.answer_audience and not self.client_id:
            yield "answer = 'jwt' needs answer_audience or client_id"
