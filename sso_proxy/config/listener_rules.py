"""What a listener's options must not say together."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sso_proxy.config.draft import Placed
from sso_proxy.config.model import (
    ListenerConfig,
    NameConfig,
    ServerConfig,
)
from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import Mistake

_TLS_ONLY = (
    "certificate",
    "key",
    "client_certificate",
    "client_ca",
    "client_crl",
    "min_version",
    "max_version",
    "ciphers",
    "ciphersuites",
    "groups",
    "token_binding",
    "name",
)


_PASSED = re.compile(r"systemd:[!-9;-~]{1,255}")
"""systemd.socket(5), FileDescriptorName=: ASCII without control characters and ":"."""


def check_listeners(listeners: Sequence[Placed[ListenerConfig]]) -> Iterator[Mistake]:
    """Check each listener, and that no two want the same address."""
    for number, listener in enumerate(listeners):
        yield from _check_address(listener.path, listener.value, listener.raw)
        if listener.value.tls:
            yield from _check_tls(listener)
        else:
            yield from _check_plain(listener)
        for other in listeners[:number]:
            if _collide(listener.value, other.value):
                problem = f"is taken by {other.path}; take another port"
                yield Mistake(join(listener.path, "port"), problem)
    if listeners and not any(serves(listener.value) for listener in listeners):
        problem = (
            "none serves routes: a plain one only redirects; set tls = true, or"
            " allow_plaintext = true behind something that terminates TLS"
        )
        yield Mistake("listener", problem)


def check_admin(
    server: Placed[ServerConfig], listeners: Sequence[Placed[ListenerConfig]]
) -> Iterator[Mistake]:
    """Check that only this machine reaches the admin listener."""
    admin = server.value.admin
    if admin is None:
        return
    path = "server.admin"
    raw = server.raw["admin"]
    if admin.address.startswith("systemd:"):
        problem = "cannot be passed; take 127.0.0.1, ::1 or unix:/path"
        yield Mistake(join(path, "address"), problem)
        return
    yield from _check_address(path, admin, raw)
    if not admin.address.startswith("unix:") and _is_address(admin.address):
        address = ipaddress.ip_address(admin.address)
        if not address.is_loopback and admin.certificate is None:
            problem = (
                f"{admin.address} is reachable from outside; take 127.0.0.1, ::1 or"
                " unix:/path, or have operators show certificates (client_ca)"
            )
            yield Mistake(join(path, "address"), problem)
    yield from _check_operators(admin)
    for listener in listeners:
        if _collide(admin, listener.value):
            problem = f"is taken by {listener.path}; take another port"
            yield Mistake(join(path, "port"), problem)


def _check_operators(admin: AdminConfig) -> Iterator[Mistake]:
    """Check that who has a certificate of an operator can show it, and has to."""
    names = ("certificate", "key", "client_ca")
    needed = {name: getattr(admin, name) for name in names}
    others = (admin.client_crl, admin.operator_certificate, admin.operator_key)
    if any(needed.values()) or any(others):
        if admin.address.startswith("unix:"):
            problem = "has no effect on a unix socket, whose owner and mode say who may"
            yield Mistake("server.admin.certificate", problem)
        for name in (name for name, value in needed.items() if value is None):
            problem = "is missing; TLS with operators' certificates needs it"
            yield Mistake(f"server.admin.{name}", problem)
    if (admin.operator_certificate is None) != (admin.operator_key is None):
        problem = "goes with server.admin.operator_key"
        yield Mistake("server.admin.operator_certificate", problem)


def check_forwarded(
    server: Placed[ServerConfig], listeners: Sequence[Placed[ListenerConfig]]
) -> Iterator[Mistake]:
    """Check that somebody is there who would be believed about other connections."""
    for listener in listeners:
        believed = {
            "forwarded_certificate": listener.value.forwarded_certificate != "ignore",
            "forwarded_token_binding": listener.value.forwarded_token_binding,
        }
        for option in (name for name, said in believed.items() if said):
            path = join(listener.path, option)
            if not server.value.trusted_proxies:
                yield Mistake(path, "has no effect without server.trusted_proxies")
            elif not serves(listener.value):
                yield Mistake(path, "has no effect: this listener only redirects")


def serves(listener: ListenerConfig) -> bool:
    """Say whether *listener* serves routes; if not, it only redirects."""
    return listener.tls or listener.allow_plaintext


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_address(
    path: str, config: ListenerConfig | AdminConfig, raw: object
) -> Iterator[Mistake]:
    """Check an address and the port that belongs to it."""
    written = raw if isinstance(raw, dict) else {}
    if config.address.startswith("unix:"):
        if not config.address.startswith("unix:/"):
            problem = f"{config.address!r} must be 'unix:' and an absolute path"
            yield Mistake(join(path, "address"), problem)
        if "port" in written:
            yield Mistake(join(path, "port"), "has no effect on a unix socket")
    elif config.address.startswith("systemd:"):
        if not _PASSED.fullmatch(config.address):
            problem = f"{config.address!r} must be 'systemd:' and a FileDescriptorName"
            yield Mistake(join(path, "address"), problem)
        if "port" in written:
            yield Mistake(join(path, "port"), "has no effect: systemd has bound it")
    elif not _is_address(config.address):
        problem = (
            f"{config.address!r} is no IP address, '::', 'unix:/path' or 'systemd:name'"
        )
        yield Mistake(join(path, "address"), problem)
    elif "port" not in written:
        yield Mistake(join(path, "port"), "is missing; it must be a port's number")


def _collide(
    one: ListenerConfig | AdminConfig, other: ListenerConfig | AdminConfig
) -> bool:
    """Say whether two sockets cannot be bound at the same time."""
    if any(e.address.startswith(("unix:", "systemd:")) for e in (one, other)):
        return one.address == other.address
    if not one.port or one.port != other.port:
        return False
    if one.address == other.address or "::" in {one.address, other.address}:
        return True
    any_of_four = "0.0.0.0" in {one.address, other.address}  # noqa: S104
    return any_of_four and ":" not in one.address + other.address


def _check_plain(listener: Placed[ListenerConfig]) -> Iterator[Mistake]:
    """Check that a plain listener does not promise what only TLS keeps."""
    for option in _TLS_ONLY:
        if option in listener.raw:
            problem = "has no effect without TLS; leave it out, or tls = false"
            yield Mistake(join(listener.path, option), problem)
    if listener.value.allow_plaintext and "redirect_port" in listener.raw:
        problem = "has no effect with allow_plaintext: nothing is redirected"
        yield Mistake(join(listener.path, "redirect_port"), problem)


def _check_tls(listener: Placed[ListenerConfig]) -> Iterator[Mistake]:
    """Check a listener's certificates, and whom it asks for theirs."""
    path, config = listener.path, listener.value
    for option in ("certificate", "key"):
        if getattr(config, option) is None:
            problem = "is missing; TLS needs it, also for clients that name no host"
            yield Mistake(join(path, option), problem)
    for option in ("allow_plaintext", "redirect_port"):
        if option in listener.raw:
            yield Mistake(join(path, option), "has no effect on a TLS listener")
    if config.min_version > config.max_version:
        problem = f"is above max_version = {config.max_version!r}"
        yield Mistake(join(path, "min_version"), problem)
    if config.token_binding:
        yield from _check_token_binding(listener)
    yield from _check_client_ca(path, config, None)
    taken = Counter(host for name in config.name for host in name.host)
    for number, name in enumerate(config.name):
        where = join(join(path, "name"), number)
        yield from _check_name(where, name, config)
        for host in name.host:
            if taken[host] > 1:
                problem = f"{host!r} stands in several [[listener.name]] or twice here"
                yield Mistake(join(where, "host"), problem)


