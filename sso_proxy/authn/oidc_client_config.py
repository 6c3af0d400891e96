"""The options by which a provider knows us, and we reach it."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import between, non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.net.client_auth_options import certificate_problems
from sso_proxy.net.client_config import ClientOptions
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS

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
class ClientConfig(ClientOptions):
    """
    Who we are to a provider, and how we prove it.

    Attributes:
        client_id: Our name at the provider.
        signing_keys: Files with private keys, each PEM or a JWK: the first signs what
            proves who we are with ``private_key_jwt``, and request objects; the public
            halves of all are published.  To change the key, add the new one at the
            end, put it first when the provider has fetched it, and remove the old one
            later.
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
        token_params: Further fields of requests for tokens.
        userinfo_method: How the access token goes to the UserInfo endpoint: in the
            field ``Authorization`` (``header``), or in a form (``body``).
        timeout: Seconds for an answer of the provider; unset, that of
            ``server.outbound``.
    """

    client_id: str = attrs.field(validator=non_empty)
    decryption_keys: tuple[FilePath, ...] = ()
    certificate: FilePath | None = None
    key: FilePath | None = None
    ca: FilePath | None = None
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
        yield from self.client_problems()
        yield from certificate_problems(self.certificate, self.key)
        yield from self._about_requests()

    def _about_requests(self) -> Iterator[str]:
        for name in sorted(_OURS & set(self.token_params)):
            yield f"token_params must not set {name}"
        if self.dpop == "required" and self.userinfo_method == "body":
            yield "userinfo_method = 'body' has no effect with dpop = 'required'"
