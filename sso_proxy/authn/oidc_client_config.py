"""The options by which a provider knows us, and we reach it."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.net.client_auth_options import (
    ASSERTIONS,
    auth_problems,
    certificate_problems,
    needed_options,
)
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS, AuthMethod

ProviderAuth = Literal[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
]
"""How we authenticate, by the names of the standards."""

_NEEDED: Final = needed_options("signing_keys")
_WITH_SECRET: Final = tuple(m for m, n in _NEEDED.items() if "client_secret" in n)
_PURPOSES: Final[Mapping[str, tuple[AuthMethod, ...]]] = {
    "client_secret_next": tuple(m for m in _WITH_SECRET if m != "basic"),
    "assertion_audience": ASSERTIONS,
}
_OURS: Final = CLIENT_FIELDS | {
    "grant_type",
    "code",
    "code_verifier",
    "redirect_uri",
    "refresh_token",
    "scope",
}
"""Fields of token requests that are not for operators to set."""


@attrs.frozen(kw_only=True)
class ClientConfig:
    """
    Who we are to a provider, and how we prove it.

    Attributes:
        client_id: Our name at the provider.
        auth: How we prove it at the provider's endpoints: ``client_secret_basic``,
            ``client_secret_post``, ``client_secret_jwt``, ``private_key_jwt``,
            ``tls_client_auth``, ``self_signed_tls_client_auth``, by the names of the
            standards; ``none`` proves nothing.
        client_secret: The client secret; 32 octets or more for ``client_secret_jwt``.
        client_secret_next: A second secret, while it is being changed: when the
            provider refuses one, the other is tried, and used until that is refused.
        signing_keys: Files with private keys, each PEM or a JWK: the first signs what
            proves who we are with ``private_key_jwt``, and request objects; the public
            halves of all are published.  To change the key, add the new one at the
            end, put it first when the provider has fetched it, and remove the old one
            later.
        signing_kid: What the provider calls the first of these keys; unset, what its
            JWK says, or else its thumbprint.
        signing_alg: What to sign with; unset, what each JWK says, or else RS256 for
            RSA and the only one there is for other keys.
        assertion_audience: The ``aud`` of what proves who we are; unset, the issuer.
            Older providers want the token endpoint's URL.
        assertion_typ: Its ``typ``; ``JWT`` for providers that insist on it.
        decryption_keys: Files with private keys, each PEM or a JWK, for ID tokens and
            other answers that are encrypted to us; the public halves are published.
        certificate: PEM file: our client certificate and its chain; it may be shown
            with any ``auth``, and binds tokens to it where the provider does that.
        key: PEM file: its private key.
        ca: PEM file: CAs to trust for this provider, instead of the system's and
            those of ``server.outbound``.
        dpop: ``on`` proves with each request that we hold a key, so that the provider
            binds tokens to it (DPoP); ``required`` refuses tokens that it does not
            bind; ``off`` does nothing of this.
        dpop_key: File with the private key for ``dpop``, PEM or a JWK.  Sessions have
            tokens that are good with this key alone: it has to be the same after a
            restart, and on each machine that serves the same sessions.
        dpop_alg: What it signs with; unset, as for ``signing_alg``.
        token_params: Further fields of requests for tokens.
        userinfo_method: How the access token goes to the UserInfo endpoint: in the
            field ``Authorization`` (``header``), or in a form (``body``).
        timeout: Seconds for an answer of the provider; unset, that of
            ``server.outbound``.
    """

    client_id: str = attrs.field(validator=non_empty)
    auth: ProviderAuth = "client_secret_basic"
    client_secret: Secret | None = None
    client_secret_next: Secret | None = None
    signing_keys: tuple[FilePath, ...] = ()
    signing_kid: str | None = attrs.field(default=None, validator=optional(non_empty))
    signing_alg: str | None = None
    assertion_audience: str | None = None
    assertion_typ: str = attrs.field(
        default="client-authentication+jwt", validator=non_empty
    )
    decryption_keys: tuple[FilePath, ...] = ()
    certificate: FilePath | None = None
    key: FilePath | None = None
    ca: FilePath | None = None
    dpop: Literal["off", "on", "required"] = "off"
    dpop_key: FilePath | None = None
    dpop_alg: str | None = None
    token_params: Mapping[str, str] = attrs.field(factory=dict)
    userinfo_method: Literal["header", "body"] = "header"
    timeout: float | None = attrs.field(
        default=None, validator=optional(between(0.1, 60))
    )

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect, all of it at once."""
        problems = [*self.problems()]
        if problems:
            raise ValueError("; ".join(problems))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together; for classes with more, too."""
        yield from auth_problems(self, _NEEDED, _PURPOSES)
        yield from certificate_problems(self.certificate, self.key)
        yield from self._about_keys()
        yield from self._about_requests()

    def _about_keys(self) -> Iterator[str]:
        if self.client_secret_next is not None and self.client_secret is None:
            yield "client_secret_next has no effect without client_secret"
        for option in ("signing_kid", "signing_alg"):
            if getattr(self, option) is not None and not self.signing_keys:
                yield f"{option} has no effect without signing_keys"
        if self.dpop == "off":
            for option in ("dpop_key", "dpop_alg"):
                if getattr(self, option) is not None:
                    yield f"{option} has no effect without dpop"
        elif self.dpop_key is None:
            yield f"dpop = {self.dpop!r} needs dpop_key"

    def _about_requests(self) -> Iterator[str]:
        for name in sorted(_OURS & set(self.token_params)):
            yield f"token_params must not set {name}"
        if self.dpop == "required" and self.userinfo_method == "body":
            yield "userinfo_method = 'body' has no effect with dpop = 'required'"
