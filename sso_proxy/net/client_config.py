"""The options by which an authorization server knows us."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import non_empty
from sso_proxy.config.model import FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.net.client_auth_options import (
    ASSERTIONS,
    auth_problems,
    needed_options,
)
from sso_proxy.specs.oauth.client_auth import AuthMethod

ServerAuth = Literal[
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


@attrs.frozen(kw_only=True, slots=False)
class ClientOptions:
    """
    Who we are to an authorization server, and how we prove it.

    A class with these has ``certificate`` and ``key``, too.

    Attributes:
        client_id: Our name at the server.
        auth: How we prove it at the server's endpoints: ``client_secret_basic``,
            ``client_secret_post``, ``client_secret_jwt``, ``private_key_jwt``,
            ``tls_client_auth``, ``self_signed_tls_client_auth``, by the names of the
            standards; ``none`` proves nothing.
        client_secret: The client secret; 32 octets or more for ``client_secret_jwt``.
        client_secret_next: A second secret, while it is being changed: when the
            server refuses one, the other is tried, and used until that is refused.
        signing_keys: Files with private keys, each PEM or a JWK: the first signs what
            proves who we are with ``private_key_jwt``; the public halves of all are
            published.
        signing_kid: What the server calls the first of these keys; unset, what its
            JWK says, or else its thumbprint.
        signing_alg: What to sign with; unset, what each JWK says, or else RS256 for
            RSA and the only one there is for other keys.
        assertion_audience: The ``aud`` of what proves who we are; unset, the issuer.
            Older servers want the token endpoint's URL.
        assertion_typ: Its ``typ``; ``JWT`` for servers that insist on it.
        dpop: ``on`` proves with each request that we hold a key (DPoP); ``off`` does
            not.
        dpop_key: File with the private key for ``dpop``, PEM or a JWK.
        dpop_alg: What it signs with; unset, as for ``signing_alg``.
    """

    client_id: str = ""
    auth: ServerAuth = "client_secret_basic"
    client_secret: Secret | None = None
    client_secret_next: Secret | None = None
    signing_keys: tuple[FilePath, ...] = ()
    signing_kid: str | None = attrs.field(default=None, validator=optional(non_empty))
    signing_alg: str | None = None
    assertion_audience: str | None = None
    assertion_typ: str = attrs.field(
        default="client-authentication+jwt", validator=non_empty
    )
    dpop: Literal["off", "on", "required"] = "off"
    dpop_key: FilePath | None = None
    dpop_alg: str | None = None

    def client_problems(self) -> Iterator[str]:
        """Say what is wrong with these options together."""
        yield from auth_problems(self, _NEEDED, _PURPOSES)
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