def _check_token_binding(listener: Placed[ListenerConfig]) -> Iterator[Mistake]:
    """Check that nothing is asked of TLS 1.3, for which there is no Token Binding."""
    path, config = listener.path, listener.value
    if config.min_version != "TLSv1.2":
        problem = "must be TLSv1.2 with token_binding: no later TLS has it"
        yield Mistake(join(path, "min_version"), problem)
    if "max_version" in listener.raw and config.max_version != "TLSv1.2":
        problem = "is TLSv1.2 with token_binding: no later TLS has it; leave it out"
        yield Mistake(join(path, "max_version"), problem)
    if "ciphersuites" in listener.raw:
        problem = "has no effect with token_binding: they are TLS 1.3's"
        yield Mistake(join(path, "ciphersuites"), problem)


def _check_name(
    path: str, name: NameConfig, listener: ListenerConfig
) -> Iterator[Mistake]:
    """Check what is different for some names."""
    if (name.certificate is None) != (name.key is None):
        missing = "key" if name.key is None else "certificate"
        problem = "is missing; certificate and key go together"
        yield Mistake(join(path, missing), problem)
    yield from _check_client_ca(path, name, listener)


def _check_client_ca(
    path: str,
    config: ListenerConfig | NameConfig,
    listener: ListenerConfig | None,
) -> Iterator[Mistake]:
    """Check that there is a CA where certificates are judged, and only there."""
    mode = config.client_certificate or (listener and listener.client_certificate)
    ca = config.client_ca or (listener and listener.client_ca)
    crl = config.client_crl or (listener and listener.client_crl)
    if mode in {"optional", "required"} and ca is None:
        problem = f"is missing; client_certificate = {mode!r} needs the CAs to trust"
        yield Mistake(join(path, "client_ca"), problem)
    if mode == "none":
        for option in ("client_ca", "client_crl"):
            if getattr(config, option) is not None:
                problem = "has no effect with client_certificate = 'none'"
                yield Mistake(join(path, option), problem)
    elif crl is not None and ca is None:
        yield Mistake(join(path, "client_crl"), "has no effect without client_ca")
