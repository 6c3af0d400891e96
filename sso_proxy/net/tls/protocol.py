"""TLS versions, cipher suites and groups, and whether OpenSSL knows them."""

from collections.abc import Callable, Iterator
from typing import Final

import attrs
from OpenSSL import SSL, crypto

from sso_proxy.config.model import ListenerConfig
from sso_proxy.net.tls.probe import set_groups
from sso_proxy.net.tls.token_binding import enable, unavailable

DEFAULT_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""TLS 1.2 with forward secrecy and authenticated encryption only."""

_VERSIONS: Final = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}

_OPTIONS: Final = (
    SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE
)

_PARTIAL_WRITE: Final = 0x1
_MOVING_BUFFER: Final = 0x2


@attrs.frozen(kw_only=True)
class Protocol:
    """
    The part of the handshake that is the same for all names of a listener.

    Attributes:
        minimum: The lowest TLS version, OpenSSL's number.
        maximum: The highest TLS version, OpenSSL's number.
        ciphers: OpenSSL cipher list for TLS 1.2.
        ciphersuites: TLS 1.3 cipher suites with colons between; empty, OpenSSL's.
        groups: Key exchange groups with colons between; empty, OpenSSL's.
        token_binding: Whether clients may agree on Token Binding, and thus on TLS 1.2.
    """

    minimum: int = SSL.TLS1_2_VERSION
    maximum: int = SSL.TLS1_3_VERSION
    ciphers: str = DEFAULT_CIPHERS
    ciphersuites: str = ""
    groups: str = ""
    token_binding: bool = False

    def apply(self, context: SSL.Context) -> None:
        """Set *context* to it, and to the modes that our streams need."""
        context.set_min_proto_version(self.minimum)
        context.set_max_proto_version(self.maximum)
        context.set_options(_OPTIONS)
        context.set_mode(_PARTIAL_WRITE | _MOVING_BUFFER | SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(self.ciphers.encode("ascii"))
        if self.ciphersuites:
            context.set_tls13_ciphersuites(self.ciphersuites.encode("ascii"))
        if self.groups:
            set_groups(context, self.groups)
        if self.token_binding:
            enable(context)


def read_protocol(
    config: ListenerConfig, path: str, note: Callable[[str, str], None]
) -> Protocol:
    """Read the options of the listener at *path*; *note* hears what is wrong."""
    if _VERSIONS[config.min_version] > _VERSIONS[config.max_version]:
        note(
            f"{path}.min_version",
            f"{config.min_version} is more than max_version, {config.max_version}",
        )
    maximum = _VERSIONS[config.max_version]
    if config.token_binding:
        maximum = SSL.TLS1_2_VERSION
        reason = unavailable()
        if reason:
            note(f"{path}.token_binding", f"cannot be had: {reason}; leave it out")
        if _VERSIONS[config.min_version] > maximum:
            note(
                f"{path}.min_version", "is too much for token_binding: that is TLS 1.2"
            )
    for option, unknown in (
        ("ciphers", unknown_ciphers(config.ciphers or "")),
        ("ciphersuites", unknown_suites(config.ciphersuites or "")),
        ("groups", unknown_groups(config.groups)),
    ):
        for item in unknown:
            note(f"{path}.{option}", f"OpenSSL does not offer {item!r} here")
    return Protocol(
        minimum=_VERSIONS[config.min_version],
        maximum=maximum,
        ciphers=config.ciphers or DEFAULT_CIPHERS,
        ciphersuites=config.ciphersuites or "",
        groups=":".join(config.groups),
        token_binding=config.token_binding,
    )


def unknown_ciphers(ciphers: str) -> Iterator[str]:
    """
    Give the elements of an OpenSSL cipher list that stand for nothing.

    OpenSSL itself passes over them as long as one is left.
    """
    for item in filter(None, ciphers.replace(",", ":").replace(" ", ":").split(":")):
        if item.startswith("@"):
            continue
        try:
            _scratch().set_cipher_list(item.lstrip("!-+").encode("ascii", "replace"))
        except SSL.Error:
            yield item


def unknown_suites(suites: str) -> Iterator[str]:
    """Give the TLS 1.3 cipher suites in *suites* that OpenSSL does not have."""
    for item in filter(None, suites.split(":")):
        context = _scratch()
        try:
            context.set_tls13_ciphersuites(item.encode("ascii", "replace"))
        except SSL.Error:
            yield item
        else:
            if item not in SSL.Connection(context).get_cipher_list():
                yield item


def unknown_groups(groups: tuple[str, ...]) -> Iterator[str]:
    """Give the *groups* that OpenSSL does not know or cannot be told."""
    for item in groups:
        if not set_groups(_scratch(), item):
            yield item


def certificate_store(context: SSL.Context) -> crypto.X509Store:
    """Give the store of what *context* trusts."""
    store = context.get_cert_store()
    assert store is not None, "OpenSSL makes no context without one"  # noqa: S101
    return store


def _scratch() -> SSL.Context:
    """Make a context to try something on."""
    return SSL.Context(SSL.TLS_SERVER_METHOD)
