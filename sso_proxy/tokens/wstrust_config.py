"""The options of the ``wstrust`` tokens."""

from collections.abc import Iterator
from typing import Final, Literal

import attrs

from sso_proxy.config.checks import Attribute, between
from sso_proxy.config.secrets import Secret
from sso_proxy.specs.wstrust.names import (
    KEY_TYPES,
    SAML2_TYPE,
    SAML_TYPES,
    X509,
    Action,
    Soap,
)
from sso_proxy.specs.xml import check_text
from sso_proxy.tokens.remote_config import RemoteConfig

Form = Literal["binary", "saml", "username"]
Part = Literal["on_behalf_of", "act_as", "header"]
Encoding = Literal["raw", "base64", "base64url", "deflate"]

JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_LONGEST: Final = 65536


def _text(_instance: object, _attribute: Attribute, value: str | None) -> None:
    if value is not None:
        check_text(value)


@attrs.frozen(kw_only=True)
class WsTrustConfig(RemoteConfig):
    """
    How a security token service is asked (WS-Trust 1.3).

    Attributes:
        endpoint: Where it is; https, or http to a loopback address.
        soap: The version of SOAP: ``1.1`` or ``1.2``.
        action: ``issue`` a token, or ``validate`` the one that was presented.  To
            validate without ``token_type`` asks for a yes or no alone; the backend then
            gets what was presented, as it was.
        subject_form: What the subject is sent as: ``binary``, a
            ``BinarySecurityToken``; ``saml``, an assertion, as XML or in base64 or
            base64url; ``username``, the password of a ``UsernameToken`` with the name
            that the backend knows the caller by (with ``subject = "none"``, that name
            alone, which the service has to trust us with).
        subject_in: Where it stands: ``on_behalf_of``, ``act_as`` (WS-Trust 1.4), or
            ``header``, the security header, as if the caller asked.
        subject_encoding: Of a ``binary`` subject: ``text``, its characters are the
            token, or ``base64``, they encode it.  A certificate is decoded anyway.
        value_type: What a ``binary`` subject is: a URI.  Unset, that of a certificate
            for ``certificate``, else that of a JWT.
        actor_form: As ``subject_form``: ``binary`` or ``saml``.
        actor_in: As ``subject_in``.
        actor_value_type: As ``value_type``.
        applies_to: Whom tokens are for if the route does not say: a URI.
        token_type: What to ask for: a URI.  Unset, a SAML 2.0 assertion when a token is
            issued, and none when one is validated; empty leaves it to the service.
        key_type: The key in the token: ``bearer``, none; ``symmetric`` or ``public``
            for services that know nothing else, as no backend is shown it; ``unsaid``.
        lifetime: Seconds that the token should be good for; 0 leaves it to the
            service.
        auth: How the service knows us, besides a certificate: ``none``; ``basic``, by
            HTTP; ``username_token``, by name and password in the security header;
            ``username_digest``, by name and a digest of the password there.
        username: Our name at the service.
        password: Our password there.
        encode: How the backend gets the token: ``raw``; ``base64``; ``base64url``,
            without padding; or ``deflate``, compressed and in base64, as SAML's
            redirect binding has it.  Unset, assertions are in base64 and octets raw:
            the spaces and line ends of XML cannot stand in a header field or a cookie.
        max_length: Characters that a client may present.
    """

    soap: Soap = "1.2"
    action: Action = "issue"
    subject_form: Form = "binary"
    subject_in: Part = "on_behalf_of"
    subject_encoding: Literal["text", "base64"] = "text"
    value_type: str | None = attrs.field(default=None, validator=_text)
    actor_form: Literal["binary", "saml"] = "binary"
    actor_in: Part = "header"
    actor_value_type: str | None = attrs.field(default=None, validator=_text)
    applies_to: str = attrs.field(default="", validator=_text)
    token_type: str | None = attrs.field(default=None, validator=_text)
    key_type: Literal["bearer", "symmetric", "public", "unsaid"] = "bearer"
    lifetime: int = attrs.field(default=0, validator=between(0, 86400))
    auth: Literal["none", "basic", "username_token", "username_digest"] = "none"
    username: str = attrs.field(default="", validator=_text)
    password: Secret | None = None
    encode: Encoding | None = None
    max_length: int = attrs.field(default=_LONGEST, validator=between(16, _LONGEST))

    @property
    def wanted_type(self) -> str:
        """Give the token type that is asked for; empty leaves it to the service."""
        if self.token_type is not None:
            return self.token_type
        return SAML2_TYPE if self.action == "issue" else ""

    @property
    def key_type_uri(self) -> str:
        """Give the key type that is asked for, or nothing."""
        return KEY_TYPES.get(self.key_type, "") if self.action == "issue" else ""

    def type_of(self, option: Literal["subject", "actor"]) -> str:
        """Give what the octets of the subject or the actor are."""
        said = self.value_type if option == "subject" else self.actor_value_type
        if said is not None:
            return said
        return X509 if getattr(self, option) == "certificate" else JWT

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.endpoint is None:
            yield "endpoint is missing: where the service is"
        yield from self._subject_problems()
        yield from self._auth_problems()
        is_saml = self.wanted_type in SAML_TYPES
        if self.encode == "deflate" and not is_saml:
            yield "encode = 'deflate' is for SAML assertions: see token_type"
        if self.action == "validate" and self.lifetime:
            yield "lifetime has no effect with action = 'validate'"

    def _subject_problems(self) -> Iterator[str]:
        """Say what is wrong with what a token is made from."""
        named = self.subject_form == "username"
        needed = self.actor != "none" or self.action == "validate"
        if self.subject == "none" and needed and not named:
            yield "subject is missing: where the token is that is sent"
        if self.action == "validate":
            if self.subject_in != "on_behalf_of":
                yield "subject_in has no effect with action = 'validate'"
            if self.subject_form == "username" and not self.wanted_type:
                yield "subject_form = 'username' with 'validate' needs token_type"
            if self.encode is not None and not self.wanted_type:
                yield "encode has no effect without token_type"
        special = self.value_type is not None or self.subject_encoding != "text"
        if self.subject_form != "binary" and special:
            yield "value_type and subject_encoding are for subject_form = 'binary'"
        if self.actor != "none" and self.actor_in == self.subject_in != "header":
            yield "actor_in and subject_in are the same place"

    def _auth_problems(self) -> Iterator[str]:
        """Say what is wrong with how the service knows us."""
        given = bool(self.username), self.password is not None
        if self.auth == "none" and any(given):
            yield "username and password have no effect without auth"
        if self.auth != "none" and not all(given):
            yield f"auth = {self.auth!r} needs username and password"
        if self.auth == "basic" and ":" in self.username:
            yield "a username for auth = 'basic' has no colon"
