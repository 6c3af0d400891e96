"""What options for authenticating to an authorization server need, and which fit."""

from collections.abc import Iterator, Mapping
from typing import Final

from sso_proxy.specs.oauth.client_auth import AuthMethod

ASSERTIONS: Final[tuple[AuthMethod, ...]] = ("client_secret_jwt", "private_key_jwt")
"""Methods that sign."""


def needed_options(key: str) -> dict[AuthMethod, tuple[str, ...]]:
    """
    Give the options that each method needs.

    Args:
        key: The option that holds what ``private_key_jwt`` signs with.
    """
    return {
        "none": (),
        "client_secret_basic": ("client_id", "client_secret"),
        "client_secret_post": ("client_id", "client_secret"),
        "client_secret_jwt": ("client_id", "client_secret"),
        "private_key_jwt": ("client_id", key),
        "tls_client_auth": ("client_id", "certificate", "key"),
        "self_signed_tls_client_auth": ("client_id", "certificate", "key"),
        "bearer": ("bearer_token",),
        "basic": ("client_id", "client_secret"),
    }


def auth_problems(
    config: object,
    needed: Mapping[AuthMethod, tuple[str, ...]],
    purposes: Mapping[str, tuple[AuthMethod, ...]],
) -> Iterator[str]:
    """
    Say what is wrong with the options for *config*'s method.

    Args:
        config: The options; one is ``auth``.
        needed: Those that each method needs.
        purposes: The methods under which an option has an effect.
    """
    auth: AuthMethod = config.auth  # type: ignore[attr-defined]
    for option in needed[auth]:
        if not getattr(config, option):
            yield f"auth = {auth!r} needs {option}"
    for option, methods in purposes.items():
        if getattr(config, option) is not None and auth not in methods:
            wanted = " or ".join(map(repr, methods))
            yield f"{option} has no effect without auth = {wanted}"


def certificate_problems(certificate: str | None, key: str | None) -> Iterator[str]:
    """Say what is wrong with the options for a client certificate."""
    if (certificate is None) != (key is None):
        yield "certificate and key are set together"
