"""How the requests of one configuration's routes are signed for their backends."""

from secrets import token_urlsafe

from sso_proxy.config.backend import read_backend
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.signature_parts import SignatureConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock
from sso_proxy.net.client_auth_parts import read_file
from sso_proxy.signing import RequestSigner
from sso_proxy.specs.http.signature_keys import (
    RequestSigningKey,
    read_request_key,
    read_request_secret,
)
from sso_proxy.specs.jose.keys import KeyRefusedError

_NONCE_OCTETS = 16


def build_signer(
    path: str,
    route: RouteConfig,
    clock: IClock,
    tls: bool | None = None,  # noqa: FBT001
) -> RequestSigner | None:
    """
    Make what signs the requests of *route*, which stands at *path*, if anything does.

    Args:
        path: Where.
        route: The route.
        clock: The time.
        tls: Whether its backend is reached with TLS; None if its URL says so.

    Raises:
        ConfigError: The key cannot be used.
    """
    signature = route.signature
    if signature is None:
        return None
    if tls is None:
        tls = read_backend(route.backend).kind == "https"
    return RequestSigner(
        key=_read_key(join(path, "signature"), signature),
        label=signature.label,
        tag=signature.tag,
        components=signature.components,
        scheme="https" if tls else "http",
        digest=signature.digest,
        body_bytes=signature.body_bytes,
        expires=signature.expires,
        new_nonce=_new_nonce if signature.nonce else None,
        clock=clock,
    )


def _read_key(path: str, signature: SignatureConfig) -> RequestSigningKey:
    """Read the key, or take the secret."""
    place = join(path, "key")
    try:
        if signature.secret is not None:
            place = join(path, "secret")
            secret = signature.secret.reveal().encode()
            return read_request_secret(secret, keyid=signature.keyid or "")
        data = read_file(signature.key or "", place)
        return read_request_key(data, alg=signature.alg, keyid=signature.keyid)
    except KeyRefusedError as e:
        raise ConfigError(Mistake(place, f"cannot be used: {e.detail}")) from None


def _new_nonce() -> str:
    return token_urlsafe(_NONCE_OCTETS)
