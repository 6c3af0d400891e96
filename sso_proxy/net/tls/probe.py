"""
What OpenSSL can do that pyOpenSSL has no public name for.

Besides `records`, `token_binding` and its client, which are built on this, the only
module that touches pyOpenSSL's private attributes.  Everything here asks first whether
the function is there; where it is not, the feature is off and `missing` says so.
"""

from typing import Any, Final

import attrs
from OpenSSL import SSL
from OpenSSL._util import ffi, lib

LIB: Final[Any] = lib
FFI: Final[Any] = ffi


@attrs.frozen(kw_only=True)
class Capabilities:
    """
    What this build of OpenSSL lets us reach.

    Attributes:
        extended_master_secret: Whether a TLS 1.2 connection has it (RFC 7627).
            Without this, nothing is exported from TLS 1.2.
        groups: Key exchange groups can be chosen.
        error_words: OpenSSL's words for a verification error.
        custom_extensions: TLS extensions of our own (Token Binding).
        records: `records` need not go through pyOpenSSL.
    """

    extended_master_secret: bool
    groups: bool
    error_words: bool
    custom_extensions: bool
    records: bool


def find_capabilities(library: object) -> Capabilities:
    """Look for the functions in *library*."""
    return Capabilities(
        extended_master_secret=hasattr(library, "SSL_get_extms_support"),
        groups=hasattr(library, "SSL_CTX_set1_curves_list"),
        error_words=hasattr(library, "X509_verify_cert_error_string"),
        custom_extensions=all(
            hasattr(library, name)
            for name in (
                "SSL_CTX_add_server_custom_ext",
                "SSL_CTX_set_msg_callback",
                "SSL_extension_supported",
            )
        ),
        records=hasattr(SSL.Connection, "_raise_ssl_error")
        and all(
            hasattr(library, name)
            for name in ("SSL_read", "SSL_write", "SSL_do_handshake", "SSL_get_error")
        ),
    )


CAPABILITIES: Final = find_capabilities(LIB)


def missing(capabilities: Capabilities = CAPABILITIES) -> tuple[str, ...]:
    """Say what is off, one line each, for the log at the start."""
    lines = {
        "extended_master_secret": "no keying material is exported from TLS 1.2",
        "groups": "the option 'groups' of listeners is refused",
        "error_words": "verification errors are logged as numbers",
        "custom_extensions": "Token Binding is off",
        "records": "TLS is slower",
    }
    return tuple(
        f"this build of pyOpenSSL and cryptography does not offer {name}: {effect}"
        for name, effect in lines.items()
        if not getattr(capabilities, name)
    )


def has_extended_master_secret(connection: SSL.Connection) -> bool:
    """Tell whether a TLS 1.2 connection negotiated RFC 7627; False if unknown."""
    return (
        CAPABILITIES.extended_master_secret
        and LIB.SSL_get_extms_support(connection._ssl) == 1  # noqa: SLF001
    )


def set_groups(context: SSL.Context, groups: str) -> bool:
    """
    Choose key exchange groups, by OpenSSL's names with colons between.

    Returns False if OpenSSL does not know one of them, or cannot be told.
    """
    if not CAPABILITIES.groups:
        return False
    done = LIB.SSL_CTX_set1_curves_list(
        context._context,  # noqa: SLF001
        groups.encode("ascii", "replace"),
    )
    LIB.ERR_clear_error()
    return bool(done == 1)


def error_words(code: int) -> str:
    """Give OpenSSL's words for the verification error *code*."""
    if not CAPABILITIES.error_words:
        return f"verification error {code}"
    words: bytes = FFI.string(LIB.X509_verify_cert_error_string(code))
    return words.decode("ascii", "replace")
